package measure

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/partition"
	"baton/recovery"
)

const (
	latest, earliest int64 = -1, -2

	debugging   int32 = -2 // a consumer that any replica serves, up to the log's end
	futureLocal int32 = -3 // a reader within the broker, likewise

	listOffsetsVersion int16 = 5  // of 2.3; the latest that 2.4 has
	fetchVersion       int16 = 10 // of 2.1: topics by name, no rack, the newest batch format

	// batchShare is how much of a log's end is read at first: most batches are smaller. The first one of an answer comes
	// whole, however large it is.
	batchShare = 64 << 10
	maxAnswer  = 16 << 20
)

// sheet is what one broker has answered about some of its logs.
type sheet struct {
	rows []row
	at   map[partition.ID]int
}

type row struct {
	Partition
	log    recovery.Log
	silent string
	done   bool
}

func newSheet(logs []Partition) *sheet {
	s := &sheet{at: make(map[partition.ID]int, len(logs))}
	for i, l := range logs {
		s.rows, s.at[l.ID] = append(s.rows, row{Partition: l}), i
	}
	return s
}

// fill asks for ends, starts and last batches, and for the ends again: a log that has grown meanwhile belongs to a replica that
// follows somebody, and has no end that could be compared.
func (s *sheet) fill(c *conn) error {
	if err := s.offsets(c, latest, func(r *row, offset int64, _ int32) { r.log.End = offset }); err != nil {
		return err
	}
	if err := s.offsets(c, earliest, (*row).begin); err != nil {
		return err
	}
	for s.open() > 0 {
		before := s.open()
		if err := s.lastBatches(c); err != nil {
			return err
		}
		if s.open() == before {
			break
		}
	}
	return s.offsets(c, latest, func(r *row, offset int64, _ int32) {
		if offset != r.log.End {
			r.silent = fmt.Sprintf("its log changes: its end was %d, and is %d", r.log.End, offset)
		}
	})
}

// begin notes the log's start. The epoch that comes with it is that of the records there, and so a bound of the last one's.
func (r *row) begin(offset int64, epoch int32) {
	r.log.Start = offset
	r.log.Last = recovery.Epochs{Min: min(max(epoch, recovery.NoEpoch), r.Epoch), Max: r.Epoch}
	switch {
	case r.log.End == 0:
		r.log.Last, r.done = recovery.Exactly(recovery.NoEpoch), true
	case r.log.End <= r.log.Start: // all deleted
		r.done = true
	}
}

func (s *sheet) open() (n int) {
	for i := range s.rows {
		if !s.rows[i].done && s.rows[i].silent == "" {
			n++
		}
	}
	return n
}

// offsets asks for one offset of each log that is not silent.
func (s *sheet) offsets(c *conn, which int64, take func(r *row, offset int64, epoch int32)) error {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = listOffsetsVersion, debugging
	s.each(func(r *row) bool { return r.silent == "" }, func(topic string, rows []*row) {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, r := range rows {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = r.ID.Number, which
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	})
	if len(req.Topics) == 0 {
		return nil
	}
	resp, err := c.ask(req)
	if err != nil {
		return err
	}
	answered := map[*row]bool{}
	for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			r := s.row(t.Topic, p.Partition)
			if r == nil {
				continue
			}
			answered[r] = true
			switch {
			case p.ErrorCode != 0:
				r.silent = refused(p.ErrorCode)
			case p.Offset < 0:
				r.silent = "it names no offset"
			default:
				take(r, p.Offset, p.LeaderEpoch)
			}
		}
	}
	s.missing(answered, func(r *row) bool { return r.silent == "" })
	return nil
}

