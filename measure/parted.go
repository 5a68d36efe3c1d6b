package measure

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/recovery"
)

// Against is the log that another one is compared with: its leader's, and the epoch in which that leads.
type Against struct {
	Addr  string
	Epoch int32
}

// Parted is a log, and the offset up to which it has the same records as the leader's.
type Parted struct {
	Measured
	At int64 // meaningful if Log is set
}

// epochEndVersion is OffsetForLeaderEpoch of 2.3: before it only brokers may ask.
const epochEndVersion int16 = 3

// Parted measures the logs of one broker and finds where each parts from its leader's; against has an entry for each log. Nobody
// may change these logs meanwhile. All is over when ctx is; what has not been found out by then is silent.
//
// Two logs have the same records up to the end of the last epoch that both have, or of the shorter of them there. Where that ends
// in the leader's log the leader says; where it ends in the other one is searched for by reading single batches, for only leaders
// say it.
func (m Measurer) Parted(ctx context.Context, w Wanted, against []Against) []Parted {
	out := make([]Parted, len(w.Logs))
	for i, got := range m.broker(ctx, w) {
		out[i].Measured = got
	}
	p := &parting{m: m, leaders: map[string]*conn{}}
	defer p.close()
	for i := range out {
		if o := &out[i]; o.Log != nil {
			err := p.find(ctx, w, w.Logs[i], against[i], o)
			if err != nil && ctx.Err() != nil {
				err = errors.New("no answer in time")
			}
			if err != nil {
				o.Measured = Measured{Silent: err.Error()}
			}
		}
	}
	return out
}

// parting keeps the connections of one comparison.
type parting struct {
	m       Measurer
	own     *conn // to the broker whose logs are measured
	leaders map[string]*conn
}

func (p *parting) close() {
	if p.own != nil {
		p.own.close()
	}
	for _, c := range p.leaders {
		c.close()
	}
}

// leader returns the connection to a leader.
func (p *parting) leader(ctx context.Context, addr string) (*conn, error) {
	if c := p.leaders[addr]; c != nil {
		return c, nil
	}
	c, err := p.m.open(ctx, addr)
	if err == nil {
		p.leaders[addr] = c
	}
	return c, err
}

func (p *parting) find(ctx context.Context, w Wanted, log Partition, a Against, o *Parted) error {
	if !o.Log.Last.Known() {
		return fmt.Errorf("the epoch of its last record is not known, only that it is %v", o.Log.Last)
	}
	c, err := p.leader(ctx, a.Addr)
	if err != nil {
		return fmt.Errorf("its leader: %w", err)
	}
	if p.own == nil {
		if p.own, err = p.m.open(ctx, w.Addr); err != nil {
			return err
		}
	}
	for hi, last := o.Log.End, o.Log.Last.Min; ; {
		epoch, end, err := epochEnd(c, log, a.Epoch, last)
		switch {
		case err != nil:
			return fmt.Errorf("its leader: %w", err)
		case hi <= o.Log.Start: // nothing is left that they could have in common
			o.At = o.Log.Start
			return nil
		case end < 0:
			return errors.New("its leader knows of no leader epoch in its log")
		case epoch >= last:
			o.At = max(min(hi, end), o.Log.Start)
			return nil
		}
		// The leader has nothing of this epoch, but of an earlier one: what comes after that in this log is not the leader's.
		if hi, last, err = p.before(log, o.Log.Start, hi, epoch); err != nil {
			return err
		}
	}
}

// epochEnd asks a leader where the records of an epoch, or of the newest one before it, end in its log.
func epochEnd(c *conn, log Partition, current, asked int32) (epoch int32, end int64, err error) {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.Version, req.ReplicaID = epochEndVersion, debugging
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic = log.ID.Topic
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = log.ID.Number, current, asked
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := c.ask(req)
	if err != nil {
		return 0, 0, err
	}
	r := resp.(*kmsg.OffsetForLeaderEpochResponse)
	if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return 0, 0, errors.New("it leaves the partition out of its answer")
	}
	got := r.Topics[0].Partitions[0]
	if got.ErrorCode != 0 {
		return 0, 0, errors.New(refused(got.ErrorCode))
	}
	return got.LeaderEpoch, got.EndOffset, nil
}

// before finds where, between two offsets, the records of epochs up to one end in a log, and which is the newest of these
// epochs, NoEpoch if there is none.
func (p *parting) before(log Partition, start, end int64, upTo int32) (at int64, newest int32, err error) {
	newest = recovery.NoEpoch
	for start < end {
		mid := start + (end-start)/2
		epoch, base, next, err := p.batchAt(log, mid)
		switch {
		case err != nil:
			return 0, 0, err
		case epoch <= upTo:
			newest, start = epoch, min(max(next, mid+1), end)
		default:
			end = max(min(base, mid), start)
		}
	}
	return start, newest, nil
}

// batchAt reads the batch that holds an offset, or the next one: its leader epoch, its first offset and the one after its last.
func (p *parting) batchAt(log Partition, offset int64) (epoch int32, base, next int64, err error) {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID, req.MaxBytes, req.SessionEpoch = fetchVersion, futureLocal, maxAnswer, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = log.ID.Topic
	fp := kmsg.NewFetchRequestTopicPartition()
	fp.Partition, fp.FetchOffset, fp.PartitionMaxBytes = log.ID.Number, offset, 1
	t.Partitions = append(t.Partitions, fp)
	req.Topics = append(req.Topics, t)
	resp, err := p.own.ask(req)
	if err != nil {
		return 0, 0, 0, err
	}
	f := resp.(*kmsg.FetchResponse)
	if len(f.Topics) != 1 || len(f.Topics[0].Partitions) != 1 {
		return 0, 0, 0, errors.New("it leaves the partition out of its answer")
	}
	got := f.Topics[0].Partitions[0]
	switch raw := got.RecordBatches; {
	case got.ErrorCode != 0:
		return 0, 0, 0, errors.New(refused(got.ErrorCode))
	case len(raw) < headerLen || raw[atMagic] != 2:
		return 0, 0, 0, fmt.Errorf("no record with a leader epoch is at offset %d", offset)
	default:
		base = int64(binary.BigEndian.Uint64(raw)) //nolint:gosec // an offset
		delta := int32(binary.BigEndian.Uint32(raw[atDelta:]))
		return int32(binary.BigEndian.Uint32(raw[atEpoch:])), base, base + int64(delta) + 1, nil
	}
}
