package zkstore

import (
	"context"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"
)

// arms knows which one-shot watches are set. Every *W call costs the library a channel
// until the watch fires, so a path that is watched already is read without setting
// another; else each reconcile would leak one for each topic.
type arms struct {
	mu sync.Mutex
	m  map[armKey]*arm
}

type armKey struct {
	path     string
	children bool
}

type arm struct {
	set     bool
	pending int  // reads under way that set the watch
	fired   bool // an event came while they were
}

// begin says whether the watch is set; if not, the caller sets it and calls end.
func (a *arms) begin(k armKey) (set bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		a.m = map[armKey]*arm{}
	}
	w := a.m[k]
	if w == nil {
		w = &arm{}
		a.m[k] = w
	}
	if w.set {
		return true
	}
	if w.pending == 0 {
		w.fired = false
	}
	w.pending++
	return false
}

func (a *arms) end(k armKey, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.m[k]
	w.pending--
	// The event may be handled before the reply's receiver gets here.
	w.set = w.set || (ok && !w.fired)
	if !w.set && w.pending == 0 {
		delete(a.m, k)
	}
}

func (a *arms) fired(ev zk.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch ev.Type {
	case zk.EventNodeCreated, zk.EventNodeDataChanged:
		a.clear(armKey{ev.Path, false})
	case zk.EventNodeChildrenChanged:
		a.clear(armKey{ev.Path, true})
	case zk.EventNodeDeleted:
		a.clear(armKey{ev.Path, false})
		a.clear(armKey{ev.Path, true})
	}
}

func (a *arms) clear(k armKey) {
	w := a.m[k]
	if w == nil {
		return
	}
	w.set = false
	if w.pending > 0 {
		w.fired = true
	} else {
		delete(a.m, k)
	}
}

// lost forgets that watches are set, those of the paths and, with below, of everything
// under them: a change was found that they did not report.
func (a *arms) lost(below bool, paths ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range paths {
		a.clear(armKey{p, false})
		a.clear(armKey{p, true})
		for k := range a.m {
			if below && strings.HasPrefix(k.path, p+"/") {
				a.clear(k)
			}
		}
	}
}

// getW reads a znode and sees to it that its creation, change or deletion is reported.
func (s *Session) getW(ctx context.Context, path string) (node, error) {
	k := armKey{path, false}
	for {
		n, err := s.getExistingW(ctx, path)
		if err != nil || n.exists {
			return n, err
		}
		if s.arms.begin(k) {
			return s.get(ctx, path)
		}
		exists, err := s.existsW(ctx, path)
		s.arms.end(k, err == nil)
		if err != nil || !exists {
			return node{}, err
		}
	}
}

// getExistingW is getW for a znode whose creation is seen in its parent's children; a
// watch for its creation would stay behind for each one deleted.
func (s *Session) getExistingW(ctx context.Context, path string) (node, error) {
	k := armKey{path, false}
	if s.arms.begin(k) {
		return s.get(ctx, path)
	}
	n, err := again(ctx, s, "get", path, func(c zkConn) (node, error) {
		data, stat, _, err := c.GetW(s.abs(path))
		if err != nil {
			return node{}, err
		}
		return node{data, *stat, true}, nil
	})
	s.arms.end(k, err == nil)
	if classify(err) == classNoNode {
		return node{}, nil
	}
	return n, err
}

func (s *Session) existsW(ctx context.Context, path string) (bool, error) {
	return again(ctx, s, "exists", path, func(c zkConn) (bool, error) {
		ok, _, _, err := c.ExistsW(s.abs(path))
		return ok, err
	})
}

// childrenW lists a znode's children and sees to it that a change of them is reported.
// The znode is one of those that EnsurePaths makes; if it is missing it has none.
func (s *Session) childrenW(ctx context.Context, path string) ([]string, error) {
	k := armKey{path, true}
	if s.arms.begin(k) {
		return s.children(ctx, path)
	}
	names, err := again(ctx, s, "list", path, func(c zkConn) ([]string, error) {
		names, _, _, err := c.ChildrenW(s.abs(path))
		return names, err
	})
	s.arms.end(k, err == nil)
	if classify(err) == classNoNode {
		_, err = s.getW(ctx, path) // its creation
		return nil, err
	}
	return names, err
}
