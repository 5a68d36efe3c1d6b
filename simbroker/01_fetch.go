package simbroker

import (
	"slices"
	"time"

	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch, v4-17, for consumers and followers. v12+ find diverging logs while fetching,
// v13+ name topics by id. Sessions are never opened, which every client understands.
func fetch(p *process, _ *request, req *kmsg.FetchRequest, reply func(kmsg.Response)) {
	if req.SessionID != 0 {
		resp := respond[*kmsg.FetchResponse](req)
		resp.ErrorCode = kerr.FetchSessionIDNotFound.Code
		reply(resp)
		return
	}
	w := &fetchWait{req: req, reply: reply, follower: req.ReplicaID}
	if req.Version >= 15 {
		w.follower = req.ReplicaState.ID
	}
	p.noteFetches(w)
	if w.try(p, false) || req.MaxWaitMillis <= 0 {
		w.try(p, true)
		return
	}
	for _, id := range w.ids {
		if p.waiting[id] == nil {
			p.waiting[id] = map[*fetchWait]struct{}{}
		}
		p.waiting[id][w] = struct{}{}
	}
	w.timer = p.after(time.Duration(req.MaxWaitMillis)*ms, func() { w.try(p, true) })
}

// fetchWait is a fetch that waits for bytes.
type fetchWait struct {
	req      *kmsg.FetchRequest
	reply    func(kmsg.Response)
	follower int32 // -1: a consumer
	ids      []partition.ID
	timer    *time.Timer
	done     bool
}

// noteFetches tells each partition where the follower is, once for each fetch.
func (p *process) noteFetches(w *fetchWait) {
	for _, t := range w.req.Topics {
		name := p.fetchedTopic(w.req, &t)
		for _, fp := range t.Partitions {
			id := partition.ID{Topic: name, Number: fp.Partition}
			w.ids = append(w.ids, id)
			if w.follower < 0 {
				continue
			}
			r, e := p.leader(id, fp.CurrentLeaderEpoch)
			if e == nil && p.diverges(r, w.req.Version, &fp) == nil && fp.FetchOffset <= r.log.end() {
				p.fetched(r, w.follower, fp.FetchOffset)
			}
		}
	}
}

// fetchedTopic returns the name of a topic in a fetch, "" for an unknown id.
func (p *process) fetchedTopic(req *kmsg.FetchRequest, t *kmsg.FetchRequestTopic) string {
	if req.Version < 13 {
		return t.Topic
	}
	name, _ := p.cache.topicOf(t.TopicID)
	return name
}

// try answers if there are enough bytes, an error, or something that cannot wait.
func (w *fetchWait) try(p *process, force bool) bool {
	if w.done {
		return true
	}
	resp := respond[*kmsg.FetchResponse](w.req)
	size, urgent, i := 0, false, 0
	left := w.req.MaxBytes
	for _, t := range w.req.Topics {
		out := kmsg.NewFetchResponseTopic()
		out.Topic, out.TopicID = t.Topic, t.TopicID
		for j := range t.Partitions {
			fp := &t.Partitions[j]
			pr, now := p.fetchOne(w, w.ids[i], t.TopicID, fp, min(fp.PartitionMaxBytes, left))
			i++
			urgent = urgent || now || pr.ErrorCode != 0
			size += len(pr.RecordBatches)
			left = max(left-int32(len(pr.RecordBatches)), 0)
			out.Partitions = append(out.Partitions, pr)
		}
		resp.Topics = append(resp.Topics, out)
	}
	if !force && !urgent && (size < int(w.req.MinBytes) || len(w.ids) == 0) {
		return false
	}
	w.finish(p, resp)
	return true
}

func (w *fetchWait) finish(p *process, resp kmsg.Response) {
	w.done = true
	if w.timer != nil {
		w.timer.Stop()
	}
	for _, id := range w.ids {
		delete(p.waiting[id], w)
		if r := p.parts[id]; r != nil && r.followers[w.follower] != nil {
			r.followers[w.follower].toldHigh = r.high
		}
	}
	w.reply(resp)
}

// fetchOne reads one partition; urgent says that the answer cannot wait for bytes.
func (p *process) fetchOne(w *fetchWait, id partition.ID, topicID [16]byte, fp *kmsg.FetchRequestTopicPartition, maxBytes int32) (pr kmsg.FetchResponseTopicPartition, urgent bool) {
	pr = kmsg.NewFetchResponseTopicPartition()
	pr.Partition, pr.HighWatermark, pr.LastStableOffset, pr.LogStartOffset = fp.Partition, -1, -1, -1
	pr.PreferredReadReplica = -1
	if w.req.Version >= 13 && id.Topic == "" {
		pr.ErrorCode = kerr.UnknownTopicID.Code
		return pr, true
	}
	find := p.leader
	if w.follower == futureReplica {
		find = p.local
	}
	r, e := find(id, fp.CurrentLeaderEpoch)
	switch {
	case e != nil:
	case w.req.Version >= 13 && r.log.topicID != topicID:
		e = kerr.InconsistentTopicID
	case w.follower >= 0 && r.followers[w.follower] == nil:
		e = kerr.NotLeaderForPartition // 3.x, for a replica that is not assigned
	}
	if e != nil {
		pr.ErrorCode = e.Code
		pr.CurrentLeader.LeaderID, pr.CurrentLeader.LeaderEpoch = p.cache.leaderOf(id)
		return pr, true
	}
	pr.HighWatermark, pr.LastStableOffset, pr.LogStartOffset = r.high, r.high, 0
	upTo := r.high
	switch {
	case w.follower == futureReplica:
		upTo = r.log.end()
	case w.follower >= 0:
		upTo = r.log.end()
		// A follower that does not know the high watermark is told at once (KIP-392).
		urgent = r.followers[w.follower].toldHigh < r.high
	}
	if d := p.diverges(r, w.req.Version, fp); d != nil {
		if d.Epoch == noEpoch {
			pr.ErrorCode = kerr.OffsetOutOfRange.Code
		} else {
			pr.DivergingEpoch = *d
		}
		return pr, true
	}
	if fp.FetchOffset < 0 || fp.FetchOffset > r.log.end() {
		pr.ErrorCode = kerr.OffsetOutOfRange.Code
		return pr, true
	}
	pr.RecordBatches = r.log.read(fp.FetchOffset, upTo, maxBytes)
	return pr, urgent
}

// diverges compares the fetcher's last epoch with our log (KIP-595's truncation on
// fetch, 2.7+); nil if they agree, an unknown epoch if that cannot be said.
func (p *process) diverges(r *replica, version int16, fp *kmsg.FetchRequestTopicPartition) *kmsg.FetchResponseTopicPartitionDivergingEpoch {
	if version < 12 || fp.LastFetchedEpoch < 0 {
		return nil
	}
	out := kmsg.NewFetchResponseTopicPartitionDivergingEpoch()
	epoch, end, found := r.log.endOf(fp.LastFetchedEpoch)
	if !found {
		out.Epoch = noEpoch
		return &out
	}
	if epoch < fp.LastFetchedEpoch || end < fp.FetchOffset {
		out.Epoch, out.EndOffset = epoch, end
		return &out
	}
	return nil
}

// wake lets the fetches of one partition look again.
func (p *process) wake(id partition.ID) { p.wakeThose([]partition.ID{id}) }

// wakeAll lets every fetch look again.
func (p *process) wakeAll() {
	ids := make([]partition.ID, 0, len(p.waiting))
	for id := range p.waiting {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, partition.Compare)
	p.wakeThose(ids)
}

// wakeThose lets each fetch that waits for one of the partitions look again: once, as it looks at all of its own.
func (p *process) wakeThose(ids []partition.ID) {
	var waits []*fetchWait
	seen := map[*fetchWait]struct{}{}
	for _, id := range ids {
		for w := range p.waiting[id] {
			if _, again := seen[w]; !again {
				seen[w] = struct{}{}
				waits = append(waits, w)
			}
		}
	}
	for _, w := range waits {
		w.try(p, false)
	}
	for _, id := range ids {
		if len(p.waiting[id]) == 0 {
			delete(p.waiting, id)
		}
	}
}
