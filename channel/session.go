package channel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"baton/planner"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// apiKeys are the keys of the kinds of requests.
var apiKeys = [...]int16{
	planner.LeaderAndISR: wire.LeaderAndIsr, planner.UpdateMetadata: wire.UpdateMetadata, planner.StopReplica: wire.StopReplica,
}

var (
	errGate        = errors.New("the session may be lost: nothing is sent")
	errTimeout     = errors.New("no answer in time")
	errUnsolicited = errors.New("the broker sent something that was not asked for")
	errClosed      = errors.New("channel closed")
	errNotZK       = errors.New("the broker does not take a ZooKeeper controller's requests: is it in KRaft mode, or the endpoint another cluster's?")
)

// session is one connection. It is written to by the channel's goroutine and read by
// one of its own, so that a broker's end is noticed without a request.
type session struct {
	c        *channel
	net      net.Conn
	conn     uint64 // what the planner calls this connection
	requests chan planner.Request
	versions [len(apiKeys)]int16 // to send, by kind

	frames  chan []byte // from the reader; closed when it ends, readErr is set then
	readErr error
	done    chan struct{} // closed to end the reader
	once    sync.Once
	unhook  func()
	aborted atomic.Pointer[string]

	correlation int32
	head        []byte // of the request being written
	answered    bool
	timer       *time.Timer
}

func newSession(c *channel, nc net.Conn) *session {
	s := &session{
		c: c, net: nc, requests: make(chan planner.Request, 1),
		frames: make(chan []byte), done: make(chan struct{}), timer: time.NewTimer(0),
	}
	s.timer.Stop()
	// Closing the connection is what ends a write that a stuck broker holds up.
	hooked := make(chan struct{})
	unhook := context.AfterFunc(c.ctx, func() { nc.Close(); close(hooked) })
	s.unhook = func() {
		if !unhook() {
			<-hooked
		}
	}
	go s.read()
	return s
}

// close ends the connection and its reader and waits for both.
func (s *session) close() {
	s.once.Do(func() {
		s.unhook()
		s.timer.Stop()
		s.net.Close()
		close(s.done)
		for range s.frames { // until the reader closes it
		}
	})
}

// abort makes the session fail with a reason of ours.
func (s *session) abort(reason string) {
	s.aborted.CompareAndSwap(nil, &reason)
	// Not Close, which may wait for a stuck peer where there is TLS: the caller must not.
	_ = s.net.SetDeadline(time.Unix(1, 0))
}

func (s *session) read() {
	defer close(s.frames)
	r := bufio.NewReader(s.net)
	for {
		frame, err := wire.ReadFrame(r, nil, wire.MaxFrame)
		if err != nil {
			s.readErr = err
			return
		}
		select {
		case s.frames <- frame:
		case <-s.done:
			s.readErr = errClosed
			return
		}
	}
}

// failure returns why the session ended: our own reasons first, because closing the
// connection makes reads and writes fail as well.
func (s *session) failure(err error) error {
	if s.c.ctx.Err() != nil {
		return errClosed
	}
	if r := s.aborted.Load(); r != nil {
		return errors.New(*r)
	}
	return err
}

