package channel

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"baton/cluster"
	"baton/epoch"
	"baton/planner"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fakeBroker is the other end: it takes connections over net.Pipe, answers ApiVersions
// and hands every other request to handle, which returns the raw response frame's
// content, nil to keep silent, or an error to hang up.
type fakeBroker struct {
	versions map[int16][2]int16
	handle   func(h wire.RequestHeader, r kmsg.Request) ([]byte, error)
	deaf     chan struct{} // if set, nothing is read after ApiVersions until it is closed

	mu       sync.Mutex
	refuse   bool
	dials    []time.Time
	conns    []net.Conn
	requests []kmsg.Request
	headers  []wire.RequestHeader
	bytes    int // read from connections
}

func zkVersions() map[int16][2]int16 {
	return map[int16][2]int16{4: {0, 7}, 5: {0, 4}, 6: {0, 8}, 18: {0, 4}}
}

func (f *fakeBroker) dial(context.Context, string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials = append(f.dials, time.Now())
	if f.refuse {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	f.conns = append(f.conns, ours)
	go f.serve(ours)
	return theirs, nil
}

// Read counts what arrives.
type counted struct {
	net.Conn
	f *fakeBroker
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.f.mu.Lock()
	c.f.bytes += n
	c.f.mu.Unlock()
	return n, err
}

func (f *fakeBroker) serve(c net.Conn) {
	defer c.Close()
	for {
		frame, err := wire.ReadFrame(counted{c, f}, nil, wire.MaxFrame)
		if err != nil {
			return
		}
		h, body, err := wire.ParseRequestHeader(frame)
		if err != nil {
			return
		}
		r, err := wire.DecodeRequest(h.Key, h.Version, body)
		if err != nil {
			return
		}
		out, err := f.answer(h, r)
		if err != nil {
			return
		}
		if out == nil {
			continue
		}
		if err := wire.WriteFrame(c, out); err != nil {
			return
		}
		if f.deaf != nil {
			<-f.deaf
			return
		}
	}
}

func (f *fakeBroker) answer(h wire.RequestHeader, r kmsg.Request) ([]byte, error) {
	if h.Key == wire.ApiVersions {
		resp := kmsg.NewPtrApiVersionsResponse()
		f.mu.Lock()
		defer f.mu.Unlock()
		for k, v := range f.versions {
			a := kmsg.NewApiVersionsResponseApiKey()
			a.ApiKey, a.MinVersion, a.MaxVersion = k, v[0], v[1]
			resp.ApiKeys = append(resp.ApiKeys, a)
		}
		return wire.AppendResponse(nil, h.CorrelationID, resp)[4:], nil
	}
	f.mu.Lock()
	f.requests, f.headers = append(f.requests, r), append(f.headers, h)
	f.mu.Unlock()
	return f.handle(h, r)
}

func (f *fakeBroker) seen() []kmsg.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

func (f *fakeBroker) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[len(f.conns)-1].Close()
}

func (f *fakeBroker) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// ok answers every partition of a request with no error.
func ok(h wire.RequestHeader, r kmsg.Request) ([]byte, error) {
	resp := r.ResponseKind()
	switch resp := resp.(type) {
	case *kmsg.LeaderAndISRResponse:
		for _, t := range r.(*kmsg.LeaderAndISRRequest).TopicStates {
			out := kmsg.LeaderAndISRResponseTopic{TopicID: t.TopicID}
			for _, p := range t.PartitionStates {
				pc := kmsg.LeaderAndISRResponseTopicPartition{Topic: t.Topic, Partition: p.Partition}
				out.Partitions, resp.Partitions = append(out.Partitions, pc), append(resp.Partitions, pc)
			}
			resp.Topics = append(resp.Topics, out)
		}
	case *kmsg.StopReplicaResponse:
		for _, t := range r.(*kmsg.StopReplicaRequest).Topics {
			for _, p := range t.PartitionStates {
				resp.Partitions = append(resp.Partitions, kmsg.StopReplicaResponsePartition{Topic: t.Topic, Partition: p.Partition})
			}
		}
	}
	return wire.AppendResponse(nil, h.CorrelationID, resp)[4:], nil
}

func silence(wire.RequestHeader, kmsg.Request) ([]byte, error) { return nil, nil }

func hangUp(wire.RequestHeader, kmsg.Request) ([]byte, error) { return nil, io.EOF }

// harness is a Manager with one fake broker, and everything it reported.
type harness struct {
	*Manager
	t      *testing.T
	broker *fakeBroker

	mu     sync.Mutex
	events []planner.Event
	open   bool
}

// run executes a test in a bubble of fake time, which also fails if a goroutine is left.
func run(t *testing.T, test func(h *harness), options ...func(*Config)) {
	synctest.Test(t, func(t *testing.T) {
		h := &harness{t: t, broker: &fakeBroker{versions: zkVersions(), handle: ok}, open: true}
		cfg := Config{
			ControllerID: 2000001, Listener: "INTERNAL", InterBrokerListener: "INTERNAL",
			Versions: Versions{LeaderAndISR: 7, UpdateMetadata: 8, StopReplica: 4},
			Dial:     h.broker.dial,
			Gate: func() bool {
				h.mu.Lock()
				defer h.mu.Unlock()
				return h.open
			},
		}
		for _, o := range options {
			o(&cfg)
		}
		h.Manager = NewManager(cfg, func(e planner.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
		})
		defer h.Close()
		test(h)
	})
}

func (h *harness) gate(open bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = open
}

// take waits until nothing moves any more and returns what was reported since.
func (h *harness) take() []planner.Event {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.events
	h.events = nil
	return out
}

// one is take for exactly one event of type E.
func one[E planner.Event](h *harness) E {
	h.t.Helper()
	events := h.take()
	if len(events) == 1 {
		if e, ok := events[0].(E); ok {
			return e
		}
	}
	h.t.Fatalf("reported %+v, want one %T", events, *new(E))
	panic("unreachable")
}

func (h *harness) none() {
	h.t.Helper()
	if events := h.take(); len(events) != 0 {
		h.t.Fatalf("reported %+v, want nothing", events)
	}
}

// up opens the channel and returns its connection.
func (h *harness) up(e epoch.Broker) uint64 {
	h.t.Helper()
	h.Apply([]planner.ChannelChange{{Broker: registered(e)}})
	up := one[planner.ChannelUp](h)
	if up.Broker != 1 || up.Epoch != e || up.Conn == 0 {
		h.t.Fatalf("%+v", up)
	}
	return up.Conn
}

func registered(e epoch.Broker) cluster.Broker {
	b := broker(1, "host-a", 9092, "host-a.example", 9093)
	b.Epoch = e
	return b
}

func request(kind planner.RequestKind, conn, seq uint64) planner.Request {
	r := goldenRequest(kind, 7)
	r.Conn, r.Seq = conn, seq
	return r
}
