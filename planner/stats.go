package planner

import (
	"cmp"
	"fmt"
	"slices"

	"baton/cluster"
)

// Stats is the health of the cluster as metrics and the status show it.
type Stats struct {
	Topics, Partitions, Offline, UnderReplicated, UnderMinISR int
	// Led counts partitions with leadership information, as GlobalPartitionCount does.
	Led int
	// Imbalanced counts partitions not led by their preferred replica, as
	// PreferredReplicaImbalanceCount does: those without a leader too.
	Imbalanced int
	Brokers    map[int32]BrokerStats
	Bad        []Bad    // znodes that cannot be understood now
	Deleting   []string // topics that are deleted, or are to be, and what their deletion waits for
	Inflight   int      // state writes under way
	// Rescues counts leaderless partitions whose replicas unclean.recovery.strategy has measured.
	Rescues RescueStats
	// Reassigning counts partitions with replicas being added or removed.
	Reassigning int
	// As Kafka counts them (11.1); what waits for something else is ineligible.
	TopicsToDelete, ReplicasToDelete, TopicsIneligible, ReplicasIneligible int
}

// RescueStats are partitions that wait for the ISR to come back, whose replicas are being measured, and whose measurement left a
// doubt: a replica is silent, or it cannot be told which has more.
type RescueStats struct{ Waiting, Measuring, Doubtful int }

// BrokerStats is what a broker still has to be told.
type BrokerStats struct {
	Connected bool
	Untold    int // partitions
	Requests  int // control requests that are due or under way
}

// Stats counts anew; the cost is proportional to the number of partitions.
func (m *Machine) Stats() Stats {
	st := Stats{Topics: m.im.TopicCount(), Brokers: map[int32]BrokerStats{}, Inflight: m.inflight.slots.Len()}
	for _, t := range m.im.Topics() {
		for i := range t.Partitions {
			st.count(m, t, &t.Partitions[i])
		}
	}
	for id, l := range m.ledgers {
		untold := max(l.lai.Len(), l.um.Len(), len(l.removals), len(l.gone))
		if l.out != nil {
			untold = max(untold, l.out.items.Len(), len(l.out.removals), len(l.out.gone))
		}
		st.Brokers[id] = BrokerStats{Connected: l.up, Untold: untold, Requests: m.due(l)}
	}
	m.countDeletions(&st)
	m.countRescues(&st.Rescues)
	for name, why := range m.badTopics {
		st.Bad = append(st.Bad, Bad{"/brokers/topics/" + name, why})
	}
	for _, bad := range m.unreadable {
		st.Bad = append(st.Bad, bad...)
	}
	slices.SortFunc(st.Bad, func(a, b Bad) int { return cmp.Compare(a.Path, b.Path) })
	return st
}

// due counts the control requests that a broker has not answered: the one under way,
// and one of each kind that would follow.
func (m *Machine) due(l *ledger) int {
	n := 0
	for _, waits := range []bool{l.out != nil, l.lai.Len() > 0, l.um.Len() > 0 || len(l.gone) > 0 || l.live != m.liveGen, l.sr.Len() > 0, len(l.removals) > 0} {
		if waits {
			n++
		}
	}
	return n
}

func (st *Stats) count(m *Machine, t *cluster.Topic, p *cluster.Partition) {
	st.Partitions++
	if p.Assignment.Reassigning() {
		st.Reassigning++
	}
	if p.Broken != "" {
		st.Bad = append(st.Bad, Bad{fmt.Sprintf("/brokers/topics/%s/partitions/%d/state", t.Name, p.Number), p.Broken})
	}
	if !p.Known {
		if !t.Deleting {
			st.Offline++
		}
		return
	}
	st.Led++
	if t.Deleting {
		return // nobody is to be alarmed about it
	}
	if !m.im.HasLeader(p) || slices.Contains(p.Dirs, p.State.Leader) {
		st.Offline++
	}
	if len(p.State.ISR) < len(p.Told().Origin()) { // replicas being added do not count, as on brokers
		st.UnderReplicated++
	}
	if len(p.State.ISR) < int(m.set.MinISR) {
		st.UnderMinISR++
	}
	if len(p.Assignment.Replicas) > 0 && p.State.Leader != p.Assignment.Replicas[0] && !m.queued(t) {
		st.Imbalanced++
	}
}
