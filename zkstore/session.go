// Package zkstore is the only speaker of ZooKeeper.
//
// A Session is one ZooKeeper session on one connection object, which dies with it: the
// client library would silently go on in a new session and carry waiting requests
// over. Session reads what decides about the role (role_*.go) and claims it (claim.go);
// a Store (store.go), made for one claim, loads the cluster, watches it and writes to
// it, every write under the claim's fence.
package zkstore

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

// zkConn is what is used of *zk.Conn. Tests of batching put a small tree here.
type zkConn interface {
	Get(path string) ([]byte, *zk.Stat, error)
	GetW(path string) ([]byte, *zk.Stat, <-chan zk.Event, error)
	Exists(path string) (bool, *zk.Stat, error)
	ExistsW(path string) (bool, *zk.Stat, <-chan zk.Event, error)
	Children(path string) ([]string, *zk.Stat, error)
	ChildrenW(path string) ([]string, *zk.Stat, <-chan zk.Event, error)
	Create(path string, data []byte, flags int32, acl []zk.ACL) (string, error)
	Sync(path string) (string, error)
	Multi(ops ...any) ([]zk.MultiResponse, error)
	Close()
}

// Session is one ZooKeeper session. All methods may be called from any goroutine.
type Session struct {
	cfg Config
	log *zap.Logger

	conn    zkConn // set before Connect returns
	id      atomic.Int64
	timeout atomic.Int64 // time.Duration
	lease   lease
	arms    arms
	done    chan struct{}
	ended   atomic.Bool

	mu        sync.Mutex
	closing   bool // conn.Close has been started
	endReason string
	connected bool
	changed   chan struct{} // closed and replaced whenever connected changes

	noMultiRead atomic.Bool  // no server of ZooKeeper 3.6 or later
	claimed     atomic.Int64 // zxid of the newest claim: what is behind it does not count

	followMu sync.Mutex
	follower *follower // nil: no image is kept

	good sync.Map // last good registration of a broker, by the znode's name

	subsMu sync.RWMutex
	subs   map[int]func(zk.Event)
	subSeq int
}

// Connect opens a session and waits for it.
func Connect(ctx context.Context, cfg Config) (*Session, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := newSession(cfg)
	begun := monotonic()
	conn, _, err := zk.Connect(cfg.Servers, cfg.SessionTimeout,
		zk.WithEventCallback(s.onEvent),
		zk.WithDialer(s.dial),
		zk.WithLogger(zapLogger{s.log}),
		zk.WithMaxBufferSize(receiveLimit),
		zk.WithMaxConnBufferSize(sendBuffer))
	if err != nil {
		return nil, fmt.Errorf("connecting to ZooKeeper %s: %w", strings.Join(cfg.Servers, ","), err)
	}
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	wait, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	if err := s.waitConnected(wait); err != nil {
		s.Close()
		return nil, fmt.Errorf("no session with ZooKeeper %s within %s: %w", strings.Join(cfg.Servers, ","), cfg.ConnectTimeout, err)
	}
	// The session was created by the quorum after this moment.
	s.lease.start(begun, s.Timeout())
	go s.keepLease()
	return s, nil
}

func newSession(cfg Config) *Session {
	return &Session{cfg: cfg, log: cfg.Log, done: make(chan struct{}), changed: make(chan struct{}), subs: map[int]func(zk.Event){}}
}

// ID returns the session id, as ephemeralOwner shows it.
func (s *Session) ID() int64 { return s.id.Load() }

// Timeout returns the negotiated session timeout.
func (s *Session) Timeout() time.Duration { return time.Duration(s.timeout.Load()) }

// Done is closed when the session has expired or was closed.
func (s *Session) Done() <-chan struct{} { return s.done }

// Connected reports whether a server is connected at the moment.
func (s *Session) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected
}

// Close ends the session on the server too, which removes its ephemeral znodes.
func (s *Session) Close() {
	s.end("closed")
	s.closeConn()
}

