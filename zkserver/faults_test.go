package zkserver_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"baton/jute"
	"baton/zkserver"
)

// peer is a client over net.Pipe inside a synctest bubble: every byte and every moment is the test's.
type peer struct {
	*testing.T
	conn    net.Conn
	session jute.ConnectResponse
	xid     int32
	zxid    int64
	seen    []jute.WatcherEvent
}

// inBubble runs a test with a server on the bubble's clock.
func inBubble(t *testing.T, f func(t *testing.T, s *zkserver.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := zkserver.New(zkserver.Options{TickTime: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		f(t, s)
		if err := s.Close(); err != nil { // the bubble fails if a goroutine is left
			t.Error(err)
		}
	})
}

func dial(t *testing.T, s *zkserver.Server, r jute.ConnectRequest) *peer {
	t.Helper()
	a, b := net.Pipe()
	s.ServeConn(b)
	p := &peer{T: t, conn: a}
	t.Cleanup(func() { a.Close() })
	if r.Timeout == 0 {
		r.Timeout = 10_000
	}
	a.Write(jute.AppendFrame(nil, &r))
	frame, err := jute.ReadFrame(a, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := jute.Unmarshal(frame, &p.session); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *peer) again(s *zkserver.Server) *peer {
	p.Helper()
	return dial(p.T, s, jute.ConnectRequest{SessionID: p.session.SessionID, Password: p.session.Password, LastZxidSeen: p.zxid})
}

func (p *peer) send(op jute.Op, body jute.Record) {
	p.Helper()
	p.xid++
	if _, err := p.conn.Write(jute.AppendFrame(nil, &jute.RequestHeader{Xid: p.xid, Op: op}, body)); err != nil {
		p.Fatal(err)
	}
}

// reply reads until the reply to the request that was sent last.
func (p *peer) reply() (jute.Code, []byte, error) {
	for {
		frame, err := jute.ReadFrame(p.conn, 1<<20)
		if err != nil {
			return 0, nil, err
		}
		d := jute.NewDecoder(frame)
		var h jute.ReplyHeader
		if h.Decode(d); h.Xid == jute.XidNotification {
			var ev jute.WatcherEvent
			ev.Decode(d)
			p.seen = append(p.seen, ev)
			continue
		}
		p.zxid = h.Zxid
		if h.Xid != p.xid {
			p.Errorf("reply to %d, not %d", h.Xid, p.xid)
		}
		return h.Err, d.Rest(), nil
	}
}

func (p *peer) do(op jute.Op, body jute.Record) (jute.Code, []byte) {
	p.Helper()
	p.send(op, body)
	code, b, err := p.reply()
	if err != nil {
		p.Fatal(op, err)
	}
	return code, b
}

func create(path string, flags int32) jute.Record {
	return &jute.CreateRequest{Path: path, ACL: jute.WorldACL(), Flags: flags}
}

func (p *peer) exists(path string) bool {
	p.Helper()
	code, _ := p.do(jute.OpExists, &jute.PathWatchRequest{Path: path, Watch: true})
	return code == jute.OK
}

func (p *peer) ended() {
	p.Helper()
	if _, _, err := p.reply(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		p.Errorf("the connection should have ended: %v", err)
	}
}

func TestDropReply(t *testing.T) {
	inBubble(t, func(t *testing.T, s *zkserver.Server) {
		p, o := dial(t, s, jute.ConnectRequest{}), dial(t, s, jute.ConnectRequest{})
		f := s.Inject(zkserver.Fault{Session: p.session.SessionID, Op: jute.OpCreate, Do: zkserver.DropReply, Times: 1})
		p.send(jute.OpCreate, create("/a", 0))
		p.send(jute.OpSync, &jute.PathRequest{Path: "/"})
		p.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, _, err := p.reply(); err == nil {
			t.Error("something was delivered after a lost reply")
		}
		if !o.exists("/a") || f.Hits() != 1 {
			t.Error("the request was not applied", f.Hits())
		}
		n := p.again(s)
		if !n.exists("/a") {
			t.Error("the session does not go on")
		}
	})
}

func TestDelayReply(t *testing.T) {
	inBubble(t, func(t *testing.T, s *zkserver.Server) {
		p, o := dial(t, s, jute.ConnectRequest{}), dial(t, s, jute.ConnectRequest{})
		s.Inject(zkserver.Fault{Session: p.session.SessionID, Op: jute.OpCreate, Do: zkserver.DelayReply, Delay: 3 * time.Second})
		begun := time.Now()
		p.send(jute.OpCreate, create("/a", 0))
		if !o.exists("/a") || time.Since(begun) != 0 {
			t.Error("applying waits, too")
		}
		p.reply()
		if d := time.Since(begun); d != 3*time.Second {
			t.Errorf("the reply came after %v", d)
		}
	})
}

func TestDelayRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, s *zkserver.Server) {
		p, o := dial(t, s, jute.ConnectRequest{}), dial(t, s, jute.ConnectRequest{})
		s.Inject(zkserver.Fault{Session: p.session.SessionID, Op: jute.OpCreate, Do: zkserver.DelayRequest, Delay: 3 * time.Second, Times: 1})
		begun := time.Now()
		p.send(jute.OpCreate, create("/a", 0))
		p.send(jute.OpCreate, create("/b", 0))
		if o.exists("/a") || o.exists("/b") {
			t.Error("applied at once")
		}
		p.xid--
		p.reply()
		if d := time.Since(begun); d != 3*time.Second {
			t.Errorf("the reply came after %v", d)
		}
		p.xid++
		p.reply()
		if !o.exists("/a") || !o.exists("/b") {
			t.Error("not applied")
		}
	})
}

