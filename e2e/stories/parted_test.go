package stories

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/admin"
	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// TestLongerLogIsTheWrongOne: of two live replicas the one with the longer log was a leader whose last records were never
// committed, and lacks records that are. `--candidate longest` takes the other one and shows where the logs part; Kafka's own
// controller, on the same state of another topic, takes the first live one. What was really lost is read from the dead leader's disk.
func TestLongerLogIsTheWrongOne(t *testing.T) {
	s := begin(t, kafka.Options{TwoListeners: true, Proxies: []string{kafka.Internal},
		Overrides: map[string]string{"min.insync.replicas": "1", "replica.lag.time.max.ms": "60000"}})
	b := s.baton(batonproc.Options{})
	s.must(b.WaitReady(s.ctx))
	topics := []string{"batons", "kafkas"}
	for _, topic := range topics {
		s.must(s.cluster.CreateTopicOn(s.ctx, topic, []int32{1, 2, 3}))
	}
	s.must(s.cluster.WaitISRFull(s.ctx, topics...))
	s.write(60, topics...)
	s.partsFromItsFollowers(topics)
	s.writeAs(kgo.AllISRAcks(), "by 2 and 3", 5, topics...)
	s.must(s.cluster.Broker(3).Terminate(s.ctx))
	s.until("2 to be alone in the ISR", isrIs(2, 2), topics...)
	s.writeAs(kgo.AllISRAcks(), "by 2 alone", 3, topics...)
	s.must(s.cluster.Broker(2).Kill())
	s.until("2 to be gone", isrIs(-1, 2), topics...)
	s.must(s.cluster.Broker(1).Start())
	s.must(s.cluster.Broker(3).Start())
	s.measuredEnd(1, "batons", 90)
	s.measuredEnd(3, "batons", 65)

	m := s.foretold(b, "batons", "longest")
	long, right := m.Replicas[0].Log, m.Replicas[2].Log
	if m.Leader != 3 || len(m.Doubts) > 0 || long.End <= right.End || long.PartsAt == nil || *long.PartsAt != 60 || len(long.Epochs) != 1 ||
		len(right.Epochs) != 2 || right.Epochs[1].From != 60 || right.PartsAt != nil {
		t.Errorf("measured %+v: 1 has %+v, 3 has %+v", m, long, right)
	}
	t.Log(s.cli(b, 3, "elect", "unclean", "batons-0", "--candidate", "1", "--yes"))
	client := admin.NewClient(b.AdminSocket())
	late, err := client.Measure(s.ctx, admin.Question{Topic: "batons", Candidate: "1"}, admin.Request{Who: "story"})
	s.must(err)
	s.cli(b, 0, "elect", "unclean", "batons-0", "--candidate", "longest", "--yes", "--reason", "2 is dead")
	if _, err := client.Elect(s.ctx, late.Choice(), admin.Request{Who: "story"}); admin.KindOf(err) != admin.KindRefused {
		t.Errorf("a choice of before somebody else elected: %v", err)
	}
	s.until("3 to lead, and 1 to follow it", func(_ []int, st kafka.PartitionState) bool { return st.Leader == 3 && len(st.ISR) == 2 }, "batons")
	s.cli(b, 0, "handback", "--yes")
	s.embedded()
	s.allowUnclean("kafkas")
	s.until("1 to lead, as by Kafka's rule", ledBy(1), "kafkas")

	kept := s.dumped(2, topics...)
	batons, kafkas := missing(kept["batons"], s.dumped(3, "batons")["batons"]), missing(kept["kafkas"], s.dumped(1, "kafkas")["kafkas"])
	t.Logf("of %d records on the dead leader's disk\n  %d are lost with Baton's choice, 3: %v\n  %d are lost with Kafka's, 1, the longer log: %v",
		len(kept["batons"]), len(batons), batons, len(kafkas), kafkas)
	if len(kept["batons"]) != 68 || len(kept["kafkas"]) != 68 || len(batons) != 3 || len(kafkas) != 8 {
		t.Error("expected 68 records, of which Baton loses the 3 that only 2 had, and Kafka also the 5 that 3 had")
	}
	within(t, right, len(batons))
	within(t, long, len(kafkas))
}

