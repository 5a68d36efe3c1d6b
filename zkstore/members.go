package zkstore

import (
	"context"
	"errors"
	"fmt"

	"baton/epoch"

	"github.com/go-zookeeper/zk"
)

// Register makes this instance known: for good under /baton/ids, and for as long as the
// session lives under /baton/members. A node left by an earlier session of the same
// instance is replaced, so that a restart need not wait for its expiry.
func (s *Session) Register(ctx context.Context, m Member) error {
	err := s.createAbs(ctx, s.abs(idPath(pathBatonIDs, m.ID)), mustJSON(m.BatonInfo))
	if err != nil && classify(err) != classNodeExists {
		return fmt.Errorf("registering id %d: %w", m.ID, err)
	}
	path, data := idPath(pathBatonMembers, m.ID), encodeMember(m)
	for {
		n, err := s.get(ctx, path)
		if err != nil {
			return fmt.Errorf("registering id %d: %w", m.ID, err)
		}
		var ops []any
		switch {
		case !n.exists:
			ops = []any{s.opCreate(path, data, zk.FlagEphemeral)}
		case n.stat.EphemeralOwner == s.ID():
			if string(n.data) == string(data) {
				return nil // also: ours, and only the reply was lost
			}
			ops = []any{s.opSet(path, data, n.stat.Version)}
		default:
			old, err := decodeMember(n.data)
			if err != nil || old.Name != m.Name {
				return fmt.Errorf("id %d is in use by %s (session 0x%x)", m.ID, describeMember(old, err), uint64(n.stat.EphemeralOwner))
			}
			ops = []any{s.opDelete(path, n.stat.Version), s.opCreate(path, data, zk.FlagEphemeral)}
		}
		_, err = s.multi(ctx, "registering "+path, ops)
		switch classify(err) {
		case classOK:
			return nil
		case classNoNode, classBadVersion, classNodeExists, classUnknown, classNotSent:
			// Somebody moved, or the outcome is unknown: look again.
			if ctx.Err() != nil {
				return err
			}
			if err := s.waitConnected(ctx); err != nil {
				return fmt.Errorf("registering id %d: %w", m.ID, err)
			}
		default:
			return fmt.Errorf("registering id %d: %w", m.ID, err)
		}
	}
}

func describeMember(m Member, err error) string {
	if err != nil {
		return "an instance whose znode cannot be understood: " + err.Error()
	}
	return fmt.Sprintf("%q on host %s, pid %d", m.Name, m.Host, m.PID)
}

// PutHold forbids claiming to every Baton until a claim with ClearHold.
func (s *Session) PutHold(ctx context.Context, h Hold) error {
	return s.put(ctx, pathHold, mustJSON(h), func(data []byte) error {
		if _, err := decodeHold(data); err != nil {
			return errHeld // it forbids claiming as it is
		}
		return nil
	})
}

// PutHandover asks for the role, or withdraws a consent by asking anew.
func (s *Session) PutHandover(ctx context.Context, h Handover) error {
	return s.put(ctx, pathHandover, mustJSON(h), func(data []byte) error {
		_, err := decodeHandover(data, 0)
		return err
	})
}

// ClearHandover removes the request.
func (s *Session) ClearHandover(ctx context.Context) error { return s.remove(ctx, pathHandover) }

// PutHandoverConsent answers the request of version h.Version, under the holder's fence.
func (s *Session) PutHandoverConsent(ctx context.Context, fence epoch.Fence, h Handover) error {
	data := mustJSON(h)
	for {
		err := s.fenced(ctx, "consenting to a handover", fence, s.opSet(pathHandover, data, h.Version))
		if !errors.Is(err, errUnclear) {
			return err
		}
		n, err := s.get(ctx, pathHandover)
		switch {
		case err != nil:
			return fmt.Errorf("consenting to a handover: %w", err)
		case n.exists && n.stat.Version == h.Version+1 && string(n.data) == string(data):
			return nil
		}
	}
}

// OfferHandover gives consent that nobody has asked for, under the holder's fence; it
// replaces a request that is there.
func (s *Session) OfferHandover(ctx context.Context, fence epoch.Fence, h Handover) error {
	data := mustJSON(h)
	for {
		n, err := s.get(ctx, pathHandover)
		var op any = s.opCreate(pathHandover, data, 0)
		switch {
		case err != nil:
			return fmt.Errorf("offering a handover: %w", err)
		case n.exists && string(n.data) == string(data):
			return nil // only the reply was lost
		case n.exists:
			if _, err := decodeHandover(n.data, 0); err != nil {
				return fmt.Errorf("offering a handover: %s: %w", pathHandover, err)
			}
			op = s.opSet(pathHandover, data, n.stat.Version)
		}
		err = s.fenced(ctx, "offering a handover", fence, op)
		switch c := classify(err); {
		case errors.Is(err, epoch.ErrFenced):
			return err
		case errors.Is(err, errUnclear), c == classNoNode, c == classBadVersion, c == classNodeExists:
			continue // somebody moved, or the outcome is unknown: look again
		}
		return err
	}
}

// errHeld: what is there has the effect of what was to be written.
var errHeld = errors.New("in force already")

// put writes a znode of Baton's own over what is there, if that can be understood.
func (s *Session) put(ctx context.Context, path string, data []byte, understood func([]byte) error) error {
	for {
		n, err := s.get(ctx, path)
		if err != nil {
			return err
		}
		if n.exists && string(n.data) == string(data) {
			return nil
		}
		op := any(s.opCreate(path, data, 0))
		if n.exists {
			if err := understood(n.data); errors.Is(err, errHeld) {
				return nil
			} else if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			op = s.opSet(path, data, n.stat.Version)
		}
		_, err = again(ctx, s, "set", path, func(c zkConn) ([]zk.MultiResponse, error) { return c.Multi(op) })
		switch classify(err) {
		case classNoNode, classBadVersion, classNodeExists:
			continue // somebody moved, or only the reply was lost: look again
		}
		return err
	}
}

func (s *Session) remove(ctx context.Context, path string) error {
	_, err := again(ctx, s, "delete", path, func(c zkConn) ([]zk.MultiResponse, error) { return c.Multi(s.opDelete(path, -1)) })
	if classify(err) == classNoNode {
		return nil
	}
	return err
}
