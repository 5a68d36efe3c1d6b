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

	s.prompt(s.killed(2))
	s.isBack(2)
	s.neverLeaderless(s.finish())
}

// killed ends a broker by kill -9, and says how long it took until others led what it led.
func (s *story) killed(id int) time.Duration {
	s.Helper()
	begun := time.Now()
	s.must(s.cluster.Broker(id).Kill())
	s.must(s.cluster.WaitNotLeading(s.ctx, id, s.topics...))
	took := time.Since(begun).Round(time.Millisecond)
	s.Logf("new leaders %v after kill -9 of broker %d", took, id)
	return took
}

// prompt fails if that took longer than the broker's session, and two seconds for ZooKeeper's ticks and the elections.
func (s *story) prompt(took time.Duration) {
	s.Helper()
	if most := s.cluster.BrokerSession() + 2*time.Second; took > most {
		s.Errorf("new leaders took %v after kill -9, want %v at most", took, most)
	}
}

// isBack starts a broker that was killed, under load, and waits until it is in all ISRs.
func (s *story) isBack(id int) {
	s.Helper()
	s.more(100)
	s.must(s.cluster.Broker(id).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	s.more(50)
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
