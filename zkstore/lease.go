package zkstore

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

var processStart = time.Now()

// monotonic is the time since the process started. It goes on while the process is
// stopped, so a lease is over when a stopped process wakes up.
func monotonic() time.Duration { return time.Since(processStart) }

// lease is the time until which the servers cannot have expired the session.
//
// A server we talk to may be cut off from the leader, which alone expires sessions, so
// only a sync counts: its answer has passed the leader. And the leader hears that a
// session is alive not from the sync but from the server's periodic report, up to half
// a tick later. So a sync that succeeds proves the leader's knowledge of requests at
// least half a tick before it, and a session timeout is at least two ticks: the lease
// counts from the newest sync that is a quarter of the timeout older than the one
// that was just answered.
type lease struct {
	until atomic.Int64 // monotonic, ns

	mu     sync.Mutex
	issued []time.Duration // successful syncs that may still become the base, oldest first
}

func (l *lease) start(at, timeout time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.issued = append(l.issued[:0], at)
	l.until.Store(int64(at + timeout*9/10))
}

// confirm notes that a sync issued at that time has been answered.
func (l *lease) confirm(at, timeout time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.issued = append(l.issued, at)
	for len(l.issued) > 1 && l.issued[1] <= at-timeout/4 {
		l.issued = l.issued[1:]
	}
	if base := l.issued[0]; base <= at-timeout/4 {
		l.until.Store(int64(base + timeout*9/10))
	}
}

func (l *lease) valid() bool { return int64(monotonic()) < l.until.Load() }

// LeaseValid reports whether the session certainly still lives on the servers, so that
// nobody can have claimed because of its expiry. It is cheap.
func (s *Session) LeaseValid() bool { return !s.ended.Load() && s.lease.valid() }

// keepLease renews the lease until the session ends.
func (s *Session) keepLease() {
	ctx := context.Background()
	for {
		at := monotonic()
		_, err := call(ctx, s, "sync", "/", func(c zkConn) (string, error) { return c.Sync(s.abs("/")) })
		if err == nil || classify(err) == classNoNode {
			s.lease.confirm(at, s.Timeout())
		}
		select {
		case <-s.done:
			return
		case <-time.After(s.Timeout() / 8):
		}
	}
}