// handshake learns what the broker supports. ApiVersions v0 is answered by every
// broker; sending blindly what is configured would make an older one close the
// connection for ever, without a word.
func (s *session) handshake() error {
	req := kmsg.NewPtrApiVersionsRequest()
	s.correlation++
	frame, err := wire.AppendRequest(nil, &s.c.m.clientID, s.correlation, req)
	if err != nil {
		return err
	}
	body, err := s.roundTrip(net.Buffers{frame}, req.Key(), req.GetVersion(), nil)
	if err != nil {
		return s.failure(err)
	}
	m, err := wire.DecodeResponse(req.Key(), req.GetVersion(), body)
	if err != nil {
		return err
	}
	resp := m.(*kmsg.ApiVersionsResponse)
	if resp.ErrorCode != 0 {
		return fmt.Errorf("ApiVersions was answered with error %d", resp.ErrorCode)
	}
	keys := make(map[int16][2]int16, len(resp.ApiKeys))
	for _, k := range resp.ApiKeys {
		keys[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	if err := s.agree(keys); err != nil {
		return err
	}
	s.c.m.cfg.OnVersions(s.c.broker.ID, keys)
	return nil
}

// agree chooses the versions to send.
func (s *session) agree(keys map[int16][2]int16) error {
	for kind, key := range apiKeys {
		rng, ok := keys[key]
		if !ok {
			return errNotZK
		}
		v := s.c.m.cfg.version(planner.RequestKind(kind), rng[1])
		if v < rng[0] {
			return fmt.Errorf("%v version %d is below the broker's minimum %d", planner.RequestKind(kind), v, rng[0])
		}
		s.versions[kind] = v
	}
	return nil
}

// serve sends requests one at a time until the connection or the channel ends.
func (s *session) serve() error {
	for {
		select {
		case <-s.c.ctx.Done():
			return errClosed
		case _, ok := <-s.frames:
			if ok {
				return errUnsolicited
			}
			return s.failure(s.readErr)
		case r := <-s.requests:
			if err := s.request(&r); err != nil {
				return s.failure(err)
			}
		}
	}
}

// request sends one request and reports its answer.
func (s *session) request(r *planner.Request) error {
	version := s.versions[r.Kind]
	start := time.Now()
	body, err := s.encodeAndSend(r, version)
	if err != nil {
		return err
	}
	reply, err := answer(r, version, body)
	if err != nil {
		return err
	}
	s.answered = true
	s.c.m.cfg.Metrics.RoundTrip(s.c.broker.ID, r.Kind, time.Since(start))
	s.c.m.sink(reply)
	return nil
}

// encodeAndSend holds an encoder, or bytes that channels share, only while they are being written.
func (s *session) encodeAndSend(r *planner.Request, version int16) ([]byte, error) {
	m := s.c.m
	s.correlation++
	if r.Body != 0 && r.Kind == planner.UpdateMetadata {
		tail := m.shared(r, version)
		s.head = appendHead(s.head[:0], r, version, &m.clientID, s.correlation, tail)
		return s.send(r, version, net.Buffers{s.head, tail}, func() {})
	}
	e := m.encoders.Get().(*encoder)
	frame, err := e.encode(r, version, m.cfg.InterBrokerListener, &m.clientID, s.correlation)
	if err != nil {
		m.encoders.Put(e)
		return nil, err
	}
	return s.send(r, version, net.Buffers{frame}, func() { m.encoders.Put(e) })
}

func (s *session) send(r *planner.Request, version int16, frame net.Buffers, release func()) ([]byte, error) {
	size := 0
	for _, part := range frame {
		size += len(part)
	}
	return s.roundTrip(frame, apiKeys[r.Kind], version, func() {
		release()
		s.c.m.cfg.Metrics.RequestSent(s.c.broker.ID, r.Kind, size)
	})
}

// roundTrip writes a frame, if the gate is open, and returns the body of its answer.
// written is called once the frame is no longer needed and was written; after a failed
// write the frame is left to the garbage collector.
func (s *session) roundTrip(frame net.Buffers, key, version int16, written func()) ([]byte, error) {
	if s.c.ctx.Err() != nil {
		return nil, errClosed
	}
	timeout := s.c.m.cfg.RequestTimeout
	if err := s.net.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	s.timer.Reset(timeout)
	defer s.timer.Stop()
	if !s.c.m.cfg.Gate() {
		return nil, errGate
	}
	if _, err := frame.WriteTo(s.net); err != nil { // which leaves nothing in frame
		return nil, err
	}
	if written != nil {
		written()
	}
	select {
	case <-s.c.ctx.Done():
		return nil, errClosed
	case <-s.timer.C:
		return nil, errTimeout
	case in, ok := <-s.frames:
		if !ok {
			return nil, s.readErr
		}
		id, body, err := wire.ParseResponseHeader(in, key, version)
		if err == nil && id != s.correlation {
			err = fmt.Errorf("the answer's correlation id is %d, not %d", id, s.correlation)
		}
		return body, err
	}
}
