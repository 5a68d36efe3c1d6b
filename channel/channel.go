package channel

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"baton/cluster"
	"baton/planner"

	"go.uber.org/zap"
)

// lastConn numbers connections. It belongs to the process, not to a Manager, so that
// an event of an earlier claim can never be taken for one of this claim.
var lastConn atomic.Uint64

// channel is the goroutine that keeps one broker connected.
type channel struct {
	m      *Manager
	broker cluster.Broker
	log    *zap.Logger
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned

	current atomic.Pointer[session] // nil while there is no connection that takes requests
	logged  string                  // the failure last logged, so that a dead broker fills no log
}

func newChannel(m *Manager, b cluster.Broker) *channel {
	c := &channel{
		m: m, broker: b, done: make(chan struct{}),
		log: m.cfg.Log.With(zap.Int32("broker", b.ID), zap.Int64("broker_epoch", int64(b.Epoch))),
	}
	c.ctx, c.cancel = context.WithCancel(m.ctx)
	return c
}

// send gives the request to the connection it is meant for.
func (c *channel) send(r planner.Request) {
	s := c.current.Load()
	if s == nil || s.conn != r.Conn {
		return
	}
	select {
	case s.requests <- r:
	default:
		// Dropping it would leave the planner waiting for ever; a lost connection is a
		// state it can deal with.
		c.log.Error("more than one request under way, dropping the connection", zap.Uint64("seq", r.Seq))
		s.abort("more than one request under way")
	}
}

// run connects again and again until the channel is closed. It first waits until the
// channel that it replaces is gone, so that a broker never hears from two.
func (c *channel) run(before <-chan struct{}) {
	defer close(c.done)
	defer c.cancel()
	if before != nil {
		<-before
	}
	cfg := &c.m.cfg
	ep, ok := c.broker.Endpoint(cfg.Listener)
	if !ok {
		c.log.Error("broker has no endpoint for the controller's listener and cannot be told anything",
			zap.String("listener", cfg.Listener))
		<-c.ctx.Done()
		return
	}
	addr := net.JoinHostPort(ep.Host, strconv.Itoa(int(ep.Port)))
	for failures := 0; c.ctx.Err() == nil; failures++ {
		if !cfg.Gate() {
			failures = 0
			c.pause(cfg.Backoff)
			continue
		}
		healthy, err := c.connect(addr)
		if healthy {
			failures = 0
		}
		if c.ctx.Err() != nil {
			return
		}
		c.logFailure(addr, err)
		c.pause(c.delay(failures))
	}
}

// delay is the time to wait after a number of failures in a row before this one, up to
// a fifth longer by chance: hundreds of channels must not knock in step. Chance comes
// from the clock and the broker, so that a run in fake time can be repeated.
func (c *channel) delay(failures int) time.Duration {
	d := c.m.cfg.MaxBackoff
	if shift := min(failures, 20); c.m.cfg.Backoff<<shift < d {
		d = c.m.cfg.Backoff << shift
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(c.broker.ID)))
	return d + time.Duration(rng.Int64N(int64(d/5+1)))
}

func (c *channel) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
	}
}

// logFailure warns of a failure once; the same again and again is for debugging.
func (c *channel) logFailure(addr string, err error) {
	reason := err.Error()
	level := zap.WarnLevel
	switch {
	case reason == c.logged:
		level = zap.DebugLevel
	case errors.Is(err, errNotZK):
		level = zap.ErrorLevel // no retry will help, somebody has to look
	}
	c.logged = reason
	c.log.Log(level, "channel to broker is down", zap.String("address", addr), zap.Error(err))
}

// connect dials and serves one connection until it fails. healthy says that it did
// some good, so that the next attempt need not wait long.
func (c *channel) connect(addr string) (healthy bool, err error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.m.cfg.ConnectTimeout)
	nc, err := c.m.cfg.Dial(ctx, addr)
	cancel()
	if err != nil {
		return false, err
	}
	s := newSession(c, nc)
	defer s.close()
	if err := s.handshake(); err != nil {
		return false, err
	}
	start := time.Now()
	s.conn = lastConn.Add(1)
	c.current.Store(s) // before ChannelUp, which may be answered by Send at once
	c.logged = ""
	c.log.Info("channel to broker is up", zap.String("address", addr), zap.Uint64("conn", s.conn),
		zap.Int16s("versions", s.versions[:]))
	c.m.cfg.Metrics.Connected(c.broker.ID, true)
	c.m.sink(planner.ChannelUp{Broker: c.broker.ID, Epoch: c.broker.Epoch, Conn: s.conn})

	err = s.serve()

	c.current.Store(nil)
	s.close()
	c.m.cfg.Metrics.Connected(c.broker.ID, false)
	if c.m.ctx.Err() == nil {
		c.m.sink(planner.ChannelDown{Broker: c.broker.ID, Conn: s.conn, Reason: err.Error()})
	}
	return s.answered || time.Since(start) > c.m.cfg.MaxBackoff, err
}
