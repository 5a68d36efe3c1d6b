package planner

import (
	"fmt"
	"slices"

	"baton/cluster"
	"baton/partition"
)

// brokersChanged compares /brokers/ids with the image (03.1). A larger czxid is a
// restart, however fast: what it led moves on, what it followed loses it from the ISR,
// both because its standing is Lapsed until a state is decided that knows of it.
func (m *Machine) brokersChanged(e BrokersChanged) {
	m.setUnreadable(scopeBrokers, e.Bad)
	seen := map[int32]bool{}
	for _, b := range e.Brokers {
		if m.im.IsBaton(b.ID) {
			continue
		}
		seen[b.ID] = true
		old := m.im.Broker(b.ID)
		switch {
		case old == nil:
			m.liveGen++
			m.brokerUp(b)
			m.noteBroker(b.ID, "registered")
		case old.Epoch < b.Epoch:
			m.liveGen++
			m.brokerUp(b)
			m.noteBroker(b.ID, fmt.Sprintf("bounced: registration %d is now %d", old.Epoch, b.Epoch))
		case old.Epoch > b.Epoch:
			// An answer older than what we know already; the next one is newer.
		case !sameAddress(*old, b):
			m.liveGen++
			m.im.PutBroker(b)
			m.plan.Channels = append(m.plan.Channels, ChannelChange{Broker: b})
			m.noteBroker(b.ID, "changed its endpoints")
		}
	}
	for _, b := range m.im.Brokers() {
		if !seen[b.ID] && !slices.Contains(e.BadIDs, b.ID) {
			m.liveGen++
			m.brokerGone(b.ID)
		}
	}
	for _, id := range m.im.SetUnread(e.BadIDs) {
		m.touchAllOn(id)
	}
	m.repairAll()
	m.lookAtDeletions()
}

func sameAddress(a, b cluster.Broker) bool {
	return slices.Equal(a.Endpoints, b.Endpoints) && a.Rack == b.Rack && a.HasRack == b.HasRack
}

// brokerUp takes in a new registration: an empty ledger, so that it is told
// everything; everybody else hears that its replicas are back.
func (m *Machine) brokerUp(b cluster.Broker) {
	if m.im.IsBaton(b.ID) {
		return
	}
	m.im.PutBroker(b)
	delete(m.away, b.ID)
	m.registered[b.ID] = m.now
	if old := m.ledgers[b.ID]; old != nil {
		m.remember(b.ID, old)
	}
	l := newLedger(b.Epoch)
	m.ledgers[b.ID] = l
	m.remind(b.ID, l)
	m.im.Each(func(t *cluster.Topic, p *cluster.Partition) {
		switch {
		case t.Deleting:
			l.gone[partition.ID{Topic: t.Name, Number: p.Number}] = struct{}{} // it may be the same process as before, with what it knew
		case p.Known:
			l.um.Add(p.Slot())
		}
	})
	for slot := range m.im.HostedBy(b.ID).All() {
		if t, p := m.im.At(slot); p.Known && !t.Deleting {
			l.addLAI(slot, m.isNewOn(b.ID, m.im.ID(slot), p))
		}
	}
	m.announceHosted(b.ID)
	l.unproven = m.im.HostedBy(b.ID).Clone()
	m.holdBack(b.ID, l)
	m.touchAllOn(b.ID)
	for id, d := range m.dismissals {
		if d.brokers[b.ID] != nil {
			m.touch(id)
		}
	}
	m.askLeftovers(b.ID)
	m.plan.Channels = append(m.plan.Channels, ChannelChange{Broker: b})
}

func (m *Machine) brokerGone(id int32) {
	m.plan.Channels = append(m.plan.Channels, ChannelChange{Broker: *m.im.Broker(id), Close: true})
	m.away[id] = Away{Broker: id, Epoch: m.im.Broker(id).Epoch, At: m.now, Leaving: m.im.Leaving(id)}
	delete(m.registered, id)
	m.im.RemoveBroker(id)
	if l := m.ledgers[id]; l != nil { // a machine that was resumed talks to nobody
		m.remember(id, l)
	}
	delete(m.ledgers, id)
	m.announceHosted(id)
	m.touchAllOn(id)
	m.noteBroker(id, "is gone")
}

func (m *Machine) noteBroker(id int32, text string) {
	text = fmt.Sprintf("broker %d %s", id, text)
	m.because = append(m.because, text)
	m.note(Note{Kind: NoteBroker, Broker: id, Text: text})
}

// logDirFailed asks the brokers which replicas they lost: a LeaderAndIsr for all of
// them is answered with KAFKA_STORAGE_ERROR for those (03.6).
func (m *Machine) logDirFailed(e LogDirFailed) {
	for _, b := range e.Brokers {
		l := m.ledgers[b]
		if l == nil {
			continue
		}
		for slot := range m.im.HostedBy(b).All() {
			if _, p := m.im.At(slot); p.Known {
				l.addLAI(slot, false)
			}
		}
		m.noteBroker(b, "reported a failed log directory")
	}
	m.setUnreadable(scopeLogDirs, e.Bad)
	m.deleteNotifications(e.Paths)
}

// replicaDir takes in what a LeaderAndIsr answer says about a replica's directory.
func (m *Machine) replicaDir(broker int32, id partition.ID, failed bool) {
	p := m.im.Partition(id)
	if p == nil || slices.Contains(p.Dirs, broker) == failed {
		return
	}
	text := "is back"
	if failed {
		text = "is offline: its log directory failed"
		p.Dirs = append(slices.Clone(p.Dirs), broker)
	} else {
		p.Dirs = slices.DeleteFunc(slices.Clone(p.Dirs), func(d int32) bool { return d == broker })
	}
	text = fmt.Sprintf("replica %d of %v %s", broker, id, text)
	if len(m.because) < maxBecause {
		m.because = append(m.because, text)
	}
	m.note(Note{Kind: NoteDirectory, Broker: broker, Partition: id, Text: text})
	m.announceMetadata(id)
	m.touch(id)
}
