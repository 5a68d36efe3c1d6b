package planner

import (
	"fmt"
	"slices"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ledger is what one incarnation of a broker still has to be told. Whatever is not in
// it was acknowledged on this czxid. It holds no states, only what is outdated: a
// request is built from the image when the channel is free, so a broker always hears
// the newest state and a slow one costs no memory.
type ledger struct {
	epoch epoch.Broker
	conn  uint64
	up    bool
	lai   map[partition.ID]bool // LeaderAndIsr to send; the value is isNew, sticky
	um    map[partition.ID]struct{}
	sr    map[partition.ID]struct{} // StopReplica without delete
	live  uint64                    // generation of the live list it acknowledged, 0 = none
	knows map[int32]bool            // the ids of that list
	out   *outstanding
	until Millis // back-off after a refused request
	fails int
	// later holds partitions that the broker would not take in: each waits by itself, so
	// that one of them does not keep the broker from hearing of the others.
	later map[partition.ID]wait
	// doubt is when metadata that may have been overwritten by a frame of a broken
	// connection is sent again: brokers put UpdateMetadata in no order but that of its
	// arrival, and a frame that was on its way may arrive after its successor.
	doubt   Millis
	doubted map[partition.ID]bool
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
	items map[partition.ID]bool
	live  uint64
	knows map[int32]bool
}

func newLedger(e epoch.Broker) *ledger {
	return &ledger{epoch: e, lai: map[partition.ID]bool{}, um: map[partition.ID]struct{}{}, sr: map[partition.ID]struct{}{}, later: map[partition.ID]wait{}}
}

func (l *ledger) addLAI(id partition.ID, isNew bool) { l.lai[id] = l.lai[id] || isNew }

func (l *ledger) forget(id partition.ID) {
	delete(l.lai, id)
	delete(l.um, id)
	delete(l.sr, id)
	delete(l.later, id)
	if l.out != nil {
		delete(l.out.items, id)
	}
}

// untell puts what was under way back: it has no answer, so it was not told.
func (l *ledger) untell() {
	if l.out == nil {
		return
	}
	for id, isNew := range l.out.items {
		switch l.out.kind {
		case LeaderAndISR:
			l.addLAI(id, isNew)
		case UpdateMetadata:
			l.um[id] = struct{}{}
		case StopReplica:
			l.sr[id] = struct{}{}
		}
	}
	l.out = nil
}

// announceLeadership has all replicas told of a new leader epoch, and everybody of the
// new state.
func (m *Machine) announceLeadership(id partition.ID, p *cluster.Partition) {
	for _, b := range p.Assignment.Replicas {
		if l := m.ledgers[b]; l != nil {
			l.addLAI(id, false)
			delete(l.later, id)
		}
	}
	m.announceMetadata(id)
}

// announceMetadata has all brokers told of a partition's state, if it has one.
func (m *Machine) announceMetadata(id partition.ID) {
	if p := m.im.Partition(id); p == nil || !p.Known {
		return // it would be an empty request to everybody
	}
	for _, l := range m.ledgers {
		l.um[id] = struct{}{}
	}
}

// tell sends each broker that is connected and free its next request.
func (m *Machine) tell() {
	for _, b := range m.im.Brokers() {
		l := m.ledgers[b.ID]
		if l == nil || !l.up || l.out != nil || m.now < l.until {
			continue
		}
		if r, ok := m.nextRequest(b, l); ok {
			m.plan.Requests = append(m.plan.Requests, r)
		}
	}
}

// nextRequest chooses in this order: the live list to a broker that has none yet or
// lacks a leader it is about to follow, LeaderAndIsr, UpdateMetadata, StopReplica. A
// follower ignores a leader that is not in its live list, and the same epoch sent again
// does not mend that (10.2).
func (m *Machine) nextRequest(b *cluster.Broker, l *ledger) (Request, bool) {
	if l.live == 0 {
		return m.updateMetadata(b, l, nil), true
	}
	ids, unknownLeader := m.sendable(b.ID, l)
	switch {
	case unknownLeader:
		return m.updateMetadata(b, l, nil), true
	case len(ids) > 0:
		return m.leaderAndISR(b, l, ids), true
	case len(l.um) > 0 || l.live != m.liveGen:
		news := m.settled(l)
		if len(news) == 0 && len(l.um) > 0 {
			return Request{}, false // all of it is being decided; the outcome brings it up
		}
		return m.updateMetadata(b, l, m.limit(news)), true
	case len(l.sr) > 0:
		return m.stopReplica(b, l), true
	}
	return Request{}, false
}

// settled returns the UpdateMetadata entries that no write under way is about to
// replace. After a broker's death that keeps the old leaders from being announced once
// more, ahead of the new ones.
func (m *Machine) settled(l *ledger) []partition.ID {
	ids := sorted(l.um)
	return slices.DeleteFunc(ids, func(id partition.ID) bool { return m.inflight[id] != nil })
}

// sendable returns the LeaderAndIsr entries that may go out now, and whether one of
// them names a leader that the broker has not heard of. Entries that no longer apply
// are dropped; those whose leader is gone wait for the election.
func (m *Machine) sendable(broker int32, l *ledger) (ids []partition.ID, unknownLeader bool) {
	for _, id := range sorted(l.lai) {
		t, p := m.im.Topic(id.Topic), m.im.Partition(id)
		if p == nil || !p.Known || p.Broken != "" || t.Held != "" || !slices.Contains(p.Assignment.Replicas, broker) {
			delete(l.lai, id)
			continue
		}
		if l.later[id].until > m.now {
			continue
		}
		leader := p.State.Leader
		if m.inflight[id] != nil || leader == broker && m.im.Standing(p, broker) == partition.Lapsed {
			// ZooKeeper may already have more members than the image: a restarted leader that
			// is told the older ISR would acknowledge records without them. The outcome of the
			// write, or the election that a lapsed leader causes, brings the entry back up.
			continue
		}
		if leader != isr.NoLeader && leader != broker {
			if m.im.Broker(leader) == nil {
				continue
			}
			unknownLeader = unknownLeader || !l.knows[leader]
		}
		ids = append(ids, id)
	}
	return m.limit(ids), unknownLeader
}

func (m *Machine) limit(ids []partition.ID) []partition.ID {
	if n := m.set.MaxPerRequest; n > 0 && len(ids) > n {
		return ids[:n]
	}
	return ids
}

func sorted[V any](set map[partition.ID]V) []partition.ID {
	ids := make([]partition.ID, 0, len(set))
	for id := range set {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, partition.Compare)
	return ids
}

func (m *Machine) request(kind RequestKind, b *cluster.Broker, l *ledger) Request {
	m.seq++
	l.out = &outstanding{seq: m.seq, kind: kind, items: map[partition.ID]bool{}}
	return Request{Kind: kind, Broker: b.ID, BrokerEpoch: b.Epoch, Conn: l.conn, Seq: m.seq, ControllerID: m.id, ControllerEpoch: m.fence.Epoch}
}

func (m *Machine) leaderAndISR(b *cluster.Broker, l *ledger, ids []partition.ID) Request {
	r := m.request(LeaderAndISR, b, l)
	leaders := map[int32]bool{}
	for _, id := range ids {
		p := m.im.Partition(id)
		isNew := l.lai[id]
		l.out.items[id] = isNew
		delete(l.lai, id)
		leaders[p.State.Leader] = true
		r.add(m.im.Topic(id.Topic), PartitionState{Number: id.Number, State: p.State, Assignment: p.Assignment, IsNew: isNew})
	}
	for _, o := range m.im.Brokers() {
		if leaders[o.ID] {
			r.Live = append(r.Live, *o)
		}
	}
	return r
}

func (m *Machine) updateMetadata(b *cluster.Broker, l *ledger, ids []partition.ID) Request {
	r := m.request(UpdateMetadata, b, l)
	for _, id := range ids {
		delete(l.um, id)
		p := m.im.Partition(id)
		if p == nil || !p.Known {
			continue
		}
		l.out.items[id] = false
		r.add(m.im.Topic(id.Topic), PartitionState{Number: id.Number, State: p.State, Assignment: p.Assignment, Offline: m.im.OfflineReplicas(p)})
	}
	l.out.live, l.out.knows = m.liveGen, map[int32]bool{}
	// Until it is answered only what is in both lists is known for certain: if the answer
	// is lost the broker may have either, and a leader that it does not know is ignored.
	for id := range l.knows {
		if m.im.Broker(id) == nil {
			delete(l.knows, id)
		}
	}
	for _, o := range m.im.Brokers() {
		r.Live = append(r.Live, *o)
		l.out.knows[o.ID] = true
	}
	r.Live = append(r.Live, m.selfEntry())
	return r
}

// selfEntry is Baton among the live brokers. Its rack is one that exists, if the
// brokers have racks: a rack of its own, or none, would spoil the placement of topics
// that brokers create (10.8 H1b).
func (m *Machine) selfEntry() cluster.Broker {
	self := m.self
	self.ID = m.id
	self.Rack, self.HasRack = "", false
	for _, b := range m.im.Brokers() {
		if b.HasRack {
			self.Rack, self.HasRack = b.Rack, true
			break
		}
	}
	return self
}

func (m *Machine) stopReplica(b *cluster.Broker, l *ledger) Request {
	r := m.request(StopReplica, b, l)
	for _, id := range m.limit(sorted(l.sr)) {
		delete(l.sr, id)
		if p := m.im.Partition(id); p != nil && p.Known {
			l.out.items[id] = false
			r.add(m.im.Topic(id.Topic), PartitionState{Number: id.Number, State: p.State, Assignment: p.Assignment})
		}
	}
	return r
}

// add appends a partition; partitions come sorted, so a topic's are together.
func (r *Request) add(t *cluster.Topic, p PartitionState) {
	if n := len(r.Topics); n == 0 || r.Topics[n-1].Name != t.Name {
		r.Topics = append(r.Topics, TopicStates{Name: t.Name, ID: t.ID})
	}
	last := &r.Topics[len(r.Topics)-1]
	last.Partitions = append(last.Partitions, p)
}

func (m *Machine) channelUp(e ChannelUp) {
	if l := m.ledgers[e.Broker]; l != nil && l.epoch == e.Epoch {
		l.untell()
		l.up, l.conn, l.until, l.fails = true, e.Conn, 0, 0
	}
}

func (m *Machine) channelDown(e ChannelDown) {
	if l := m.ledgers[e.Broker]; l != nil && l.conn == e.Conn {
		if l.out != nil && l.out.kind == UpdateMetadata {
			l.doubt, l.doubted = m.now+doubtAfter, l.out.items
		}
		l.untell()
		l.up = false
	}
}

// dispelDoubts sends again what a frame of a broken connection may have overwritten,
// the live list included.
func (m *Machine) dispelDoubts() {
	for _, l := range m.ledgers {
		if l.doubted == nil || m.now < l.doubt {
			continue
		}
		for id := range l.doubted {
			l.um[id] = struct{}{}
		}
		l.doubted, l.live = nil, 0
	}
}

// brokerReplied takes in an answer; only one on the same connection counts.
func (m *Machine) brokerReplied(e BrokerReplied) {
	l := m.ledgers[e.Broker]
	if l == nil || l.out == nil || l.conn != e.Conn || l.out.seq != e.Seq {
		return
	}
	if e.Code != 0 {
		m.requestRefused(e, l)
		return
	}
	out := l.out
	l.out = nil
	switch out.kind {
	case UpdateMetadata:
		l.live, l.knows, l.fails = out.live, out.knows, 0
	case StopReplica:
		l.fails = 0
	case LeaderAndISR:
		m.leaderAndISRReplied(e, l, out)
	}
}

func (m *Machine) requestRefused(e BrokerReplied, l *ledger) {
	kind := l.out.kind
	l.untell()
	m.backOff(l)
	switch e.Code {
	case kerr.StaleBrokerEpoch.Code:
		m.plan.RereadBrokers = true
	case kerr.StaleControllerEpoch.Code:
		m.plan.Reclaim = true
	}
	m.note(Note{Kind: NoteTold, Broker: e.Broker, Text: fmt.Sprintf("broker %d refused %v: %v", e.Broker, kind, kerr.ErrorForCode(e.Code))})
}

func (m *Machine) backOff(l *ledger) {
	l.fails++
	l.until = m.now + m.set.RetryAfter<<min(l.fails-1, 5)
}

// leaderAndISRReplied reads the partitions' codes: 11 means that the broker has this
// epoch already; KAFKA_STORAGE_ERROR that the replica is on a failed directory;
// anything else that it was not taken in and must be told again.
func (m *Machine) leaderAndISRReplied(e BrokerReplied, l *ledger, out *outstanding) {
	codes := make(map[partition.ID]int16, len(e.Partitions))
	for _, p := range e.Partitions {
		codes[p.ID] = p.Code
	}
	failed := 0
	var first string
	for _, id := range sorted(out.items) {
		code, answered := codes[id]
		switch {
		case answered && code == 0:
			delete(l.later, id)
			m.replicaDir(e.Broker, id, false)
		case answered && code == kerr.StaleControllerEpoch.Code:
			delete(l.later, id)
		case answered && code == kerr.KafkaStorageError.Code:
			delete(l.later, id)
			m.replicaDir(e.Broker, id, true)
		default:
			l.addLAI(id, out.items[id])
			w := wait{fails: l.later[id].fails + 1}
			w.until = m.now + m.set.RetryAfter<<min(w.fails-1, 5)
			l.later[id] = w
			if failed++; first == "" {
				first = fmt.Sprintf("%v: %v (answered: %v)", id, kerr.ErrorForCode(code), answered)
			}
		}
	}
	l.fails = 0
	if failed == 0 {
		return
	}
	m.note(Note{Kind: NoteTold, Broker: e.Broker, Text: fmt.Sprintf("broker %d did not take in %d of %d partitions, first %s", e.Broker, failed, len(out.items), first)})
}
