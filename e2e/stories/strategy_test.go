package stories

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// dying makes topics of one partition on brokers 2, 3 and 1 and returns what kills a broker and waits until the others go on as
// they should without it: leader, -1 if none, and ISR.
func (s *story) dying(topics []string) (kill func(broker int, leader int, isr ...int)) {
	s.Helper()
	for _, topic := range topics {
		s.must(s.cluster.CreateTopicOn(s.ctx, topic, []int32{2, 3, 1}))
	}
	s.must(s.cluster.WaitISRFull(s.ctx, topics...))
	return func(broker int, leader int, isr ...int) {
		s.Helper()
		s.must(s.cluster.Broker(broker).Kill())
		s.until(fmt.Sprintf("%d to be gone", broker), func(_ []int, st kafka.PartitionState) bool {
			return st.Leader == leader && slices.Equal(st.ISR, isr)
		}, topics...)
	}
}

// back starts brokers again, one after the other.
func (s *story) back(brokers ...int) {
	s.Helper()
	for _, broker := range brokers {
		s.must(s.cluster.Broker(broker).Start())
		s.must(s.cluster.Broker(broker).WaitRegistered(s.ctx))
	}
}

// TestRecoveryStrategies is the incident of TestRecoveryPage four times over, each topic with another
// unclean.recovery.strategy, which is switched on while Baton runs: `longest` has the live replica lead that loses less, `first`
// the first one, `wait` gives the last in-sync replica its time, and so it does not lose anything; `none` does nothing.
func TestRecoveryStrategies(t *testing.T) {
	s := begin(t, kafka.Options{Overrides: map[string]string{"min.insync.replicas": "1"}})
	own, err := os.ReadFile(s.cluster.Broker(1).PropertiesPath())
	s.must(err)
	config := filepath.Join(t.TempDir(), "baton.properties")
	s.must(os.WriteFile(config, own, 0o600))
	b := s.baton(batonproc.Options{Config: config})
	s.must(b.WaitReady(s.ctx))
	topics := []string{"longest", "first", "wait", "none"}
	kill := s.dying(topics)
	s.write(12, topics...)
	kill(3, 2, 2, 1)
	s.write(6, topics...)
	kill(1, 2, 2)
	s.write(2, topics...)
	kill(2, -1, 2)
	s.back(1, 3)
	contains(t, s.cli(b, 0, "explain", "longest-0"), "1 could lead only with loss, and unclean election is off")

	s.must(os.WriteFile(config, append(own, "\nunclean.recovery.strategy=longest\nunclean.recovery.strategy.topics=first=first,wai*=wait,none=none\n"...), 0o600))
	contains(t, s.cliOut(b, "config", "reload"), "unclean.recovery.strategy.topics")
	s.until("1 to lead, which has more", ledBy(1), "longest")
	s.until("3 to lead, which is the first", ledBy(3), "first")
	s.measuredEnd(1, "longest", 18)
	s.measuredEnd(3, "first", 12)
	why := s.cli(b, 0, "why", "longest-0")
	contains(t, why, "allowed by unclean.recovery.strategy=longest: all live replicas were measured")
	t.Log(why)
	explained := s.cli(b, 0, "explain", "wait-0")
	contains(t, explained, "unclean.recovery.strategy=wait (static, for the topic) gives the ISR until")
	t.Log(explained)
	contains(t, s.cli(b, 0, "explain", "none-0"), "unclean election is off")
	s.must(kafka.Eventually(s.ctx, "wait-0 to be counted", func(context.Context) (bool, error) {
		text, err := s.metrics(b)
		return strings.Contains(text, `baton_recovering_partitions{kind="waiting"} 1`), err
	}))

	s.must(s.cluster.Broker(2).Start())
	s.until("2 to lead, which was in sync", ledBy(2), "wait", "none")
	s.measuredEnd(2, "wait", 20)
	t.Log("of 20 acknowledged records: longest lost 2, first 8, wait none")
}
