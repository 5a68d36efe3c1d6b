package zkserver

import (
	"slices"
	"strings"

	"baton/jute"
)

// read answers an operation that changes nothing but watches, from the state that the connection sees.
func (c *conn) read(op jute.Op, r jute.Record) (jute.Record, jute.Code) {
	switch r := r.(type) {
	case *jute.PathWatchRequest:
		return c.readNode(op, r)
	case *jute.PathRequest:
		return c.readPath(op, r.Path)
	case *jute.PathKindRequest:
		return c.watching(op, r)
	case *jute.SetWatchesRequest:
		return nil, c.setWatches(r)
	case *jute.GetEphemeralsRequest:
		return c.ephemerals(r.Prefix), jute.OK
	case *jute.MultiRequest:
		return c.multiRead(r)
	}
	return nil, jute.MarshallingError
}

func (c *conn) readNode(op jute.Op, r *jute.PathWatchRequest) (jute.Record, jute.Code) {
	t := c.view
	n := t.get(r.Path)
	if op == jute.OpExists {
		return c.exists(n, r)
	}
	if n == nil {
		return nil, jute.NoNode
	}
	if !c.allowed(n.acl, jute.PermRead) {
		return nil, jute.NoAuth
	}
	if op == jute.OpGetData {
		if r.Watch {
			t.data.add(r.Path, c, oneShot)
		}
		return &jute.DataResponse{Data: n.data, Stat: n.stat()}, jute.OK
	}
	if r.Watch {
		t.child.add(r.Path, c, oneShot)
	}
	if op == jute.OpGetChildren {
		return &jute.StringsResponse{Strings: nonNil(n.names())}, jute.OK
	}
	return &jute.ChildrenResponse{Children: nonNil(n.names()), Stat: n.stat()}, jute.OK
}

// exists also watches for a node that is not there.
func (c *conn) exists(n *znode, r *jute.PathWatchRequest) (jute.Record, jute.Code) {
	if strings.IndexByte(r.Path, 0) >= 0 {
		return nil, jute.BadArguments
	}
	if n != nil && !c.allowed(n.acl, jute.PermRead) {
		return nil, jute.NoAuth
	}
	if r.Watch {
		c.view.data.add(r.Path, c, oneShot)
	}
	if n == nil {
		return nil, jute.NoNode
	}
	s := n.stat()
	return &s, jute.OK
}

func (c *conn) readPath(op jute.Op, path string) (jute.Record, jute.Code) {
	n := c.view.get(path)
	if n == nil {
		return nil, jute.NoNode
	}
	if op == jute.OpGetAllChildrenNumber {
		if !c.allowed(n.acl, jute.PermRead) {
			return nil, jute.NoAuth
		}
		return &jute.IntResponse{Value: c.view.below(path)}, jute.OK
	}
	if !c.allowed(n.acl, jute.PermRead|jute.PermAdmin) {
		return nil, jute.NoAuth
	}
	acl := n.acl
	if !c.allowed(acl, jute.PermAdmin) {
		acl = hidden(acl)
	}
	return &jute.ACLResponse{ACL: acl, Stat: n.stat()}, jute.OK
}

// below counts all descendants.
func (t *tree) below(path string) int32 {
	if path == "/" {
		return int32(len(t.nodes) - 1)
	}
	var n int32
	for p := range t.nodes {
		if under(p, path) {
			n++
		}
	}
	return n
}

