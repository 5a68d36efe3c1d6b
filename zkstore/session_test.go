package zkstore

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"baton/planner"

	"github.com/go-zookeeper/zk"
)

type counts struct {
	mu                                 sync.Mutex
	latency, down, expired, up, denied int

	imageRequests, imageLosses, warm, cold int
}

func (c *counts) get(n *int) int { c.mu.Lock(); defer c.mu.Unlock(); return *n }

func (c *counts) add(n *int)                   { c.mu.Lock(); *n++; c.mu.Unlock() }
func (c *counts) RequestLatency(time.Duration) { c.add(&c.latency) }
func (c *counts) Disconnected()                { c.add(&c.down) }
func (c *counts) Expired()                     { c.add(&c.expired) }
func (c *counts) SyncConnected()               { c.add(&c.up) }
func (c *counts) AuthFailed()                  { c.add(&c.denied) }
func (c *counts) ImageRequest(int)             { c.add(&c.imageRequests) }
func (c *counts) ImageReceived(int, bool)      {}
func (c *counts) ImageLost()                   { c.add(&c.imageLosses) }
func (c *counts) Loaded(warm bool) {
	if warm {
		c.add(&c.warm)
	} else {
		c.add(&c.cold)
	}
}

// closeFromOutside ends a session on the server, as its expiry does: another
// connection resumes it and closes it.
func closeFromOutside(t *testing.T, addr string, id int64, passwd []byte) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := binary.BigEndian.AppendUint32(nil, 0)
	b = binary.BigEndian.AppendUint32(b, 0) // protocol
	b = binary.BigEndian.AppendUint64(b, 0) // lastZxidSeen
	b = binary.BigEndian.AppendUint32(b, 10000)
	b = binary.BigEndian.AppendUint64(b, uint64(id))
	b = binary.BigEndian.AppendUint32(b, uint32(len(passwd)))
	b = append(b, passwd...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	b = append(b, 0, 0, 0, 8, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xf5) // close
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, c)
}

// A session that is ended by the servers is over for good: everything fails, Done is
// closed, and no ephemeral znode appears in a session after it.
func TestExpiry(t *testing.T) {
	addr, chroot := testServer(t)
	p := newProxy(t, addr)
	var mu sync.Mutex
	var passwd []byte
	m := &counts{}
	cfg := Config{Servers: []string{p.addr()}, Chroot: chroot, SessionTimeout: 10 * time.Second, Metrics: m}
	cfg.Dialer = func(network, address string, timeout time.Duration) (net.Conn, error) {
		c, err := net.DialTimeout(network, address, timeout)
		return &spy{Conn: c, got: func(b []byte) { mu.Lock(); passwd = b; mu.Unlock() }}, err
	}
	s := open(t, cfg)
	f := follow(t, s, claim(t, s, 2000001))
	if !s.Connected() || !s.LeaseValid() || s.Timeout() != 10*time.Second {
		t.Errorf("connected %v, lease %v, timeout %s", s.Connected(), s.LeaseValid(), s.Timeout())
	}
	p.cut(true)
	// These wait in the library's queue when the session ends.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.Register(context.Background(), Member{ID: 2000001, BatonInfo: info}); !errors.Is(err, ErrSession) {
				t.Errorf("registering in an ended session: %v", err)
			}
		})
	}
	mu.Lock()
	closeFromOutside(t, addr, s.ID(), passwd)
	mu.Unlock()
	p.allow()
	within(t, "the end of the session", s.Done())
	if s.LeaseValid() || s.Connected() {
		t.Error("lease or connection outlives the session")
	}
	wg.Wait()
	if err := within(t, "the end of Run", f.ended); !errors.Is(err, ErrSession) {
		t.Errorf("Run: %v", err)
	}
	if _, err := commitAll(t, f.Store, planner.NextProducerIDs{}); !errors.Is(err, ErrSession) {
		t.Errorf("Commit: %v", err)
	}
	if _, err := s.Claim(t.Context(), Claim{ID: 1}); !errors.Is(err, ErrSession) {
		t.Errorf("Claim: %v", err)
	}
	cfg.Dialer, cfg.Metrics = nil, nil
	cfg.Servers = []string{addr}
	b := open(t, cfg)
	names, err := b.children(t.Context(), pathBatonMembers)
	if err != nil || len(names) != 0 {
		t.Errorf("members %v, %v", names, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.expired != 1 || m.up != 1 || m.down == 0 || m.latency == 0 {
		t.Errorf("metrics %+v", m)
	}
}

// spy learns the session's password from the connect reply.
type spy struct {
	net.Conn
	got  func([]byte)
	read []byte
}

func (s *spy) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if len(s.read) < 40 {
		s.read = append(s.read, b[:n]...)
		if len(s.read) >= 40 && binary.BigEndian.Uint64(s.read[12:]) != 0 {
			s.got(append([]byte{}, s.read[24:40]...))
		}
	}
	return n, err
}

