package simbroker

import (
	"slices"
	"time"

	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce, v3-11: acks 0, 1 and all.
func produce(p *process, _ *request, req *kmsg.ProduceRequest, reply func(kmsg.Response)) {
	w := &produceCall{resp: respond[*kmsg.ProduceResponse](req), reply: reply}
	if req.Acks == 0 {
		w.reply = func(kmsg.Response) { reply(nil) }
	}
	var waits []*produceWait
	for _, t := range req.Topics {
		out := kmsg.NewProduceResponseTopic()
		out.Topic = t.Topic
		for _, rp := range t.Partitions {
			pr := kmsg.NewProduceResponseTopicPartition()
			pr.Partition, pr.BaseOffset, pr.LogAppendTime = rp.Partition, -1, -1
			id := partition.ID{Topic: t.Topic, Number: rp.Partition}
			base, end, err := p.append(id, rp.Records, req.Acks)
			if pr.ErrorCode = code(err); err == nil {
				pr.BaseOffset, pr.LogStartOffset = base, 0
				if req.Acks == -1 {
					waits = append(waits, &produceWait{call: w, topic: len(w.resp.Topics), index: len(out.Partitions), id: id, end: end})
				}
			} else {
				pr.CurrentLeader.LeaderID, pr.CurrentLeader.LeaderEpoch = p.cache.leaderOf(id)
			}
			out.Partitions = append(out.Partitions, pr)
		}
		w.resp.Topics = append(w.resp.Topics, out)
	}
	w.open = len(waits) + 1
	for _, pw := range waits {
		r := p.parts[pw.id]
		r.produces = append(r.produces, pw)
		p.settleProduces(r)
	}
	if w.closeOne(); w.open > 0 {
		w.timer = p.after(time.Duration(req.TimeoutMillis)*ms, func() { p.expireProduce(w, waits) })
	}
}

// produceCall is a request that may wait for replicas of several partitions.
type produceCall struct {
	resp  *kmsg.ProduceResponse
	reply func(kmsg.Response)
	open  int
	timer *time.Timer
}

func (w *produceCall) closeOne() {
	if w.open--; w.open > 0 {
		return
	}
	if w.timer != nil {
		w.timer.Stop()
	}
	w.reply(w.resp)
}

// produceWait is one partition of it.
type produceWait struct {
	call         *produceCall
	topic, index int
	id           partition.ID
	end          int64
	done         bool
}

func (w *produceWait) set(err *kerr.Error) {
	if w.done {
		return
	}
	w.done = true
	w.call.resp.Topics[w.topic].Partitions[w.index].ErrorCode = code(err)
	w.call.closeOne()
}

// finish ends a wait because the replica's role has.
func (w *produceWait) finish(_ *process, r *replica) {
	if r.offline {
		w.set(kerr.KafkaStorageError)
		return
	}
	w.set(kerr.NotLeaderForPartition)
}

// append appends to a partition that is led here.
func (p *process) append(id partition.ID, records []byte, acks int16) (base, end int64, e *kerr.Error) {
	r, e := p.leader(id, noEpoch)
	if e != nil {
		return 0, 0, e
	}
	batches, err := parseBatches(records)
	switch {
	case err != nil || len(batches) == 0:
		return 0, 0, kerr.CorruptMessage
	case len(batches) > 1: // since v3
		return 0, 0, kerr.InvalidRecord
	// With acks=all the committed ISR counts, before anything is written.
	case acks == -1 && !p.enough(r, r.isr):
		return 0, 0, kerr.NotEnoughReplicas
	}
	rb := &batches[0]
	at, known, e := r.log.sequence(rb)
	if e != nil || known {
		return at, at + rb.lastDelta() + 1, e
	}
	rb.place(r.log.end(), r.leaderEpoch)
	r.log.append(*rb)
	base, end = rb.base, r.log.end()
	p.advance(r)
	p.wake(r.id)
	return base, end, nil
}

// settleProduces answers who waited for what the high watermark has passed; a new leader
// epoch of the same leader changes nothing for them. If the ISR became too small
// meanwhile the records are there, but not as safe as asked for.
func (p *process) settleProduces(r *replica) {
	r.produces = slices.DeleteFunc(r.produces, func(w *produceWait) bool {
		switch {
		case w.done:
		case r.high < w.end:
			return false
		case !p.enough(r, r.maximal()):
			w.set(kerr.NotEnoughReplicasAfterAppend)
		default:
			w.set(nil)
		}
		return true
	})
}

func (p *process) expireProduce(w *produceCall, waits []*produceWait) {
	for _, pw := range waits {
		if r := p.parts[pw.id]; r != nil {
			r.produces = slices.DeleteFunc(r.produces, func(o *produceWait) bool { return o == pw })
		}
		pw.set(kerr.RequestTimedOut)
	}
}

// leader returns a partition that is led here. epoch is the one the client knows, or
// noEpoch.
func (p *process) leader(id partition.ID, epoch int32) (*replica, *kerr.Error) {
	r := p.parts[id]
	switch {
	case r != nil && r.offline:
		return nil, kerr.KafkaStorageError
	case r == nil || r.leaderEpoch < 0:
		if _, ok := p.cache.parts[id]; ok {
			return nil, kerr.NotLeaderForPartition
		}
		return nil, kerr.UnknownTopicOrPartition
	}
	if err := r.fenced(epoch); err != nil {
		return nil, err
	}
	if r.role != leading {
		return nil, kerr.NotLeaderForPartition
	}
	return r, nil
}

// fenced says what is wrong with the leader epoch that a client knows.
func (r *replica) fenced(epoch int32) *kerr.Error {
	switch {
	case epoch != noEpoch && epoch < r.leaderEpoch:
		return kerr.FencedLeaderEpoch
	case epoch != noEpoch && epoch > r.leaderEpoch:
		return kerr.UnknownLeaderEpoch
	}
	return nil
}

// local returns a replica whose log is open, whether it leads or not: who asks as a debugging consumer, or as a reader within
// the broker, is served by any. One that was never told of has no log: the broker opens it with a LeaderAndIsr, also with one
// whose leader it does not know [observed 2.4.1 to 3.9.1].
func (p *process) local(id partition.ID, epoch int32) (*replica, *kerr.Error) {
	r := p.parts[id]
	switch {
	case r != nil && r.offline:
		return nil, kerr.KafkaStorageError
	case r == nil || r.log == nil:
		if _, ok := p.cache.parts[id]; ok && r == nil {
			return nil, kerr.NotLeaderForPartition
		}
		return nil, kerr.UnknownTopicOrPartition
	}
	if err := r.fenced(epoch); err != nil {
		return nil, err
	}
	return r, nil
}
