package coresim

import (
	"slices"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// legacyNode is /admin/reassign_partitions.
type legacyNode struct {
	version int32
	mzxid   int64
	items   []planner.Reassignment
}

func (z *zookeeper) readLegacy() planner.LegacyReassignments {
	n := z.legacy
	if n == nil {
		return planner.LegacyReassignments{}
	}
	return planner.LegacyReassignments{Exists: true, Version: n.version, Zxid: n.mzxid, Items: slices.Clone(n.items)}
}

// shrinkLegacy is a Baton's write of the znode.
func (z *zookeeper) shrinkLegacy(w planner.SetLegacyReassignments) (version int32, ok bool) {
	if z.legacy == nil || z.legacy.version != w.Version {
		return 0, false
	}
	if len(w.Left) == 0 {
		z.tick()
		z.legacy = nil
		z.s.mark("legacy-done")
	} else {
		z.legacy = &legacyNode{version: w.Version + 1, mzxid: z.tick(), items: w.Left}
	}
	z.s.watchWork()
	return w.Version + 1, true
}

// somePartition picks one of a topic that exists.
func (s *sim) somePartition() (partition.ID, partition.Assignment) {
	name := pick(&s.r, sortedKeys(s.zk.topics))
	n := s.r.n(len(s.zk.topics[name].parts))
	return partition.ID{Topic: name, Number: int32(n)}, s.zk.topics[name].parts[n] //nolint:gosec // few
}

// someTarget is a list of brokers, now and then with a Baton among them.
func (s *sim) someTarget() []int32 {
	var list []int32
	for _, i := range s.r.shuffled(len(s.brokers))[:1+s.r.n(min(3, len(s.brokers)))] {
		list = append(list, s.brokers[i].id)
	}
	if s.r.chance(5) {
		list = append(list, firstBaton)
	}
	return list
}

// asked remembers what a partition may end as.
func (s *sim) asked(id partition.ID, target []int32) {
	s.ends[id] = append(s.ends[id], target)
}

// reassignCall asks a Baton for reassignments, new ones, others or none.
func (s *sim) reassignCall() {
	b := pick(&s.r, s.batons)
	if !b.up {
		return
	}
	body := planner.AlterReassignments{Timeout: s.r.between(0, 5000)}
	seen := map[partition.ID]bool{}
	for range 1 + s.r.n(3) {
		id, _ := s.somePartition()
		if seen[id] {
			continue
		}
		seen[id] = true
		it := planner.Reassignment{ID: id}
		if s.r.chance(75) {
			it.Replicas = s.someTarget()
			s.asked(id, it.Replicas)
		}
		body.Items = append(body.Items, it)
	}
	s.callBaton(b, body, func(r planner.ReplyBody) {
		a, ok := r.(planner.AlterReassignmentsReply)
		if !ok || a.Err != nil {
			return
		}
		for i, it := range a.Items {
			switch {
			case it.Err != nil:
				s.mark("reassign-refused")
			case body.Items[i].Replicas == nil:
				s.mark("reassign-cancelled")
			case slices.ContainsFunc(body.Items[i].Replicas, func(b int32) bool { return b >= firstBaton }):
				s.failf("%v: accepted onto a Baton: %v", it.ID, body.Items[i].Replicas)
			default:
				s.mark("reassign-accepted")
			}
		}
	})
}

// reassignLegacy is the old tools' way.
func (s *sim) reassignLegacy() {
	if s.zk.legacy != nil {
		return
	}
	n := &legacyNode{mzxid: s.zk.tick()}
	id, _ := s.somePartition()
	n.items = append(n.items, planner.Reassignment{ID: id, Replicas: s.someTarget()})
	s.asked(id, n.items[0].Replicas)
	if s.r.chance(20) {
		n.items = append(n.items, planner.Reassignment{ID: partition.ID{Topic: "unknown"}, Replicas: []int32{1}})
	}
	s.zk.legacy = n
	s.trace("zk: /admin/reassign_partitions %v", n.items)
	s.watchWork()
}

// rivalReassigns is a broker's controller that starts, cancels or finishes a reassignment
// and is stopped after any of its writes (06.2).
func (s *sim) rivalReassigns(f epoch.Fence) {
	id, a := s.somePartition()
	for range 5 { // rather one that is under way
		if !a.Reassigning() {
			id, a = s.somePartition()
		}
	}
	n := s.zk.states[id]
	if n == nil || n.bad != "" || s.zk.deleting[id.Topic] || slices.ContainsFunc(a.Replicas, func(b int32) bool { return b >= firstBaton }) {
		return
	}
	s.mark("rival-reassigns")
	set := func(next partition.Assignment) {
		t := s.zk.topics[id.Topic]
		t.parts = slices.Clone(t.parts)
		t.parts[id.Number] = next
		t.version++
		t.mzxid = s.zk.tick()
		s.trace("zk: %v assigned by a rival: %v", id, next)
		s.watchTopics()
	}
	put := func(change func(*partition.State)) {
		st := n.state
		st.LeaderEpoch++
		st.ControllerEpoch = f.Epoch
		change(&st)
		s.zk.put(id, st)
	}
	if !a.Reassigning() || s.r.chance(30) {
		var alive []int32
		for _, b := range s.someTarget() {
			if s.zk.brokers[b] != nil {
				alive = append(alive, b)
			}
		}
		next := a.Cancel()
		if len(alive) > 0 && s.r.chance(70) {
			next = a.ReassignTo(alive)
			s.asked(id, alive)
		}
		if n.state.ISR.Any(func(b int32) bool { return slices.Contains(next.Replicas, b) }) {
			set(next)
		}
		if s.r.chance(50) {
			put(func(*partition.State) {})
		}
		return
	}
	target := a.Target()
	if !isr.Set(target).SubsetOf(n.state.ISR) || slices.ContainsFunc(target, func(b int32) bool { return s.zk.brokers[b] == nil }) {
		return
	}
	s.mark("rival-finishes")
	if !slices.Contains(target, n.state.Leader) {
		put(func(st *partition.State) { st.Leader = target[0] })
	}
	for _, b := range a.Removing {
		if s.r.chance(15) {
			return // stopped here
		}
		if n.state.ISR.Has(b) && len(n.state.ISR) > 1 {
			put(func(st *partition.State) { st.ISR = st.ISR.Filter(func(m int32) bool { return m != b }) })
		}
	}
	for _, b := range a.Removing {
		if p := s.broker(b).proc; p != nil && s.r.chance(70) {
			delete(p.parts, id)
			delete(s.broker(b).logs, id)
		}
	}
	if s.r.chance(70) {
		set(partition.Assignment{Replicas: target})
		if slices.ContainsFunc(a.Removing, func(b int32) bool { return s.broker(b).logs[id] != nil }) {
			s.zk.removed[id.Topic] = true // nothing says any more that it has a log there
		}
	}
}

// checkEnd judges a rewrite that ends reassignments: the target is the ISR, and brokers
// that the Baton knows to be alive have no log of it any more.
func (s *sim) checkEnd(b *baton, w planner.SetTopic) {
	t := s.zk.topics[w.Name]
	im := b.mach.View().Image
	if t == nil || t.version != w.Version {
		return // it will not be applied
	}
	for i, p := range w.Partitions[:min(len(w.Partitions), len(t.parts))] { // others are new
		id, before := partition.ID{Topic: w.Name, Number: p.Number}, t.parts[i]
		if !before.Reassigning() || !slices.Equal(p.Assignment.Replicas, before.Target()) || p.Assignment.Reassigning() || len(before.Removing) == 0 {
			continue
		}
		s.mark("reassigned")
		if n := s.zk.states[id]; n != nil && n.bad == "" && !n.state.ISR.SubsetOf(p.Assignment.Replicas) {
			s.failf("%v: ends as %v, the ISR is %v", id, p.Assignment.Replicas, n.state.ISR)
		}
		for _, r := range before.Removing {
			if r >= firstBaton {
				continue
			}
			proc, known := s.broker(r).proc, im.Broker(r)
			if proc == nil || known == nil || proc.epoch != known.Epoch {
				continue
			}
			if h := proc.parts[id]; s.broker(r).logs[id] != nil && h != nil && !h.offline {
				s.failf("%v: ends as %v while %d has its log", id, p.Assignment.Replicas, r)
			}
		}
	}
}

// checkEnds: nothing is being reassigned any more, and every partition of the first topics
// has replicas that somebody asked for.
func (s *sim) checkEnds() {
	if s.zk.legacy != nil {
		s.failf("/admin/reassign_partitions is still there: %v", s.zk.legacy.items)
	}
	for _, name := range sortedKeys(s.zk.topics) {
		for i, a := range s.zk.topics[name].parts {
			id := partition.ID{Topic: name, Number: int32(i)} //nolint:gosec // few
			if a.Reassigning() {
				s.failf("%v is still being reassigned: %v", id, a)
			}
			ends := s.ends[id]
			if len(ends) > 0 && name[0] == 't' && !slices.ContainsFunc(ends, func(e []int32) bool {
				return isr.Set(e).SubsetOf(a.Replicas) && isr.Set(a.Replicas).SubsetOf(e)
			}) {
				s.failf("%v ends as %v, asked for were %v", id, a.Replicas, ends)
			}
		}
	}
}
