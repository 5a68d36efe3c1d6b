package zkstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// One ZooKeeper 3.8.4 for the package's tests, started by the first that wants it; each
// test has a chroot of its own.
var server struct {
	once sync.Once
	addr string
	cmd  *exec.Cmd
	err  error
	dir  string
	seq  atomic.Int32
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.cmd != nil {
		server.cmd.Process.Kill()
		server.cmd.Wait()
	}
	os.RemoveAll(server.dir)
	os.Exit(code)
}

// The server needs metrics-core and snappy, which its own pom calls provided.
const pom = `<project><modelVersion>4.0.0</modelVersion><groupId>baton</groupId><artifactId>zookeeper-for-tests</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId><version>3.8.4</version></dependency>
<dependency><groupId>io.dropwizard.metrics</groupId><artifactId>metrics-core</artifactId><version>4.1.12.1</version></dependency>
<dependency><groupId>org.xerial.snappy</groupId><artifactId>snappy-java</artifactId><version>1.1.10.5</version></dependency></dependencies></project>`

// classpath asks Maven once and remembers the answer while the jars exist.
func classpath() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "baton", "zookeeper-3.8.4")
	file := filepath.Join(dir, "classpath")
	if cp, err := os.ReadFile(file); err == nil && jarsExist(string(cp)) {
		return string(cp), nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(pom), 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command("mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile="+file)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("mvn: %w: %s", err, out)
	}
	cp, err := os.ReadFile(file)
	return string(cp), err
}

func jarsExist(cp string) bool {
	for _, jar := range strings.Split(cp, ":") {
		if _, err := os.Stat(jar); err != nil {
			return false
		}
	}
	return true
}

func startServer() error {
	cp, err := classpath()
	if err != nil {
		return err
	}
	if server.dir, err = os.MkdirTemp("", "baton-zk-"); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server.addr = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(server.addr)
	files := map[string]string{
		// A tick of 100 ms lets tests have sessions of 200 ms to 20 s.
		"zoo.cfg":     fmt.Sprintf("tickTime=100\nmaxSessionTimeout=20000\ndataDir=%s/data\nclientPort=%s\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n", server.dir, port),
		"logback.xml": `<configuration><root level="OFF"/></configuration>`,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(server.dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	out := &bytes.Buffer{}
	server.cmd = exec.Command("java", "-Xmx128m", "-Dzookeeper.forceSync=no", "-Dlogback.configurationFile="+server.dir+"/logback.xml",
		"-cp", cp, "org.apache.zookeeper.server.ZooKeeperServerMain", server.dir+"/zoo.cfg")
	server.cmd.Stdout, server.cmd.Stderr = out, out
	if err := server.cmd.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		s, err := Connect(ctx, Config{Servers: []string{server.addr}, SessionTimeout: 5 * time.Second})
		cancel()
		if err == nil {
			s.Close()
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("ZooKeeper does not answer: %w: %s", err, out)
		}
	}
}

// testServer returns the server's address and a fresh chroot.
func testServer(t testing.TB) (addr, chroot string) {
	t.Helper()
	if _, err := exec.LookPath("java"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no java")
		}
		t.Skip("no java")
	}
	server.once.Do(func() { server.err = startServer() })
	if server.err != nil {
		if os.Getenv("CI") == "true" || !errors.Is(server.err, exec.ErrNotFound) {
			t.Fatal(server.err)
		}
		t.Skip(server.err)
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
