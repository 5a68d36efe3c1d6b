package stories

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
	"baton/measure"
	"baton/partition"
)

// TestLongestReplicaLeads is the incident on real brokers: the last in-sync replica dies, and of the two that are left the
// preferred one is far behind. The same state twice: an unclean election as Kafka's takes the first live one, `--candidate longest` the one that
// loses less. Replicas were killed and started again in between, so what they have is above their high watermarks.
func TestLongestReplicaLeads(t *testing.T) {
	s := begin(t, kafka.Options{Overrides: map[string]string{"min.insync.replicas": "1"}})
	b := s.baton(batonproc.Options{})
	s.must(b.WaitReady(s.ctx))
	topics := []string{"longest", "first"}
	for _, topic := range topics {
		s.must(s.cluster.CreateTopicOn(s.ctx, topic, []int32{2, 3, 1}))
	}
	s.must(s.cluster.WaitISRFull(s.ctx, topics...))
	kill := func(broker int, leader int, isr ...int) {
		s.must(s.cluster.Broker(broker).Kill())
		s.until(fmt.Sprintf("%d to be gone", broker), func(_ []int, st kafka.PartitionState) bool {
			return st.Leader == leader && slices.Equal(st.ISR, isr)
		}, topics...)
	}
	s.write(60, topics...)
	kill(3, 2, 2, 1)
	s.write(30, topics...)
	kill(1, 2, 2)
	s.write(10, topics...)
	kill(2, -1, 2)
	for _, broker := range []int{1, 3} {
		s.must(s.cluster.Broker(broker).Start())
		s.must(s.cluster.Broker(broker).WaitRegistered(s.ctx))
	}
	s.measuredEnd(1, "longest", 90)
	s.measuredEnd(3, "longest", 60)

	t.Log(s.cli(b, 0, "elect", "unclean", "longest-0", "--candidate", "longest", "--dry-run"))
	contains(t, s.cli(b, 3, "elect", "unclean", "longest-0", "--candidate", "first", "--yes"), "1 has more: last epoch")
	t.Log(s.cli(b, 0, "elect", "unclean", "longest-0", "--candidate", "longest", "--yes", "--reason", "2 is dead"))
	contains(t, s.cli(b, 0, "why", "longest-0"), "2 is dead")
	s.cli(b, 0, "elect", "unclean", "--topic", "first", "--partition", "0", "--yes")
	s.until("1 to lead", ledBy(1), "longest")
	s.until("3 to lead", ledBy(3), "first")
	s.measuredEnd(1, "longest", 90)
	s.measuredEnd(3, "first", 60)
	t.Log("of 100 acknowledged records the longest replica lost 10, and the first live one, which Kafka's rule takes, 40")
}

// write writes n records to partition 0 of each topic, acknowledged by all in-sync replicas.
func (s *story) write(n int, topics ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.Seeds()...))
	s.must(err)
	defer cl.Close()
	for _, topic := range topics {
		for i := range n {
			s.must(cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}).FirstErr())
		}
	}
}

// measuredEnd waits until a broker has opened its log of the topic's partition 0, and compares its end.
func (s *story) measuredEnd(broker int, topic string, want int64) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	w := []measure.Wanted{{Addr: s.cluster.Broker(broker).Addr(), Logs: []measure.Partition{{ID: partition.ID{Topic: topic}, Epoch: maxEpoch}}}}
	s.must(kafka.Eventually(ctx, "the log to be open", func(ctx context.Context) (bool, error) {
		m := measure.Measurer{Dial: dialTCP}.Measure(ctx, w)[0][0]
		if m.Log == nil {
			return false, fmt.Errorf("%d: %s", broker, m.Silent)
		}
		if m.Log.End != want {
			return false, fmt.Errorf("%d has %+v of %s, want its end at %d: %w", broker, *m.Log, topic, want, kafka.ErrHopeless)
		}
		return true, nil
	}))
}
