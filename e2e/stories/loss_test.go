package stories

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// TestLossOfABusyLeader: the only in-sync replica dies with kill -9 while one topic is written to, and another is not any more for some
// time. What each of the two replicas that are left lacks, counted from the dead one's disk, is within what is shown before, for
// the idle one exactly.
func TestLossOfABusyLeader(t *testing.T) {
	s := begin(t, kafka.Options{Overrides: map[string]string{"min.insync.replicas": "1"}})
	b := s.baton(batonproc.Options{Sets: map[string]string{"leader.log.sample.interval.ms": "500"}})
	s.must(b.WaitReady(s.ctx))
	topics := []string{"idle", "busy"}
	kill := s.dying(topics)
	s.writeAs(kgo.AllISRAcks(), "all have", 30, topics...)
	kill(3, 2, 2, 1)
	s.writeAs(kgo.AllISRAcks(), "2 and 1 have", 20, topics...)
	kill(1, 2, 2)
	s.writeAs(kgo.AllISRAcks(), "2 has", 10, topics...)
	stop := s.writing("busy")
	s.sampled(b, 160) // of two logs twice a second: 6 s of a session, three times, and more
	kill(2, -1, 2)
	acked := stop()
	s.back(1, 3)
	for _, topic := range topics {
		s.measuredEnd(1, topic, 50)
		s.measuredEnd(3, topic, 30)
	}
	idle, busy := s.foretold(b, "idle", "longest"), s.foretold(b, "busy", "longest")
	t.Log(s.cli(b, 0, "elect", "unclean", "busy-0", "--candidate", "longest", "--dry-run"))
	kept := s.dumped(2, topics...)
	for i, r := range busy.Replicas {
		if r.Log == nil {
			continue
		}
		have := s.dumped(int(r.Broker), topics...)
		lost := map[string]int{}
		for _, topic := range topics {
			lost[topic] = len(missing(kept[topic], have[topic]))
		}
		t.Logf("if %d leads: of the idle topic's %d records %d are lost, shown as %s; of the busy one's %d %d, shown as %s", r.Broker,
			len(kept["idle"]), lost["idle"], lossOf(idle.Replicas[i].Log), len(kept["busy"]), lost["busy"], lossOf(r.Log))
		exactly(t, idle.Replicas[i].Log, lost["idle"])
		within(t, r.Log, lost["busy"])
		if l := r.Log; l.LossMin == nil || l.LossMax == nil || *l.LossMin == *l.LossMax {
			t.Errorf("a busy leader's loss is two numbers: %s", lossOf(l))
		}
	}
	if n := len(kept["busy"]); n < 60+acked {
		t.Errorf("%d records on the dead leader's disk, of 60 and %d that were acknowledged", n, acked)
	}
}

// writing writes to a topic's partition 0, a hundred records a second, until it is stopped; the result is how many were acknowledged.
func (s *story) writing(topic string) (stop func() int) {
	s.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.Seeds()...), kgo.DisableIdempotentWrite())
	s.must(err)
	ctx, cancel := context.WithCancel(s.ctx)
	acked := make(chan int, 1)
	go func() {
		defer cl.Close()
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		n := 0
		for cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "more %d", n)}).FirstErr() == nil {
			n++
			<-pace.C
		}
		acked <- n
	}()
	s.Cleanup(cancel)
	return func() int { cancel(); return <-acked }
}
