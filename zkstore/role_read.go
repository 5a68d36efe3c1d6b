package zkstore

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// ReadRole reads everything that decides who holds and who may take.
func (s *Session) ReadRole(ctx context.Context) (RoleView, error) {
	return s.readRole(ctx, s.get, s.children)
}

// readRole reads with the given functions, which may set watches.
func (s *Session) readRole(ctx context.Context, get func(context.Context, string) (node, error),
	list func(context.Context, string) ([]string, error)) (RoleView, error) {
	// The epoch comes first: whoever claims after it was read moves it, so a claim made
	// from this view fails, even if /controller below is the newer holder's and its
	// version equals the older one's.
	epochNode, err := get(ctx, pathControllerEpoch)
	if err != nil {
		return RoleView{}, err
	}
	r := &roleReader{view: RoleView{EpochVersion: -1, Bad: map[string]string{}}}
	r.epoch(epochNode)
	steps := []struct {
		path string
		take func(node)
	}{
		{pathController, r.controller}, {pathHold, r.hold}, {pathHandover, r.handover},
		{pathMigration, r.migration},
	}
	err = parallel(ctx, len(steps)+1, len(steps)+1, func(ctx context.Context, i int) error {
		if i == len(steps) {
			return r.members(ctx, get, list)
		}
		n, err := get(ctx, steps[i].path)
		if err == nil && n.exists {
			r.mu.Lock()
			defer r.mu.Unlock()
			steps[i].take(n)
		}
		return err
	})
	if err != nil {
		return RoleView{}, err
	}
	slices.SortFunc(r.view.Members, func(a, b Member) int { return int(a.ID) - int(b.ID) })
	return r.view, nil
}

// roleReader puts a view together from answers that come in any order.
type roleReader struct {
	mu   sync.Mutex
	view RoleView
}

func (r *roleReader) bad(path string, err error) {
	if err != nil {
		r.view.Bad[path] = err.Error()
	}
}

func (r *roleReader) epoch(n node) {
	if !n.exists {
		return
	}
	var err error
	r.view.Epoch, err = decodeEpoch(n.data)
	r.view.EpochVersion = n.stat.Version
	r.bad(pathControllerEpoch, err)
}

func (r *roleReader) controller(n node) {
	reg, err := decodeController(n.data, n.stat)
	if err != nil {
		// Somebody holds, we just cannot say who: nil would read as nobody.
		reg = &Registration{BrokerID: -1, KRaftEpoch: -1, Version: n.stat.Version, Czxid: n.stat.Czxid, Owner: n.stat.EphemeralOwner}
	}
	r.view.Controller = reg
	r.bad(pathController, err)
}

func (r *roleReader) hold(n node) {
	h, err := decodeHold(n.data)
	if err != nil {
		h = &Hold{Why: "the content of " + pathHold + " cannot be understood"}
	}
	r.view.Hold = h
	r.bad(pathHold, err)
}

func (r *roleReader) handover(n node) {
	h, err := decodeHandover(n.data, n.stat.Version)
	r.view.Handover = h
	r.bad(pathHandover, err)
}

func (r *roleReader) migration(n node) {
	how, err := decodeMigration(n.data)
	r.view.Migration = how
	r.bad(pathMigration, err)
}

func (r *roleReader) members(ctx context.Context, get func(context.Context, string) (node, error),
	list func(context.Context, string) ([]string, error)) error {
	names, err := list(ctx, pathBatonMembers)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := childPath(pathBatonMembers, name)
		n, err := get(ctx, path)
		if err != nil {
			return err
		}
		if !n.exists {
			continue
		}
		m, err := decodeMember(n.data)
		id, ok := parseID(name)
		m.ID = id
		r.mu.Lock()
		switch {
		case err != nil:
			r.bad(path, err)
		case !ok:
			r.view.Bad[path] = "expected a Baton's id as the znode's name, found " + excerpt([]byte(name))
		default:
			r.view.Members = append(r.view.Members, m)
		}
		r.mu.Unlock()
	}
	return nil
}

// rolePath reports whether a change of the path changes the view.
func rolePath(path string) bool {
	switch path {
	case pathController, pathControllerEpoch, pathHold, pathHandover, pathMigration, pathBatonMembers:
		return true
	}
	return strings.HasPrefix(path, pathBatonMembers+"/")
}
