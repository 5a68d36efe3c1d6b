// Package server is Baton's inbound Kafka endpoint: what brokers send to their
// controller and what clients send to a node that they found in the metadata.
//
// It decides nothing. A request is either answered from the Controller, or passed on
// as it is to a live broker (proxy.go), or refused with a code that the sender
// understands. Whoever picked Baton from the metadata must never fail because of that.
//
// One goroutine serves a connection: read a frame, answer it, read the next. That is
// how brokers do it and what clients rely on for the order of their requests. Each API
// has its own file, NN_name.go.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"baton/planner"

	"go.uber.org/zap"
)

// ErrNotActive says that this process does not hold the controller's role.
var ErrNotActive = errors.New("not the active controller")

// Controller is what the endpoint needs of the controller.
type Controller interface {
	Active() bool
	// Call hands a request to the planner and waits for its reply.
	Call(ctx context.Context, body planner.CallBody) (planner.ReplyBody, error)
	// View runs f on the loop's goroutine, which waits for it: f only copies.
	View(ctx context.Context, f func(planner.View)) error
}

// Endpoint is where a live broker can be reached.
type Endpoint struct {
	ID   int32
	Addr string
}

// Brokers knows the live brokers, also while the process is a standby.
type Brokers interface {
	Endpoints(listener string) []Endpoint
}

// Metrics counts; a nil Metrics in Config counts nothing.
type Metrics interface {
	// Request is called for each request that was answered, here or by a broker.
	Request(key int16, proxied bool, took time.Duration)
	// Dropped is called for each connection closed for a reason other than its peer's wish.
	Dropped(reason string)
	// Connections is called with +1 and -1.
	Connections(delta int)
	// Throttled is called for each request whose client has to wait for its quota.
	Throttled(key int16)
}

// Listener is one address to listen on, under a listener name of the brokers.
type Listener struct{ Name, Bind string }

// InternalTopic holds a broker's settings for a topic that it creates for itself.
type InternalTopic struct {
	Partitions   int32
	Factor       int16
	SegmentBytes int32
	MinISR       int32 // transaction.state.log.min.isr; not used for offsets
}

// Config is everything that does not change while the server runs, and functions for
// what does. Zero values of the limits mean the defaults given here.
type Config struct {
	ID           int32
	ClusterID    func() string // may be learned after the start
	FeatureEpoch func() int64  // the version of /feature; -1: there is none, or none that is enabled
	Listeners    []Listener
	AutoCreate   func() bool          // auto.create.topics.enable
	Features     func() bool          // the inter-broker protocol is 2.7-IV0 or higher
	Offsets      func() InternalTopic // offsets.topic.* as it is now: 50, 3, 100 MiB
	Transactions func() InternalTopic // transaction.state.log.*: 50, 3, 100 MiB, 2

	MaxFrame       int           // 100 MiB
	MaxConnections int           // 4096
	IdleTimeout    time.Duration // 10 min
	CallTimeout    time.Duration // 30 s: how long a request waits for the controller

	Log     *zap.Logger
	Metrics Metrics
	// BrokerConfig answers DescribeConfigs for Baton's own id.
	BrokerConfig func() map[string]string
	// Listen opens a listener's socket; nil listens on TCP.
	Listen func(addr string) (net.Listener, error)
	// Dial opens a connection to a broker; nil dials plain TCP.
	Dial func(ctx context.Context, listener, addr string) (net.Conn, error)
}

// Server is the endpoint. It does nothing before Listen and Serve.
type Server struct {
	cfg     Config
	ctl     Controller
	brokers Brokers
	log     *zap.Logger
	noise   limiter
	apis    map[int16]*api
	learned versions
	clients gauge
	decodes chan struct{} // bounds how many large requests are decoded at a time

	mu        sync.Mutex
	listeners []net.Listener // by index of cfg.Listeners
	conns     map[net.Conn]struct{}
	closed    bool
	wg        sync.WaitGroup
}

// New returns a server that is not listening yet.
func New(cfg Config, c Controller, b Brokers) *Server {
	cfg.setDefaults()
	s := &Server{
		cfg: cfg, ctl: c, brokers: b, log: cfg.Log,
		apis: map[int16]*api{}, conns: map[net.Conn]struct{}{},
		decodes: make(chan struct{}, 4),
	}
	s.learned.byBroker = map[int32]map[int16][2]int16{}
	for _, a := range apiTable() {
		s.apis[a.key] = &a
	}
	return s
}