// Cut off for longer than the timeout, the lease ends before the servers expire the
// session, which they do not before another session sees /controller gone.
func TestLeaseEndsBeforeTheSession(t *testing.T) {
	addr, chroot := testServer(t)
	p := newProxy(t, addr)
	a := open(t, Config{Servers: []string{p.addr()}, Chroot: chroot, SessionTimeout: 2 * time.Second})
	b := open(t, Config{Servers: []string{addr}, Chroot: chroot, SessionTimeout: 10 * time.Second})
	claim(t, a, 2000001)
	gone := make(chan bool, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go b.WatchRole(ctx, func(v RoleView) {
		if v.Controller == nil {
			select {
			case gone <- a.LeaseValid():
			default:
			}
		}
	})
	if !a.LeaseValid() {
		t.Error("no lease while connected")
	}
	p.cut(true)
	if valid := within(t, "the expiry", gone); valid {
		t.Error("the lease was valid when the servers had expired the session")
	}
	p.allow()
	within(t, "the end of the session", a.Done())
}

func TestLease(t *testing.T) {
	now := monotonic()
	const T = time.Hour
	var l lease
	l.start(now, T)
	if !l.valid() || l.until.Load() != int64(now+T*9/10) {
		t.Error("no lease after the start")
	}
	// A sync counts from the one before it, which it proves the leader to have heard of.
	l.confirm(now+T/8, T)
	if l.until.Load() != int64(now+T*9/10) {
		t.Error("extended by a single sync")
	}
	l.confirm(now+T/4+T/8, T)
	if l.until.Load() != int64(now+T/8+T*9/10) {
		t.Errorf("until %s", time.Duration(l.until.Load())-now)
	}
	l.start(now-T, T)
	if l.valid() {
		t.Error("valid after its end")
	}
}

func TestCallReturnsWithItsContext(t *testing.T) {
	addr, chroot := testServer(t)
	p := newProxy(t, addr)
	s := open(t, Config{Servers: []string{p.addr()}, Chroot: chroot, SessionTimeout: 10 * time.Second})
	p.cut(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := s.ReadRole(ctx); done <- err }()
	cancel()
	if err := within(t, "the return", done); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestConnectFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if _, err := Connect(t.Context(), Config{Servers: []string{addr}, ConnectTimeout: 50 * time.Millisecond}); err == nil {
		t.Error("no error")
	}
	for _, cfg := range []Config{{}, {Servers: []string{addr}, Chroot: "x"}, {Servers: []string{addr}, Chroot: "/x/"}} {
		if _, err := Connect(t.Context(), cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}

func TestArms(t *testing.T) {
	var a arms
	k := armKey{"/x", false}
	if a.begin(k) {
		t.Fatal("set at first")
	}
	a.end(k, true)
	if !a.begin(k) {
		t.Fatal("not set after a read")
	}
	a.fired(zk.Event{Type: zk.EventNodeDataChanged, Path: "/x"})
	if a.begin(k) {
		t.Fatal("set after the event")
	}
	// The event comes before the reader knows of its own reply.
	a.fired(zk.Event{Type: zk.EventNodeDeleted, Path: "/x"})
	a.end(k, true)
	if a.begin(k) {
		t.Fatal("set, but it has fired")
	}
	a.end(k, false)
	if len(a.m) != 0 {
		t.Errorf("left behind: %v", a.m)
	}
}

// The library's SetWatches gets the zxid of the connect request.
func TestTapRepairsSetWatches(t *testing.T) {
	client, far := net.Pipe()
	go func() {
		defer client.Close()
		tp := &tap{Conn: client}
		connect := make([]byte, 28)
		binary.BigEndian.PutUint64(connect[connectZxidAt:], 42)
		tp.Write(connect)
		watches := make([]byte, 40)
		binary.BigEndian.PutUint32(watches[8:], opSetWatches)
		binary.BigEndian.PutUint64(watches[setWatchesZxidAt:], 99)
		tp.Write(watches)
	}()
	got, err := io.ReadAll(far)
	if err != nil || len(got) != 68 {
		t.Fatal(len(got), err)
	}
	if z := binary.BigEndian.Uint64(got[28+setWatchesZxidAt:]); z != 42 {
		t.Errorf("zxid %d in SetWatches", z)
	}
}
