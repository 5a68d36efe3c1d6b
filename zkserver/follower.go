package zkserver

import (
	"maps"
	"slices"
	"time"
)

// follower is the state of a server that has fallen behind: a copy of the tree, and the transactions that it has not
// applied. Watches of its connection are set on the copy, so that they fire when the follower learns of a change.
type follower struct {
	tree    *tree
	pending []*Txn
}

// Lag makes a session's connection see the present state for as long as it neither syncs nor writes nor CatchUp is
// called. It sees its own writes, and everything before them, as on a real follower. False if there is no connection.
func (s *Server) Lag(session int64) (ok bool) {
	s.call(func() {
		if ss := s.sessions[session]; ss != nil && ss.conn != nil {
			s.lag(ss.conn, 0)
			ok = true
		}
	})
	return ok
}

// CatchUp ends a session's lag.
func (s *Server) CatchUp(session int64) {
	s.call(func() {
		if ss := s.sessions[session]; ss != nil && ss.conn != nil {
			s.join(ss.conn)
		}
	})
}

func (s *Server) lag(c *conn, d time.Duration) {
	if c.follower != nil {
		return
	}
	f := &follower{tree: s.tree.clone()}
	c.follower, c.view = f, f.tree
	f.tree.data.move(&s.tree.data, c)
	f.tree.child.move(&s.tree.child, c)
	s.followers[f] = struct{}{}
	if d > 0 {
		time.AfterFunc(d, func() {
			s.post(func() {
				if c.follower == f {
					s.join(c)
				}
			})
		})
	}
}

// catchUp applies what a lagging connection has not seen; it lags again from here.
func (c *conn) catchUp() {
	if c.follower == nil {
		return
	}
	for _, x := range c.follower.pending {
		// Apply records permissions in the changes, which the leader's tree has recorded before.
		y := *x
		y.Changes = slices.Clone(x.Changes)
		c.view.apply(&y)
	}
	c.follower.pending = nil
}

// join makes the connection see the leader's state again.
func (s *Server) join(c *conn) {
	if c.follower == nil {
		return
	}
	c.catchUp()
	s.tree.data.move(&c.view.data, c)
	s.tree.child.move(&c.view.child, c)
	delete(s.followers, c.follower)
	c.follower, c.view = nil, s.tree
}

// clone copies a tree without its watches.
func (t *tree) clone() *tree {
	n := &tree{
		nodes: make(map[string]*znode, len(t.nodes)), zxid: t.zxid, bytes: t.bytes,
		ephemerals: make(map[int64]map[string]struct{}, len(t.ephemerals)), containers: maps.Clone(t.containers),
		data: newWatchTable(), child: newWatchTable(),
	}
	for path, node := range t.nodes {
		c := *node
		c.children = maps.Clone(node.children)
		n.nodes[path] = &c
	}
	for id, paths := range t.ephemerals {
		n.ephemerals[id] = maps.Clone(paths)
	}
	return n
}
