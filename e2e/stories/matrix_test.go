package stories

import (
	"os"
	"strings"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

const (
	oldest = "2.4.1"
	newest = "3.9.1"
)

// lacks is what a Kafka cannot do that a part of a story needs. Everything else is told on every version.
var lacks = []struct {
	test         string // its name, or the beginning of it
	major, minor int    // the first release that can
	why          string
}{
	{"TestClientsOnAnEmptyCluster/java", 2, 5, "Java's producer 3.9.1 commits offsets in a transaction with TxnOffsetCommit v3, which brokers read since 2.5"},
}

// needsRelease skips a test that the selected Kafka cannot be told.
func needsRelease(t *testing.T) {
	t.Helper()
	for _, l := range lacks {
		if strings.HasPrefix(t.Name(), l.test) && !kafka.AtLeast(kafka.SelectedVersion(), l.major, l.minor) {
			t.Skipf("Kafka %s: %s", kafka.SelectedVersion(), l.why)
		}
	}
}

// matrixOnly skips a test that is too long for every run.
func matrixOnly(t *testing.T) {
	t.Helper()
	if os.Getenv("BATON_MATRIX") != "1" {
		t.Skip("a part of make test-matrix (BATON_MATRIX=1)")
	}
}

// The shortest story on the oldest Kafka: takeover, a broker killed, which comes back, another one stopped in order,
// hand-back.
func TestOldestKafka(t *testing.T) {
	s := begin(t, kafka.Options{Version: oldest}, "orders")
	s.killStopHandBack()
}

// The newest Kafka with the oldest protocol: leaders write the ISR to ZooKeeper themselves, topics have no ids.
func TestOldestProtocolOnNewestKafka(t *testing.T) {
	matrixOnly(t)
	s := begin(t, kafka.Options{Version: newest, IBP: "2.4"}, "orders", "payments")
	s.killStopHandBack()
}

func (s *story) killStopHandBack() {
	s.Helper()
	b := s.baton(batonproc.Options{Mode: batonproc.Standby})
	s.must(b.WaitStandby(s.ctx))
	s.cli(b, 0, "takeover", "--yes")
	s.must(b.WaitReady(s.ctx))
	killed := time.Now()
	s.must(s.cluster.Broker(2).Kill())
	s.must(s.cluster.WaitNotLeading(s.ctx, 2, s.topics...))
	// The session that the broker leaves behind ends after its timeout and a tick or two of ZooKeeper's.
	took := time.Since(killed)
	s.Logf("new leaders %v after kill -9 of broker 2", took.Round(time.Millisecond))
	if most := 6*time.Second + 2*time.Second; took > most {
		s.Errorf("new leaders took %v, want %v at most", took, most)
	}
	s.more(100)
	s.must(s.cluster.Broker(2).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	s.must(s.cluster.Broker(3).Terminate(s.ctx))
	s.stoppedInOrder(s.cluster.Broker(3), 1)
	s.more(100)
	s.must(s.cluster.Broker(3).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	s.cli(b, 0, "handback", "--yes", "--reason", "test")
	s.embedded()
	s.more(100)
	s.neverLeaderless(s.finish())
}

// A rolling upgrade under load as Kafka's documentation has it: first the binaries, then the protocol, then Baton's own.
// As long as a broker of 2.8 is there, Baton is in /brokers/ids.
func TestRollingUpgrade(t *testing.T) {
	matrixOnly(t)
	const from, ibp = "2.8.2", "2.8"
	s := begin(t, kafka.Options{Version: from, IBP: ibp}, "orders", "payments")
	old := s.baton(batonproc.Options{Mode: batonproc.Active})
	s.leads(old)
	s.registered(old, true)
	times := 0
	for _, step := range []struct{ version, ibp string }{{newest, ibp}, {newest, "3.9"}} {
		times++
		for _, broker := range s.cluster.Brokers {
			begun := time.Now()
			s.must(broker.Become(s.ctx, step.version, step.ibp))
			s.stoppedInOrder(broker, times)
			s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
			t.Logf("broker %d is %s with protocol %s, after %v", broker.ID(), step.version, step.ibp, time.Since(begun).Round(time.Millisecond))
			s.more(100)
		}
		s.registered(old, false)
	}
	upgraded := s.baton(batonproc.Options{ID: secondID, Mode: batonproc.Standby}) // its file says 3.9 by now
	s.stands(upgraded)
	s.cli(old, 0, "handover", id(upgraded.ID()), "--yes")
	s.leads(upgraded)
	s.must(s.cluster.CreateTopic(s.ctx, "afterwards", 3, 3))
	s.must(s.cluster.Broker(1).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, append(s.topics, "afterwards")...))
	s.neverLeaderless(s.finish())
}

// registered waits until Baton is among /brokers/ids, or is not.
func (s *story) registered(b *batonproc.Baton, want bool) {
	s.Helper()
	s.must(s.cluster.Until(s.ctx, "Baton in /brokers/ids or not", func(r *kafka.Reads) (string, error) {
		data, err := r.Get("/brokers/ids/" + id(b.ID()))
		if err == nil && (data != nil) != want {
			return "it is: " + string(data), nil
		}
		return "", err
	}))
}

// A rolling upgrade of Baton: two builds share a cluster, and the role goes to and fro between them, in order and not.
func TestRollingUpgradeOfBaton(t *testing.T) {
	matrixOnly(t)
	s := begin(t, kafka.Options{}, "orders")
	builds := map[string]string{}
	for _, number := range []string{"0.9.0", "1.0.0"} {
		path, err := batonproc.BuildAs(s.ctx, number)
		s.must(err)
		builds[number] = path
	}
	old := s.baton(batonproc.Options{Mode: batonproc.Active, Sets: short(), Binary: builds["0.9.0"]})
	s.leads(old)
	upgraded := s.baton(batonproc.Options{ID: secondID, Mode: batonproc.Standby, Sets: short(), Binary: builds["1.0.0"]})
	s.stands(upgraded)
	status := s.cli(upgraded, 0, "status")
	contains(t, status, "0.9.0")
	contains(t, status, "1.0.0")
	for range 2 {
		s.cli(old, 0, "handover", id(upgraded.ID()), "--yes")
		s.leads(upgraded)
		s.more(50)
		s.cli(upgraded, 0, "handover", id(old.ID()), "--yes")
		s.leads(old)
		s.more(50)
	}
	s.must(old.Terminate(s.ctx))
	s.leads(upgraded)
	s.must(old.Start())
	s.stands(old)
	s.must(upgraded.Kill())
	s.leads(old)
	s.must(upgraded.Start())
	s.stands(upgraded)
	s.must(s.cluster.Broker(2).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	s.neverLeaderless(s.finish())
}
