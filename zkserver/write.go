package zkserver

import (
	"fmt"
	"slices"
	"strings"

	"baton/jute"
)

// write is one writing operation on its way to a transaction.
type write struct {
	c   *conn
	t   *tree
	txn *Txn
}

// prepare validates one operation against the tree as it is and makes its change. The order of the checks is the real
// one's, because it decides which error is seen.
func (w *write) prepare(op jute.Op, r jute.Record) (Change, jute.Code) {
	switch r := r.(type) {
	case *jute.CreateRequest:
		return w.create(op, r)
	case *jute.PathVersionRequest:
		if op == jute.OpCheck {
			return Change{}, w.check(r)
		}
		return w.delete(r)
	case *jute.SetDataRequest:
		return w.setData(r)
	case *jute.SetACLRequest:
		return w.setACL(r)
	}
	return Change{}, jute.MarshallingError
}

func (w *write) create(op jute.Op, r *jute.CreateRequest) (Change, jute.Code) {
	switch {
	case r.Flags < 0 || r.Flags > jute.FlagTTLSequential:
		return Change{}, jute.BadArguments
	case r.Flags >= jute.FlagTTL:
		return Change{}, jute.Unimplemented // as a server without extended types
	case r.HasTTL && r.TTL >= 0:
		return Change{}, jute.BadArguments
	case !hasParent(r.Path):
		return Change{}, jute.BadArguments
	}
	acl, code := w.c.fixACL(r.ACL)
	if code != jute.OK {
		return Change{}, code
	}
	p := w.t.get(above(r.Path))
	if p == nil {
		return Change{}, jute.NoNode
	}
	if !w.c.allowed(p.acl, jute.PermCreate) {
		return Change{}, jute.NoAuth
	}
	path := r.Path
	ephemeral := r.Flags == jute.FlagEphemeral || r.Flags == jute.FlagEphemeral|jute.FlagSequence
	if r.Flags&jute.FlagSequence != 0 {
		path = fmt.Sprintf("%s%010d", path, p.creates)
	}
	switch {
	case !validPath(path):
		return Change{}, jute.BadArguments
	case w.t.get(path) != nil:
		return Change{}, jute.NodeExists
	case p.ephemeral():
		return Change{}, jute.NoChildrenForEphemerals
	}
	c := Change{Op: jute.OpCreate, Path: path, Data: slices.Clone(r.Data), ACL: acl}
	switch {
	case op == jute.OpCreateContainer:
		c.Owner = containerOwner
	case ephemeral:
		c.Owner = w.txn.Session
	}
	return c, jute.OK
}

func (w *write) delete(r *jute.PathVersionRequest) (Change, jute.Code) {
	if !hasParent(r.Path) || special(r.Path) {
		return Change{}, jute.BadArguments
	}
	p, n := w.t.get(above(r.Path)), w.t.get(r.Path)
	switch {
	case p == nil:
		return Change{}, jute.NoNode
	case !w.c.allowed(p.acl, jute.PermDelete):
		return Change{}, jute.NoAuth
	case n == nil:
		return Change{}, jute.NoNode
	case r.Version != -1 && r.Version != n.version:
		return Change{}, jute.BadVersion
	case len(n.children) > 0:
		return Change{}, jute.NotEmpty
	}
	return Change{Op: jute.OpDelete, Path: r.Path}, jute.OK
}

func (w *write) check(r *jute.PathVersionRequest) jute.Code {
	if !validPath(r.Path) {
		return jute.BadArguments
	}
	n := w.t.get(r.Path)
	switch {
	case n == nil:
		return jute.NoNode
	case !w.c.allowed(n.acl, jute.PermRead):
		return jute.NoAuth
	case r.Version != -1 && r.Version != n.version:
		return jute.BadVersion
	}
	return jute.OK
}

func (w *write) setData(r *jute.SetDataRequest) (Change, jute.Code) {
	if !validPath(r.Path) {
		return Change{}, jute.BadArguments
	}
	n := w.t.get(r.Path)
	switch {
	case n == nil:
		return Change{}, jute.NoNode
	case !w.c.allowed(n.acl, jute.PermWrite):
		return Change{}, jute.NoAuth
	case r.Version != -1 && r.Version != n.version:
		return Change{}, jute.BadVersion
	}
	return Change{Op: jute.OpSetData, Path: r.Path, Data: slices.Clone(r.Data), Version: n.version + 1}, jute.OK
}

