package conformance

import (
	"bytes"
	"io"
	"net"
	"strings"
	"time"

	"baton/jute"
)

var sessionCases = []Case{
	{Name: "session is new", Run: func(e *Env) {
		a, b := e.Dial(), e.Dial()
		same(e, "ids differ", a.Session.SessionID != b.Session.SessionID, true)
		same(e, "password", len(a.Session.Password), 16)
		same(e, "passwords differ", bytes.Equal(a.Session.Password, b.Session.Password), false)
		same(e, "protocol", a.Session.ProtocolVersion, 0)
		same(e, "read only", a.Session.ReadOnly, false)
		same(e, "has the read-only byte", a.Session.Old, false)
	}},
	{Name: "session of an old client", Run: func(e *Env) {
		r := e.open()
		r.connect(jute.ConnectRequest{Timeout: 5000, Password: make([]byte, 16), Old: true})
		same(e, "no read-only byte", r.Session.Old, true)
		r.setOK(e.Root, "")
	}},
	{Name: "session with a null password", Run: func(e *Env) {
		r := e.open()
		r.connect(jute.ConnectRequest{Timeout: 5000})
		r.setOK(e.Root, "")
	}},
	{Name: "session timeout is bounded", Run: func(e *Env) {
		low, high, mid := e.DialFor(time.Millisecond), e.DialFor(time.Hour), e.DialFor(5*time.Second)
		same(e, "low", low.Session.Timeout, int32(e.MinSession.Milliseconds()))
		same(e, "high", high.Session.Timeout, int32(e.MaxSession.Milliseconds()))
		same(e, "in between", mid.Session.Timeout, 5000)
	}},
	{Name: "session resumed", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 1))
		r.Close()
		n := r.resume()
		same(e, "id", n.Session.SessionID, r.Session.SessionID)
		same(e, "timeout", n.Session.Timeout, r.Session.Timeout)
		same(e, "password", bytes.Equal(n.Session.Password, r.Session.Password), true)
		same(e, "owner", n.stat(e.path("x")).EphemeralOwner, r.Session.SessionID)
	}},
	{Name: "session resumed elsewhere closes the old connection", Run: func(e *Env) {
		r := e.Dial()
		n := r.resume()
		r.closed()
		n.setOK(e.Root, "")
	}},
	{Name: "session resumed with another timeout", Run: func(e *Env) {
		r, n := e.Dial(), e.open()
		n.connect(jute.ConnectRequest{Timeout: 7000, SessionID: r.Session.SessionID, Password: r.Session.Password})
		same(e, "timeout", n.Session.Timeout, 7000)
	}},
	{Name: "session resumed with a wrong password", Run: func(e *Env) {
		r, n := e.Dial(), e.open()
		n.connect(jute.ConnectRequest{Timeout: 5000, SessionID: r.Session.SessionID, Password: bytes.Repeat([]byte{7}, 16)})
		same(e, "refused", n.Session.SessionID, 0)
		same(e, "timeout", n.Session.Timeout, 0)
		same(e, "password", bytes.Equal(n.Session.Password, make([]byte, 16)), true)
		n.closed()
		r.closed() // the old connection is the price
	}},
	{Name: "session unknown", Run: func(e *Env) {
		n := e.open()
		n.connect(jute.ConnectRequest{Timeout: 5000, SessionID: 0x1234567, Password: make([]byte, 16)})
		same(e, "refused", n.Session.SessionID, 0)
		n.closed()
	}},
	{Name: "session of a client that is ahead", Run: func(e *Env) {
		n := e.open()
		n.write(jute.AppendFrame(nil, &jute.ConnectRequest{Timeout: 5000, LastZxidSeen: 1 << 60, Password: make([]byte, 16)}))
		n.closed()
	}},
	{Name: "session closed", Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		r.ok(r.create(e.path("x"), "", 1))
		r.ok(r.create(e.path("y"), "", 3))
		r.ok(r.create(e.path("z"), "", 0))
		r.ok(r.do(jute.OpCloseSession, nil, nil))
		r.closed()
		c, _ := o.children(e.Root, false)
		list(e, "children", c, "z")
		st := o.stat(e.Root)
		same(e, "cversion", st.Cversion, 5)
		same(e, "pzxid", st.Pzxid, r.Zxid)
		n := e.open()
		n.connect(jute.ConnectRequest{Timeout: 5000, SessionID: r.Session.SessionID, Password: r.Session.Password})
		same(e, "over", n.Session.SessionID, 0)
	}},
	{Name: "session expires", Run: func(e *Env) {
		o, r := e.Dial(), e.DialFor(e.MinSession)
		r.ok(r.create(e.path("x"), "", 1))
		o.watchExists(e.path("x"))
		o.watchChildren(e.Root)
		r.Close()
		o.until(2)
		list(e, "events", o.Seen, "deleted "+e.path("x"), "children changed "+e.Root)
		n := e.open()
		n.connect(jute.ConnectRequest{Timeout: 5000, SessionID: r.Session.SessionID, Password: r.Session.Password})
		same(e, "over", n.Session.SessionID, 0)
	}},
	{Name: "session expires on a silent connection, which is closed", Run: func(e *Env) {
		r := e.DialFor(e.MinSession)
		r.ok(r.create(e.path("x"), "", 1))
		r.closed()
	}},
	{Name: "session expires not before its time", Run: func(e *Env) {
		o := e.Dial()
		r := e.DialFor(4 * e.MinSession)
		r.ok(r.create(e.path("x"), "", 1))
		begun := time.Now()
		o.watchExists(e.path("x"))
		r.Close()
		o.until(1)
		if d := time.Since(begun); d < 4*e.MinSession-50*time.Millisecond {
			e.Errorf("expired after %v", d)
		}
	}},
	{Name: "session is kept by pings", Run: func(e *Env) {
		r, o := e.DialFor(4*e.MinSession), e.DialFor(4*e.MinSession)
		r.ok(r.create(e.path("x"), "", 1))
		// Another session of the same length, which does nothing, tells when the time is over.
		o.ok(o.create(e.path("y"), "", 1))
		r.watchExists(e.path("y"))
		o.Close()
		for len(r.events()) == 0 {
			time.Sleep(e.MinSession / 4) // between pings; what is awaited is the event
		}
		same(e, "alive", r.stat(e.path("x")).EphemeralOwner, r.Session.SessionID)
	}},
	{Name: "ping", Run: func(e *Env) {
		r := e.Dial()
		r.setOK(e.Root, "")
		r.SendAs(jute.XidPing, jute.OpPing, nil)
		h, body, err := r.Reply(jute.XidPing)
		if err != nil || len(body) != 0 {
			e.Error(body, err)
		}
		same(e, "header", h, jute.ReplyHeader{Xid: jute.XidPing, Zxid: r.Zxid})
	}},
}

