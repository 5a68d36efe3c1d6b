package stories

import (
	"testing"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// A takeover under load is noticed by nobody, and so is a hand-back.
func TestTakeoverAndHandback(t *testing.T) {
	s := begin(t, kafka.Options{}, "orders")
	before := s.embedded()
	b := s.baton(batonproc.Options{Mode: batonproc.Standby})
	s.must(b.WaitStandby(s.ctx))
	out := s.cli(b, 0, "takeover", "--yes")
	contains(t, out, "claimed /controller")
	s.must(b.WaitReady(s.ctx))
	s.more(100)
	resigned, err := s.cluster.Broker(before).LogContains("Resigned")
	s.must(err)
	if !resigned {
		t.Errorf("the embedded controller of broker %d did not resign", before)
	}
	t.Log(s.cli(b, 0, "status"))
	out = s.cli(b, 0, "handback", "--yes", "--reason", "test")
	t.Log(out)
	contains(t, out, "claimed")
	s.embedded()
	s.more(100)
	s.neverLeaderless(s.finish())
}

// Twenty takeovers and hand-backs in a row: no error reaches a client, and epochs only grow.
func TestManyTakeovers(t *testing.T) {
	s := begin(t, kafka.Options{}, "orders")
	b := s.baton(batonproc.Options{Mode: batonproc.Standby})
	s.must(b.WaitStandby(s.ctx))
	n := rounds(20)
	for range n {
		s.cli(b, 0, "takeover", "--yes")
		s.more(20)
		s.cli(b, 0, "handback", "--yes", "--reason", "round trip")
		s.more(20)
	}
	h := s.finish()
	s.neverLeaderless(h)
	if got := len(h.ControllerEpochs()); got < 2*n {
		t.Errorf("%d changes of /controller_epoch for %d takeovers and hand-backs", got, n)
	}
}
