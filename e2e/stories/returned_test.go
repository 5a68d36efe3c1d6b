package stories

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// TestReturnedLeader: the last in-sync replica dies, replicas that have less are elected, and write on; then the dead one comes
// back with its disk. What it is said to have lost are the records that its disk, copied before, had and the leader has not. Of
// one topic the leader has nothing of its last two leader epochs.
func TestReturnedLeader(t *testing.T) {
	s := begin(t, kafka.Options{Overrides: map[string]string{"min.insync.replicas": "1"}})
	b := s.baton(batonproc.Options{Sets: map[string]string{"leader.log.sample.interval.ms": "500"}})
	s.must(b.WaitReady(s.ctx))
	lost := map[string]int{"longest": 10, "first": 40}
	topics := []string{"longest", "first"}
	kill := s.dying(topics)
	s.write(60, topics...)
	kill(3, 2, 2, 1)
	s.write(30, topics...)
	kill(1, 2, 2)
	s.write(10, topics...)
	s.sampled(b, 6)
	kill(2, -1, 2)
	kept := map[string][]batchID{}
	for _, topic := range topics {
		kept[topic] = s.batches(2, topic)
	}
	s.back(1, 3)
	s.measuredEnd(1, "longest", 90)
	s.measuredEnd(3, "longest", 60)
	plan := s.foretold(b, "longest", "longest")
	within(t, plan.Replicas[2].Log, 10)
	within(t, plan.Replicas[1].Log, 40)
	t.Log(s.cli(b, 0, "elect", "unclean", "longest-0", "--candidate", "longest", "--yes"))
	s.cli(b, 0, "elect", "unclean", "first-0", "--candidate", "3", "--accept-data-loss", "--yes")
	s.until("1 to lead", ledBy(1), "longest")
	s.until("3 to lead", ledBy(3), "first")
	s.write(5, topics...)

	s.back(2)
	s.must(s.cluster.WaitISRFull(s.ctx, topics...))
	for _, topic := range topics {
		leader := s.batches(map[string]int{"longest": 1, "first": 3}[topic], topic)
		really := 0
		for _, batch := range kept[topic] {
			if !slices.Contains(leader, batch) {
				really++
			}
		}
		if really != lost[topic] {
			t.Errorf("%s: %d of %d records are really lost, want %d", topic, really, len(kept[topic]), lost[topic])
		}
		said := fmt.Sprintf("%d records are lost, offsets %d to 99", really, 100-really)
		why := s.cli(b, 0, "why", topic+"-0")
		contains(t, why, said)
		contains(t, why, "the log of leader 2, which is lost, ended at 100")
		contains(t, s.cli(b, 0, "explain", topic+"-0"), said)
	}
	metrics, err := s.metrics(b)
	s.must(err)
	contains(t, metrics, `baton_returned_logs_total{result="measured"} 2`)
	contains(t, metrics, "baton_lost_records_total 50")
}

// batchID is a batch of a log; every record here has one of its own.
type batchID struct {
	base  int64
	epoch int32
	crc   uint32
}

// batches reads a broker's log of a topic's partition 0 from its disk.
func (s *story) batches(broker int, topic string) (out []batchID) {
	s.Helper()
	files, err := filepath.Glob(filepath.Join(s.cluster.Broker(broker).DataDirs()[0], topic+"-0", "*.log"))
	s.must(err)
	for _, file := range files {
		raw, err := os.ReadFile(file) //nolint:gosec // a log of the test's own cluster
		s.must(err)
		for len(raw) >= 61 {
			size := int(binary.BigEndian.Uint32(raw[8:])) + 12
			if size > len(raw) || size < 61 {
				break // preallocated
			}
			out = append(out, batchID{int64(binary.BigEndian.Uint64(raw)), int32(binary.BigEndian.Uint32(raw[12:])), binary.BigEndian.Uint32(raw[17:])})
			raw = raw[size:]
		}
	}
	return out
}

// sampled waits until so many more times a broker has said where a log ends that it leads.
func (s *story) sampled(b *batonproc.Baton, more int) {
	s.Helper()
	count := func() (n int) {
		text, err := s.metrics(b)
		s.must(err)
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(line, `baton_leader_log_samples_total{result="answered"} `); ok {
				n, _ = strconv.Atoi(strings.TrimSpace(v))
			}
		}
		return n
	}
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Minute)
	defer cancel()
	before := count()
	s.must(kafka.Eventually(ctx, "samples", func(context.Context) (bool, error) { return count() >= before+more, nil }))
}
