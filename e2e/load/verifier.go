package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Report is what a verification found. Everything but Acked, Read and Unacked counts a defect.
type Report struct {
	Acked      int // messages the producers were told are safe
	Read       int // messages found
	Unacked    int // found though never acknowledged: allowed, the answer may have been lost
	Lost       int // acknowledged and not found
	Duplicated int // found more than once
	Misplaced  int // found at another offset than the acknowledgement said
	Disordered int // found behind a later message of the same partition
	Errors     int // given to the application
	Examples   []string
}

// OK says whether nothing is wrong.
func (r Report) OK() bool {
	return r.Lost+r.Duplicated+r.Misplaced+r.Disordered+r.Errors == 0
}

func (r Report) String() string {
	verdict := "every acknowledged message is there exactly once and in order"
	if !r.OK() {
		verdict = fmt.Sprintf("%d lost, %d duplicated, %d misplaced, %d out of order, %d errors given to the application",
			r.Lost, r.Duplicated, r.Misplaced, r.Disordered, r.Errors)
	}
	s := fmt.Sprintf("%d acknowledged, %d read (%d of them unacknowledged): %s", r.Acked, r.Read, r.Unacked, verdict)
	return strings.Join(append([]string{s}, r.Examples...), "\n  ")
}

// Err is nil if nothing is wrong.
func (r Report) Err() error {
	if r.OK() {
		return nil
	}
	return errors.New(r.String())
}

func (r *Report) defect(counter *int, format string, args ...any) {
	*counter++
	if len(r.Examples) < 10 {
		r.Examples = append(r.Examples, fmt.Sprintf(format, args...))
	}
}

// Verify reads the producers' partitions from the beginning and compares with what was acknowledged. The producers
// must have been stopped.
func Verify(ctx context.Context, seeds []string, writers ...Written) (Report, error) {
	return VerifyWith(ctx, []kgo.Opt{kgo.SeedBrokers(seeds...), kgo.MetadataMinAge(100 * time.Millisecond)}, writers...)
}

// VerifyWith is Verify by a client with options of one's own.
func VerifyWith(ctx context.Context, client []kgo.Opt, writers ...Written) (Report, error) {
	var r Report
	v := verifier{report: &r, seen: map[seenKey]map[uint64]int64{}, writers: map[uint64]Written{}}
	targets := map[Target]bool{}
	for _, w := range writers {
		v.writers[w.Producer] = w
		r.Acked += w.Count()
		r.Errors += w.Errors
		for _, err := range w.FirstErrors {
			r.Examples = append(r.Examples, err.Error())
		}
		for t := range w.Acked {
			targets[t] = true
			v.seen[seenKey{w.Producer, t}] = map[uint64]int64{}
		}
	}
	ends, err := endOffsets(ctx, client, slices.Collect(maps.Keys(targets)))
	if err != nil {
		return r, err
	}
	if err := readAll(ctx, client, ends, v.record); err != nil {
		return r, err
	}
	v.findLost()
	return r, nil
}

type seenKey struct {
	producer uint64
	target   Target
}

type verifier struct {
	report  *Report
	writers map[uint64]Written
	seen    map[seenKey]map[uint64]int64
	last    map[seenKey]uint64
}

func (v *verifier) record(rec *kgo.Record) {
	if len(rec.Value) < valueHead {
		return // somebody else's
	}
	t := Target{rec.Topic, rec.Partition}
	key := seenKey{binary.BigEndian.Uint64(rec.Value), t}
	seq := binary.BigEndian.Uint64(rec.Value[8:])
	seen := v.seen[key]
	if seen == nil {
		return
	}
	v.report.Read++
	if before, again := seen[seq]; again {
		v.report.defect(&v.report.Duplicated, "%s-%d: message %d at offsets %d and %d", t.Topic, t.Partition, seq,
			before, rec.Offset)
		return
	}
	seen[seq] = rec.Offset
	if v.last == nil {
		v.last = map[seenKey]uint64{}
	}
	if last, any := v.last[key]; any && seq < last {
		v.report.defect(&v.report.Disordered, "%s-%d: message %d at offset %d, behind message %d", t.Topic, t.Partition,
			seq, rec.Offset, last)
	}
	v.last[key] = max(v.last[key], seq)
	offset, acked := v.writers[key.producer].Acked[t][seq]
	switch {
	case !acked:
		v.report.Unacked++
	case offset != rec.Offset && offset >= 0: // -1: a duplicate the broker recognised, without the offset
		v.report.defect(&v.report.Misplaced, "%s-%d: message %d at offset %d, acknowledged as %d", t.Topic, t.Partition,
			seq, rec.Offset, offset)
	}
}

func (v *verifier) findLost() {
	for key, seen := range v.seen {
		for seq, offset := range v.writers[key.producer].Acked[key.target] {
			if _, ok := seen[seq]; !ok {
				v.report.defect(&v.report.Lost, "%s-%d: message %d, acknowledged at offset %d", key.target.Topic,
					key.target.Partition, seq, offset)
			}
		}
	}
}

// endOffsets asks the leaders how far each partition goes, until all have answered.
func endOffsets(ctx context.Context, opts []kgo.Opt, targets []Target) (map[Target]int64, error) {
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		ends, err := listOffsets(ctx, client, targets)
		if err == nil {
			return ends, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("end offsets: %w: %w", ctx.Err(), err)
		}
	}
}

func listOffsets(ctx context.Context, client *kgo.Client, targets []Target) (map[Target]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	byTopic := map[string][]kmsg.ListOffsetsRequestTopicPartition{}
	for _, t := range targets {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = t.Partition, -1
		byTopic[t.Topic] = append(byTopic[t.Topic], p)
	}
	for topic, partitions := range byTopic {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic, rt.Partitions = topic, partitions
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	ends := map[Target]int64{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("%s-%d: %w", t.Topic, p.Partition, err)
			}
			ends[Target{t.Topic, p.Partition}] = p.Offset
		}
	}
	if len(ends) != len(targets) {
		return nil, fmt.Errorf("offsets of %d partitions of %d", len(ends), len(targets))
	}
	return ends, nil
}

// readAll gives every record below the end offsets to f. Producer-side markers take up offsets without being
// records, so the end is where the next offset to read would be, not where the last record was.
func readAll(ctx context.Context, opts []kgo.Opt, ends map[Target]int64, f func(*kgo.Record)) error {
	from := map[string]map[int32]kgo.Offset{}
	left := map[Target]int64{}
	for t, end := range ends {
		if end == 0 {
			continue
		}
		if from[t.Topic] == nil {
			from[t.Topic] = map[int32]kgo.Offset{}
		}
		from[t.Topic][t.Partition] = kgo.NewOffset().AtStart()
		left[t] = end
	}
	if len(left) == 0 {
		return nil
	}
	client, err := kgo.NewClient(append(slices.Clone(opts), kgo.ConsumePartitions(from), kgo.KeepControlRecords())...)
	if err != nil {
		return err
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("reading back: %w; partitions not read to their end: %v", ctx.Err(), left)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			t := Target{rec.Topic, rec.Partition}
			if rec.Offset < ends[t] && !rec.Attrs.IsControl() {
				f(rec)
			}
			if rec.Offset+1 >= ends[t] {
				delete(left, t)
			}
		})
	}
	return nil
}
