package coresim

import (
	"slices"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// plog is one replica's log.
type plog struct {
	recs  []rec
	czxid int64 // of the topic that it was made for
}

type rec struct {
	epoch epoch.Leader
	id    int
}

// fetch copies from the leader, if that one leads in the same epoch. What diverges is
// cut off first (KIP-101). The leader learns the log end as it was before the copy.
func (p *process) fetch(id partition.ID, h *hosted) {
	s := p.b.s
	leader := s.broker(h.leader)
	if leader.proc == nil || s.r.chance(s.p.fetchFails) && !s.healed || s.lags(p.b.id, id) {
		return
	}
	lh := leader.proc.parts[id]
	if lh == nil || !lh.leading || lh.epoch != h.epoch || !slices.Contains(lh.replicas, p.b.id) {
		return
	}
	mine, theirs := p.b.logs[id], leader.logs[id]
	n := 0
	for n < len(mine.recs) && n < len(theirs.recs) && mine.recs[n] == theirs.recs[n] {
		n++
	}
	if !h.truncated || n < len(mine.recs) {
		h.truncated = true
		mine.recs = mine.recs[:n]
	}
	lh.ends[p.b.id], lh.fetched[p.b.id] = n, s.now
	upto := min(len(theirs.recs), n+5)
	mine.recs = append(mine.recs[:n:n], theirs.recs[n:upto]...)
}

// advance moves the high watermark to what the whole ISR has, members just asked for
// included, and acknowledges.
func (p *process) advance(id partition.ID, h *hosted) {
	if h.writing {
		return
	}
	l := p.b.logs[id]
	high := len(l.recs)
	for _, set := range []isr.Set{h.isr, h.pending} {
		for _, m := range set {
			if m != p.b.id {
				high = min(high, h.ends[m])
			}
		}
	}
	for h.high < high {
		p.b.s.acknowledge(id, l.recs[h.high].id)
		h.high++
	}
}

// acknowledge remembers a record that a producer was told is safe.
func (s *sim) acknowledge(id partition.ID, record int) {
	if !slices.Contains(s.acked[id], record) {
		s.acked[id] = append(s.acked[id], record)
	}
}

// produce appends a record to whoever believes to lead; producers are not exact either.
func (s *sim) produce() {
	s.after(s.r.between(100, 300), func() {
		if !s.healed {
			s.produce()
		}
		b := pick(&s.r, s.brokers)
		if b.proc == nil {
			return
		}
		for _, id := range sortedIDs(b.proc.parts) {
			if h := b.proc.parts[id]; h.leading && s.r.chance(70) {
				s.record++
				l := b.logs[id]
				l.recs = append(l.recs, rec{h.epoch, s.record})
			}
		}
	})
}

// wanted is the ISR a leader would like to have, nil if it is content.
func (p *process) wanted(h *hosted, id partition.ID) isr.Set {
	s, end := p.b.s, len(p.b.logs[id].recs)
	if h.frozen || s.now-h.since < 1500 {
		return nil
	}
	next := h.isr.Filter(func(m int32) bool {
		at, ok := h.fetched[m]
		return m == p.b.id || ok && s.now-at < 2500
	})
	if next.Equal(h.isr) {
		for _, m := range h.replicas {
			if at, ok := h.fetched[m]; ok && !h.isr.Has(m) && s.now-at < 700 && h.ends[m] >= end && (p.b.old || slices.Contains(p.live, m)) {
				return append(next, m)
			}
		}
		return nil
	}
	return next
}

// askISR sends one AlterPartition for all partitions that want another ISR; what was
// asked for stays asked for until it is answered.
func (p *process) askISR() {
	if p.asking {
		return
	}
	call := planner.AlterPartition{Broker: p.b.id, BrokerEpoch: p.epoch, Version: p.b.version}
	for _, id := range sortedIDs(p.parts) {
		h := p.parts[id]
		if !h.leading || h.frozen {
			continue
		}
		if h.pending == nil {
			h.pending = p.wanted(h, id)
		}
		if h.pending == nil {
			continue
		}
		call.Items = append(call.Items, planner.AlterItem{
			Topic: id.Topic, TopicID: p.topicIDs[id.Topic].ID, Number: id.Number,
			Request: isr.AlterRequest{LeaderEpoch: h.epoch, PartitionEpoch: h.version, ISR: slices.Clone(h.pending)},
		})
	}
	if len(call.Items) == 0 {
		return
	}
	p.asking = true
	p.b.s.call(p, call, func(body planner.ReplyBody) {
		p.asking = false
		if r, ok := body.(planner.AlterPartitionReply); ok && p.alive && r.Err == nil {
			for i, it := range r.Items {
				p.altered(partition.ID{Topic: call.Items[i].Topic, Number: it.Number}, call.Items[i].Request, it)
			}
		}
	})
}

// altered is 08.3's table for 3.3 and later, and for 2.7 to 3.1.
func (p *process) altered(id partition.ID, asked isr.AlterRequest, it planner.AlterItemReply) {
	h := p.parts[id]
	if h == nil || !h.leading || h.epoch != asked.LeaderEpoch {
		return
	}
	if it.Err == nil {
		if it.State.LeaderEpoch == h.epoch && it.State.PartitionEpoch >= h.version {
			h.isr, h.version, h.pending = it.State.ISR, it.State.PartitionEpoch, nil
		}
		return
	}
	p.b.s.mark("alter-refused-" + it.Err.Message)
	old := p.b.version == 0 // up to 3.1
	switch it.Err.Code {
	case 3, 74, 95:
		h.frozen = true
	case 42, 100:
		h.frozen = !old // else it is asked for again
	case 55, 107:
		if !old {
			h.pending = nil
		}
	}
}