func (w *write) setACL(r *jute.SetACLRequest) (Change, jute.Code) {
	if !validPath(r.Path) {
		return Change{}, jute.BadArguments
	}
	acl, code := w.c.fixACL(r.ACL)
	if code != jute.OK {
		return Change{}, code
	}
	n := w.t.get(r.Path)
	switch {
	case n == nil:
		return Change{}, jute.NoNode
	case !w.c.allowed(n.acl, jute.PermAdmin):
		return Change{}, jute.NoAuth
	case r.Version != -1 && r.Version != n.aversion:
		return Change{}, jute.BadVersion
	}
	return Change{Op: jute.OpSetACL, Path: r.Path, ACL: acl, Version: n.aversion + 1}, jute.OK
}

// result is the response of an operation whose change has been made.
func (w *write) result(op jute.Op, c *Change) jute.Record {
	switch op {
	case jute.OpCreate:
		return &jute.PathResponse{Path: c.Path}
	case jute.OpCreate2, jute.OpCreateContainer, jute.OpCreateTTL:
		return &jute.PathStatResponse{Path: c.Path, Stat: w.t.nodes[c.Path].stat()}
	case jute.OpSetData, jute.OpSetACL:
		s := w.t.nodes[c.Path].stat()
		return &s
	}
	return nil
}

// single runs an operation that is not in a multi.
func (w *write) single(op jute.Op, r jute.Record) (jute.Record, jute.Code) {
	c, code := w.prepare(op, r)
	if code != jute.OK {
		return nil, code
	}
	w.txn.Changes = append(w.txn.Changes, c)
	w.t.change(w.txn, &w.txn.Changes[0])
	return w.result(op, &w.txn.Changes[0]), jute.OK
}

// multi runs operations until one fails, which undoes those before it. A failed multi is a successful reply that says
// of each operation what became of it.
func (w *write) multi(r *jute.MultiRequest) (*jute.MultiResponse, bool) {
	out := &jute.MultiResponse{}
	var undo []saved
	for i, o := range r.Ops {
		c, code := w.prepare(o.Op, o.Request)
		if code != jute.OK {
			for _, s := range slices.Backward(undo) {
				w.t.undo(s)
			}
			w.txn.Changes, w.txn.Checks = nil, nil
			return failedMulti(len(r.Ops), i, code), false
		}
		if o.Op == jute.OpCheck {
			r := o.Request.(*jute.PathVersionRequest)
			w.txn.Checks = append(w.txn.Checks, Check{r.Path, r.Version})
			out.Results = append(out.Results, jute.MultiResult{Op: o.Op})
			continue
		}
		undo = append(undo, w.t.save(&c))
		w.t.change(w.txn, &c)
		w.txn.Changes = append(w.txn.Changes, c)
		kind := o.Op
		if kind == jute.OpCreateContainer || kind == jute.OpCreateTTL {
			kind = jute.OpCreate2 // the result that has a Stat
		}
		out.Results = append(out.Results, jute.MultiResult{Op: kind, Response: w.result(kind, &c)})
	}
	return out, true
}

func failedMulti(n, at int, code jute.Code) *jute.MultiResponse {
	out := &jute.MultiResponse{}
	for i := range n {
		err := jute.OK
		switch {
		case i == at:
			err = code
		case i > at:
			err = jute.RuntimeInconsistency
		}
		out.Results = append(out.Results, jute.MultiResult{Op: jute.OpError, Err: err})
	}
	return out
}

// reads counts the operations that only multiRead may have. Kinds must not be mixed.
func reads(r *jute.MultiRequest) (n int) {
	for _, o := range r.Ops {
		if o.Op == jute.OpGetData || o.Op == jute.OpGetChildren {
			n++
		}
	}
	return n
}

// validMulti refuses, as the real one does while it decodes, flags that are none, or that need a TTL where there is none.
func validMulti(r *jute.MultiRequest) bool {
	return !slices.ContainsFunc(r.Ops, func(o jute.MultiOp) bool {
		c, ok := o.Request.(*jute.CreateRequest)
		return ok && (c.Flags < 0 || c.Flags > jute.FlagTTLSequential || !c.HasTTL && c.Flags >= jute.FlagTTL)
	})
}

// under says whether path is below prefix.
func under(path, prefix string) bool { return strings.HasPrefix(path, prefix+"/") }
