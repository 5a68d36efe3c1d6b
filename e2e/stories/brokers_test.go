package stories

import (
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// A broker is killed and comes back, another is stopped in order and comes back; nobody
// loses a message, and an orderly restart never shows a partition without a leader.
func TestBrokerKilledAndRestarted(t *testing.T) {
	s := begin(t, kafka.Options{}, "orders", "payments")
	b := s.baton(batonproc.Options{Mode: batonproc.Active})
	s.must(b.WaitActive(s.ctx))
	s.must(b.WaitReady(s.ctx))

	killed := time.Now()
	s.must(s.cluster.Broker(2).Kill())
	s.must(s.cluster.WaitNotLeading(s.ctx, 2, s.topics...))
	t.Logf("new leaders %v after kill -9 of broker 2", time.Since(killed).Round(time.Millisecond))
	s.more(200)
	s.must(s.cluster.Broker(2).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	s.more(100)
	s.neverLeaderless(s.finish())
}

// Every broker in turn is stopped by SIGTERM and started again, as in a rolling restart.
func TestRollingRestart(t *testing.T) {
	s := begin(t, kafka.Options{Chroot: "/kafka"}, "orders", "payments")
	b := s.baton(batonproc.Options{Mode: batonproc.Active})
	s.must(b.WaitActive(s.ctx))
	s.must(b.WaitReady(s.ctx))
	for _, broker := range s.cluster.Brokers {
		begun := time.Now()
		s.must(broker.Terminate(s.ctx))
		t.Logf("broker %d stopped in %v", broker.ID(), time.Since(begun).Round(time.Millisecond))
		clean, err := broker.LogContains("Controlled shutdown request returned successfully")
		s.must(err)
		if !clean {
			t.Errorf("broker %d was not stopped in order", broker.ID())
		}
		s.more(100)
		s.must(broker.Restart(s.ctx))
		s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	}
	s.neverLeaderless(s.finish())
}
