package servertest

import (
	"bufio"
	"net"
	"sync"

	"baton/server"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FakeBroker answers every request with its response's defaults, unless Answer says
// otherwise, and remembers the frames that it got.
type FakeBroker struct {
	ID int32
	// Answer may return a whole response frame; nil closes the connection without one.
	Answer func(key, version int16, correlation int32, frame []byte) []byte

	ln     net.Listener
	wg     sync.WaitGroup
	mu     sync.Mutex
	frames [][]byte
	conns  map[net.Conn]struct{}
	closed bool
}

// StartBroker listens on a free port of the loopback interface.
func StartBroker(id int32) (*FakeBroker, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &FakeBroker{ID: id, ln: ln, conns: map[net.Conn]struct{}{}}
	b.wg.Go(b.accept)
	return b, nil
}

// Endpoint is where it listens.
func (b *FakeBroker) Endpoint() server.Endpoint {
	return server.Endpoint{ID: b.ID, Addr: b.ln.Addr().String()}
}

// Port is where it listens.
func (b *FakeBroker) Port() int32 {
	a, _ := b.ln.Addr().(*net.TCPAddr)
	return int32(a.Port)
}

// Frames returns the request frames so far.
func (b *FakeBroker) Frames() [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([][]byte(nil), b.frames...)
}

// DropConnections closes what is connected now and goes on listening.
func (b *FakeBroker) DropConnections() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for nc := range b.conns {
		_ = nc.Close()
	}
}

// Close stops it and waits for its goroutines.
func (b *FakeBroker) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	_ = b.ln.Close()
	b.DropConnections()
	b.wg.Wait()
}

func (b *FakeBroker) accept() {
	for {
		nc, err := b.ln.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.conns[nc] = struct{}{}
		gone := b.closed
		b.mu.Unlock()
		if gone {
			_ = nc.Close()
		}
		b.wg.Go(func() {
			b.serve(nc)
			_ = nc.Close()
			b.mu.Lock()
			delete(b.conns, nc)
			b.mu.Unlock()
		})
	}
}

func (b *FakeBroker) serve(nc net.Conn) {
	br := bufio.NewReader(nc)
	for {
		frame, err := wire.ReadFrame(br, nil, wire.MaxFrame)
		if err != nil {
			return
		}
		b.mu.Lock()
		b.frames = append(b.frames, frame)
		b.mu.Unlock()
		h, _, err := wire.ParseRequestHeader(frame)
		if err != nil {
			return
		}
		answer := DefaultAnswer
		if b.Answer != nil {
			answer = b.Answer
		}
		out := answer(h.Key, h.Version, h.CorrelationID, frame)
		if out == nil {
			return
		}
		if _, err := nc.Write(out); err != nil {
			return
		}
	}
}

// DefaultAnswer is a response without content, or for ApiVersions with everything that
// the message library knows.
func DefaultAnswer(key, version int16, correlation int32, _ []byte) []byte {
	resp := kmsg.ResponseForKey(key)
	resp.SetVersion(version)
	if v, ok := resp.(*kmsg.ApiVersionsResponse); ok {
		for k := range int16(70) {
			if r := kmsg.ResponseForKey(k); r != nil {
				v.ApiKeys = append(v.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: k, MaxVersion: r.MaxVersion()})
			}
		}
	}
	return wire.AppendResponse(nil, correlation, resp)
}

// Brokers is a fixed list of endpoints, the same on every listener.
type Brokers []server.Endpoint

// Endpoints implements server.Brokers.
func (b Brokers) Endpoints(string) []server.Endpoint { return append([]server.Endpoint(nil), b...) }
