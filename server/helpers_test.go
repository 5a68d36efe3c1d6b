package server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"baton/planner"
	"baton/server"
	"baton/server/servertest"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const listener = servertest.Listener

// rig is a running endpoint with a controller and brokers that are not real.
type rig struct {
	*server.Server
	ctl     *servertest.Controller
	brokers []*servertest.FakeBroker
}

// newRig starts n fake brokers with ids from 1 and an endpoint in front of them.
func newRig(t *testing.T, n int, change func(*server.Config)) *rig {
	t.Helper()
	r := &rig{}
	view := servertest.ViewFor(servertest.Full)
	var live servertest.Brokers
	for id := int32(1); id <= 3; id++ {
		view.Image.RemoveBroker(id)
	}
	for i := range n {
		b, err := servertest.StartBroker(int32(i + 1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		r.brokers = append(r.brokers, b)
		live = append(live, b.Endpoint())
		view.Image.PutBroker(servertest.Broker(b.ID, "127.0.0.1", b.Port(), "r1"))
	}
	r.ctl = servertest.NewController(view)
	cfg := server.Config{
		ID: servertest.BatonID, ClusterID: func() string { return "cluster" },
		Listeners:    []server.Listener{{Name: listener, Bind: "127.0.0.1:0"}},
		BrokerConfig: func() map[string]string { return map[string]string{"node.id": "2000000"} },
	}
	if change != nil {
		change(&cfg)
	}
	r.Server = server.New(cfg, r.ctl, live)
	r.start(t)
	addr, _ := r.Addr(listener).(*net.TCPAddr)
	r.ctl.SetSelf(servertest.Broker(servertest.BatonID, "127.0.0.1", int32(addr.Port), "r1"))
	return r
}

// start listens and serves until the test ends.
func (r *rig) start(t *testing.T) {
	t.Helper()
	if err := r.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// view changes the cluster while nobody reads it.
func (r *rig) view(t *testing.T, f func(planner.View)) {
	t.Helper()
	if err := r.ctl.View(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

// peer is a client connection that sends raw frames.
type peer struct {
	t  *testing.T
	nc net.Conn
	br *bufio.Reader
	id int32
}

func (r *rig) dial(t *testing.T) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", r.Addr(listener).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second)) // a hang fails the test instead of the run
	return &peer{t: t, nc: nc, br: bufio.NewReader(nc)}
}

func (p *peer) send(req kmsg.Request) []byte {
	p.t.Helper()
	p.id++
	name := "peer"
	frame, err := wire.AppendRequest(nil, &name, p.id, req)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.nc.Write(frame); err != nil {
		p.t.Fatal(err)
	}
	return frame[4:]
}

// ask sends a request and returns its decoded response.
func (p *peer) ask(req kmsg.Request) kmsg.Response {
	p.t.Helper()
	p.send(req)
	frame, err := wire.ReadFrame(p.br, nil, wire.MaxFrame)
	if err != nil {
		p.t.Fatalf("key %d: %v", req.Key(), err)
	}
	id, body, err := wire.ParseResponseHeader(frame, req.Key(), req.GetVersion())
	if err != nil || id != p.id {
		p.t.Fatalf("key %d: correlation %d, want %d: %v", req.Key(), id, p.id, err)
	}
	resp := req.ResponseKind()
	if err := resp.ReadFrom(body); err != nil {
		p.t.Fatalf("key %d: %v", req.Key(), err)
	}
	if n := len(resp.AppendTo(nil)); n != len(body) {
		p.t.Fatalf("key %d: an answer of %d bytes, of which %d were understood", req.Key(), len(body), n)
	}
	return resp
}

// closed waits for the other side to close the connection.
func (p *peer) closed() {
	p.t.Helper()
	_, err := p.br.ReadByte()
	var op *net.OpError
	if err == nil || (!errors.Is(err, io.EOF) && errors.As(err, &op) && op.Timeout()) {
		p.t.Fatalf("the connection is still open: %v", err)
	}
}

func ask[T kmsg.Response](p *peer, req kmsg.Request) T {
	p.t.Helper()
	resp, ok := p.ask(req).(T)
	if !ok {
		p.t.Fatalf("key %d: an answer of another kind", req.Key())
	}
	return resp
}

func ptr[T any](v T) *T { return &v }

// readCorrelation reads one response and returns its correlation id.
func (p *peer) readCorrelation() int32 {
	p.t.Helper()
	frame, err := wire.ReadFrame(p.br, nil, wire.MaxFrame)
	if err != nil {
		p.t.Fatal(err)
	}
	id, _, err := wire.ParseResponseHeader(frame, 0, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}
