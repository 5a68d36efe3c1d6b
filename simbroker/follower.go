package simbroker

import (
	"net"
	"slices"
	"time"

	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetcher copies from one leader for as long as there is something to follow there.
type fetcher struct {
	p      *process
	leader int32
	conn   net.Conn
	seq    int32
}

// fetchPlan is one request, as the loop made it. With nothing ready it says how long to
// wait; ended means that the fetcher is done.
type fetchPlan struct {
	req   *kmsg.FetchRequest
	ids   map[[16]byte]string
	sent  map[partition.ID]position
	addr  string
	wait  time.Duration
	ended bool
}

// position is where a follower was when it asked; the answer counts only there.
type position struct {
	epoch  int32
	offset int64
}

// fetchFrom makes sure that a leader is fetched from.
func (p *process) fetchFrom(leader int32) {
	if p.fetchers[leader] != nil {
		return
	}
	f := &fetcher{p: p, leader: leader}
	p.fetchers[leader] = f
	p.spawn(f.run)
}

func (f *fetcher) run() {
	defer f.hangUp()
	for {
		plan, ok := ask(f.p, func() fetchPlan { return f.p.planFetch(f.leader) })
		if !ok || plan.ended {
			return
		}
		if plan.req == nil {
			if !f.p.sleep(plan.wait) {
				return
			}
			continue
		}
		resp, err := f.once(plan)
		if err != nil {
			f.hangUp()
			if !f.p.sleep(f.p.opts.FetchBackoff) {
				return
			}
			continue
		}
		if !f.p.post(func() { f.p.copied(plan, resp) }) {
			return
		}
	}
}

func (f *fetcher) hangUp() {
	if f.conn != nil {
		_ = f.conn.Close()
		f.conn = nil
	}
}

func (f *fetcher) once(plan fetchPlan) (resp *kmsg.FetchResponse, err error) {
	if f.conn == nil {
		if f.conn, err = f.p.dial(plan.addr); err != nil {
			f.conn = nil
			return nil, err
		}
	}
	f.seq++
	r, err := f.p.exchange(f.conn, f.seq, plan.req, f.p.opts.RequestTimeout)
	if err != nil {
		return nil, err
	}
	resp = r.(*kmsg.FetchResponse)
	return resp, kerr.ErrorForCode(resp.ErrorCode)
}

// planFetch asks for everything that follows a leader and does not back off. v13+ need
// the id of every topic; without, names and v12 do.
func (p *process) planFetch(leader int32) fetchPlan {
	plan := fetchPlan{ids: map[[16]byte]string{}, sent: map[partition.ID]position{}, wait: p.opts.FetchBackoff, ended: true}
	var ready []*replica
	version, now := int16(17), time.Now()
	for _, r := range p.parts {
		if r.role != following || r.leader != leader || r.failed {
			continue
		}
		plan.ended = false
		if left := r.notBefore.Sub(now); left > 0 {
			plan.wait = min(plan.wait, left)
			continue
		}
		ready = append(ready, r)
		if r.log.topicID == ([16]byte{}) {
			version = 12
		}
	}
	if plan.ended {
		delete(p.fetchers, leader)
		return plan
	}
	if plan.addr = p.cache.address(leader, p.opts.InterBroker); plan.addr == "" || len(ready) == 0 {
		return plan
	}
	slices.SortFunc(ready, func(a, b *replica) int { return partition.Compare(a.id, b.id) })
	plan.req = p.fetchRequest(version, ready, &plan)
	return plan
}

func (p *process) fetchRequest(version int16, ready []*replica, plan *fetchPlan) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID = version, p.opts.ID
	req.ReplicaState.ID, req.ReplicaState.Epoch = p.opts.ID, noBrokerEpoch
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(p.opts.FetchWait/ms), 1, 10<<20
	req.SessionEpoch = -1
	for _, r := range ready {
		n := len(req.Topics)
		if n == 0 || req.Topics[n-1].Topic != r.id.Topic {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = r.id.Topic, r.log.topicID
			req.Topics, plan.ids[t.TopicID] = append(req.Topics, t), t.Topic
			n++
		}
		fp := kmsg.NewFetchRequestTopicPartition()
		fp.Partition, fp.CurrentLeaderEpoch, fp.FetchOffset = r.id.Number, r.leaderEpoch, r.log.end()
		fp.LastFetchedEpoch, fp.PartitionMaxBytes = r.log.lastEpoch(), 1<<20
		plan.sent[r.id] = position{r.leaderEpoch, r.log.end()}
		req.Topics[n-1].Partitions = append(req.Topics[n-1].Partitions, fp)
	}
	return req
}

// copied takes a leader's answer in.
func (p *process) copied(plan fetchPlan, resp *kmsg.FetchResponse) {
	for _, t := range resp.Topics {
		name := t.Topic
		if resp.Version >= 13 {
			name = plan.ids[t.TopicID]
		}
		for i := range t.Partitions {
			id := partition.ID{Topic: name, Number: t.Partitions[i].Partition}
			r, at := p.parts[id], plan.sent[id]
			if r != nil && r.role == following && !r.offline && (position{r.leaderEpoch, r.log.end()}) == at {
				p.copiedOne(r, &t.Partitions[i])
			}
		}
	}
}

func (p *process) copiedOne(r *replica, pr *kmsg.FetchResponseTopicPartition) {
	switch e := pr.ErrorCode; {
	case e == kerr.FencedLeaderEpoch.Code:
		r.failed = true // a LeaderAndIsr is on its way
		return
	case e == kerr.OffsetOutOfRange.Code:
		// The leader cannot say where the logs part: all that is not committed goes.
		r.log.truncate(r.high)
		fallthrough
	case e != 0:
		r.notBefore = time.Now().Add(p.opts.FetchBackoff)
		return
	case pr.DivergingEpoch.Epoch >= 0:
		p.truncate(r, pr.DivergingEpoch.Epoch, pr.DivergingEpoch.EndOffset)
		return
	}
	batches, err := parseBatches(pr.RecordBatches)
	if err != nil {
		r.notBefore = time.Now().Add(p.opts.FetchBackoff)
		return
	}
	for _, b := range batches {
		if b.base == r.log.end() {
			r.log.append(b)
		}
	}
	r.high = max(min(pr.HighWatermark, r.log.end()), 0)
}

// truncate cuts off what the leader does not have: it said where its largest epoch not
// above ours ends (KIP-101, KIP-279).
func (p *process) truncate(r *replica, epoch int32, end int64) {
	to := min(end, r.log.end())
	if _, ourEnd, found := r.log.endOf(epoch); found {
		to = min(to, ourEnd)
	}
	p.logf("%v: truncating from %d to %d", r.id, r.log.end(), to)
	r.log.truncate(to)
	r.high = min(r.high, r.log.end())
}
