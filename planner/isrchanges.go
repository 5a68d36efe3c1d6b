package planner

import (
	"slices"

	"baton/cluster"
	"baton/epoch"
	"baton/partition"
)

// isrChanged reads again what leaders below inter-broker protocol 2.7-IV2 have written
// themselves (08.2). The notifications go at once: whoever takes the role from us reads
// every state.
func (m *Machine) isrChanged(e ISRChanged) {
	m.setUnreadable(scopeISRChanges, e.Bad)
	m.readStates(slices.DeleteFunc(slices.Clone(e.Partitions), func(id partition.ID) bool {
		p := m.im.Partition(id)
		return p == nil || !p.Known // gone, or its creation finds what is there
	}))
	m.deleteNotifications(e.Paths)
}

// deleteNotifications removes handled notifications; what could not be removed waits for
// the next tick, because nothing brings it up again.
func (m *Machine) deleteNotifications(paths []string) {
	if len(paths) == 0 {
		return
	}
	m.write(DeleteNotifications{Paths: paths}, func(r Result) {
		if r.Outcome == Failed {
			m.note(Note{Kind: NoteWriteFailed, Broker: -1, Text: "notifications: " + r.Reason})
			m.handled = append(m.handled, paths...)
		}
	})
}

// stateRead is what is being read of one partition.
type stateRead struct {
	open  int             // answers that are still to come
	since epoch.Partition // the version known when the first of them was asked for
}

// readStates asks for states; those of one step are read together.
func (m *Machine) readStates(ids []partition.ID) {
	if len(ids) == 0 {
		return
	}
	for _, id := range ids {
		r := m.reads[id]
		if r == nil {
			r = &stateRead{since: m.im.Partition(id).State.PartitionEpoch}
			m.reads[id] = r
		}
		r.open++
	}
	if last := len(m.plan.Reads) - 1; last >= 0 && len(m.plan.Reads[last].States) > 0 {
		m.plan.Reads[last].States = append(m.plan.Reads[last].States, ids...)
		return
	}
	m.plan.Reads = append(m.plan.Reads, Read{States: ids})
}

// readDone closes one of the reads under way and reports whether its answer is older than
// what we have written since it was asked for.
func (m *Machine) readDone(p *cluster.Partition, s StateRead) (overtaken bool) {
	r := m.reads[s.ID]
	if r == nil {
		return false
	}
	if r.open--; r.open == 0 {
		delete(m.reads, s.ID)
	}
	return p != nil && p.Known && s.Exists && s.Bad == "" && s.State.PartitionEpoch >= r.since && s.State.PartitionEpoch < p.State.PartitionEpoch
}
