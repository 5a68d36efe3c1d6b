package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// TCPProxy stands before one listener of one broker and passes Kafka frames on, whole ones only. It can hold a single
// request back, stall everything, cut all connections and refuse new ones.
type TCPProxy struct {
	listener net.Listener
	target   string
	idAt     int // where a request frame has the number that its answer repeats

	mu      sync.Mutex
	gate    chan struct{} // closed while frames may pass
	refuse  bool
	conns   map[*proxyConn]bool
	armed   []*Held // not yet caught
	holds   []*Held // every one there has been
	seen    []ControlFrame
	closed  bool
	running sync.WaitGroup
}

// proxyConn is one client's connection and its twin to the broker.
type proxyConn struct {
	p        *TCPProxy
	client   net.Conn
	upstream net.Conn

	mu       sync.Mutex
	awaited  map[int32]*Held // by correlation id
	clientUp atomic.Bool
}

// NewTCPProxy listens on a free loopback port that is kept until env ends.
func NewTCPProxy(env Env, target string) (*TCPProxy, error) { return newProxy(env, target, 8) }

// NewZooKeeperProxy is a TCPProxy before a ZooKeeper server: its frames have a length too, but then the request's
// number and type, and Held.Response begins with the answer's zxid.
func NewZooKeeperProxy(env Env, target string) (*TCPProxy, error) { return newProxy(env, target, 4) }

func newProxy(env Env, target string, idAt int) (*TCPProxy, error) {
	ports, err := ReservePorts(env, 1)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", loopback(ports[0]))
	if err != nil {
		return nil, err
	}
	p := &TCPProxy{listener: l, target: target, idAt: idAt, conns: map[*proxyConn]bool{}, gate: make(chan struct{})}
	close(p.gate)
	p.running.Go(p.accept)
	env.Cleanup(p.Close)
	return p, nil
}

// Addr is the address to connect to.
func (p *TCPProxy) Addr() string { return p.listener.Addr().String() }

// Close ends the proxy and all its connections.
func (p *TCPProxy) Close() {
	p.mu.Lock()
	p.closed = true
	holds := p.holds
	p.mu.Unlock()
	_ = p.listener.Close()
	for _, h := range holds {
		h.fail(net.ErrClosed)
	}
	p.Unblock()
	p.Cut()
	p.running.Wait()
}

// Cut closes every connection; clients may connect again.
func (p *TCPProxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.close()
	}
}

// Refuse makes the proxy close new connections at once, or stop doing so.
func (p *TCPProxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Block lets no frame pass in either direction, as a network that drops packets does: connections stay open.
func (p *TCPProxy) Block() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
		p.gate = make(chan struct{})
	default:
	}
}

// Unblock ends a Block; what piled up passes.
func (p *TCPProxy) Unblock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

func (p *TCPProxy) passage() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gate
}

func (p *TCPProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuse := p.refuse || p.closed
		p.mu.Unlock()
		if refuse {
			_ = client.Close()
			continue
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *TCPProxy) serve(client net.Conn) {
	upstream, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		// A reset is the nearest a proxy comes to the refusal that the client would have had from the broker's port.
		if tcp, ok := client.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = client.Close()
		return
	}
	c := &proxyConn{p: p, client: client, upstream: upstream, awaited: map[int32]*Held{}}
	c.clientUp.Store(true)
	p.mu.Lock()
	p.conns[c] = true
	if p.closed {
		c.close()
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
		c.failAwaited(errors.New("the connection closed before the answer"))
	}()
	var pumps sync.WaitGroup
	pumps.Go(c.requests)
	pumps.Go(c.responses)
	pumps.Wait()
}

func (c *proxyConn) close() {
	_ = c.client.Close()
	_ = c.upstream.Close()
}

// requests passes the client's frames on, one after the other, so that a held one keeps those behind it waiting as
// a stalled connection would.
func (c *proxyConn) requests() {
	for {
		frame, err := readFrame(c.client)
		if err != nil {
			c.clientUp.Store(false)
			c.clientGone()
			return
		}
		c.p.note(frame)
		if h := c.p.catch(frame); h != nil {
			if !h.hold(frame) {
				c.close()
				return
			}
			c.mu.Lock()
			c.awaited[int32(binary.BigEndian.Uint32(frame[c.p.idAt:]))] = h
			c.mu.Unlock()
		}
		<-c.p.passage()
		if _, err := c.upstream.Write(frame); err != nil {
			c.close()
			return
		}
	}
}

// clientGone closes the broker's side too, unless the answer to a frame that was held is still to come: the sender
// of a stale frame has often gone by then, and the answer is what the test is after.
func (c *proxyConn) clientGone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.awaited) == 0 {
		c.close()
	}
}

func (c *proxyConn) responses() {
	defer c.close()
	for {
		frame, err := readFrame(c.upstream)
		if err != nil {
			return
		}
		<-c.p.passage()
		c.deliver(frame)
		if _, err := c.client.Write(frame); err != nil {
			c.clientUp.Store(false)
		}
		if !c.clientUp.Load() && c.idle() {
			return
		}
	}
}

func (c *proxyConn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.awaited) == 0
}

func (c *proxyConn) deliver(frame []byte) {
	if len(frame) < 8 {
		return
	}
	id := int32(binary.BigEndian.Uint32(frame[4:]))
	c.mu.Lock()
	h := c.awaited[id]
	delete(c.awaited, id)
	c.mu.Unlock()
	if h != nil {
		h.answer(frame[8:])
	}
}

func (c *proxyConn) failAwaited(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.awaited {
		h.fail(err)
	}
}

// The largest request a broker takes by default; more is not Kafka.
const maxFrame = 100 << 20

// readFrame reads one frame, its length included.
func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	frame := make([]byte, 4+n)
	copy(frame, size[:])
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}
