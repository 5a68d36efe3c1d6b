package stories

import (
	"fmt"
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
	{"TestEveryVerb", 2, 8, "older topics have no ids, and leaders before 2.7 write ISRs themselves, of which no journal knows"},
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
	s.prompt(s.killed(2))
	s.isBack(2)
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
// As long as a broker of 2.8 is there, Baton is in /brokers/ids. On the way brokers of either release are killed while
// the other is there, and each mixture has topics made and deleted.
func TestRollingUpgrade(t *testing.T) {
	matrixOnly(t)
	const from, ibp = "2.8.2", "2.8"
	s := begin(t, kafka.Options{Version: from, IBP: ibp, Overrides: map[string]string{"log.segment.delete.delay.ms": "200"}}, "orders", "payments")
	old := s.baton(batonproc.Options{Mode: batonproc.Active})
	s.leads(old)
	s.registered(old, true)
	for round, step := range []struct{ version, ibp string }{{newest, ibp}, {newest, "3.9"}} {
		for i, broker := range s.cluster.Brokers {
			begun := time.Now()
			s.must(broker.Become(s.ctx, step.version, step.ibp))
			s.stoppedInOrder(broker, round+1)
			s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
			t.Logf("broker %d is %s with protocol %s, after %v", broker.ID(), step.version, step.ibp, time.Since(begun).Round(time.Millisecond))
			s.more(100)
			s.topicComesAndGoes(old, fmt.Sprintf("mixture-%d-%d", round, i))
			if round == 0 && i < 2 { // broker 3 is still old: the second one of these is, and the first one is not
				s.leadersHome(old)
				s.prompt(s.killed(1 + 2*i))
				s.isBack(1 + 2*i)
			}
		}
		s.registered(old, false)
	}
	upgraded := s.baton(batonproc.Options{ID: secondID, Mode: batonproc.Standby}) // its file says 3.9 by now
	s.stands(upgraded)
	s.cli(old, 0, "handover", id(upgraded.ID()), "--yes")
	s.leads(upgraded)
	s.topicComesAndGoes(upgraded, "afterwards")
	s.must(s.cluster.Broker(1).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	s.neverLeaderless(s.finish())
}

// leadersHome has every broker lead its share again.
func (s *story) leadersHome(b *batonproc.Baton) {
	s.Helper()
	s.cli(b, 0, "elect", "preferred", "--all-topic-partitions")
	s.until("leaders to be at home", func(replicas []int, st kafka.PartitionState) bool { return st.Leader == replicas[0] }, s.topics...)
}

// topicComesAndGoes has the controller create a topic on all brokers and delete it.
func (s *story) topicComesAndGoes(controller *batonproc.Baton, topic string) {
	s.Helper()
	s.must(s.cluster.CreateTopic(s.ctx, topic, 3, 3))
	s.delete(controller.Addr(), topic)
	s.deleted(awhile, topic)
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

// A rolling upgrade of Baton, from the last release to this build: both share a cluster, and the role goes to and fro
// between them, in order and not. What the old one was asked for is there under the new one.
func TestRollingUpgradeOfBaton(t *testing.T) {
	matrixOnly(t)
	s := begin(t, kafka.Options{Overrides: map[string]string{"log.segment.delete.delay.ms": "200"}}, "orders")
	binary, version, err := batonproc.BuildOld(s.ctx)
	s.must(err)
	old := s.baton(batonproc.Options{Mode: batonproc.Active, Sets: short(), Binary: binary})
	s.leads(old)
	upgraded := s.baton(batonproc.Options{ID: secondID, Mode: batonproc.Standby, Sets: short()})
	s.stands(upgraded)
	for _, b := range []*batonproc.Baton{old, upgraded} { // each understands what the other says of itself
		contains(t, s.cli(b, 0, "status"), version)
	}
	for range 2 {
		s.must(s.cluster.CreateTopic(s.ctx, "handed-over", 3, 3))
		s.cli(old, 0, "handover", id(upgraded.ID()), "--yes")
		s.leads(upgraded)
		s.more(50)
		s.delete(upgraded.Addr(), "handed-over")
		s.deleted(awhile, "handed-over")
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
