package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"baton/zkstore"
)

// stop leaves in order: to another Baton if there is one, so that no broker wins, else
// to whoever claims first.
func (n *Node) stop(ctx context.Context, s session) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	n.mu.Lock()
	holding, members := n.term != nil, n.view.Members
	n.mu.Unlock()
	if !holding {
		return
	}
	for _, m := range members {
		if m.ID == n.id() {
			continue
		}
		try, done := context.WithTimeout(ctx, 3*time.Second)
		err := n.handOver(try, s, m.ID)
		done()
		if err == nil {
			n.log.Info("handed over", zap.Int32("to", m.ID))
			return
		}
		n.log.Warn("handing over failed", zap.Int32("to", m.ID), zap.Error(err))
	}
	n.setBusy(true)
	defer n.setBusy(false)
	if t := n.endTerm(errors.New("stopping"), true); t != nil {
		if err := s.Release(ctx, t.Fence()); err != nil {
			n.log.Warn("releasing /controller failed", zap.Error(err))
		}
	}
}

func (n *Node) setBusy(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.busy = on
}

// handOver gives our consent and waits until the other Baton holds. It leads until then.
func (n *Node) handOver(ctx context.Context, s session, to int32) error {
	n.mu.Lock()
	t := n.term
	n.mu.Unlock()
	if t == nil {
		return errors.New("not the controller")
	}
	h := zkstore.Handover{From: n.id(), To: to, When: time.Now(), Consent: int32(t.Fence().Epoch)}
	if err := s.OfferHandover(ctx, t.Fence(), h); err != nil {
		return err
	}
	err := n.await(ctx, func(v zkstore.RoleView) bool {
		return v.Controller != nil && v.Controller.BrokerID == to && v.Controller.Baton != nil
	})
	if err != nil {
		return errors.Join(fmt.Errorf("%d did not take over: %w", to, err), clearHandover(ctx, s))
	}
	n.endTerm(fmt.Errorf("handed over to %d", to), false)
	return nil
}

// clearHandover withdraws a handover after ctx may have ended, but waits for ZooKeeper
// only so long: a stop must come to its end.
func clearHandover(ctx context.Context, s session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return s.ClearHandover(ctx)
}

// errStopping ends commands that wait for something that cannot come any more.
var errStopping = errors.New("this process is stopping")

// await blocks until the role view satisfies f.
func (n *Node) await(ctx context.Context, f func(zkstore.RoleView) bool) error {
	return n.awaitState(ctx, func() bool { return n.viewSeen && f(n.view) })
}

// awaitState blocks until f, called with n.mu held, is true. It looks with every new
// view and term.
func (n *Node) awaitState(ctx context.Context, f func() bool) error {
	for {
		n.mu.Lock()
		ok, changed := f(), n.changed
		n.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-n.stopped:
			return errStopping
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