// junk is a case in which the server ends the connection.
func junk(name string, send func(r *Raw)) Case {
	return Case{Name: "limit " + name, Run: func(e *Env) {
		r := e.Dial()
		send(r)
		r.closed()
	}}
}

var limitCases = []Case{
	junk("a frame of a byte more than jute.maxbuffer", func(r *Raw) { r.write(jute.AppendInt(nil, 0xfffff+1)) }),
	junk("a frame of negative length", func(r *Raw) { r.write(jute.AppendInt(nil, -5)) }),
	junk("a frame too short for its header", func(r *Raw) { r.write([]byte{0, 0, 0, 4, 0, 0, 0, 1}) }),
	junk("an empty frame", func(r *Raw) { r.write([]byte{0, 0, 0, 0}) }),
	{Name: "limit the longest frame is served", Run: func(e *Env) {
		r := e.Dial()
		frame := len(jute.AppendFrame(nil, &jute.RequestHeader{}, &jute.SetDataRequest{Path: e.Root, Data: []byte{}})) - 4
		_, c := r.set(e.Root, strings.Repeat("x", 0xfffff-frame), -1)
		r.ok(c)
	}},
	{Name: "limit first frame is too long", Run: func(e *Env) {
		r := e.open()
		r.write(jute.AppendInt(nil, 1<<24))
		r.closed()
	}},
	{Name: "limit first frame is junk", Run: func(e *Env) {
		r := e.open()
		r.write([]byte{0, 0, 0, 3, 1, 2, 3})
		r.closed()
	}},
	{Name: "unknown opcodes", Run: func(e *Env) {
		for _, op := range []jute.Op{0, 10, 23, 99, 110, 1000, -2} {
			e.unknown(op, nil)
		}
	}},
	{Name: "truncated requests are marshalling errors", Run: func(e *Env) {
		r := e.Dial()
		for _, op := range []jute.Op{jute.OpCreate, jute.OpDelete, jute.OpExists, jute.OpGetData, jute.OpSetData, jute.OpGetACL,
			jute.OpSetACL, jute.OpGetChildren, jute.OpSync, jute.OpGetChildren2, jute.OpMulti, jute.OpSetWatches, jute.OpCreate2} {
			r.want(r.do(op, nil, nil), jute.MarshallingError)
		}
		r.setOK(e.Root, "the connection lives")
	}},
	{Name: "a path longer than its request is a marshalling error", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpGetData, bytesRecord{0, 0, 1, 0, '/'}, nil), jute.MarshallingError)
		r.want(r.do(jute.OpGetData, bytesRecord{0x7f, 0, 0, 0, '/'}, nil), jute.MarshallingError)
	}},
	{Name: "a null path is a marshalling error", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpGetData, bytesRecord{0xff, 0xff, 0xff, 0xff, 0}, nil), jute.MarshallingError)
	}},
	{Name: "bytes after a request are ignored", Run: func(e *Env) {
		r := e.Dial()
		b := (&jute.PathWatchRequest{Path: e.Root}).Append(nil)
		var d jute.DataResponse
		r.ok(r.do(jute.OpGetData, bytesRecord(append(b, 1, 2, 3)), &d))
	}},
	{Name: "a boolean of any value is true", Run: func(e *Env) {
		r := e.Dial()
		b := jute.AppendString(nil, e.Root)
		var d jute.DataResponse
		r.ok(r.do(jute.OpGetData, bytesRecord(append(b, 7)), &d))
		r.setOK(e.Root, "")
		list(e, "seen", r.Seen, "data changed "+e.Root)
	}},
	{Name: "four-letter word ruok", Run: func(e *Env) { same(e, "answer", e.word("ruok"), "imok") }},
	{Name: "four-letter word isro", Run: func(e *Env) { same(e, "answer", e.word("isro"), "rw") }},
	{Name: "four-letter word srvr", Run: func(e *Env) {
		answer := e.word("srvr")
		for _, part := range []string{"Zookeeper version: ", "Zxid: 0x", "Mode: standalone\n", "Node count: ", "Connections: "} {
			same(e, part, strings.Contains(answer, part), true)
		}
	}},
	{Name: "four-letter word stat", Run: func(e *Env) {
		same(e, "clients", strings.Contains(e.word("stat"), "Clients:\n"), true)
	}},
	{Name: "four-letter word mntr", Run: func(e *Env) {
		answer := e.word("mntr")
		for _, part := range []string{"zk_version\t", "zk_server_state\tstandalone", "zk_znode_count\t", "zk_watch_count\t",
			"zk_ephemerals_count\t", "zk_num_alive_connections\t"} {
			same(e, part, strings.Contains(answer, part), true)
		}
	}},
}

