package planner

import (
	"baton/cluster"
	"baton/isr"
	"baton/partition"
)

// metadataGone is an UpdateMetadata that has the broker forget partitions: leader -2, the
// rest as it was last (05.5). It comes before anything that is told of a later topic of the
// same name.
func (m *Machine) metadataGone(b *cluster.Broker, l *ledger) Request {
	r := m.updateMetadata(b, l, nil)
	r.Body = 0
	l.out.gone = map[partition.ID]bool{}
	for _, id := range limited(m, sorted(l.gone)) {
		delete(l.gone, id)
		l.out.gone[id] = true
		topic, state := m.im.Topic(id.Topic), PartitionState{Number: id.Number}
		if p := m.im.Partition(id); p != nil {
			state.State.ControllerEpoch, state.State.ISR, state.Assignment = p.State.ControllerEpoch, p.State.ISR, p.Told()
		}
		state.State.Leader = isr.LeaderGone
		if topic == nil {
			topic = &cluster.Topic{Name: id.Topic}
		}
		r.add(topic, state)
	}
	return r
}

// toldGone reports whether every broker that listens has forgotten a topic's partitions.
func (m *Machine) toldGone(name string) bool {
	for _, l := range m.ledgers {
		if !l.up {
			continue
		}
		for id := range l.gone {
			if id.Topic == name {
				return false
			}
		}
		if l.out != nil {
			for id := range l.out.gone {
				if id.Topic == name {
					return false
				}
			}
		}
	}
	return true
}
