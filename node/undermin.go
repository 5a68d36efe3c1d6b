package node

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"baton/admin"
	"baton/planner"
	"baton/zkstore"
)

// maxCountedTopics bounds the topics whose configuration a status reads: when half a cluster is away ZooKeeper has other things to do.
const maxCountedTopics = 500

// thinISRs are the sizes of the ISRs, by topic, that are not full or below the default of min.insync.replicas. The machine knows no
// topic's own.
func thinISRs(m *planner.Machine, byDefault int) map[string][]int {
	out := map[string][]int{}
	for _, t := range m.View().Image.Topics() {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			if p.Known && !t.Deleting && len(p.State.ISR) < max(byDefault, len(p.Told().Origin())) {
				out[t.Name] = append(out[t.Name], len(p.State.ISR))
			}
		}
	}
	return out
}

// countUnderMinISR counts partitions by what their topics say, as explain does. Without an answer, and for very many topics, the
// count by the default stays.
func (n *Node) countUnderMinISR(ctx context.Context, s session, thin map[string][]int, counts *admin.Counts) {
	if s == nil || len(thin) > maxCountedTopics {
		return
	}
	topics := slices.Sorted(maps.Keys(thin))
	facts, err := s.ReadFacts(ctx, zkstore.FactsWanted{Topics: topics})
	if err != nil {
		return
	}
	counts.UnderMinISR = 0
	byDefault := int32(n.config().MinInsyncReplicas) //nolint:gosec // a setting
	for i, topic := range topics {
		least := *cmp.Or(facts.Topics[i].MinISR, facts.Defaults.MinISR, &byDefault)
		for _, size := range thin[topic] {
			if size < int(least) {
				counts.UnderMinISR++
			}
		}
	}
}