// end makes everything fail from now on. It must not block: it is called from the
// library's goroutines.
func (s *Session) end(reason string) {
	if s.ended.Swap(true) {
		return
	}
	s.mu.Lock()
	s.endReason = reason
	s.connected = false
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	close(s.done)
	s.log.Info("ZooKeeper session ended", zap.String("reason", reason), zap.Int64("session", s.ID()))
}

func (s *Session) closeConn() {
	s.mu.Lock()
	conn, mine := s.conn, !s.closing && s.conn != nil
	s.closing = s.closing || mine
	s.mu.Unlock()
	if mine {
		conn.Close()
	}
}

// dial refuses once the session has ended, so that the library cannot open another.
func (s *Session) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	if s.ended.Load() {
		return nil, errSessionCrossed
	}
	c, err := s.cfg.Dialer(network, address, timeout)
	if err != nil {
		return nil, err
	}
	return &tap{Conn: c, established: s.established, handshake: s.cfg.SessionTimeout / 3}, nil
}

// established is called when a server has answered the connect request.
func (s *Session) established(id int64, timeout time.Duration) error {
	if id == 0 {
		return nil // expired; the library tells by StateExpired
	}
	if s.ended.Load() || (s.ID() != 0 && s.ID() != id) {
		s.end("the server opened another session")
		go s.closeConn()
		return errSessionCrossed
	}
	s.id.Store(id)
	s.timeout.Store(int64(timeout))
	return nil
}

// onEvent is the library's callback; it must not block.
func (s *Session) onEvent(ev zk.Event) {
	if ev.Type == zk.EventSession {
		switch ev.State {
		case zk.StateHasSession:
			s.setConnected(true)
			s.log.Info("connected to ZooKeeper", zap.String("server", ev.Server), zap.Int64("session", s.ID()), zap.Duration("timeout", s.Timeout()))
			s.cfg.Metrics.SyncConnected()
		case zk.StateDisconnected:
			if s.setConnected(false) {
				s.cfg.Metrics.Disconnected()
				s.log.Warn("disconnected from ZooKeeper", zap.String("server", ev.Server), zap.Int64("session", s.ID()))
			}
			return
		case zk.StateExpired:
			s.cfg.Metrics.Expired()
			s.end("expired")
			go s.closeConn()
			return
		case zk.StateAuthFailed:
			s.cfg.Metrics.AuthFailed()
			return
		default:
			return
		}
	}
	if ev.Type == zk.EventNotWatching {
		return // the session is over
	}
	ev.Path = s.relative(ev.Path)
	s.arms.fired(ev)
	s.subsMu.RLock()
	defer s.subsMu.RUnlock()
	for _, f := range s.subs {
		f(ev)
	}
}

// subscribe hands every watch event, and every (re)connection as a session event, to
// f, which must not block.
func (s *Session) subscribe(f func(zk.Event)) (cancel func()) {
	s.subsMu.Lock()
	defer s.subsMu.Unlock()
	s.subSeq++
	n := s.subSeq
	s.subs[n] = f
	return func() {
		s.subsMu.Lock()
		defer s.subsMu.Unlock()
		delete(s.subs, n)
	}
}

func (s *Session) setConnected(now bool) (was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was = s.connected
	if s.ended.Load() || was == now {
		return was
	}
	s.connected = now
	close(s.changed)
	s.changed = make(chan struct{})
	return was
}

// waitConnected returns nil once connected, ErrSession at the session's end.
func (s *Session) waitConnected(ctx context.Context) error {
	for {
		s.mu.Lock()
		ok, changed := s.connected, s.changed
		s.mu.Unlock()
		switch {
		case s.ended.Load():
			return s.sessionError()
		case ok:
			return nil
		}
		select {
		case <-changed:
		case <-s.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Session) sessionError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("%w: %s", ErrSession, s.endReason)
}

// zapLogger takes the library's lines off standard output.
type zapLogger struct{ log *zap.Logger }

func (l zapLogger) Printf(format string, a ...any) {
	l.log.Debug("zookeeper client", zap.String("line", fmt.Sprintf(format, a...)))
}