// lastBatches reads the batch at the end of each log that is still open. The first that has anything is answered in full,
// so every round settles at least one.
func (s *sheet) lastBatches(c *conn) error {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID, req.MaxBytes, req.SessionEpoch = fetchVersion, futureLocal, maxAnswer, -1
	open := func(r *row) bool { return r.silent == "" && !r.done }
	s.each(open, func(topic string, rows []*row) {
		t := kmsg.NewFetchRequestTopic()
		t.Topic = topic
		for _, r := range rows {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.FetchOffset, p.PartitionMaxBytes = r.ID.Number, r.log.End-1, batchShare
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	})
	resp, err := c.ask(req)
	if err != nil {
		return err
	}
	f := resp.(*kmsg.FetchResponse)
	if f.ErrorCode != 0 {
		return errors.New("Fetch: " + refused(f.ErrorCode))
	}
	bytes := 0
	answered := map[*row]bool{}
	for _, t := range f.Topics {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			r := s.row(t.Topic, p.Partition)
			if r == nil || !open(r) {
				continue
			}
			answered[r] = true
			switch epoch, found := lastEpoch(p.RecordBatches); {
			case p.ErrorCode != 0:
				r.silent = refused(p.ErrorCode)
			case found && epoch > r.Epoch:
				r.silent = fmt.Sprintf("its last record is of leader epoch %d, and ZooKeeper knows of none after %d", epoch, r.Epoch)
			case found:
				r.done = true
				if epoch >= 0 { // records of a format before 0.11 have none
					r.log.Last = recovery.Exactly(epoch)
				}
			}
			bytes += len(p.RecordBatches)
		}
	}
	if bytes == 0 { // nothing there, though offsets say there is: compacted away. Their epochs stay within their bounds.
		for r := range answered {
			r.done = true
		}
	}
	s.missing(answered, open)
	return nil
}

// each gives the rows that are meant by topic, in order.
func (s *sheet) each(meant func(*row) bool, do func(topic string, rows []*row)) {
	var rows []*row
	for i := range s.rows {
		if meant(&s.rows[i]) {
			rows = append(rows, &s.rows[i])
		}
	}
	slices.SortStableFunc(rows, func(a, b *row) int { return cmp.Compare(a.ID.Topic, b.ID.Topic) })
	for len(rows) > 0 {
		n := slices.IndexFunc(rows, func(r *row) bool { return r.ID.Topic != rows[0].ID.Topic })
		if n < 0 {
			n = len(rows)
		}
		do(rows[0].ID.Topic, rows[:n])
		rows = rows[n:]
	}
}

func (s *sheet) row(topic string, number int32) *row {
	i, ok := s.at[partition.ID{Topic: topic, Number: number}]
	if !ok {
		return nil
	}
	return &s.rows[i]
}

func (s *sheet) missing(answered map[*row]bool, meant func(*row) bool) {
	for i := range s.rows {
		if r := &s.rows[i]; meant(r) && !answered[r] {
			r.silent = "it leaves the partition out of its answer"
		}
	}
}

// results are the rows; those that were not settled are silent for a reason of the connection's.
func (s *sheet) results(err error) []Measured {
	out := make([]Measured, len(s.rows))
	for i := range s.rows {
		switch r := &s.rows[i]; {
		case r.silent != "":
			out[i].Silent = r.silent
		case err != nil:
			out[i].Silent = err.Error()
		default:
			out[i].Log = &r.log
		}
	}
	return out
}

// refused is an error code in words.
func refused(code int16) string {
	switch err := kerr.TypedErrorForCode(code); err {
	case kerr.UnknownTopicOrPartition, kerr.NotLeaderForPartition:
		return "it has not opened the log: " + err.Message
	case nil:
		return fmt.Sprintf("error %d", code)
	default:
		return err.Message
	}
}

// Offsets in a record batch; since 0.11 the same up to the magic byte.
const (
	atLength, atEpoch, atMagic = 8, 12, 16
	shortest                   = 17
	// atDelta, since 0.11, is what the last offset is more than the first.
	atDelta, headerLen = 23, 61
)

// lastEpoch is the leader epoch in the last whole batch, -1 in formats that have none.
func lastEpoch(raw []byte) (epoch int32, found bool) {
	for len(raw) >= shortest {
		size := int64(int32(binary.BigEndian.Uint32(raw[atLength:]))) + 12
		if size < shortest || size > int64(len(raw)) {
			break
		}
		if epoch, found = -1, true; raw[atMagic] == 2 {
			epoch = int32(binary.BigEndian.Uint32(raw[atEpoch:]))
		}
		raw = raw[size:]
	}
	return epoch, found
}
