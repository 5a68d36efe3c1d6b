package zkstore

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"baton/epoch"
	"baton/jute"
	"baton/partition"
	"baton/zkserver"
)

// states writes n partitions' states as another program would, every tenth of them not at all and one of them garbage.
func states(t *testing.T, s *Session, n int) []partition.ID {
	t.Helper()
	ids := make([]partition.ID, n)
	for i := range ids {
		ids[i] = partition.ID{Topic: "t" + strconv.Itoa(i%7), Number: int32(i)}
		switch {
		case i%10 == 3:
		case i == 5:
			write(t, s, statePath(ids[i]), "garbage")
		default:
			write(t, s, statePath(ids[i]), stateText(i))
		}
	}
	return ids
}

func stateText(i int) string {
	return `{"controller_epoch":7,"leader":1,"version":1,"leader_epoch":` + strconv.Itoa(i) + `,"isr":[1,2]}`
}

func checkStates(t *testing.T, s *Session, ids []partition.ID) {
	t.Helper()
	got, err := s.Store(epoch.Fence{}).ReadStates(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		missing, bad := i%10 == 3, i == 5
		if r.ID != ids[i] || r.Exists == missing || bad != (r.Bad != "") || !missing && !bad && (int(r.State.LeaderEpoch) != i || r.Zxid == 0) {
			t.Fatalf("%v: %+v", ids[i], r)
		}
	}
}

func TestManyStatesAreReadAtOnce(t *testing.T) {
	a, _ := pair(t)
	checkStates(t, a, states(t, a, 2500)[:2499])
	if a.noMultiRead.Load() {
		t.Error("the server does not know multiRead")
	}
}

// ownServer is an embedded server with faults to inject, and a session on it.
func ownServer(t *testing.T, dialer Dialer) (*zkserver.Server, Config) {
	t.Helper()
	srv, err := zkserver.New(zkserver.Options{TickTime: 100 * time.Millisecond, MaxSession: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return srv, Config{Servers: []string{l.Addr().String()}, SessionTimeout: 10 * time.Second, Dialer: dialer}
}

// What is lost in the middle is read one by one.
func TestManyReadsAreCut(t *testing.T) {
	srv, cfg := ownServer(t, nil)
	s := open(t, cfg)
	ids := states(t, s, 2500)
	for skip := range 3 {
		f := srv.Inject(zkserver.Fault{Op: jute.OpMultiRead, Skip: skip, Times: 1, Do: zkserver.CutBefore})
		checkStates(t, s, ids)
		if f.Hits() != 1 {
			t.Errorf("cut %d times", f.Hits())
		}
		f.Remove()
	}
}

// The connection for many reads is to a server that has fallen behind: what was written before somebody asked is seen all the same.
func TestManyReadsCatchUp(t *testing.T) {
	var second func()
	dialed := 0
	srv, cfg := ownServer(t, func(network, addr string, timeout time.Duration) (net.Conn, error) {
		c, err := net.DialTimeout(network, addr, timeout)
		if dialed++; dialed == 2 && err == nil {
			c = &greeted{Conn: c, then: second}
		}
		return c, err
	})
	s := open(t, cfg)
	ids := states(t, s, 200)
	known := srv.Sessions()
	hooked := false
	second = func() {
		for _, id := range srv.Sessions() {
			if !slices.Contains(known, id) {
				hooked = srv.Lag(id)
			}
		}
		for i, id := range ids {
			if i%10 != 3 && i != 5 {
				write(t, s, statePath(id), stateText(i+1))
			}
		}
	}
	got, err := s.Store(epoch.Fence{}).ReadStates(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	if !hooked {
		t.Fatal("there was no second connection that could lag")
	}
	for i, r := range got {
		if i%10 != 3 && i != 5 && int(r.State.LeaderEpoch) != i+1 {
			t.Fatalf("%v: %+v is older than what was asked for", ids[i], r)
		}
	}
}

// greeted is a connection on which something happens as soon as the server has answered for the first time.
type greeted struct {
	net.Conn
	once sync.Once
	then func()
}

func (g *greeted) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	g.once.Do(g.then)
	return n, err
}

func BenchmarkReadStates(b *testing.B) {
	addr, chroot := testServer(b)
	s, err := Connect(b.Context(), Config{Servers: []string{addr}, Chroot: chroot, SessionTimeout: 10 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const n = 10_000
	ids := make([]partition.ID, n)
	if err := s.EnsurePaths(b.Context()); err != nil {
		b.Fatal(err)
	}
	for i := range ids {
		ids[i] = partition.ID{Topic: "t", Number: int32(i)}
	}
	err = parallel(b.Context(), n, 64, func(ctx context.Context, i int) error {
		path := statePath(ids[i])
		if err := s.ensure(ctx, s.abs(parentOf(path))); err != nil {
			return err
		}
		return s.put(ctx, path, []byte(stateText(i)), func([]byte) error { return nil })
	})
	if err != nil {
		b.Fatal(err)
	}
	st := s.Store(epoch.Fence{})
	for _, way := range []struct {
		name string
		one  bool
	}{{"multiRead", false}, {"one by one", true}} {
		b.Run(way.name, func(b *testing.B) {
			s.noMultiRead.Store(way.one)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := st.ReadStates(b.Context(), ids); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "states/s")
		})
	}
}
