package simbroker

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Memory is a network of net.Pipes between named hosts. Everything in it blocks on
// channels only, so it works with the fake time of testing/synctest.
//
// A pair of hosts can be cut: the connections between them end and new ones are refused,
// as after a reset. Or it can be frozen: bytes and new connections hang until it heals,
// as behind a dead switch. With Delay bytes take their time even where all is well.
type Memory struct {
	mu        sync.Mutex
	listeners map[string]*memListener
	cut       map[pair]bool
	frozen    map[pair]chan struct{} // closed when the pair heals
	conns     map[*memConn]struct{}
	port      int
	seed      uint64
	most      time.Duration        // that a write takes, 0: none takes any
	dialled   map[[2]string]uint64 // connections so far from a host to an address
}

type pair struct{ a, b string }

func pairOf(a, b string) pair {
	if a > b {
		a, b = b, a
	}
	return pair{a, b}
}

// NewMemory returns a network without hosts; hosts come into being by being named.
func NewMemory() *Memory {
	return &Memory{listeners: map[string]*memListener{}, cut: map[pair]bool{}, frozen: map[pair]chan struct{}{},
		conns: map[*memConn]struct{}{}, port: 20000, dialled: map[[2]string]uint64{}}
}

// Delay makes every write and every new connection take a time between nothing and most. It is a function of the seed,
// the two hosts, the number of their connection and of the write on it. In fake time, no two messages arrive at the same
// moment then, so what a run does depends little on which of several goroutines is run first. Call it before there are
// connections.
func (m *Memory) Delay(seed uint64, most time.Duration) { m.seed, m.most = seed, most }

// Host returns the network as one host sees it.
func (m *Memory) Host(name string) Network { return memHost{m, name} }

// Cut ends and refuses connections between two hosts until Heal.
func (m *Memory) Cut(a, b string) {
	p := pairOf(a, b)
	m.mu.Lock()
	m.cut[p] = true
	var gone []*memConn
	for c := range m.conns {
		if c.pair == p {
			gone = append(gone, c)
		}
	}
	m.mu.Unlock()
	for _, c := range gone {
		_ = c.Close()
	}
}

// Freeze lets nothing through between two hosts until Heal.
func (m *Memory) Freeze(a, b string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frozen[pairOf(a, b)] == nil {
		m.frozen[pairOf(a, b)] = make(chan struct{})
	}
}

// Heal undoes Cut and Freeze.
func (m *Memory) Heal(a, b string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := pairOf(a, b)
	delete(m.cut, p)
	if ch := m.frozen[p]; ch != nil {
		close(ch)
		delete(m.frozen, p)
	}
}

// freeze returns what to wait for before bytes may pass, nil for nothing.
func (m *Memory) freeze(p pair) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.frozen[p]
}

type memHost struct {
	m    *Memory
	name string
}

var errRefused = errors.New("connection refused")

// Listen implements Network; port 0 picks one. The address names the host as others
// dial it.
func (h memHost) Listen(addr string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if port == "0" {
		h.m.port++
		port = fmt.Sprint(h.m.port)
	}
	addr = net.JoinHostPort(h.name, port)
	if h.m.listeners[addr] != nil {
		return nil, fmt.Errorf("listen %s: address in use", addr)
	}
	l := &memListener{m: h.m, addr: memAddr(addr), queue: make(chan net.Conn), closed: make(chan struct{})}
	h.m.listeners[addr] = l
	return l, nil
}

// Dial implements Network.
func (h memHost) Dial(ctx context.Context, addr string) (net.Conn, error) {
	to, _, _ := strings.Cut(addr, ":")
	p := pairOf(h.name, to)
	for ch := h.m.freeze(p); ch != nil; ch = h.m.freeze(p) {
		select {
		case <-ch:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	out, back := h.m.delays(h.name, addr)
	if !out.wait(ctx.Done()) {
		return nil, ctx.Err()
	}
	h.m.mu.Lock()
	l, cut := h.m.listeners[addr], h.m.cut[p]
	h.m.mu.Unlock()
	if l == nil || cut {
		return nil, refused(addr)
	}
	ours, theirs := net.Pipe()
	a, b := newMemConn(h.m, ours, p, addr, out), newMemConn(h.m, theirs, p, h.name, back)
	select {
	case l.queue <- b:
		return a, nil
	case <-l.closed:
		_, _ = a.Close(), b.Close()
		return nil, refused(addr)
	case <-ctx.Done():
		_, _ = a.Close(), b.Close()
		return nil, ctx.Err()
	}
}

// delay is the times that writes in one direction of a connection take; nil: none.
type delay struct {
	rng  *rand.Rand
	most time.Duration
}

// delays are those of the next connection from a host to an address.
func (m *Memory) delays(from, to string) (out, back *delay) {
	if m.most <= 0 {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.dialled[[2]string{from, to}]
	m.dialled[[2]string{from, to}]++
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %s %d", from, to, n)
	return &delay{rand.New(rand.NewPCG(m.seed, h.Sum64())), m.most}, &delay{rand.New(rand.NewPCG(m.seed, ^h.Sum64())), m.most}
}

// wait returns false when done ends first. It is called by one goroutine at a time.
func (d *delay) wait(done <-chan struct{}) bool {
	if d == nil {
		return true
	}
	t := time.NewTimer(time.Duration(d.rng.Int64N(int64(d.most))))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}

// refused looks like TCP's error: clients tell the kinds of failures apart.
func refused(addr string) error {
	return &net.OpError{Op: "dial", Net: "memory", Addr: memAddr(addr), Err: errRefused}
}

type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }

type memListener struct {
	m      *Memory
	addr   memAddr
	queue  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.m.mu.Lock()
		defer l.m.mu.Unlock()
		delete(l.m.listeners, string(l.addr))
	})
	return nil
}

func (l *memListener) Addr() net.Addr { return l.addr }

// memConn is one end of a pipe. A frozen pair holds writes back, and so reads too.
type memConn struct {
	net.Conn
	m      *Memory
	pair   pair
	remote memAddr
	done   chan struct{}
	once   sync.Once

	delay *delay
}

func newMemConn(m *Memory, c net.Conn, p pair, remote string, d *delay) *memConn {
	mc := &memConn{Conn: c, m: m, pair: p, remote: memAddr(remote), done: make(chan struct{}), delay: d}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns[mc] = struct{}{}
	return mc
}

func (c *memConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, reset("read", err)
}

// reset makes a pipe's error what TCP would say of a connection that has ended: clients know what to do about that.
func reset(op string, err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return &net.OpError{Op: op, Net: "memory", Err: syscall.ECONNRESET}
	}
	return err
}

func (c *memConn) RemoteAddr() net.Addr { return c.remote }

func (c *memConn) Write(b []byte) (int, error) {
	if !c.delay.wait(c.done) {
		return 0, net.ErrClosed
	}
	for ch := c.m.freeze(c.pair); ch != nil; ch = c.m.freeze(c.pair) {
		select {
		case <-ch:
		case <-c.done:
			return 0, net.ErrClosed
		}
	}
	n, err := c.Conn.Write(b)
	return n, reset("write", err)
}

func (c *memConn) Close() error {
	c.once.Do(func() {
		close(c.done)
		c.m.mu.Lock()
		delete(c.m.conns, c)
		c.m.mu.Unlock()
	})
	return c.Conn.Close()
}

// ZooKeeperDialer adapts a Network to what go-zookeeper/zk dials with.
func ZooKeeperDialer(n Network) func(network, addr string, timeout time.Duration) (net.Conn, error) {
	return func(_, addr string, timeout time.Duration) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		return n.Dial(ctx, addr)
	}
}
