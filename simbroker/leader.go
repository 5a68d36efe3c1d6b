package simbroker

import (
	"slices"
	"time"
)

// fetched notes a follower's fetch at an offset (3.9: Replica.updateFetchState) and lets
// the follower into the ISR when it has caught up.
func (p *process) fetched(r *replica, id int32, offset int64) {
	f := r.followers[id]
	if f == nil {
		return
	}
	now, end := time.Now(), r.log.end()
	switch {
	case offset >= end:
		f.caughtUp = now
	case offset >= f.leaderEnd && !f.lastFetch.IsZero():
		// It has what was there when it asked the last time.
		f.caughtUp = f.lastFetch
	}
	f.end, f.leaderEnd, f.lastFetch = offset, end, now
	p.maybeExpand(r, id)
	p.advance(r)
}

// maximal is the ISR with what was asked for and may be granted: an addition counts from
// the moment it is asked for, a removal only once it is acknowledged.
func (r *replica) maximal() []int32 {
	if r.pending != nil && r.pending.expand {
		return r.pending.isr
	}
	return r.isr
}

// enough reports whether so many in-sync replicas are min.insync.replicas or more; 3.7+ do
// not ask for more than there are replicas.
func (p *process) enough(r *replica, members []int32) bool {
	want := p.minISR[r.id.Topic]
	if want == 0 {
		want = p.opts.MinISR
	}
	return len(members) >= min(want, len(r.replicas))
}

// advance moves the high watermark to what every member of the maximal ISR has, and also
// waits for those about to join it.
func (p *process) advance(r *replica) {
	// 3.7+: below min.insync.replicas nothing becomes committed.
	if r.role != leading || !p.enough(r, r.isr) {
		return
	}
	high, isr, now := r.log.end(), r.maximal(), time.Now()
	for id, f := range r.followers {
		joining := now.Sub(f.caughtUp) <= p.opts.LagTime && p.cache.alive(id)
		if slices.Contains(isr, id) || joining {
			high = min(high, f.end)
		}
	}
	if high <= r.high {
		return
	}
	r.high = high
	p.settleProduces(r)
	p.wake(r.id)
}

// maybeExpand asks for a follower that has all that is committed, and all that the
// leader had when its epoch began (3.9: isFollowerInSync). 3.3+: only live brokers.
func (p *process) maybeExpand(r *replica, id int32) {
	f := r.followers[id]
	if r.pending != nil || slices.Contains(r.isr, id) || f.end < r.high || f.end < r.epochStart || !p.cache.alive(id) {
		return
	}
	p.alterISR(r, append(slices.Clone(r.isr), id), true)
}

// shrinkISRs drops followers that have been behind for the whole lag time.
func (p *process) shrinkISRs() {
	now := time.Now()
	for _, r := range p.parts {
		if r.role != leading || r.pending != nil {
			continue
		}
		end := r.log.end()
		isr := slices.DeleteFunc(slices.Clone(r.isr), func(id int32) bool {
			f := r.followers[id]
			return id != p.opts.ID && (f == nil || f.end != end && now.Sub(f.caughtUp) > p.opts.LagTime)
		})
		if len(isr) < len(r.isr) {
			p.alterISR(r, isr, false)
		}
	}
}