// bytesRecord is a request of any bytes.
type bytesRecord []byte

func (b bytesRecord) Append(to []byte) []byte { return append(to, b...) }
func (bytesRecord) Decode(*jute.Decoder)      {}

func (e *Env) word(w string) string {
	e.Helper()
	nc, err := net.DialTimeout("tcp", e.Addr, patience)
	if err != nil {
		e.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(nc, w); err != nil {
		e.Fatal(err)
	}
	b, err := io.ReadAll(nc)
	if err != nil {
		e.Fatal(err)
	}
	return string(b)
}

var orderCases = []Case{
	{Name: "order replies come in the order of requests", Run: func(e *Env) {
		r := e.Dial()
		var frames []byte
		for i := range int32(500) {
			op, body := jute.OpGetData, jute.Record(&jute.PathWatchRequest{Path: e.Root})
			if i%3 == 0 {
				op, body = jute.OpSetData, &jute.SetDataRequest{Path: e.Root, Version: -1}
			}
			frames = jute.AppendFrame(frames, &jute.RequestHeader{Xid: i + 1, Op: op}, body)
		}
		r.write(frames)
		var last int64
		for i := range int32(500) {
			h, _, err := r.Next()
			if err != nil || h.Xid != i+1 || h.Err != 0 {
				e.Fatalf("reply %d: %+v, %v", i+1, h, err)
			}
			if h.Zxid < last {
				e.Fatalf("zxid went back from %d to %d", last, h.Zxid)
			}
			last = h.Zxid
		}
	}},
	{Name: "order pipelined reads see the writes before them", Run: func(e *Env) {
		r := e.Dial()
		var frames []byte
		for i := range int32(100) {
			frames = jute.AppendFrame(frames, &jute.RequestHeader{Xid: 2*i + 1, Op: jute.OpSetData},
				&jute.SetDataRequest{Path: e.Root, Data: []byte{byte(i)}, Version: i})
			frames = jute.AppendFrame(frames, &jute.RequestHeader{Xid: 2*i + 2, Op: jute.OpGetData}, &jute.PathWatchRequest{Path: e.Root})
		}
		r.write(frames)
		for i := range int32(100) {
			if h, _, err := r.Reply(2*i + 1); err != nil || h.Err != 0 {
				e.Fatal(h, err)
			}
			_, b, err := r.Reply(2*i + 2)
			var d jute.DataResponse
			if err != nil || jute.Unmarshal(b, &d) != nil || d.Data[0] != byte(i) || d.Stat.Version != i+1 {
				e.Fatal(i, d, err)
			}
		}
	}},
	{Name: "order an event comes before the reply that shows its change", Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		for i := range int32(100) {
			d, _ := r.get(e.Root, true)
			o.SendAs(i+1, jute.OpSetData, &jute.SetDataRequest{Path: e.Root, Version: -1})
			for {
				before := len(r.Seen)
				now, _ := r.get(e.Root, false)
				if now.Stat.Version == d.Stat.Version {
					continue
				}
				if len(r.Seen) == 0 {
					e.Fatalf("version %d was shown before the event (%d seen)", now.Stat.Version, before)
				}
				break
			}
			r.Seen = nil
			if _, _, err := o.Reply(i + 1); err != nil {
				e.Fatal(err)
			}
		}
	}},
	{Name: "order requests after closeSession are not served", Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		b := jute.AppendFrame(nil, &jute.RequestHeader{Xid: 1, Op: jute.OpCloseSession})
		b = jute.AppendFrame(b, &jute.RequestHeader{Xid: 2, Op: jute.OpCreate}, &jute.CreateRequest{Path: e.path("x"), ACL: jute.WorldACL(), Flags: 1})
		r.write(b)
		if h, _, err := r.Reply(1); err != nil || h.Err != 0 {
			e.Error(h, err)
		}
		_, c := o.exists(e.path("x"), false)
		o.want(c, jute.NoNode)
	}},
	{Name: "order a request that is sent before the connection is cut is served", Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		o.watchExists(e.path("x"))
		r.Send(jute.OpCreate, &jute.CreateRequest{Path: e.path("x"), ACL: jute.WorldACL()})
		r.Close()
		o.until(1)
		list(e, "events", o.Seen, "created "+e.path("x"))
	}},
}
