package conformance_test

import (
	"net"
	"testing"
	"time"

	"baton/zkserver"
	"baton/zkserver/conformance"
)

// TestZkserver runs the suite on our server. Without -short, Java's client speaks to it too.
func TestZkserver(t *testing.T) {
	target := serveOurs(t)
	if !testing.Short() && haveJava() {
		target.Java = javaClient(t)
	}
	run(t, target)
}

func serveOurs(t *testing.T) *conformance.Target {
	t.Helper()
	const tick = 50 * time.Millisecond
	s, err := zkserver.New(zkserver.Options{TickTime: tick, MaxSession: time.Minute, ContainerCheck: tick})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return &conformance.Target{Server: "zkserver", Addr: l.Addr().String(), Version: conformance.Version{3, 8, 4},
		MinSession: 2 * tick, MaxSession: time.Minute}
}

func run(t *testing.T, target *conformance.Target) {
	n := conformance.Run(t, target)
	verdict := "all passed"
	if t.Failed() {
		verdict = "SOME FAILED"
	}
	t.Logf("conformance: %d cases on %s: %s", n, target.Server, verdict)
}

func TestNumberOfCases(t *testing.T) {
	names := map[string]bool{}
	for _, c := range conformance.Cases() {
		if names[c.Name] {
			t.Errorf("two cases %q", c.Name)
		}
		names[c.Name] = true
	}
	if len(names) < 150 {
		t.Errorf("%d cases; the suite promises 150", len(names))
	}
}
