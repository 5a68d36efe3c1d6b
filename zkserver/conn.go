package zkserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"baton/jute"
)

// conn is one client connection. Its state belongs to the server's loop, except for nc and out.
type conn struct {
	srv  *Server
	nc   net.Conn
	host string
	out  *outbox

	session  *session
	ids      []identity
	view     *tree // what it reads and watches: the leader's, or a lagging follower's
	follower *follower

	pending []segment
	isDirty bool
	closing bool // nothing more is served; the connection ends when pending is written
	ended   bool
	silent  bool // replies are lost from here on
	held    int  // faults that hold its requests back
	backlog []kept
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, nc: nc, host: "127.0.0.1", out: newOutbox(), view: s.tree}
	if host, _, err := net.SplitHostPort(nc.RemoteAddr().String()); err == nil {
		c.host = host
	}
	c.identify(identity{"ip", c.host})
	return c
}

// readLoop brings frames to the loop until the connection ends.
func (c *conn) readLoop() {
	defer func() {
		c.out.close()
		_ = c.nc.Close()
		c.deliver(item{c: c})
	}()
	r := bufio.NewReaderSize(c.nc, 64<<10)
	first := true
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		if first && c.fourLetterWord(string(head[:])) {
			return
		}
		first = false
		frame, err := jute.ReadPayload(r, int32(binary.BigEndian.Uint32(head[:])), c.srv.o.MaxBuffer)
		if err != nil {
			if errors.Is(err, jute.ErrTooLarge) {
				c.srv.o.Log.Warn("request too large", "client", c.nc.RemoteAddr(), "err", err)
			}
			return
		}
		if !c.out.room() || !c.deliver(item{c: c, frame: frame}) {
			return
		}
	}
}

func (c *conn) deliver(it item) bool {
	select {
	case c.srv.in <- it:
		return true
	case <-c.srv.done:
		return false
	}
}

// writeLoop writes what the loop has put into the outbox.
func (c *conn) writeLoop() {
	defer func() { _ = c.nc.Close() }()
	for {
		segs, last := c.out.get()
		for _, s := range segs {
			if s.wait > 0 && !c.pause(s.wait) {
				return
			}
			if _, err := c.nc.Write(s.b); err != nil {
				c.out.close()
				return
			}
		}
		if last {
			return
		}
	}
}

// pause waits for a fault's delay; false if the connection ends first.
func (c *conn) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.out.gone:
		return false
	}
}

// write puts a frame at the end of what the connection will be sent.
func (c *conn) write(records ...jute.Record) {
	if c.silent || c.closing || c.ended {
		return
	}
	if n := len(c.pending); n == 0 {
		c.pending = append(c.pending, segment{})
	}
	last := &c.pending[len(c.pending)-1]
	last.b = jute.AppendFrame(last.b, records...)
	c.srv.sent++
	c.soil()
}

func (c *conn) soil() {
	if !c.isDirty {
		c.isDirty = true
		c.srv.dirty = append(c.srv.dirty, c)
	}
}

// reply answers a request. The zxid is the state's that the client sees.
func (c *conn) reply(xid int32, code jute.Code, r jute.Record) {
	h := &jute.ReplyHeader{Xid: xid, Zxid: c.view.zxid, Err: code}
	if _, partial := r.(*jute.MultiResponse); r == nil || code != jute.OK && !partial {
		c.write(h)
		return
	}
	c.write(h, r)
}

func (c *conn) notify(ev jute.EventType, path string) {
	c.write(&jute.ReplyHeader{Xid: jute.XidNotification, Zxid: -1},
		&jute.WatcherEvent{Type: ev, State: jute.StateConnected, Path: path})
}

// close ends the connection once everything written so far is out.
func (c *conn) close() {
	if !c.closing {
		c.closing = true
		c.soil()
	}
	c.srv.detach(c)
}

// segment is bytes to be written, after a wait if a fault wants one.
type segment struct {
	wait time.Duration
	b    []byte
}

// outboxLimit is when a connection stops reading requests until replies are taken.
const outboxLimit = 4 << 20

// outbox is between the loop, which never waits, and a connection's writer, which may.
type outbox struct {
	mu     sync.Mutex
	cond   *sync.Cond
	segs   []segment
	size   int
	last   bool
	closed bool
	gone   chan struct{}
}

func newOutbox() *outbox {
	o := &outbox{gone: make(chan struct{})}
	o.cond = sync.NewCond(&o.mu)
	return o
}

func (o *outbox) put(segs []segment, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.segs = append(o.segs, segs...)
	for _, s := range segs {
		o.size += len(s.b)
	}
	o.last = o.last || last
	o.cond.Broadcast()
}

// get waits for something to write; last says that nothing follows.
func (o *outbox) get() (segs []segment, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.segs) == 0 && !o.last && !o.closed {
		o.cond.Wait()
	}
	if o.closed {
		return nil, true
	}
	segs, o.segs, o.size = o.segs, nil, 0
	o.cond.Broadcast()
	return segs, o.last
}

// room waits until replies are being taken; false if the connection has ended.
func (o *outbox) room() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.size > outboxLimit && !o.closed {
		o.cond.Wait()
	}
	return !o.closed
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closed = true
		close(o.gone)
	}
	o.cond.Broadcast()
}
