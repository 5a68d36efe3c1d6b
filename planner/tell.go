package planner

import (
	"iter"
	"math"
	"slices"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
)

// tell sends each broker that is connected and free its next request.
func (m *Machine) tell() {
	undecided := &m.inflight.slots
	if m.sliced {
		both := undecided.Clone()
		both.AddAll(&m.dirty)
		undecided = &both
	}
	m.undecided = undecided
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
// lacks a leader it is about to follow, what is gone, LeaderAndIsr, that which only opens logs, StopReplica with delete where the metadata was told, UpdateMetadata, StopReplica. A follower ignores a leader that
// is not in its live list and answers 0 (10.2), so it would count as told.
func (m *Machine) nextRequest(b *cluster.Broker, l *ledger) (Request, bool) {
	if l.live == 0 {
		return m.updateMetadata(b, l, nil), true
	}
	if len(l.gone) > 0 {
		return m.metadataGone(b, l), true
	}
	opens, removals := m.openable(b.ID, l), m.removable(b.ID, l)
	due, unknownLeader := m.sendable(b.ID, l)
	switch {
	case unknownLeader:
		return m.updateMetadata(b, l, nil), true
	case len(due) > 0:
		return m.leaderAndISR(b, l, due), true
	case len(opens) > 0:
		return m.openLogs(b, l, opens), true
	case len(removals) > 0:
		return m.deleteReplicas(b, l, removals), true
	case l.um.Len() > 0 || l.live != m.liveGen:
		news := m.news(l)
		if news.sent.Len() == 0 && l.um.Len() > 0 {
			return Request{}, false // all of it is being decided; the outcome brings it up
		}
		return m.updateMetadata(b, l, news), true
	case l.sr.Len() > 0 && m.now >= l.stopAgain:
		if m.dropStops(b.ID, l); l.sr.Len() > 0 {
			return m.stopReplica(b, l), true
		}
	}
	return Request{}, false
}

// settled returns the UpdateMetadata entries that no write under way or decision is about to
// replace. After a broker's death that keeps the old leaders from being announced once
// more, ahead of the new ones. A broker that has not heard of everything yet is told a
// topic as a whole: it would show its clients one without some of its partitions, and a
// producer that counts them would send keys elsewhere.
func (m *Machine) settled(l *ledger) []looked {
	var news cluster.Slots
	last, most := (*cluster.Topic)(nil), m.most()
	for slot := range l.um.AllBut(m.undecided) {
		t, _ := m.im.At(slot)
		if t != last && news.Len() >= most {
			break
		}
		news.Add(slot)
		if t != last && !l.whole {
			for i := range t.Partitions {
				if s := t.Partitions[i].Slot(); l.um.Has(s) {
					news.Add(s)
				}
			}
		}
		last = t
	}
	return limited(m, m.byName(&news))
}

// sendable returns the LeaderAndIsr entries that may go out now, and whether one of
// them names a leader that the broker has not heard of. Entries that no longer apply
// are dropped; those whose leader is gone wait for the election. So do those with a write
// under way: ZooKeeper may already have more members than the image, and a restarted leader
// that is told the older ISR would acknowledge records without them. The outcome of the write,
// or the election that a lapsed leader causes, brings the entry back up.
func (m *Machine) sendable(broker int32, l *ledger) (due []looked, unknownLeader bool) {
	most := m.most()
	due = make([]looked, 0, min(l.lai.Len(), most))
	for slot := range l.lai.AllBut(m.undecided) {
		t, p := m.im.At(slot)
		id := partition.ID{Topic: t.Name, Number: p.Number}
		if !p.Known || !slices.Contains(p.Told().Replicas, broker) {
			l.dropLAI(slot)
			continue
		}
		if p.Broken != "" || t.Held != "" || m.holds(broker, l, id, p) || l.later[id].until > m.now || l.removals[id] != nil {
			continue // not forgotten: that a replica is new must be said whenever it is told
		}
		leader := p.State.Leader
		if leader == broker && m.im.Standing(p, broker) == partition.Lapsed {
			continue
		}
		if leader != isr.NoLeader && leader != broker {
			if m.im.Broker(leader) == nil {
				continue
			}
			unknownLeader = unknownLeader || !l.knows[leader]
		}
		if due = append(due, looked{id: id, slot: slot}); len(due) == most {
			break
		}
	}
	slices.SortFunc(due, compareLooked)
	return due, unknownLeader
}

// dropStops forgets about stopping replicas that the broker is not to have any more.
func (m *Machine) dropStops(broker int32, l *ledger) {
	for slot := range l.sr.All() {
		if _, p := m.im.At(slot); !slices.Contains(p.Told().Replicas, broker) {
			l.sr.Remove(slot)
		}
	}
}

// most is how many partitions one request may name.
func (m *Machine) most() int {
	if m.set.MaxPerRequest > 0 {
		return m.set.MaxPerRequest
	}
	return math.MaxInt
}

func limited[T any](m *Machine, list []T) []T { return list[:min(len(list), m.most())] }

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
	l.out = &outstanding{seq: m.seq, kind: kind}
	return Request{Kind: kind, Broker: b.ID, BrokerEpoch: b.Epoch, Conn: l.conn, Seq: m.seq, ControllerID: m.id, ControllerEpoch: m.fence.Epoch}
}

