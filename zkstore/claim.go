package zkstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"baton/epoch"

	"github.com/go-zookeeper/zk"
)

// Claim is what a claim of the role is made from: a RoleView's facts, each of which the
// transaction makes a condition.
type Claim struct {
	ID           int32
	Info         BatonInfo
	Replace      *Registration // who holds now; nil: nobody
	EpochValue   int32         // as in the RoleView
	EpochVersion int32
	Handover     bool // delete /baton/handover with the same transaction
	// ClearHold deletes /baton/hold with the same transaction, so that no other Baton claims
	// in between.
	ClearHold bool
}

// Claim takes the role in one transaction. ErrTaken: somebody else was first, or there is a hold
// that ClearHold does not clear.
func (s *Session) Claim(ctx context.Context, c Claim) (epoch.Fence, error) {
	if c.EpochValue == math.MaxInt32 {
		return epoch.Fence{}, fmt.Errorf("claim: %s has reached the largest value", pathControllerEpoch)
	}
	if c.EpochVersion < 0 {
		switch err := s.createEpoch(ctx); {
		case classify(err) == classNodeExists:
			return epoch.Fence{}, fmt.Errorf("claim: %w: %s has appeared", ErrTaken, pathControllerEpoch)
		case err != nil:
			return epoch.Fence{}, fmt.Errorf("claim: %w", err)
		}
		c.EpochValue, c.EpochVersion = 0, 0
	}
	next := epoch.Controller(c.EpochValue + 1)
	// There is no check for absence: creating the hold fails where there is one, even if
	// it was written a moment ago and no view has it yet.
	ops := []any{s.opCreate(pathHold, nil, 0), s.opDelete(pathHold, 0)}
	if c.ClearHold {
		ops = []any{s.opDelete(pathHold, -1)}
	}
	if c.Replace != nil {
		ops = append(ops, s.opDelete(pathController, c.Replace.Version))
	}
	ops = append(ops,
		s.opCreate(pathController, encodeController(c.ID, c.Info, time.Now()), zk.FlagEphemeral),
		s.opSet(pathControllerEpoch, strconv.AppendInt(nil, int64(next), 10), c.EpochVersion))
	setAt := len(ops) - 1
	if c.Handover {
		ops = append(ops, s.opDelete(pathHandover, -1))
	}
	for {
		res, err := s.multi(ctx, "claim", ops)
		if err == nil {
			return epoch.Fence{Epoch: next, Version: res[setAt].Stat.Version}, nil
		}
		switch classify(err) {
		case classNoNode, classBadVersion, classNodeExists:
			// The usual answer to a claim that is too late, but also to the repetition of
			// one whose first reply was lost.
			return s.verifyClaim(ctx, c.ID, next)
		case classUnknown:
			if ctx.Err() != nil {
				return epoch.Fence{}, err
			}
			return s.verifyClaim(ctx, c.ID, next)
		case classNotSent:
			if err := s.waitConnected(ctx); err != nil {
				return epoch.Fence{}, fmt.Errorf("claim: %w", err)
			}
		default:
			return epoch.Fence{}, fmt.Errorf("claim: %w", err)
		}
	}
}

func (s *Session) createEpoch(ctx context.Context) error {
	return s.createAbs(ctx, s.abs(pathControllerEpoch), []byte("0"))
}

// verifyClaim reads back whether a claim whose outcome is not known was applied. The
// owner is compared too: a broker or an earlier session may have used our id.
func (s *Session) verifyClaim(ctx context.Context, id int32, want epoch.Controller) (epoch.Fence, error) {
	fail := func(err error) (epoch.Fence, error) { return epoch.Fence{}, fmt.Errorf("claim: reading back: %w", err) }
	if err := s.sync(ctx); err != nil {
		return fail(err)
	}
	n, err := s.get(ctx, pathController)
	if err != nil {
		return fail(err)
	}
	e, err := s.get(ctx, pathControllerEpoch)
	if err != nil {
		return fail(err)
	}
	if n.exists && e.exists && n.stat.EphemeralOwner == s.ID() {
		reg, rerr := decodeController(n.data, n.stat)
		value, eerr := decodeEpoch(e.data)
		if rerr == nil && eerr == nil && reg.BrokerID == id && epoch.Controller(value) == want {
			return epoch.Fence{Epoch: want, Version: e.stat.Version}, nil
		}
	}
	return epoch.Fence{}, fmt.Errorf("claim: %w", ErrTaken)
}

// Release gives the role up, if it is ours. ErrRoleLost: it was not ours any more.
func (s *Session) Release(ctx context.Context, fence epoch.Fence) error {
	for {
		n, err := s.get(ctx, pathController)
		if err != nil {
			return fmt.Errorf("release: %w", err)
		}
		if !n.exists || n.stat.EphemeralOwner != s.ID() {
			return fmt.Errorf("release: %w", ErrRoleLost)
		}
		err = s.fenced(ctx, "release", fence, s.opDelete(pathController, n.stat.Version))
		if !errors.Is(err, errUnclear) {
			return err
		}
		if err := s.waitConnected(ctx); err != nil {
			return fmt.Errorf("release: %w", err)
		}
		if err := s.sync(ctx); err != nil {
			return fmt.Errorf("release: %w", err)
		}
		if n, err = s.get(ctx, pathController); err == nil && (!n.exists || n.stat.EphemeralOwner != s.ID()) {
			return nil
		}
	}
}

// errUnclear: the outcome is unknown or the request was not sent; look and try again.
var errUnclear = errors.New("outcome unknown")

// fenced sends operations under the fence once.
func (s *Session) fenced(ctx context.Context, what string, fence epoch.Fence, ops ...any) error {
	res, err := s.multi(ctx, what, append([]any{s.opCheck(pathControllerEpoch, fence.Version)}, ops...))
	if err == nil {
		return nil
	}
	if at, _ := failedOp(res); at == 0 {
		return fmt.Errorf("%s: %w", what, epoch.ErrFenced)
	}
	if c := classify(err); (c == classUnknown || c == classNotSent) && ctx.Err() == nil {
		return fmt.Errorf("%s: %w: %w", what, errUnclear, err)
	}
	return err
}
