package planner

import (
	"cmp"
	"fmt"
	"slices"

	"baton/cluster"
	"baton/isr"
)

// Stats is the health of the cluster as metrics and the status show it.
type Stats struct {
	Topics, Partitions, Offline, UnderReplicated, UnderMinISR int
	// Led counts partitions with leadership information, as GlobalPartitionCount does.
	Led int
	// Imbalanced counts partitions not led by their preferred replica.
	Imbalanced int
	Brokers    map[int32]BrokerStats
	Bad        []Bad    // znodes that cannot be understood now
	Held       []string // topics that are not led and not deleted, and why
	Deleting   []string // topics that are deleted, or are to be, and what their deletion waits for
	// As Kafka counts them (11.1); what waits for something else is ineligible.
	TopicsToDelete, ReplicasToDelete, TopicsIneligible, ReplicasIneligible int
	Inflight                                                               int // state writes under way
}

// BrokerStats is what a broker still has to be told.
type BrokerStats struct {
	Connected bool
	Untold    int // partitions
	Requests  int // control requests that are due or under way
}

// Stats counts anew; the cost is proportional to the number of partitions.
func (m *Machine) Stats() Stats {
	st := Stats{Topics: m.im.TopicCount(), Brokers: map[int32]BrokerStats{}, Inflight: len(m.inflight)}
	for _, t := range m.im.Topics() {
		if t.Held != "" && !m.queued(t) {
			st.Held = append(st.Held, t.Name+": "+t.Held)
		}
		for i := range t.Partitions {
			st.count(m, t, &t.Partitions[i])
		}
	}
	for id, l := range m.ledgers {
		untold := max(len(l.lai), len(l.um), len(l.removals), len(l.gone))
		if l.out != nil {
			untold = max(untold, len(l.out.items), len(l.out.removals), len(l.out.gone))
		}
		st.Brokers[id] = BrokerStats{Connected: l.up, Untold: untold, Requests: m.due(l)}
	}
	m.countDeletions(&st)
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
	for _, waits := range []bool{l.out != nil, len(l.lai) > 0, len(l.um) > 0 || len(l.gone) > 0 || l.live != m.liveGen, len(l.sr) > 0, len(l.removals) > 0} {
		if waits {
			n++
		}
	}
	return n
}

func (st *Stats) count(m *Machine, t *cluster.Topic, p *cluster.Partition) {
	st.Partitions++
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
	if len(p.State.ISR) < len(p.Assignment.Replicas) {
		st.UnderReplicated++
	}
	if len(p.State.ISR) < int(m.set.MinISR) {
		st.UnderMinISR++
	}
	if len(p.Assignment.Replicas) > 0 && p.State.Leader != p.Assignment.Replicas[0] && p.State.Leader != isr.NoLeader {
		st.Imbalanced++
	}
}