// A rule that is taken away lets go of what it delays.
func TestDelayRequestRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T, s *zkserver.Server) {
		p := dial(t, s, jute.ConnectRequest{})
		f := s.Inject(zkserver.Fault{Do: zkserver.DelayRequest, Delay: time.Hour})
		begun := time.Now()
		p.send(jute.OpCreate, create("/a", 0))
		synctest.Wait()
		f.Remove()
		if code, _, err := p.reply(); code != jute.OK || err != nil || time.Since(begun) != 0 {
			t.Error(code, err, time.Since(begun))
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		do      zkserver.Action
		applied bool
	}{{zkserver.CutBefore, false}, {zkserver.CutAfter, true}} {
		inBubble(t, func(t *testing.T, s *zkserver.Server) {
			p := dial(t, s, jute.ConnectRequest{})
			s.Inject(zkserver.Fault{Op: jute.OpCreate, Skip: 1, Times: 1, Do: c.do})
			p.do(jute.OpCreate, create("/first", 0))
			p.send(jute.OpCreate, create("/a", 1))
			p.ended()
			n := p.again(s)
			if n.exists("/a") != c.applied {
				t.Errorf("action %d: applied %v", c.do, !c.applied)
			}
			if code, _ := n.do(jute.OpCreate, create("/b", 0)); code != jute.OK {
				t.Error("the rule hits more than once:", code)
			}
			if !s.Cut(p.session.SessionID) {
				t.Error("nothing to cut")
			}
			n.ended()
		})
	}
}

func TestExpire(t *testing.T) {
	inBubble(t, func(t *testing.T, s *zkserver.Server) {
		p, q, o := dial(t, s, jute.ConnectRequest{}), dial(t, s, jute.ConnectRequest{}), dial(t, s, jute.ConnectRequest{})
		for path, c := range map[string]*peer{"/p": p, "/q": q} {
			c.do(jute.OpCreate, create(path, 1))
			o.exists(path)
		}
		s.Inject(zkserver.Fault{Session: p.session.SessionID, Op: jute.OpSync, Do: zkserver.Expire})
		p.send(jute.OpSync, &jute.PathRequest{Path: "/"})
		p.ended()
		if !s.Expire(q.session.SessionID) || s.Expire(q.session.SessionID) {
			t.Error("Expire does not say what it did")
		}
		q.ended()
		if o.exists("/p") || o.exists("/q") || len(o.seen) != 2 {
			t.Error("ephemerals stay, or nobody is told", o.seen)
		}
		if n := p.again(s); n.session.SessionID != 0 {
			t.Error("the session can be resumed")
		}
		if ids := s.Sessions(); len(ids) != 1 || ids[0] != o.session.SessionID {
			t.Error("sessions", ids)
		}
	})
}

