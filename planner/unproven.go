package planner

import (
	"slices"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
)

// No AlterPartition of a ZooKeeper cluster says which incarnation of a broker its leader
// means (before v3 there is no field, in v3 they send -1). So a leader may ask for a
// follower that has restarted since, perhaps with less in its log (KIP-903). A broker that
// has registered is unproven for what it hosts, and not added to an ISR, until
//   - it has answered a LeaderAndIsr for the partition, so that it fetches as what it is
//     now and the leader has learned where its log ends, and proofTime has passed; or
//   - the partition has a new leader epoch: its earlier incarnation never fetched under it.

// proofTime is how long after a follower's answer its leader may still ask because of what
// it saw before the restart, in milliseconds. Such a request was made before the process
// ended, and a broker needs more than a second to start: it would have been on its way for
// two. An ISR grows that much later at the most; followers ask for themselves with each
// fetch, two times a second.
const proofTime Millis = 1000

// proof is complete at some time for partitions whose LeaderAndIsr was answered.
type proof struct {
	at    Millis
	slots cluster.Slots
}

// proved: the broker has answered a LeaderAndIsr for the partition.
func (m *Machine) proved(l *ledger, slot int32) {
	if !l.unproven.Has(slot) || l.answered.Has(slot) {
		return
	}
	l.answered.Add(slot)
	at := m.now + proofTime
	if n := len(l.proofs); n == 0 || l.proofs[n-1].at != at {
		l.proofs = append(l.proofs, proof{at: at})
	}
	l.proofs[len(l.proofs)-1].slots.Add(slot)
}

// newEpoch: a new leader epoch of the partition is acknowledged.
func (m *Machine) newEpoch(p *cluster.Partition) {
	for _, b := range p.Assignment.Replicas {
		if l := m.ledgers[b]; l != nil {
			l.unproven.Remove(p.Slot())
		}
	}
}

// forgetProved drops what has become true, so that the books stay small.
func (m *Machine) forgetProved() {
	for _, l := range m.ledgers {
		for len(l.proofs) > 0 && l.proofs[0].at <= m.now {
			l.unproven.RemoveAll(&l.proofs[0].slots)
			l.proofs = l.proofs[1:]
		}
	}
}

// unprovenAmong returns the brokers that a request adds without a proof. It is asked when
// the request arrives: it would not become newer by waiting for a write.
func (m *Machine) unprovenAmong(p *cluster.Partition, it *alterItem) isr.Set {
	return it.req.ISR.Filter(func(b int32) bool {
		l := m.ledgers[b]
		if p == nil || p.State.ISR.Has(b) || l == nil {
			return false
		}
		return l.unproven.Has(p.Slot()) && !slices.ContainsFunc(l.proofs, func(x proof) bool { return x.at <= m.now && x.slots.Has(p.Slot()) })
	})
}

// proven reports whether a request may add a broker, as far as its restarts go.
func (m *Machine) proven(p *cluster.Partition, it *alterItem, b int32) bool {
	return p.State.ISR.Has(b) || !it.unproven.Has(b) && !m.im.LearnedAfter(it.view, b)
}

// fenceStale deals with leaders up to 3.1, which never take a request back that was
// refused with a code they may be given: the partition gets a new leader epoch, and the
// request is answered as what it is then, of an older one.
func (m *Machine) fenceStale(it *alterItem) (done bool) {
	due := m.bump[it.id] // a new epoch for another reason, which still has to be told, does as well
	if due == "" {
		m.bump[it.id] = partition.Refence
	}
	m.decide(it.id)
	if m.inflight.of(m.im.Partition(it.id)) == nil {
		if due == "" {
			delete(m.bump, it.id)
		}
		return false
	}
	m.waiting[it.id] = append(m.waiting[it.id], it)
	return true
}

// refence is when a partition may have another leader epoch because of fenceIneligible.
type refence struct{ next, wait Millis }

const (
	minRefence Millis = 2_000
	maxRefence Millis = 16_000
)

// fenceIneligible is fenceStale for a member that may not be in the ISR, such as one that has
// lost its ZooKeeper session and goes on fetching. Until it has a new epoch a leader up to
// 3.1 counts on everyone it has asked for: when that follower stops, no write with acks=all
// is acknowledged any more. As the leader asks again as soon as the follower has fetched
// again, a partition gets an epoch for it only every few seconds. Meanwhile the answer is
// UNKNOWN_SERVER_ERROR with the next tick: the leader takes it as it takes
// OPERATION_NOT_ATTEMPTED, asks again and may be fenced then, but at once on both; any code
// on which it gave up would freeze its ISR for good (08.3).
func (m *Machine) fenceIneligible(it *alterItem) (done bool) {
	r := m.refenced[it.id]
	if r.next > m.now {
		m.unread = append(m.unread, it)
		return true
	}
	wait := min(max(2*r.wait, minRefence), maxRefence)
	m.refenced[it.id] = refence{m.now + wait, wait}
	return m.fenceStale(it)
}

// forgetRefenced starts anew with partitions of which nobody has asked so for a while.
func (m *Machine) forgetRefenced() {
	for id, r := range m.refenced {
		if m.now >= r.next+maxRefence {
			delete(m.refenced, id)
		}
	}
}
