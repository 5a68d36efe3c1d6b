package conformance

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sort"
	"testing"
	"time"

	"baton/jute"
)

// patience bounds every wait; the machine that tests run on may be busy.
const patience = 30 * time.Second

// Raw is a connection on which every byte is ours.
type Raw struct {
	testing.TB
	e        *Env
	conn     net.Conn
	Session  jute.ConnectResponse
	xid      int32
	Zxid     int64    // of the newest reply
	Seen     []string // events, in the order of their arrival
	lastBody []byte
}

// open connects without a session.
func (e *Env) open() *Raw {
	e.Helper()
	nc, err := net.DialTimeout("tcp", e.Addr, patience)
	if err != nil {
		e.Fatal(err)
	}
	r := &Raw{TB: e.TB, e: e, conn: nc}
	e.Cleanup(r.Close)
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		e.Fatal(err)
	}
	return r
}

// Dial opens a session of 10 s.
func (e *Env) Dial() *Raw { return e.DialFor(10 * time.Second) }

// DialFor opens a session with a timeout.
func (e *Env) DialFor(timeout time.Duration) *Raw {
	e.Helper()
	r := e.open()
	r.connect(jute.ConnectRequest{Timeout: int32(timeout.Milliseconds()), Password: make([]byte, 16)})
	if r.Session.SessionID == 0 {
		e.Fatal("no session")
	}
	return r
}

// resume opens another connection in the same session.
func (r *Raw) resume() *Raw {
	r.Helper()
	n := r.e.open()
	n.connect(jute.ConnectRequest{Timeout: r.Session.Timeout, SessionID: r.Session.SessionID, Password: r.Session.Password,
		LastZxidSeen: r.Zxid})
	n.Zxid = r.Zxid
	return n
}

func (r *Raw) connect(c jute.ConnectRequest) {
	r.Helper()
	r.write(jute.AppendFrame(nil, &c))
	b, err := r.read()
	if err != nil {
		r.Fatal("connect:", err)
	}
	if err := jute.Unmarshal(b, &r.Session); err != nil {
		r.Fatal(err)
	}
	if c.SessionID == 0 {
		r.Cleanup(r.endSession)
	}
}

// endSession ends the session, on a connection of its own, because r's may have been cut: a session that expired later
// would take a zxid in the middle of another case.
func (r *Raw) endSession() {
	nc, err := net.DialTimeout("tcp", r.e.Addr, patience)
	if err != nil {
		return // the server is gone, and the session with it
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(patience))
	b := jute.AppendFrame(nil, &jute.ConnectRequest{Timeout: 5000, SessionID: r.Session.SessionID, Password: r.Session.Password})
	_, _ = nc.Write(jute.AppendFrame(b, &jute.RequestHeader{Xid: 1, Op: jute.OpCloseSession}))
	_, _ = io.Copy(io.Discard, nc) // until the server closes
}

// Close drops the connection, not the session.
func (r *Raw) Close() { _ = r.conn.Close() }

func (r *Raw) write(b []byte) {
	r.Helper()
	if _, err := r.conn.Write(b); err != nil {
		r.Fatal("write:", err)
	}
}

func (r *Raw) read() ([]byte, error) { return jute.ReadFrame(r.conn, 64<<20) }

// Send writes a request and returns its xid.
func (r *Raw) Send(op jute.Op, body jute.Record) int32 {
	r.Helper()
	r.xid++
	return r.SendAs(r.xid, op, body)
}

// SendAs writes a request with an xid.
func (r *Raw) SendAs(xid int32, op jute.Op, body jute.Record) int32 {
	r.Helper()
	if body == nil {
		r.write(jute.AppendFrame(nil, &jute.RequestHeader{Xid: xid, Op: op}))
	} else {
		r.write(jute.AppendFrame(nil, &jute.RequestHeader{Xid: xid, Op: op}, body))
	}
	return xid
}

// Next reads one frame: an event goes into Seen.
func (r *Raw) Next() (jute.ReplyHeader, []byte, error) {
	b, err := r.read()
	if err != nil {
		return jute.ReplyHeader{}, nil, err
	}
	d := jute.NewDecoder(b)
	var h jute.ReplyHeader
	h.Decode(d)
	if d.Err() == nil && h.Xid == jute.XidNotification {
		var ev jute.WatcherEvent
		ev.Decode(d)
		r.Seen = append(r.Seen, fmt.Sprintf("%v %s", ev.Type, ev.Path))
		if h.Zxid != -1 || h.Err != 0 || ev.State != jute.StateConnected {
			r.Errorf("event %+v with header %+v", ev, h)
		}
	}
	return h, d.Rest(), d.Err()
}

// Reply reads until the reply to a request.
func (r *Raw) Reply(xid int32) (jute.ReplyHeader, []byte, error) {
	for {
		h, body, err := r.Next()
		if err != nil || h.Xid == xid {
			return h, body, err
		}
		if h.Xid != jute.XidNotification {
			return h, nil, fmt.Errorf("reply to %d while waiting for that to %d", h.Xid, xid)
		}
	}
}