// partsFromItsFollowers makes 1, the leader, write what the others never get, and kills it.
func (s *story) partsFromItsFollowers(topics []string) {
	s.Helper()
	to := s.cluster.Broker(1).Proxy(kafka.Internal)
	to.Refuse(true)
	to.Cut()
	s.writeAs(kgo.LeaderAck(), "by 1 alone", 30, topics...)
	s.must(s.cluster.Broker(1).Kill())
	to.Refuse(false)
	s.until("2 to lead", isrIs(2, 2, 3), topics...)
}

// within checks a loss against what was foretold, as far as that is known.
func within(t *testing.T, l *admin.MeasuredLog, lost int) {
	t.Helper()
	if l.LossMin != nil && int64(lost) < *l.LossMin || l.LossMax != nil && int64(lost) > *l.LossMax {
		t.Errorf("%d records are lost, outside of what was shown: %s", lost, lossOf(l))
	}
}

// exactly checks a loss against what was foretold as one number.
func exactly(t *testing.T, l *admin.MeasuredLog, lost int) {
	t.Helper()
	if l.LossMin == nil || l.LossMax == nil || *l.LossMin != int64(lost) || *l.LossMax != int64(lost) {
		t.Errorf("%d records are lost, shown as %s", lost, lossOf(l))
	}
}

func lossOf(l *admin.MeasuredLog) string {
	from, to := "?", "?"
	if l.LossMin != nil {
		from = fmt.Sprint(*l.LossMin)
	}
	if l.LossMax != nil {
		to = fmt.Sprint(*l.LossMax)
	}
	return fmt.Sprintf("%s…%s (%s)", from, to, l.From)
}

// foretold is what was measured for an election of a topic's partition 0.
func (s *story) foretold(b *batonproc.Baton, topic, candidate string) (m admin.Measurement) {
	s.Helper()
	text := s.cli(b, 0, "elect", "unclean", topic+"-0", "--candidate", candidate, "--dry-run", "-o", "json")
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		s.Fatalf("%v in %s", err, text)
	}
	for _, r := range m.Replicas {
		if r.Epoch != 0 && r.Log == nil {
			s.Fatalf("%d was not measured: %s", r.Broker, text)
		}
	}
	return m
}

func isrIs(leader int, isr ...int) func([]int, kafka.PartitionState) bool {
	return func(_ []int, st kafka.PartitionState) bool { return st.Leader == leader && slices.Equal(st.ISR, isr) }
}

// allowUnclean sets the topic's unclean.leader.election.enable, as kafka-configs would.
func (s *story) allowUnclean(topic string) {
	s.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.Seeds()...))
	s.must(err)
	defer cl.Close()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	on := "true"
	c.Name, c.Value = "unclean.leader.election.enable", &on
	r.ResourceType, r.ResourceName, r.Configs = kmsg.ConfigResourceTypeTopic, topic, append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(s.ctx, cl)
	s.must(err)
	s.must(kerr.ErrorForCode(resp.Resources[0].ErrorCode))
}

var dumpedRecord = regexp.MustCompile(`(?m)\boffset: \d+ .*\bpayload: (.*)$`)

// dumped reads the log of each topic's partition 0 from a broker's disk with Kafka's own tool: offsets with values. The broker may be
// dead.
func (s *story) dumped(broker int, topics ...string) map[string][]string {
	s.Helper()
	out := map[string][]string{}
	for _, topic := range topics {
		files, err := filepath.Glob(filepath.Join(s.cluster.Broker(broker).DataDirs()[0], topic+"-0", "*.log"))
		s.must(err)
		if len(files) != 1 {
			s.Fatalf("the log of %s at %d: %q", topic, broker, files)
		}
		r, err := s.cluster.Tool(s.ctx, "kafka.tools.DumpLogSegments", "--print-data-log", "--files", files[0])
		s.must(err)
		if r.ExitCode != 0 {
			s.Fatalf("dump of %s: exit %d\n%s%s", files[0], r.ExitCode, r.Stdout, r.Stderr)
		}
		for _, m := range dumpedRecord.FindAllStringSubmatch(r.Stdout, -1) {
			out[topic] = append(out[topic], m[1])
		}
	}
	return out
}

// missing are the records that are not among those that there are.
func missing(had, have []string) []string {
	rest := map[string]bool{}
	for _, r := range had {
		rest[r] = true
	}
	for _, r := range have {
		delete(rest, r)
	}
	return slices.Sorted(maps.Keys(rest))
}
