package zkstore

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/e2e/kafka"
)

// One ZooKeeper for the package's tests, started by the first that wants it; each test
// has a chroot of its own. With -short it is the embedded server.
var server struct {
	once sync.Once
	run  *kafka.Run
	addr string
	err  error
	seq  atomic.Int32
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.run != nil {
		server.run.Close()
	}
	os.Exit(code)
}

func startServer() (err error) {
	if server.run, err = kafka.NewRun("zkstore", func(string, ...any) {}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // the first time, Maven fetches the jars
	defer cancel()
	// A tick of 100 ms lets tests have sessions of 200 ms to 20 s.
	z, err := kafka.StartZooKeeper(ctx, server.run, kafka.ZooKeeperOptions{Tick: 100 * time.Millisecond, MaxSession: 20 * time.Second,
		ExtraConfig: map[string]string{"maxClientCnxns": "0"}})
	if err != nil {
		return err
	}
	server.addr = z.ConnectString()
	return nil
}

// testServer returns the server's address and a fresh chroot.
func testServer(t testing.TB) (addr, chroot string) {
	t.Helper()
	if testing.Short() {
		return embeddedServer(t), fmt.Sprintf("/test%d", server.seq.Add(1))
	}
	kafka.RequireJava(t)
	server.once.Do(func() { server.err = startServer() })
	if server.err != nil {
		t.Fatal(server.err)
	}
	return server.addr, fmt.Sprintf("/test%d", server.seq.Add(1))
}

// open connects with a configuration and makes the paths.
func open(t *testing.T, cfg Config) *Session {
	t.Helper()
	s, err := Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.EnsurePaths(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// pair returns two sessions under one fresh chroot.
func pair(t *testing.T) (a, b *Session) {
	addr, chroot := testServer(t)
	cfg := Config{Servers: []string{addr}, Chroot: chroot, SessionTimeout: 10 * time.Second}
	return open(t, cfg), open(t, cfg)
}

// write puts a znode whatever is there, as another program would.
func write(t *testing.T, s *Session, path, data string) {
	t.Helper()
	if err := s.ensure(t.Context(), s.abs(parentOf(path))); err != nil {
		t.Fatal(err)
	}
	if err := s.put(t.Context(), path, []byte(data), func([]byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func erase(t *testing.T, s *Session, path string) {
	t.Helper()
	if err := s.remove(t.Context(), path); err != nil {
		t.Fatal(err)
	}
}

// within runs f under a generous time limit, so that a hang fails with a name.
func within[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("%s did not happen", what)
		panic("unreachable")
	}
}

// ephemeral creates an ephemeral znode, as a broker does.
func ephemeral(t *testing.T, s *Session, path, data string) {
	t.Helper()
	if _, err := s.conn.Create(s.abs(path), []byte(data), zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
}
