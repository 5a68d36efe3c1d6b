package zkserver

import "baton/jute"

// kept is a frame that waits for a fault's end. One that a fault has stopped knows what else hit it.
type kept struct {
	frame []byte
	hit   bool
	hits  []*Fault
}

// receive takes a frame in the loop: it is served, or kept while a fault holds the connection.
func (c *conn) receive(k kept) {
	switch {
	case c.closing || c.ended:
	case c.held > 0:
		c.backlog = append(c.backlog, k)
	case c.session == nil:
		c.connect(k.frame)
	default:
		c.serve(k)
	}
}

// resume serves what was kept while the connection was held.
func (c *conn) resume() {
	for c.held == 0 && len(c.backlog) > 0 {
		k := c.backlog[0]
		c.backlog = c.backlog[1:]
		c.receive(k)
	}
}

// serve handles one request of a session.
func (c *conn) serve(k kept) {
	d := jute.NewDecoder(k.frame)
	var h jute.RequestHeader
	h.Decode(d)
	if d.Err() != nil {
		c.close()
		return
	}
	if !k.hit {
		k.hits = c.srv.hits(c, h)
	}
	if !c.before(k) {
		return
	}
	if h.Op != jute.OpAuth {
		c.srv.touch(c.session)
	}
	c.between(k.hits)
	c.dispatch(h, d)
	c.after(k.hits)
}

func (c *conn) dispatch(h jute.RequestHeader, d *jute.Decoder) {
	s := c.srv
	switch h.Op {
	case jute.OpPing:
		c.reply(jute.XidPing, jute.OK, nil)
	case jute.OpAuth:
		c.auth(h, d)
	case jute.OpCloseSession:
		ss := c.session
		ss.conn = nil // so that the reply goes out before the connection ends
		s.end(ss)
		c.catchUp()
		c.reply(h.Xid, jute.OK, nil)
		c.close()
	case jute.OpSync:
		var r jute.PathRequest
		if r.Decode(d); d.Err() != nil {
			c.reply(h.Xid, jute.MarshallingError, nil)
			return
		}
		c.catchUp()
		c.reply(h.Xid, jute.OK, &jute.PathResponse{Path: r.Path})
	case jute.OpWhoAmI:
		c.reply(h.Xid, jute.OK, c.whoAmI())
	case jute.OpReconfig:
		// Off by default, and answered before the request is looked at; it uses a zxid all the same.
		c.fail(h, jute.ReconfigDisabled)
	case jute.OpCheck, jute.OpDeleteContainer, jute.OpCreateSession:
		c.close()
	default:
		c.data(h, d)
	}
}

// data serves operations on znodes.
func (c *conn) data(h jute.RequestHeader, d *jute.Decoder) {
	r, writes := record(h.Op)
	if r == nil {
		// An opcode that the server does not know is answered and ends the connection.
		c.write(&jute.ReplyHeader{Xid: h.Xid, Zxid: -1, Err: jute.Unimplemented})
		c.close()
		return
	}
	r.Decode(d)
	m, isMulti := r.(*jute.MultiRequest)
	bad := d.Err() != nil || isMulti && (!validMulti(m) || reads(m) != 0 && (writes || reads(m) != len(m.Ops)))
	if bad && !writes {
		c.reply(h.Xid, jute.MarshallingError, nil)
		return
	}
	if !writes {
		rsp, code := c.read(h.Op, r)
		c.reply(h.Xid, code, rsp)
		return
	}
	if bad {
		c.fail(h, jute.MarshallingError)
		return
	}
	x := c.srv.begin(c.session.id, h.Op)
	w := &write{c: c, t: c.srv.tree, txn: x}
	var rsp jute.Record
	code := jute.OK
	if isMulti {
		var ok bool
		rsp, ok = w.multi(m)
		x.Failed = !ok
	} else {
		rsp, code = w.single(h.Op, r)
		x.Failed = code != jute.OK
	}
	c.srv.commit(x)
	c.catchUp()
	c.reply(h.Xid, code, rsp)
}

// fail answers a write that was refused. Like every write it has a zxid.
func (c *conn) fail(h jute.RequestHeader, code jute.Code) {
	x := c.srv.begin(c.session.id, h.Op)
	x.Failed = true
	c.srv.commit(x)
	c.catchUp()
	c.reply(h.Xid, code, nil)
}

// record returns an empty request for an opcode, and whether it writes; nil for an unknown one.
func record(op jute.Op) (r jute.Record, writes bool) {
	switch op {
	case jute.OpCreate, jute.OpCreate2, jute.OpCreateContainer:
		return &jute.CreateRequest{}, true
	case jute.OpCreateTTL:
		return &jute.CreateRequest{HasTTL: true}, true
	case jute.OpDelete:
		return &jute.PathVersionRequest{}, true
	case jute.OpSetData:
		return &jute.SetDataRequest{}, true
	case jute.OpSetACL:
		return &jute.SetACLRequest{}, true
	case jute.OpMulti:
		return &jute.MultiRequest{}, true
	case jute.OpMultiRead:
		return &jute.MultiRequest{}, false
	case jute.OpExists, jute.OpGetData, jute.OpGetChildren, jute.OpGetChildren2:
		return &jute.PathWatchRequest{}, false
	case jute.OpGetACL, jute.OpGetAllChildrenNumber:
		return &jute.PathRequest{}, false
	case jute.OpAddWatch, jute.OpCheckWatches, jute.OpRemoveWatches:
		return &jute.PathKindRequest{}, false
	case jute.OpSetWatches:
		return &jute.SetWatchesRequest{}, false
	case jute.OpSetWatches2:
		return &jute.SetWatchesRequest{Two: true}, false
	case jute.OpGetEphemerals:
		return &jute.GetEphemeralsRequest{}, false
	}
	return nil, false
}

func (c *conn) auth(h jute.RequestHeader, d *jute.Decoder) {
	var r jute.AuthRequest
	r.Decode(d)
	if d.Err() != nil {
		c.close()
		return
	}
	if c.authenticate(r.Scheme, r.Auth) {
		c.write(&jute.ReplyHeader{Xid: h.Xid})
		return
	}
	c.write(&jute.ReplyHeader{Xid: h.Xid, Err: jute.AuthFailed})
	c.close()
}
