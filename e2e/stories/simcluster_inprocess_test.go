package stories

import (
	"context"
	"net"
	"testing"
	"time"

	"baton/zkserver"
)

// TestBatonLeadsSimulatedBrokersWithoutJava is the same story on the embedded ZooKeeper.
func TestBatonLeadsSimulatedBrokersWithoutJava(t *testing.T) {
	srv, err := zkserver.New(zkserver.Options{TickTime: 500 * time.Millisecond, MaxSession: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	simulatedStory(ctx, t, []string{ln.Addr().String()})
}
