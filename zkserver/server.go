package zkserver

import (
	"errors"
	"net"
	"sync"
	"time"

	"baton/jute"
)

// ErrClosed is returned by Serve after Close.
var ErrClosed = errors.New("zkserver: closed")

// Server is an in-memory ZooKeeper. Its methods may be called from any goroutine.
type Server struct {
	o     Options
	begun time.Time

	in   chan item   // what connections bring; not served while frozen
	ctl  chan func() // what tests and the server itself ask for; always served
	done chan struct{}
	wg   sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}

	state
}

// state belongs to the loop.
type state struct {
	tree      *tree
	sessions  map[int64]*session
	buckets   map[int64]map[int64]*session // by tick
	lastID    int64
	expiry    *time.Timer
	expiryAt  int64 // the tick that the timer waits for, 0 if none
	sweep     *time.Timer
	sweeping  bool
	frozen    bool
	rules     []*Fault
	followers map[*follower]struct{}
	dirty     []*conn
	received  int64
	sent      int64
}

// item is a frame, or with a nil frame the end of a connection, or a question of a four-letter word.
type item struct {
	c     *conn
	frame []byte
	ask   func()
}

// New starts a server, which serves nothing yet. The error is that of reading the snapshot.
func New(o Options) (*Server, error) {
	s := &Server{
		o: o.withDefaults(), begun: time.Now(), in: make(chan item, 1024), ctl: make(chan func()),
		done: make(chan struct{}), listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{},
		state: state{tree: newTree(), sessions: map[int64]*session{}, buckets: map[int64]map[int64]*session{},
			followers: map[*follower]struct{}{}},
	}
	// As the real one: the server's number, one, then the time, then a counter.
	s.lastID = int64(uint64(s.begun.UnixMilli())<<24>>8) | 1<<56
	s.expiry, s.sweep = time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	s.expiry.Stop()
	s.sweep.Stop()
	if o.SnapshotFile != "" {
		if err := s.load(o.SnapshotFile); err != nil {
			return nil, err
		}
	}
	s.wg.Go(s.loop)
	return s, nil
}

// Serve accepts connections until Close or an error of the listener, which it closes.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = l.Close()
		return ErrClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	for {
		nc, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			delete(s.listeners, l)
			closed := s.closed
			s.mu.Unlock()
			if closed {
				return ErrClosed
			}
			_ = l.Close()
			return err
		}
		s.ServeConn(nc)
	}
}

// ServeConn serves one connection, in goroutines of its own.
func (s *Server) ServeConn(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.wg.Go(c.readLoop)
	s.wg.Go(c.writeLoop)
}

// Close ends all connections, writes the snapshot if there is to be one, and waits for all goroutines. Sessions are not
// closed: in a snapshot they live on.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.wg.Wait()
		return nil
	}
	s.closed = true
	for l := range s.listeners {
		_ = l.Close()
	}
	for c := range s.conns {
		c.out.close()
		_ = c.nc.Close()
	}
	s.mu.Unlock()
	close(s.done)
	s.wg.Wait()
	s.expiry.Stop()
	s.sweep.Stop()
	for _, f := range s.rules {
		f.stop()
	}
	if s.o.SnapshotFile != "" {
		return s.save(s.o.SnapshotFile)
	}
	return nil
}

// call runs f in the loop and waits for it; false after Close.
func (s *Server) call(f func()) bool {
	ran := make(chan struct{})
	if !s.post(func() { f(); close(ran) }) {
		return false
	}
	select {
	case <-ran:
		return true
	case <-s.done:
		return false
	}
}

// post runs f in the loop.
func (s *Server) post(f func()) bool {
	select {
	case s.ctl <- f:
		return true
	case <-s.done:
		return false
	}
}

// batch bounds how many requests are served before the replies to them are handed over.
const batch = 64

// loop owns the state.
func (s *Server) loop() {
	for {
		in := s.in
		if s.frozen {
			in = nil
		}
		select {
		case <-s.done:
			return
		case f := <-s.ctl:
			f()
		case <-s.expiry.C:
			s.expire()
		case <-s.sweep.C:
			s.sweepContainers()
		case it := <-in:
			s.take(it)
			for n := 1; n < batch && len(s.in) > 0 && !s.frozen; n++ {
				s.take(<-s.in)
			}
		}
		s.flush()
	}
}

func (s *Server) take(it item) {
	switch {
	case it.ask != nil:
		it.ask()
	case it.frame == nil:
		s.gone(it.c)
	default:
		s.received++
		it.c.receive(kept{frame: it.frame})
	}
}

// flush hands what was written since to the connections' writers.
func (s *Server) flush() {
	for _, c := range s.dirty {
		c.isDirty = false
		c.out.put(c.pending, c.closing)
		c.pending = nil
	}
	s.dirty = s.dirty[:0]
}

// gone forgets a connection that has ended. Its session lives on until it expires.
func (s *Server) gone(c *conn) {
	c.ended = true
	s.detach(c)
	if c.session != nil && c.session.conn == c {
		c.session.conn = nil
	}
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// detach removes a connection's watches, and the state it sees if that is its own.
func (s *Server) detach(c *conn) {
	c.view.data.forget(c)
	c.view.child.forget(c)
	if c.follower != nil {
		delete(s.followers, c.follower)
		c.follower = nil
	}
	c.view = s.tree
}

// begin makes the next transaction. Time is the wall clock's, as in the real one.
func (s *Server) begin(session int64, op jute.Op) *Txn {
	return &Txn{Zxid: s.tree.zxid + 1, Time: time.Now().UnixMilli(), Session: session, Op: op}
}

// commit ends a transaction whose changes have been made in the leader's tree, and lets the followers know.
func (s *Server) commit(x *Txn) {
	s.tree.commit(x)
	for f := range s.followers {
		f.pending = append(f.pending, x)
	}
	if len(s.tree.containers) > 0 && !s.sweeping {
		s.sweeping = true
		s.sweep.Reset(s.o.ContainerCheck)
	}
	if s.o.OnTxn != nil {
		s.o.OnTxn(x)
	}
}

// sweepContainers removes containers that have had children and have none.
func (s *Server) sweepContainers() {
	if s.frozen {
		s.sweep.Reset(s.o.ContainerCheck)
		return
	}
	s.sweeping = false
	for path := range s.tree.containers {
		n := s.tree.nodes[path]
		if len(n.children) > 0 || n.creates == 0 {
			continue
		}
		x := s.begin(0, jute.OpDeleteContainer)
		x.Changes = []Change{{Op: jute.OpDelete, Path: path}}
		s.tree.change(x, &x.Changes[0])
		s.commit(x)
	}
	if len(s.tree.containers) > 0 && !s.sweeping {
		s.sweeping = true
		s.sweep.Reset(s.o.ContainerCheck)
	}
}
