package planner

import (
	"fmt"
	"maps"
	"slices"

	"baton/cluster"
	"baton/partition"
)

// legacy is what /admin/reassign_partitions asks for, the way of the tools before Kafka
// 2.5. An entry stays there until its reassignment is complete; that is how these tools see
// that it is.
type legacy struct {
	zxid    int64 // of the content that was last taken in
	version int32
	topics  map[string]map[int32][]int32 // targets
	shrunk  bool                         // entries have gone that ZooKeeper still has
	writing bool
	again   Millis
}

// LegacyReassignments is the content of /admin/reassign_partitions.
type LegacyReassignments struct {
	Exists  bool
	Version int32
	Zxid    int64 // mzxid, 0 if it does not exist
	Items   []Reassignment
}

// legacyRead takes in the znode's content, unless it is older than what was seen already:
// an entry of ours that has just been removed must not start again.
func (m *Machine) legacyRead(r LegacyReassignments) {
	l := &m.legacy
	if !r.Exists || r.Zxid <= l.zxid {
		if !r.Exists && !l.writing {
			l.topics, l.shrunk = map[string]map[int32][]int32{}, false
		}
		return
	}
	l.zxid, l.version, l.shrunk = r.Zxid, r.Version, len(r.Items) == 0
	l.topics = map[string]map[int32][]int32{}
	for _, it := range r.Items {
		if l.topics[it.ID.Topic] == nil {
			l.topics[it.ID.Topic] = map[int32][]int32{}
		}
		l.topics[it.ID.Topic][it.ID.Number] = it.Replicas
		m.touch(it.ID)
	}
}

// supersede drops an entry because the API asked for something else since.
func (l *legacy) supersede(id partition.ID) {
	if _, ok := l.topics[id.Topic][id.Number]; ok {
		l.drop(id)
	}
}

func (l *legacy) drop(id partition.ID) {
	delete(l.topics[id.Topic], id.Number)
	if len(l.topics[id.Topic]) == 0 {
		delete(l.topics, id.Topic)
	}
	l.shrunk = true
}

// startLegacy changes in parts what the znode asks for and can be changed now, and drops
// the entries that are complete or cannot be done. Liveness is not asked for, as in Kafka:
// such a reassignment waits for its brokers.
func (m *Machine) startLegacy(t *cluster.Topic, parts []PartitionRead) (changed bool) {
	entries := m.legacy.topics[t.Name]
	for _, number := range slices.Sorted(maps.Keys(entries)) {
		target, id := entries[number], partition.ID{Topic: t.Name, Number: number}
		i := slices.IndexFunc(parts, func(p PartitionRead) bool { return p.Number == number })
		why := ""
		switch {
		case i < 0:
			why = "the partition does not exist"
		case len(target) == 0 || m.namesBaton(target):
			why = fmt.Sprintf("%v are not all brokers", target)
		}
		if why == "" {
			now, p := parts[i].Assignment, t.Partition(number)
			if slices.Equal(now.Target(), target) {
				if !now.Reassigning() && now.Equal(p.Assignment) {
					m.legacy.drop(id)
				}
				continue
			}
			if !now.Equal(p.Assignment) || !m.movable(p) {
				continue
			}
			next := now.ReassignTo(target)
			if !m.queued(t) && keepsRecords(p, next) {
				parts[i].Assignment, changed = next, true
				continue
			}
			why = fmt.Sprintf("of %v none is in sync", next.Replicas)
			if m.queued(t) {
				why = "its topic is to be deleted"
			}
		}
		m.legacy.drop(id)
		m.note(Note{Kind: NoteAlarm, Broker: -1, Partition: id, Text: fmt.Sprintf("%s: %v is not reassigned: %s", pathReassign, id, why)})
	}
	return changed
}

const pathReassign = "/admin/reassign_partitions"

// shrinkLegacy takes out of the znode what is complete; empty, it goes.
func (m *Machine) shrinkLegacy() {
	l := &m.legacy
	if !l.shrunk || l.writing || l.again > m.now {
		return
	}
	w := SetLegacyReassignments{Version: l.version}
	for _, topic := range sortedNames(l.topics) {
		for _, number := range slices.Sorted(maps.Keys(l.topics[topic])) {
			w.Left = append(w.Left, Reassignment{partition.ID{Topic: topic, Number: number}, l.topics[topic][number]})
		}
	}
	l.writing, l.shrunk = true, false
	zxid := l.zxid
	m.write(w, func(r Result) {
		l.writing = false
		switch r.Outcome {
		case Applied:
			if l.zxid == zxid { // else a newer znode has been read meanwhile
				l.version = r.Version
			}
		case Conflict: // somebody has replaced it; the watch brings what is there
		case Failed:
			l.shrunk, l.again = true, m.now+m.set.RetryAfter
			m.note(Note{Kind: NoteWriteFailed, Broker: -1, Text: pathReassign + ": " + r.Reason})
		}
	})
}
