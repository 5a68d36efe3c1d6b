package planner

import (
	"baton/cluster"
	"baton/epoch"
	"baton/partition"
)

// ledger is what one incarnation of a broker still has to be told. Whatever is not in
// it was acknowledged on this czxid. It holds no states, only what is outdated: a
// request is built from the image when the channel is free, so a broker always hears
// the newest state and a slow one costs no memory.
type ledger struct {
	epoch epoch.Broker
	conn  uint64
	up    bool
	lai   cluster.Slots // LeaderAndIsr to send
	isNew cluster.Slots // those of lai that are to be told as new; sticky
	um    cluster.Slots
	sr    cluster.Slots // StopReplica without delete
	// gone are partitions of topics that are deleted, or about to be: the broker is to
	// forget them before it hears anything else.
	gone map[partition.ID]struct{}
	// removals are the replicas to stop and delete, see stopdelete.go.
	removals map[partition.ID]*removal
	// whole: at some moment nothing of um was left, so that the broker knows every partition.
	whole bool
	// stopAgain is when what a broker would not stop is tried again.
	stopAgain Millis
	live      uint64         // generation of the live list it acknowledged, 0 = none
	knows     map[int32]bool // the ids of that list
	out       *outstanding
	until     Millis // back-off after a refused request
	fails     int
	// later holds partitions that the broker would not take in: each waits by itself, so
	// that one of them does not keep the broker from hearing of the others.
	later map[partition.ID]wait
	// unproven holds partitions that this incarnation may not join the ISR of yet; of those answered it has taken in a LeaderAndIsr, so
	// that their proofs will be complete.
	unproven, answered cluster.Slots
	proofs             []proof
	// doubt is when metadata that may have been overwritten by a frame of a broken
	// connection is sent again: brokers put UpdateMetadata in no order but that of its
	// arrival, and a frame that was on its way may arrive after its successor.
	doubt   Millis
	doubted []partition.ID
	// revived holds partitions of which a LeaderAndIsr was lost with its connection, until
	// when it may still arrive and make a log that was deleted meanwhile anew.
	revived map[partition.ID]Millis
	held    map[partition.ID]*heldBack // see returned.go
}

// doubtAfter is how long such a frame may take at the most, in milliseconds: longer
// than a broker keeps a request that it has read.
const doubtAfter Millis = 10_000

type wait struct {
	until Millis
	fails int
}

// outstanding is the one request a broker has not answered yet.
type outstanding struct {
	seq   uint64
	kind  RequestKind
	items cluster.Slots
	isNew cluster.Slots
	named []TopicStates // LeaderAndIsr, UpdateMetadata: all that it names, forgotten ones too
	opens bool          // LeaderAndIsr: it only has logs opened
	live  uint64
	knows map[int32]bool
	// removals: the request is a StopReplica with delete, items is empty then.
	removals map[partition.ID]*removal
	gone     map[partition.ID]bool // UpdateMetadata: what it has the broker forget
}

func newLedger(e epoch.Broker) *ledger {
	return &ledger{
		epoch:    e,
		removals: map[partition.ID]*removal{}, gone: map[partition.ID]struct{}{}, later: map[partition.ID]wait{},
		revived: map[partition.ID]Millis{}, held: map[partition.ID]*heldBack{},
	}
}

func (l *ledger) addLAI(slot int32, isNew bool) {
	l.lai.Add(slot)
	if isNew {
		l.isNew.Add(slot)
	}
}

func (l *ledger) dropLAI(slot int32) {
	l.lai.Remove(slot)
	l.isNew.Remove(slot)
}

// forget drops what was still to be told of a partition, but not that it is gone and that
// its log is to be deleted: a broker must hear so before the name comes back.
func (l *ledger) forget(id partition.ID, slot int32) {
	l.dropLAI(slot)
	l.um.Remove(slot)
	l.sr.Remove(slot)
	delete(l.later, id)
	l.unproven.Remove(slot)
	delete(l.held, id)
	if l.out != nil {
		l.out.items.Remove(slot)
		l.out.isNew.Remove(slot)
	}
}

// untell puts what was under way back: it has no answer, so it was not told.
func (l *ledger) untell() {
	if l.out == nil {
		return
	}
	switch l.out.kind {
	case LeaderAndISR:
		l.lai.AddAll(&l.out.items)
		l.isNew.AddAll(&l.out.isNew)
	case UpdateMetadata:
		l.um.AddAll(&l.out.items)
	case StopReplica:
		l.sr.AddAll(&l.out.items)
	}
	l.putBack(0)
	for id := range l.out.gone {
		l.gone[id] = struct{}{}
	}
	l.out = nil
}

// announceLeadership has all replicas told of a new leader epoch, and everybody of the
// new state.
func (m *Machine) announceLeadership(id partition.ID, p *cluster.Partition) {
	if m.im.Topic(id.Topic).Deleting {
		return
	}
	for _, b := range p.Told().Replicas {
		if l := m.ledgers[b]; l != nil {
			l.addLAI(p.Slot(), m.isNewOn(b, id, p))
			delete(l.later, id)
		}
	}
	m.announceMetadata(id)
}

// announceMetadata has all brokers told of a partition's state, if it has one.
func (m *Machine) announceMetadata(id partition.ID) {
	p := m.im.Partition(id)
	if p == nil || !p.Known || m.im.Topic(id.Topic).Deleting {
		return // it would be an empty request to everybody
	}
	m.bodies = nil
	for _, l := range m.ledgers {
		l.um.Add(p.Slot())
	}
}

// announceHosted has all brokers told of the states of what a broker hosts.
func (m *Machine) announceHosted(broker int32) {
	var news cluster.Slots
	for slot := range m.im.HostedBy(broker).All() {
		if t, p := m.im.At(slot); p.Known && !t.Deleting {
			news.Add(slot)
		}
	}
	m.bodies = nil
	for _, l := range m.ledgers {
		l.um.AddAll(&news)
	}
}

// knowsOf reports whether nothing about the partition is left to be told.
func (l *ledger) knowsOf(slot int32) bool {
	return !l.lai.Has(slot) && !l.um.Has(slot) && (l.out == nil || !l.out.items.Has(slot))
}
