package zkserver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/zkserver"
)

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// start serves on a loopback port until the test ends.
func start(t testing.TB, o zkserver.Options) (*zkserver.Server, string) {
	t.Helper()
	s, err := zkserver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

// client is a session of go-zookeeper's.
func client(t testing.TB, addr string) *zk.Conn {
	t.Helper()
	c, events, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogger(quiet{}))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range events {
		}
	}()
	t.Cleanup(c.Close)
	return c
}

func TestClientLibrary(t *testing.T) {
	_, addr := start(t, zkserver.Options{})
	c := client(t, addr)
	acl := zk.WorldACL(zk.PermAll)
	if _, err := c.Create("/a", []byte("x"), 0, acl); err != nil {
		t.Fatal(err)
	}
	_, _, events, err := c.GetW("/a")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := c.Create("/a/s-", nil, zk.FlagEphemeral|zk.FlagSequence, acl); err != nil || p != "/a/s-0000000000" {
		t.Fatal(p, err)
	}
	if _, err := c.Set("/a", []byte("y"), 3); !errors.Is(err, zk.ErrBadVersion) {
		t.Fatal(err)
	}
	if st, err := c.Set("/a", []byte("y"), 0); err != nil || st.Version != 1 || st.NumChildren != 1 {
		t.Fatal(st, err)
	}
	if e := <-events; e.Type != zk.EventNodeDataChanged {
		t.Fatal(e)
	}
	res, err := c.Multi(&zk.CheckVersionRequest{Path: "/a", Version: 1}, &zk.CreateRequest{Path: "/b", Acl: acl},
		&zk.DeleteRequest{Path: "/none", Version: -1})
	if !errors.Is(err, zk.ErrNoNode) || len(res) != 3 {
		t.Fatal(res, err)
	}
	if ok, _, err := c.Exists("/b"); ok || err != nil {
		t.Fatal("a failed multi left something behind", err)
	}
}

// A session whose server came back from its snapshot goes on, with its ephemerals.
func TestSnapshot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "snapshot")
	s, err := zkserver.New(zkserver.Options{SnapshotFile: file})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	c := client(t, l.Addr().String())
	acl := zk.WorldACL(zk.PermAll)
	for i := range 10 {
		if _, err := c.Create(fmt.Sprintf("/n%d", i), []byte("data"), int32(i%2)*zk.FlagEphemeral, acl); err != nil {
			t.Fatal(err)
		}
	}
	_, before, err := c.Get("/n1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := zkserver.New(zkserver.Options{SnapshotFile: file})
	if err != nil {
		t.Fatal(err)
	}
	l, err = net.Listen("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	go again.Serve(l)
	defer again.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		_, after, err := c.Get("/n1")
		if err == nil {
			if *after != *before {
				t.Errorf("before %+v, after %+v", before, after)
			}
			return
		}
	}
	t.Fatal("the session did not come back")
}
