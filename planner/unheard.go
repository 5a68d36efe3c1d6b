package planner

import "baton/partition"

// A broker that is away while a topic is deleted may come back as the process that it was, stopped or cut off from ZooKeeper
// meanwhile, and with the topic in its metadata. It would name it to clients until it restarts, so it is told that it is gone.

const (
	// unheardMost bounds what is remembered for one broker that is away.
	unheardMost = 100_000
	// stranger stands for those that were away all the time since the claim.
	stranger int32 = -1
)

// remember keeps what an incarnation of a broker has not heard, as it is gone.
func (m *Machine) remember(broker int32, l *ledger) {
	l.untell()
	m.unheard[broker] = l.gone
	for _, id := range l.doubted {
		m.unheard[broker][id] = struct{}{}
	}
}

// goneUnheard notes for all that are away that a partition is gone.
func (m *Machine) goneUnheard(id partition.ID) {
	for _, gone := range m.unheard {
		if len(gone) < unheardMost {
			gone[id] = struct{}{}
		}
	}
}

// remind has a new incarnation of a broker forget what has gone; of what is there again it hears anyway.
func (m *Machine) remind(broker int32, l *ledger) {
	gone, seen := m.unheard[broker]
	if !seen {
		gone = m.unheard[stranger]
	}
	for id := range gone {
		if m.im.Partition(id) == nil {
			l.gone[id] = struct{}{}
		}
	}
	delete(m.unheard, broker)
}
