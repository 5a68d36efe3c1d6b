package stories

import (
	"bytes"
	"os"
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

// stoppedInOrder fails unless the controller has let the broker go so many times.
func (s *story) stoppedInOrder(broker *kafka.Broker, times int) {
	s.Helper()
	log, err := os.ReadFile(broker.LogPath())
	s.must(err)
	n := 0
	for _, line := range []string{"Controlled shutdown request returned successfully", "Controlled shutdown succeeded"} { // up to 2.8
		n += bytes.Count(log, []byte(line))
	}
	if n != times {
		s.Errorf("broker %d was stopped in order %d times, want %d", broker.ID(), n, times)
	}
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
		s.stoppedInOrder(broker, 1)
		s.more(100)
		s.must(broker.Restart(s.ctx))
		s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	}
	s.neverLeaderless(s.finish())
}
