package stories

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"baton/e2e/kafka"
	"baton/measure"
	"baton/partition"
)

// write writes n records to partition 0 of each topic, acknowledged by all in-sync replicas.
func (s *story) write(n int, topics ...string) {
	s.Helper()
	s.writeAs(kgo.AllISRAcks(), "record", n, topics...)
}

// writeAs writes n records to partition 0 of each topic, no two alike.
func (s *story) writeAs(acks kgo.Acks, name string, n int, topics ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.Seeds()...), kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite())
	s.must(err)
	defer cl.Close()
	for _, topic := range topics {
		for i := range n {
			s.must(cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%s %d", name, i)}).FirstErr())
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
