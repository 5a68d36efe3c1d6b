package zkstore

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// proxy forwards frames between clients and the server, and can lose the reply to the
// next request of one kind, cut connections, and refuse new ones.
type proxy struct {
	l      net.Listener
	server string

	mu      sync.Mutex
	conns   map[net.Conn]bool
	refuse  bool
	swallow int32 // opcode whose next reply is lost, with the connection
	lost    chan struct{}
}

func newProxy(t *testing.T, addr string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, server: addr, conns: map[net.Conn]bool{}, lost: make(chan struct{}, 8)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.cut(true)
		wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

// cut closes all connections and, with refuse, keeps new ones away.
func (p *proxy) cut(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

func (p *proxy) allow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = false
}

// loseReply loses the reply to the next request of a kind.
func (p *proxy) loseReply(opcode int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = opcode
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer s.Close()
	p.mu.Lock()
	if p.refuse {
		p.mu.Unlock()
		return
	}
	p.conns[c], p.conns[s] = true, true
	p.mu.Unlock()
	var mu sync.Mutex
	victim := int32(-100) // xid
	go func() {
		defer s.Close()
		defer c.Close()
		p.forward(s, c, func(frame []byte, first bool) bool {
			if first || len(frame) < 12 {
				return true
			}
			op := int32(binary.BigEndian.Uint32(frame[8:]))
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.swallow != 0 && op == p.swallow {
				p.swallow = 0
				mu.Lock()
				victim = int32(binary.BigEndian.Uint32(frame[4:]))
				mu.Unlock()
			}
			return true
		})
	}()
	p.forward(c, s, func(frame []byte, first bool) bool {
		mu.Lock()
		defer mu.Unlock()
		if !first && len(frame) >= 8 && int32(binary.BigEndian.Uint32(frame[4:])) == victim {
			p.lost <- struct{}{}
			return false
		}
		return true
	})
}

// forward copies frames while pass says so.
func (p *proxy) forward(to, from net.Conn, pass func(frame []byte, first bool) bool) {
	for first := true; ; first = false {
		head := make([]byte, 4)
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		frame := append(head, make([]byte, binary.BigEndian.Uint32(head))...)
		if _, err := io.ReadFull(from, frame[4:]); err != nil {
			return
		}
		if !pass(frame, first) {
			return
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}
