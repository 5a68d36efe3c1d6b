package node

import (
	"context"
	"errors"
	"time"

	"baton/controller"
	"baton/epoch"

	"go.uber.org/zap"
)

const tokenRetry = time.Minute

// expireTokens removes expired delegation tokens while a term lasts, first at once. They are
// looked for whether or not the configuration has the brokers' key: it costs one list an hour.
func (n *Node) expireTokens(ctx context.Context, s session, t *controller.Term, fence epoch.Fence) {
	for {
		wait := n.config().TokenExpiryCheck
		removed, err := s.ExpireTokens(ctx, fence, time.Now())
		if errors.Is(err, epoch.ErrFenced) {
			return // the term ends by itself
		}
		if err != nil && ctx.Err() == nil {
			n.log.Warn("expired delegation tokens are left", zap.Error(err))
			wait = min(wait, tokenRetry)
		}
		if removed > 0 {
			n.log.Info("removed expired delegation tokens", zap.Int("tokens", removed))
		}
		select {
		case <-t.Done():
			return
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
