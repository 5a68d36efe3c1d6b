package dev

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Net is the loopback network with a switch between its hosts: TCP, but connections between two hosts can be cut, and
// a host can go down. A host is known by the addresses on which it has listened; who dials is known because each host
// dials through its own half of the switch.
type Net struct {
	mu     sync.Mutex
	owners map[string]string // address to host
	cut    map[[2]string]bool
	down   map[string]bool
	conns  map[*netConn]struct{}
	ports  map[*netListener]struct{}
}

// NewNet returns a network in which everybody reaches everybody.
func NewNet() *Net {
	return &Net{owners: map[string]string{}, cut: map[[2]string]bool{}, down: map[string]bool{}, conns: map[*netConn]struct{}{},
		ports: map[*netListener]struct{}{}}
}

// Host returns the network as one host sees it.
func (n *Net) Host(name string) *NetHost { return &NetHost{n: n, name: name} }

// Own says that an address is a host's that listens by itself.
func (n *Net) Own(host, addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.owners[addr] = host
}

func between(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

// Cut ends and refuses connections between two hosts until Heal.
func (n *Net) Cut(a, b string) {
	n.mu.Lock()
	n.cut[between(a, b)] = true
	n.mu.Unlock()
	n.end(func(c *netConn) bool { return c.hosts == between(a, b) })
}

// Heal undoes Cut.
func (n *Net) Heal(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cut, between(a, b))
}

// Down ends a host for good: its listeners, and its connections, also those of clients from outside.
func (n *Net) Down(host string) {
	n.mu.Lock()
	n.down[host] = true
	for l := range n.ports {
		if l.h.name == host {
			_ = l.Listener.Close()
			delete(n.ports, l)
		}
	}
	n.mu.Unlock()
	n.end(func(c *netConn) bool { return c.hosts[0] == host || c.hosts[1] == host })
}

func (n *Net) end(which func(*netConn) bool) {
	n.mu.Lock()
	var gone []*netConn
	for c := range n.conns {
		if which(c) {
			gone = append(gone, c)
		}
	}
	n.mu.Unlock()
	for _, c := range gone {
		_ = c.Close()
	}
}

// admit makes a connection one of the network's, or refuses it.
func (n *Net) admit(c net.Conn, a, b string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down[a] || n.down[b] || n.cut[between(a, b)] {
		_ = c.Close()
		return nil, errUnreachable
	}
	out := &netConn{Conn: c, n: n, hosts: between(a, b)}
	n.conns[out] = struct{}{}
	return out, nil
}

var errUnreachable = errors.New("unreachable: the connection has been cut")

// NetHost is one host's half of the switch. It is what brokers and Batons take for a network.
type NetHost struct {
	n    *Net
	name string
}

// Listen listens on TCP.
func (h *NetHost) Listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	h.n.Own(h.name, l.Addr().String())
	out := &netListener{l, h}
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	h.n.ports[out] = struct{}{}
	return out, nil
}

// Dial connects by TCP, if the switch allows it.
func (h *NetHost) Dial(ctx context.Context, addr string) (net.Conn, error) {
	h.n.mu.Lock()
	to := h.n.owners[addr]
	refused := h.n.down[h.name] || h.n.down[to] || h.n.cut[between(h.name, to)]
	h.n.mu.Unlock()
	if refused {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errUnreachable}
	}
	d := net.Dialer{Timeout: 10 * time.Second}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return h.n.admit(c, h.name, to)
}

type netListener struct {
	net.Listener
	h *NetHost
}

// Accept lets connections in while the host is up. Cuts are made where a connection is dialled.
func (l *netListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if in, err := l.h.n.admit(c, l.h.name, ""); err == nil {
			return in, nil
		}
	}
}

func (l *netListener) Close() error {
	l.h.n.mu.Lock()
	delete(l.h.n.ports, l)
	l.h.n.mu.Unlock()
	return l.Listener.Close()
}

type netConn struct {
	net.Conn
	n     *Net
	hosts [2]string
}

func (c *netConn) Close() error {
	c.n.mu.Lock()
	delete(c.n.conns, c)
	c.n.mu.Unlock()
	return c.Conn.Close()
}