func (c *Config) setDefaults() {
	c.Listeners = slices.Clone(c.Listeners)
	for i := range c.Listeners {
		c.Listeners[i].Name = strings.ToUpper(c.Listeners[i].Name) // as in znodes and messages
	}
	orInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orInt(&c.MaxFrame, 100<<20)
	orInt(&c.MaxConnections, 4096)
	if c.IdleTimeout <= 0 {
		c.IdleTimeout = 10 * time.Minute
	}
	if c.CallTimeout <= 0 {
		c.CallTimeout = 30 * time.Second
	}
	if c.ClusterID == nil {
		c.ClusterID = func() string { return "" }
	}
	if c.FeatureEpoch == nil {
		c.FeatureEpoch = func() int64 { return -1 }
	}
	if c.AutoCreate == nil {
		c.AutoCreate = func() bool { return true }
	}
	if c.Features == nil {
		c.Features = func() bool { return true }
	}
	if c.BrokerConfig == nil {
		c.BrokerConfig = func() map[string]string { return nil }
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	if c.Listen == nil {
		c.Listen = func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, _, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}
	}
	c.Offsets = withDefaults(c.Offsets, InternalTopic{Partitions: 50, Factor: 3, SegmentBytes: 100 << 20})
	c.Transactions = withDefaults(c.Transactions, InternalTopic{Partitions: 50, Factor: 3, SegmentBytes: 100 << 20, MinISR: 2})
}

func withDefaults(now func() InternalTopic, d InternalTopic) func() InternalTopic {
	return func() InternalTopic {
		var t InternalTopic
		if now != nil {
			t = now()
		}
		t.setDefaults(d)
		return t
	}
}

func (t *InternalTopic) setDefaults(d InternalTopic) {
	if t.Partitions == 0 {
		t.Partitions = d.Partitions
	}
	if t.Factor == 0 {
		t.Factor = d.Factor
	}
	if t.SegmentBytes == 0 {
		t.SegmentBytes = d.SegmentBytes
	}
	if t.MinISR == 0 {
		t.MinISR = d.MinISR
	}
}

type noMetrics struct{}

func (noMetrics) Request(int16, bool, time.Duration) {}
func (noMetrics) Dropped(string)                     {}
func (noMetrics) Connections(int)                    {}
func (noMetrics) Throttled(int16)                    {}

// Listen binds all listeners, or none. Connections wait in the kernel until Serve.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.cfg.Listeners {
		ln, err := s.cfg.Listen(l.Bind)
		if err != nil {
			for _, open := range s.listeners {
				_ = open.Close()
			}
			s.listeners = nil
			return fmt.Errorf("listen %s on %s: %w", l.Name, l.Bind, err)
		}
		s.listeners = append(s.listeners, ln)
	}
	return nil
}

// Addr returns the address a listener is bound to, nil if it is not.
func (s *Server) Addr(name string) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.cfg.Listeners {
		if strings.EqualFold(l.Name, name) && i < len(s.listeners) {
			return s.listeners[i].Addr()
		}
	}
	return nil
}

// Serve accepts and serves connections until ctx ends or a listener fails; then it
// closes every connection and returns when all of them are done. It closes the
// listeners; a Server serves once.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	listeners := append([]net.Listener(nil), s.listeners...)
	s.mu.Unlock()
	failed := make(chan error, len(listeners))
	for i, ln := range listeners {
		s.wg.Go(func() { failed <- s.accept(ctx, ln, s.cfg.Listeners[i].Name) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	cancel()
	s.closeAll()
	s.wg.Wait()
	return err
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, ln := range s.listeners {
		_ = ln.Close()
	}
	for nc := range s.conns {
		_ = nc.Close()
	}
}

// track remembers a connection so that closeAll finds it; false means that the server
// is closed, or full when client is set (backend connections do not count).
func (s *Server) track(nc net.Conn, client bool, count int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || (client && count > s.cfg.MaxConnections) {
		return false
	}
	s.conns[nc] = struct{}{}
	return true
}

func (s *Server) untrack(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, nc)
}

// SetBrokerVersions tells which APIs and versions a broker offers, as it said itself.
func (s *Server) SetBrokerVersions(broker int32, keys map[int16][2]int16) {
	s.learned.set(broker, keys)
}

// ForgetBroker drops what was learned from a broker that is gone.
func (s *Server) ForgetBroker(id int32) { s.learned.set(id, nil) }