func TestHold(t *testing.T) {
	inBubble(t, func(t *testing.T, s *zkserver.Server) {
		p, o := dial(t, s, jute.ConnectRequest{}), dial(t, s, jute.ConnectRequest{})
		f := s.Inject(zkserver.Fault{Session: p.session.SessionID, Do: zkserver.Hold})
		p.send(jute.OpCreate, create("/a", 0))
		synctest.Wait()
		if o.exists("/a") {
			t.Error("served all the same")
		}
		f.Remove()
		if code, _, err := p.reply(); code != jute.OK || err != nil {
			t.Error(code, err)
		}
	})
}

// A frozen server answers nobody, and when it thaws the sessions that are over time end first.
func TestFreeze(t *testing.T) {
	inBubble(t, func(t *testing.T, s *zkserver.Server) {
		p, o := dial(t, s, jute.ConnectRequest{Timeout: 4000}), dial(t, s, jute.ConnectRequest{Timeout: 20_000})
		p.do(jute.OpCreate, create("/p", 1))
		s.Freeze()
		p.send(jute.OpCreate, create("/late", 0))
		o.send(jute.OpExists, &jute.PathWatchRequest{Path: "/p"})
		time.Sleep(10 * time.Second) // the bubble's
		s.Thaw()
		p.ended()
		if code, _, err := o.reply(); err != nil || code != jute.NoNode {
			t.Error("the overdue session lives on:", code, err)
		}
		if o.exists("/late") {
			t.Error("a request of an ended session was served")
		}
	})
}

// A lagging connection sees the old state, reads and watches alike, until it syncs or writes.
func TestLag(t *testing.T) {
	for _, how := range []string{"sync", "write", "CatchUp", "time"} {
		inBubble(t, func(t *testing.T, s *zkserver.Server) {
			p, o := dial(t, s, jute.ConnectRequest{}), dial(t, s, jute.ConnectRequest{})
			p.exists("/before") // a watch that is set before the lag begins
			old := p.zxid
			if how == "time" {
				s.Inject(zkserver.Fault{Session: p.session.SessionID, Times: 1, Do: zkserver.LagBehind, Delay: time.Second})
				p.exists("/x")
			} else if !s.Lag(p.session.SessionID) {
				t.Fatal("no connection")
			}
			o.do(jute.OpCreate, create("/before", 0))
			o.do(jute.OpCreate, create("/a", 0))
			if p.exists("/a") || p.zxid != old || len(p.seen) != 0 {
				t.Errorf("%s: it does not lag: zxid %d, was %d, %v", how, p.zxid, old, p.seen)
			}
			switch how {
			case "sync":
				p.do(jute.OpSync, &jute.PathRequest{Path: "/"})
			case "write":
				p.do(jute.OpCreate, create("/mine", 0))
			case "CatchUp":
				s.CatchUp(p.session.SessionID)
			case "time":
				time.Sleep(2 * time.Second)
			}
			if !p.exists("/a") || p.zxid <= old {
				t.Errorf("%s: it still lags", how)
			}
			if len(p.seen) != 2 || p.seen[0].Path != "/before" || p.seen[1].Path != "/a" {
				t.Errorf("%s: events %v", how, p.seen)
			}
		})
	}
}

// Times on the bubble's clock: a session ends in the bucket after its timeout, not before, and requests keep it.
func TestExpiryInBuckets(t *testing.T) {
	inBubble(t, func(t *testing.T, s *zkserver.Server) {
		begun := time.Now()
		p := dial(t, s, jute.ConnectRequest{Timeout: 3000})
		for range 4 {
			time.Sleep(2500 * time.Millisecond)
			p.do(jute.OpSync, &jute.PathRequest{Path: "/"})
		}
		p.conn.Close()
		for len(s.Sessions()) > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		if d := time.Since(begun); d < 13*time.Second || d > 14*time.Second+100*time.Millisecond {
			t.Errorf("ended %v after its begin; the last request was at 10s", d)
		}
	})
}
