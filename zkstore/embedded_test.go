package zkstore

import (
	"net"
	"testing"
	"time"

	"baton/zkserver"
)

// embeddedServer is what testServer uses with -short: the server in this process. Without
// it the same tests run on a real ZooKeeper, which has the last word.
func embeddedServer(t testing.TB) string {
	t.Helper()
	server.once.Do(func() { server.err = startEmbedded() })
	if server.err != nil {
		t.Fatal(server.err)
	}
	return server.addr
}

// startEmbedded keeps to the ticks and limits of startServer. It ends with the process.
func startEmbedded() error {
	srv, err := zkserver.New(zkserver.Options{TickTime: 100 * time.Millisecond, MaxSession: 20 * time.Second})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server.addr = l.Addr().String()
	go func() { _ = srv.Serve(l) }()
	return nil
}