func (c *conn) watching(op jute.Op, r *jute.PathKindRequest) (jute.Record, jute.Code) {
	t := c.view
	if op == jute.OpAddWatch {
		m := persistent
		switch r.Kind {
		case jute.WatchPersistent:
		case jute.WatchPersistentRecursive:
			m = recursive
		default:
			return nil, jute.MarshallingError
		}
		t.data.add(r.Path, c, m)
		t.child.add(r.Path, c, m)
		return &jute.IntResponse{}, jute.OK
	}
	var tables []*watchTable
	switch r.Kind {
	case jute.WatchChildren:
		tables = []*watchTable{&t.child}
	case jute.WatchData:
		tables = []*watchTable{&t.data}
	case jute.WatchAny:
		tables = []*watchTable{&t.child, &t.data}
	default:
		return nil, jute.MarshallingError
	}
	found := false
	for _, w := range tables {
		if op == jute.OpCheckWatches {
			found = w.has(r.Path, c) || found
		} else {
			found = w.remove(r.Path, c) || found
		}
	}
	if !found {
		return nil, jute.NoWatcher
	}
	return nil, jute.OK
}

// setWatches arms the watches of a client that was away, or tells it at once what it has missed. A list must not be
// null.
func (c *conn) setWatches(r *jute.SetWatchesRequest) jute.Code {
	if r.Data == nil || r.Exist == nil || r.Child == nil || r.Two && (r.Persistent == nil || r.Recursive == nil) {
		return jute.MarshallingError
	}
	t := c.view
	for _, p := range r.Data {
		switch n := t.get(p); {
		case n == nil:
			c.notify(jute.EventDeleted, p)
		case n.mzxid > r.RelativeZxid:
			c.notify(jute.EventDataChanged, p)
		default:
			t.data.add(p, c, oneShot)
		}
	}
	for _, p := range r.Exist {
		if t.get(p) != nil {
			c.notify(jute.EventCreated, p)
		} else {
			t.data.add(p, c, oneShot)
		}
	}
	for _, p := range r.Child {
		switch n := t.get(p); {
		case n == nil:
			c.notify(jute.EventDeleted, p)
		case n.pzxid > r.RelativeZxid:
			c.notify(jute.EventChildrenChanged, p)
		default:
			t.child.add(p, c, oneShot)
		}
	}
	// Persistent watches are armed without a word about what was missed.
	for _, p := range r.Persistent {
		t.data.add(p, c, persistent)
		t.child.add(p, c, persistent)
	}
	for _, p := range r.Recursive {
		t.data.add(p, c, recursive)
		t.child.add(p, c, recursive)
	}
	return jute.OK
}

func (c *conn) ephemerals(prefix *string) jute.Record {
	all := "/"
	if prefix != nil && strings.TrimSpace(*prefix) != "" && strings.TrimSpace(*prefix) != "/" {
		all = *prefix
	}
	paths := []string{}
	for p := range c.view.ephemerals[c.session.id] {
		if strings.HasPrefix(p, all) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return &jute.StringsResponse{Strings: paths}
}

func (c *conn) multiRead(r *jute.MultiRequest) (jute.Record, jute.Code) {
	out := &jute.MultiResponse{}
	for _, o := range r.Ops {
		q, ok := o.Request.(*jute.PathWatchRequest)
		if !ok {
			return out, jute.MarshallingError // an empty response is sent all the same
		}
		// A watch flag inside is not looked at.
		rsp, code := c.readNode(o.Op, &jute.PathWatchRequest{Path: q.Path})
		if code != jute.OK {
			out.Results = append(out.Results, jute.MultiResult{Op: jute.OpError, Err: code})
			continue
		}
		out.Results = append(out.Results, jute.MultiResult{Op: o.Op, Response: rsp})
	}
	return out, jute.OK
}

// whoAmI tells the connection's identities, digests without their hash.
func (c *conn) whoAmI() jute.Record {
	out := &jute.WhoAmIResponse{}
	for _, id := range c.ids {
		user := id.id
		if id.scheme == "digest" {
			user, _, _ = strings.Cut(user, ":")
		}
		out.Clients = append(out.Clients, jute.ClientInfo{Scheme: id.scheme, User: user})
	}
	return out
}

// nonNil keeps an empty list from becoming a null one on the wire.
func nonNil(v []string) []string {
	if v == nil {
		return []string{}
	}
	return v
}
