package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	"baton/wire"

	"go.uber.org/zap"
)

const (
	// chunkTime is how long a peer may take for the next piece of a frame that it has
	// begun, or to take the next piece of a response.
	chunkTime = 30 * time.Second
	// keepBuffer is the largest buffer that a connection keeps between requests.
	keepBuffer = 64 << 10
)

// accept takes connections until the listener is closed.
func (s *Server) accept(ctx context.Context, ln net.Listener, name string) error {
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			// Out of file descriptors, mostly: it passes, and giving up the listener would
			// take the controller away from every broker.
			s.noise.warn(s.log, "accept failed", zap.String("listener", name), zap.Error(err))
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		if !s.track(nc, true, s.clients.add(1)) {
			s.clients.add(-1)
			_ = nc.Close()
			if ctx.Err() == nil {
				s.drop(nc, name, "connection limit", errors.New("too many connections"))
			}
			continue
		}
		s.wg.Go(func() {
			s.cfg.Metrics.Connections(1)
			c := &conn{Server: s, nc: nc, listener: name}
			c.run(ctx)
			_ = nc.Close()
			s.untrack(nc)
			s.clients.add(-1)
			s.cfg.Metrics.Connections(-1)
		})
	}
}

// drop logs and counts a connection that is closed against its peer's wish.
func (s *Server) drop(nc net.Conn, listener, reason string, err error) {
	s.cfg.Metrics.Dropped(reason)
	s.noise.warn(s.log, "closing a connection", zap.String("reason", reason),
		zap.String("listener", listener), zap.Stringer("peer", nc.RemoteAddr()), zap.Error(err))
}

// conn is one client's connection, used by its goroutine only.
type conn struct {
	*Server
	nc       net.Conn
	listener string
	backend  backend
	out      []byte
}

// run serves requests strictly in order until the connection is done.
func (c *conn) run(ctx context.Context) {
	// A request must never take the controller down with it.
	defer func() {
		if p := recover(); p != nil {
			c.cfg.Metrics.Dropped("panic")
			c.log.Error("request handler panicked", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		}
	}()
	defer c.dropBackend()
	r := &patient{nc: c.nc}
	br := bufio.NewReaderSize(r, 4<<10)
	var frame []byte
	for {
		r.wait = c.cfg.IdleTimeout
		if _, err := br.Peek(1); err != nil {
			return // gone or idle: both are ordinary
		}
		r.wait = chunkTime
		var err error
		if frame, err = wire.ReadFrame(br, frame, c.cfg.MaxFrame); err == nil {
			err = c.serve(ctx, frame)
		}
		if err != nil {
			c.explain(ctx, err)
			return
		}
		if cap(frame) > keepBuffer {
			frame = nil
		}
		if cap(c.out) > keepBuffer {
			c.out = nil
		}
	}
}

// explain logs why the connection is closed, unless that is the peer's own doing.
func (c *conn) explain(ctx context.Context, err error) {
	var op *net.OpError
	var size *wire.FrameSizeError
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, errMalformed), errors.As(err, &size):
		c.drop(c.nc, c.listener, "malformed", err)
	case errors.Is(err, errBackend):
		c.drop(c.nc, c.listener, "broker", err)
	case errors.Is(err, context.DeadlineExceeded):
		c.drop(c.nc, c.listener, "controller busy", err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.drop(c.nc, c.listener, "slow peer", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.As(err, &op):
	default:
		c.drop(c.nc, c.listener, "failed", err)
	}
}

// serve answers one frame, here or through a broker.
func (c *conn) serve(ctx context.Context, frame []byte) error {
	start := time.Now()
	h, resp, err := c.answer(ctx, c.listener, frame)
	if errors.Is(err, errProxy) {
		if err = c.pass(ctx, h, frame); err == nil {
			c.cfg.Metrics.Request(h.key, true, time.Since(start))
		}
		return err
	}
	if err != nil {
		return err
	}
	c.out = wire.AppendResponse(c.out[:0], h.correlation, resp)
	if err := c.write(c.out); err != nil {
		return err
	}
	c.cfg.Metrics.Request(h.key, false, time.Since(start))
	c.mute(ctx, h.key, throttled(resp))
	return nil
}

// write sends b in pieces, so that the deadline bounds a stall and not a large answer.
func (c *conn) write(b []byte) error { return writeAll(c.nc, b, chunkTime) }

func writeAll(nc net.Conn, b []byte, wait time.Duration) error {
	for len(b) > 0 {
		n := min(len(b), 256<<10)
		if err := nc.SetWriteDeadline(time.Now().Add(wait)); err != nil {
			return err
		}
		if _, err := nc.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// patient reads with a fresh deadline for each read.
type patient struct {
	nc   net.Conn
	wait time.Duration
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.nc.SetReadDeadline(time.Now().Add(p.wait)); err != nil {
		return 0, err
	}
	return p.nc.Read(b)
}