// do sends a request and waits for its reply, which goes into rsp if there is no error.
func (r *Raw) do(op jute.Op, body, rsp jute.Record) jute.Code {
	r.Helper()
	h, b, err := r.Reply(r.Send(op, body))
	if err != nil {
		r.Fatalf("%v: %v", op, err)
	}
	r.Zxid, r.lastBody = h.Zxid, b
	if h.Err == jute.OK && rsp != nil {
		d := jute.NewDecoder(b)
		rsp.Decode(d)
		if d.Err() != nil || len(d.Rest()) != 0 {
			r.Fatalf("%v: %v, %d bytes left over", op, d.Err(), len(d.Rest()))
		}
	}
	if (h.Err != jute.OK || rsp == nil) && len(b) != 0 {
		r.Errorf("%v: %v with %d bytes of body", op, h.Err, len(b))
	}
	return h.Err
}

// closed asserts that the server has closed the connection.
func (r *Raw) closed() {
	r.Helper()
	_, _, err := r.Next()
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		r.Errorf("the connection should be closed: %v", err)
	}
	if !errors.Is(err, io.EOF) && errors.Is(err, net.ErrClosed) {
		r.Error(err)
	}
}

func (r *Raw) ok(c jute.Code) {
	r.Helper()
	r.want(c, jute.OK)
}

func (r *Raw) want(got, want jute.Code) {
	r.Helper()
	if got != want {
		r.Errorf("got %v, want %v", got, want)
	}
}

func (r *Raw) create(path, data string, flags int32) jute.Code {
	r.Helper()
	_, c := r.created(path, data, flags)
	return c
}

func (r *Raw) created(path, data string, flags int32) (string, jute.Code) {
	r.Helper()
	var rsp jute.PathResponse
	c := r.do(jute.OpCreate, &jute.CreateRequest{Path: path, Data: []byte(data), ACL: jute.WorldACL(), Flags: flags}, &rsp)
	return rsp.Path, c
}

func (r *Raw) del(path string, version int32) jute.Code {
	r.Helper()
	return r.do(jute.OpDelete, &jute.PathVersionRequest{Path: path, Version: version}, nil)
}

func (r *Raw) set(path, data string, version int32) (jute.Stat, jute.Code) {
	r.Helper()
	var st jute.Stat
	c := r.do(jute.OpSetData, &jute.SetDataRequest{Path: path, Data: []byte(data), Version: version}, &st)
	return st, c
}

func (r *Raw) setOK(path, data string) {
	r.Helper()
	_, c := r.set(path, data, -1)
	r.ok(c)
}

func (r *Raw) get(path string, watch bool) (jute.DataResponse, jute.Code) {
	r.Helper()
	var rsp jute.DataResponse
	c := r.do(jute.OpGetData, &jute.PathWatchRequest{Path: path, Watch: watch}, &rsp)
	return rsp, c
}

// watchData, watchChildren and watchExists set a watch, whether or not there is a node.
func (r *Raw) watchData(path string) {
	r.Helper()
	_, _ = r.get(path, true)
}

func (r *Raw) watchChildren(path string) {
	r.Helper()
	_, _ = r.children(path, true)
}

func (r *Raw) watchExists(path string) {
	r.Helper()
	_, _ = r.exists(path, true)
}

// look reads for the reply's zxid only.
func (r *Raw) look(path string) {
	r.Helper()
	_, _ = r.get(path, false)
}

func (r *Raw) exists(path string, watch bool) (jute.Stat, jute.Code) {
	r.Helper()
	var st jute.Stat
	c := r.do(jute.OpExists, &jute.PathWatchRequest{Path: path, Watch: watch}, &st)
	return st, c
}

func (r *Raw) stat(path string) jute.Stat {
	r.Helper()
	st, c := r.exists(path, false)
	if c != jute.OK {
		r.Fatalf("stat of %s: %v", path, c)
	}
	return st
}

func (r *Raw) children(path string, watch bool) ([]string, jute.Code) {
	r.Helper()
	var rsp jute.ChildrenResponse
	c := r.do(jute.OpGetChildren2, &jute.PathWatchRequest{Path: path, Watch: watch}, &rsp)
	sort.Strings(rsp.Children)
	return rsp.Children, c
}

func (r *Raw) multi(ops ...jute.MultiOp) []jute.MultiResult {
	r.Helper()
	var rsp jute.MultiResponse
	r.ok(r.do(jute.OpMulti, &jute.MultiRequest{Ops: ops}, &rsp))
	return rsp.Results
}

// events returns what has been seen since it was last asked, everything that the server had sent before now included:
// a ping's reply comes after it.
func (r *Raw) events() []string {
	r.Helper()
	r.SendAs(jute.XidPing, jute.OpPing, nil)
	if _, _, err := r.Reply(jute.XidPing); err != nil {
		r.Fatal("ping:", err)
	}
	seen := slices.Clone(r.Seen)
	r.Seen = nil
	return seen
}

func (r *Raw) saw(want ...string) {
	r.Helper()
	list(r, "events", r.events(), want...)
}

// until reads events until there are n.
func (r *Raw) until(n int) {
	r.Helper()
	for len(r.Seen) < n {
		if _, _, err := r.Next(); err != nil {
			r.Fatalf("waiting for %d events, have %v: %v", n, r.Seen, err)
		}
	}
}
