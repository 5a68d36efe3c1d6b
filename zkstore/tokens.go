package zkstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"baton/epoch"

	"github.com/go-zookeeper/zk"
)

// ExpireTokens removes delegation tokens that are past their time, each together with the
// notification that makes brokers forget it. Brokers do not do that: nothing but the removal
// ends a token's validity (8.10 of the reference; DelegationTokenManager of 2.4 to 3.9, which
// only the controller calls). What cannot be understood is left and part of the error, as is
// a removal whose outcome is unknown; the others are removed all the same.
func (s *Session) ExpireTokens(ctx context.Context, fence epoch.Fence, now time.Time) (removed int, err error) {
	names, err := s.children(ctx, pathTokens)
	if err != nil {
		return 0, err
	}
	var bad []error
	for _, id := range names {
		path := childPath(pathTokens, id)
		n, err := s.get(ctx, path)
		if err != nil {
			return removed, err
		}
		if !n.exists {
			continue
		}
		until, err := decodeToken(n.data)
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", path, err))
			continue
		}
		if now.UnixMilli() <= until {
			continue
		}
		note := s.opCreate(pathTokenChanges+"/token_change_", []byte(id), zk.FlagSequence)
		switch err := s.fenced(ctx, "removing "+path, fence, s.opDelete(path, n.stat.Version), note); {
		case errors.Is(err, epoch.ErrFenced), classify(err) == classEnded:
			return removed, err
		case err != nil: // renewed meanwhile, or removed, or it is not known
			bad = append(bad, err)
		default:
			removed++
		}
	}
	return removed, errors.Join(bad...)
}

// decodeToken returns when a token ends, in milliseconds since 1970.
func decodeToken(data []byte) (until int64, err error) {
	o, err := parseObject(data)
	if err != nil {
		return 0, err
	}
	if err := checkVersion(o, 1, 3); err != nil {
		return 0, err
	}
	most, err := required[int64](o, "maxTimestamp", "a 64-bit integer")
	if err != nil {
		return 0, err
	}
	expiry, err := required[int64](o, "expiryTimestamp", "a 64-bit integer")
	return min(most, expiry), err
}
