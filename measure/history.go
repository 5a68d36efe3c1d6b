package measure

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/partition"
	"baton/recovery"
)

// Asked is a log that has been measured, whose epochs are wanted.
type Asked struct {
	Addr string
	ID   partition.ID
	Log  recovery.Log
}

// Heard are its newest epochs, or why they are not known.
type Heard struct {
	History recovery.History
	Silent  string // empty if History is whole, or as long as it gets
}

// Depth is how many epochs of a log are looked for.
const Depth = 8

// Histories asks each broker where its log's newest epochs begin: by halves, as epochs grow with offsets, reading the header of one
// batch each time. A log of a billion records takes some 30 reads for an epoch.
func (m Measurer) Histories(ctx context.Context, asked []Asked) []Heard {
	out := make([]Heard, len(asked))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, a := range asked {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i] = m.history(ctx, a)
		})
	}
	wg.Wait()
	return out
}

func (m Measurer) history(ctx context.Context, a Asked) (out Heard) {
	if a.Log.Start >= a.Log.End || !a.Log.Last.Known() {
		return Heard{}
	}
	timeout := m.timeout()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := m.open(ctx, a.Addr)
	if err == nil {
		defer c.close()
		out.History, err = c.epochs(a)
	}
	switch {
	case ctx.Err() != nil:
		out.Silent = fmt.Sprintf("no answer within %s", timeout)
	case err != nil:
		out.Silent = err.Error()
	}
	return out
}

// epochs goes from the newest to older ones, until the log begins. What was found before an error counts.
func (c *conn) epochs(a Asked) (found recovery.History, err error) {
	before := head{epoch: a.Log.Last.Max, next: a.Log.End} // its newest batch, as far as is known
	for known := true; known && len(found) < Depth; {
		var first int64
		epoch := before.epoch
		if first, before, known, err = c.begins(a, epoch, min(before.next, a.Log.End)); err != nil {
			break
		}
		found = append(found, recovery.Began{Epoch: epoch, Offset: first})
	}
	slices.Reverse(found)
	return found, err
}

// begins finds the first offset of an epoch, the newest one below end, and the batch before it, if there is one.
func (c *conn) begins(a Asked, epoch int32, end int64) (first int64, before head, older bool, err error) {
	lo, hi := a.Log.Start, end
	first = end
	for lo < hi {
		mid := lo + (hi-lo)/2
		b, found, err := c.batch(a, mid)
		switch {
		case err != nil:
			return 0, head{}, false, err
		case !found || b.base >= end: // compacted away from here on
			hi = mid
		case b.epoch < epoch:
			lo, before, older = max(b.next, mid+1), b, true
		default:
			hi = mid
			first = max(min(first, b.base), a.Log.Start)
			if b.base < mid { // and above the start, which may be within a batch
				hi = max(b.base, lo)
			}
		}
	}
	return first, before, older, nil
}

// batch reads the one that has an offset, or the next one if none has.
func (c *conn) batch(a Asked, offset int64) (b head, found bool, err error) {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID, req.MaxBytes, req.SessionEpoch = fetchVersion, futureLocal, maxAnswer, -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = a.ID.Number, offset, 1 // the first batch comes whole all the same
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = a.ID.Topic, []kmsg.FetchRequestTopicPartition{p}
	req.Topics = []kmsg.FetchRequestTopic{t}
	resp, err := c.ask(req)
	if err != nil {
		return head{}, false, err
	}
	f := resp.(*kmsg.FetchResponse)
	switch {
	case f.ErrorCode != 0:
		return head{}, false, errors.New("Fetch: " + refused(f.ErrorCode))
	case len(f.Topics) != 1 || len(f.Topics[0].Partitions) != 1:
		return head{}, false, errors.New("it leaves the partition out of its answer")
	}
	got := &f.Topics[0].Partitions[0]
	switch b, found = firstBatch(got.RecordBatches); {
	case got.ErrorCode != 0:
		return head{}, false, errors.New(refused(got.ErrorCode))
	case found && b.epoch < 0:
		return head{}, false, errors.New("it has batches of a format that knows no epochs")
	}
	return b, found, nil
}

// head is what a batch's header says.
type head struct {
	epoch      int32
	base, next int64 // its first offset, and the one after its last
}

// Offsets in the header of a batch of format 2.
const (
	atLastDelta = 23
	headerEnd   = 27
)

// firstBatch reads the header of the first batch; of a format without epochs its epoch is -1.
func firstBatch(raw []byte) (head, bool) {
	switch {
	case len(raw) < headerEnd:
		return head{}, false
	case raw[atMagic] != 2:
		return head{epoch: -1}, true
	}
	base := int64(binary.BigEndian.Uint64(raw))
	return head{epoch: int32(binary.BigEndian.Uint32(raw[atEpoch:])), base: base, next: base + int64(int32(binary.BigEndian.Uint32(raw[atLastDelta:]))) + 1}, true
}