func (m *Machine) leaderAndISR(b *cluster.Broker, l *ledger, due []looked) Request {
	r := m.request(LeaderAndISR, b, l)
	leaders := map[int32]bool{}
	r.Topics = m.states(due, func(slot int32, p *cluster.Partition) PartitionState {
		isNew := l.isNew.Has(slot)
		l.out.items.Add(slot)
		if isNew {
			l.out.isNew.Add(slot)
		}
		l.dropLAI(slot)
		if len(m.leftovers) > 0 {
			m.notLeft(b.ID, m.im.ID(slot))
		}
		leaders[p.State.Leader] = true
		return PartitionState{Number: p.Number, State: p.State, Assignment: p.Told(), IsNew: isNew}
	})
	l.out.named = r.Topics
	for _, o := range m.im.Brokers() {
		if leaders[o.ID] {
			r.Live = append(r.Live, *o)
		}
	}
	return r
}

// body is what an UpdateMetadata says, the same for all brokers that have to hear the same: right after a claim, or after the loss of a
// broker, that is all of them.
type body struct {
	um     cluster.Slots // what a ledger had to have
	whole  bool          // and its whole
	sent   cluster.Slots // what of that is told
	topics []TopicStates
	seq    uint64 // of the first request that had it, 0 before
}

// maxBodies bounds what is kept to be told again.
const maxBodies = 4

// news is what a broker is told next by UpdateMetadata. It was told another one already, perhaps.
func (m *Machine) news(l *ledger) *body {
	for _, b := range m.bodies {
		if b.whole == l.whole && b.um.Equal(&l.um) {
			return b
		}
	}
	b := &body{um: l.um.Clone(), whole: l.whole}
	b.topics = m.states(m.settled(l), func(slot int32, p *cluster.Partition) PartitionState {
		b.sent.Add(slot)
		return PartitionState{Number: p.Number, State: p.State, Assignment: p.Told(), Offline: m.im.OfflineReplicas(p)}
	})
	if len(m.bodies) == maxBodies {
		m.bodies = slices.Delete(m.bodies, 0, 1)
	}
	m.bodies = append(m.bodies, b)
	return b
}

// updateMetadata tells news, or only who is live.
func (m *Machine) updateMetadata(b *cluster.Broker, l *ledger, news *body) Request {
	r := m.request(UpdateMetadata, b, l)
	live := m.liveNow()
	if news == nil {
		news = &live.body
	}
	if news.seq == 0 {
		news.seq = r.Seq
	}
	r.Topics, r.Live, r.Body = news.topics, live.brokers, news.seq
	l.um.RemoveAll(&news.sent)
	l.out.items, l.out.named = news.sent.Clone(), r.Topics
	l.out.live, l.out.knows = m.liveGen, live.ids
	// Until it is answered only what is in both lists is known for certain: if the answer
	// is lost the broker may have either, and a leader that it does not know is ignored.
	known := map[int32]bool{}
	for id := range l.knows {
		if live.ids[id] {
			known[id] = true
		}
	}
	l.knows = known
	return r
}

// liveList is who is live, as brokers are told.
type liveList struct {
	gen     uint64
	brokers []cluster.Broker // Baton included
	ids     map[int32]bool   // without
	body    body             // of requests that say nothing else
}

// liveNow makes the list once for each change of it.
func (m *Machine) liveNow() *liveList {
	if m.live.gen != m.liveGen {
		m.live = liveList{gen: m.liveGen, ids: map[int32]bool{}}
		for _, o := range m.im.Brokers() {
			m.live.brokers = append(m.live.brokers, *o)
			m.live.ids[o.ID] = true
		}
		m.live.brokers = append(m.live.brokers, m.selfEntry())
	}
	return &m.live
}

// states makes what requests say of partitions that come by topic, in one piece of memory.
func (m *Machine) states(list []looked, state func(slot int32, p *cluster.Partition) PartitionState) []TopicStates {
	topics := 0
	for i := range list {
		if i == 0 || list[i].id.Topic != list[i-1].id.Topic {
			topics++
		}
	}
	out, all := make([]TopicStates, 0, topics), make([]PartitionState, 0, len(list))
	for i := range list {
		t, p := m.im.At(list[i].slot)
		if i == 0 || list[i].id.Topic != list[i-1].id.Topic {
			out = append(out, TopicStates{Name: t.Name, ID: t.ID})
		}
		all = append(all, state(list[i].slot, p))
		last := &out[len(out)-1]
		last.Partitions = all[len(all)-len(last.Partitions)-1 : len(all) : len(all)]
	}
	return out
}

// partitionsOf goes through the partitions that a request names.
func partitionsOf(topics []TopicStates) iter.Seq[partition.ID] {
	return func(yield func(partition.ID) bool) {
		for _, t := range topics {
			for i := range t.Partitions {
				if !yield(partition.ID{Topic: t.Name, Number: t.Partitions[i].Number}) {
					return
				}
			}
		}
	}
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
	due := make([]looked, 0, min(l.sr.Len(), m.most()))
	for slot := range l.sr.All() {
		if len(due) == m.most() {
			break
		}
		l.sr.Remove(slot)
		if _, p := m.im.At(slot); p.Known {
			l.out.items.Add(slot)
			due = append(due, looked{id: m.im.ID(slot), slot: slot})
		}
	}
	slices.SortFunc(due, compareLooked)
	r.Topics = m.states(due, func(_ int32, p *cluster.Partition) PartitionState {
		return PartitionState{Number: p.Number, State: p.State, Assignment: p.Told()}
	})
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
