package planner

import (
	"slices"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
)

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
	ids, unknownLeader := m.sendable(b.ID, l)
	m.dropStops(b.ID, l)
	switch {
	case unknownLeader:
		return m.updateMetadata(b, l, nil), true
	case len(ids) > 0:
		return m.leaderAndISR(b, l, ids), true
	case len(opens) > 0:
		return m.openLogs(b, l, opens), true
	case len(removals) > 0:
		return m.deleteReplicas(b, l, removals), true
	case len(l.um) > 0 || l.live != m.liveGen:
		news := m.settled(l)
		if len(news) == 0 && len(l.um) > 0 {
			return Request{}, false // all of it is being decided; the outcome brings it up
		}
		return m.updateMetadata(b, l, m.limit(news)), true
	case len(l.sr) > 0 && m.now >= l.stopAgain:
		return m.stopReplica(b, l), true
	}
	return Request{}, false
}

// settled returns the UpdateMetadata entries that no write under way is about to
// replace. After a broker's death that keeps the old leaders from being announced once
// more, ahead of the new ones. A broker that has not heard of everything yet is told a
// topic as a whole: it would show its clients one without some of its partitions, and a
// producer that counts them would send keys elsewhere.
func (m *Machine) settled(l *ledger) []partition.ID {
	ids, begun := sorted(l.um), map[string]bool{}
	for _, id := range ids {
		begun[id.Topic] = begun[id.Topic] || !l.whole && m.inflight[id] == nil
	}
	return slices.DeleteFunc(ids, func(id partition.ID) bool { return m.inflight[id] != nil && !begun[id.Topic] })
}

// sendable returns the LeaderAndIsr entries that may go out now, and whether one of
// them names a leader that the broker has not heard of. Entries that no longer apply
// are dropped; those whose leader is gone wait for the election.
func (m *Machine) sendable(broker int32, l *ledger) (ids []partition.ID, unknownLeader bool) {
	for _, id := range sorted(l.lai) {
		t, p := m.im.Topic(id.Topic), m.im.Partition(id)
		if p == nil || !p.Known || !slices.Contains(p.Told().Replicas, broker) {
			delete(l.lai, id)
			continue
		}
		if p.Broken != "" || t.Held != "" || m.holds(broker, l, id, p) || l.later[id].until > m.now || l.removals[id] != nil {
			continue // not forgotten: that a replica is new must be said whenever it is told
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

// dropStops forgets about stopping replicas that the broker is not to have any more.
func (m *Machine) dropStops(broker int32, l *ledger) {
	for id := range l.sr {
		if p := m.im.Partition(id); p == nil || !slices.Contains(p.Told().Replicas, broker) {
			delete(l.sr, id)
		}
	}
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
	l.out.named = ids
	leaders := map[int32]bool{}
	for _, id := range ids {
		p := m.im.Partition(id)
		isNew := l.lai[id]
		l.out.items[id] = isNew
		delete(l.lai, id)
		m.notLeft(b.ID, id)
		leaders[p.State.Leader] = true
		r.add(m.im.Topic(id.Topic), PartitionState{Number: id.Number, State: p.State, Assignment: p.Told(), IsNew: isNew})
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
		r.add(m.im.Topic(id.Topic), PartitionState{Number: id.Number, State: p.State, Assignment: p.Told(), Offline: m.im.OfflineReplicas(p)})
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
			r.add(m.im.Topic(id.Topic), PartitionState{Number: id.Number, State: p.State, Assignment: p.Told()})
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
