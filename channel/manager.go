// Package channel carries control requests to brokers: one channel for each live
// broker, one request under way on it, answers back as events. It is Kafka's
// ControllerChannelManager without the queue: what to send next, and whether to send
// again, is for the planner, which sees every answer and every lost connection.
//
// Promises:
//
//   - A request goes out on the connection it was meant for or not at all. A request
//     that has no answer when its connection ends is never repeated here; the
//     ChannelDown of that connection says that it counts as untold.
//   - ChannelUp comes before any answer of a connection and ChannelDown after the last;
//     the ChannelDown of a replaced channel comes before the ChannelUp of its successor.
//   - Config.Gate is asked immediately before every frame. A frame that has been started
//     is finished or its connection is closed.
//   - When Close has returned, nothing is written any more, no goroutine is left and the
//     sink is not called again. Close itself reports no ChannelDown.
//
// A broker that hangs, refuses, answers nonsense or has no endpoint for the listener
// affects its own channel only.
//
// Debugging: session.go is one connection's life, encode.go the requests' content, body.go what
// brokers' requests share, answer.go what is made of responses.
package channel

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"
	"weak"

	"baton/planner"
	"baton/wire"

	"go.uber.org/zap"
)

// Versions are the configured request versions: those of the inter-broker protocol.
// A broker whose maximum is lower gets its maximum.
type Versions struct{ LeaderAndISR, UpdateMetadata, StopReplica int16 }

// Metrics is told what goes on; all methods may be called from many goroutines.
type Metrics interface {
	// RequestSent: a frame of that many bytes was written.
	RequestSent(broker int32, kind planner.RequestKind, bytes int)
	// RoundTrip: the answer came after d.
	RoundTrip(broker int32, kind planner.RequestKind, d time.Duration)
	// Connected: a channel came up or went down.
	Connected(broker int32, up bool)
}

// Config is what a Manager needs. Zero durations, Dial, Gate, Log and Metrics have
// defaults.
type Config struct {
	ControllerID        int32  // the client id is its decimal string, as Kafka's is
	Listener            string // the control plane listener if configured, else the inter-broker listener
	InterBrokerListener string // for the live leaders of LeaderAndIsr
	Versions            Versions
	RequestTimeout      time.Duration // 30 s, from the first byte written to the answer
	ConnectTimeout      time.Duration // 10 s
	Backoff             time.Duration // 100 ms, doubled with each failure in a row
	MaxBackoff          time.Duration // 1 s
	// Gate is asked immediately before a frame is written. False: this process may have
	// lost its session, so the frame is not started and the connection is dropped; it is
	// made again when the gate opens.
	Gate func() bool
	// Dial must end when its context does: Close waits for it.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// OnVersions hears what a broker supports (api key → minimum, maximum), before the
	// ChannelUp of that connection.
	OnVersions func(broker int32, keys map[int16][2]int16)
	Log        *zap.Logger
	Metrics    Metrics
}

const keepAlive = 15 * time.Second

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.RequestTimeout, 30*time.Second)
	def(&c.ConnectTimeout, 10*time.Second)
	def(&c.Backoff, 100*time.Millisecond)
	def(&c.MaxBackoff, time.Second)
	c.MaxBackoff = max(c.MaxBackoff, c.Backoff)
	if c.Gate == nil {
		c.Gate = func() bool { return true }
	}
	if c.Dial == nil {
		d := &net.Dialer{KeepAlive: keepAlive}
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }
	}
	if c.OnVersions == nil {
		c.OnVersions = func(int32, map[int16][2]int16) {}
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	return c
}

// version returns the version to send a kind of request at, given the broker's maximum.
func (c *Config) version(kind planner.RequestKind, brokerMax int16) int16 {
	configured := [...]int16{c.Versions.LeaderAndISR, c.Versions.UpdateMetadata, c.Versions.StopReplica}
	return wire.SendVersion(apiKeys[kind], configured[kind], brokerMax)
}

// Manager holds the channels of one claim of the controller role.
type Manager struct {
	cfg      Config
	clientID string
	sink     func(planner.Event)
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	encoders sync.Pool // of *encoder: big buffers are shared, as few channels send at once
	bodies   bodies

	mu       sync.Mutex
	closed   bool
	channels map[int32]*channel
	running  sync.WaitGroup
}

// NewManager returns a Manager without channels; it starts nothing. The sink gets
// ChannelUp, ChannelDown and BrokerReplied from many goroutines, in order for each
// broker. It must not block nor call Close, which waits for it.
func NewManager(cfg Config, sink func(planner.Event)) *Manager {
	m := &Manager{
		cfg: cfg.withDefaults(), clientID: strconv.Itoa(int(cfg.ControllerID)),
		sink: sink, channels: map[int32]*channel{}, bodies: bodies{m: map[bodyKey]weak.Pointer[body]{}},
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.encoders.New = func() any { return new(encoder) }
	return m
}

// Apply opens, replaces and closes channels; it never waits for the network. A closed
// channel's connection may still be open for a moment after Apply has returned, but
// takes no request any more.
func (m *Manager) Apply(changes []planner.ChannelChange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	for _, change := range changes {
		id := change.Broker.ID
		old := m.channels[id]
		delete(m.channels, id)
		var before <-chan struct{}
		if old != nil {
			old.cancel()
			before = old.done
		}
		if change.Close {
			continue
		}
		c := newChannel(m, change.Broker)
		m.channels[id] = c
		m.running.Go(func() { c.run(before) })
	}
}

// Send hands a request to its broker's channel and returns at once. It is dropped
// silently if r.Conn is not the channel's current connection: the ChannelDown of
// r.Conn is or was reported. At most one request may be under way for each broker.
//
// The request is encoded later, on the channel's goroutine, and its topics are looked
// up in the answer: nothing it refers to may be changed after Send.
func (m *Manager) Send(r planner.Request) {
	m.mu.Lock()
	c := m.channels[r.Broker]
	m.mu.Unlock()
	if c != nil {
		c.send(r)
	}
}

// Close ends all channels and waits for them; see the package's promises. It may be
// called more than once.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	m.running.Wait()
}

type noMetrics struct{}

func (noMetrics) RequestSent(int32, planner.RequestKind, int)         {}
func (noMetrics) RoundTrip(int32, planner.RequestKind, time.Duration) {}
func (noMetrics) Connected(int32, bool)                               {}
