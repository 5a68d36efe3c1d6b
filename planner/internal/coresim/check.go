package coresim

import (
	"fmt"
	"slices"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// checkClaim: epochs only grow, which the model ensures; a claim must leave one holder.
func (s *sim) checkClaim(b *baton, f epoch.Fence) {
	if h := s.zk.holder; h == nil || h.owner != b.session || int32(f.Epoch) != s.zk.epoch {
		s.failf("baton %d claimed %v and does not hold", b.id, f)
	}
}

// checkWrite judges a state about to be replaced by a Baton.
func (s *sim) checkWrite(f epoch.Fence, id partition.ID, prev, next partition.State) {
	s.checkState(f, id, next)
	n := s.zk.states[id]
	if len(next.ISR) < len(prev.ISR) && s.p.dirtyLogs && !next.ISR.Any(s.lives) {
		s.damaged[id] = true // their registrations outlive them, so that nobody can know
	}
	switch {
	case n.bad != "":
		s.failf("%v: garbage overwritten", id)
	case next.LeaderEpoch < prev.LeaderEpoch:
		s.failf("%v: leader epoch goes back: %v over %v", id, next, prev)
	case next.Leader != prev.Leader && next.LeaderEpoch == prev.LeaderEpoch:
		s.failf("%v: two leaders in one epoch: %v over %v", id, next, prev)
	case next.Leader != isr.NoLeader && !prev.ISR.Has(next.Leader):
		s.mark("unclean")
		s.damaged[id] = true
		if !s.mayBeUnclean(id) {
			s.failf("%v: leader from outside the ISR: %v over %v", id, next, prev)
		}
		if len(next.ISR) != 1 || s.p.settings.LeaderRecovery && next.Recovery != isr.Recovering {
			s.failf("%v: unclean leader must be alone and recovering: %v", id, next)
		}
	case next.LeaderEpoch > prev.LeaderEpoch && !next.ISR.SubsetOf(prev.ISR):
		s.failf("%v: a clean election adds to the ISR: %v over %v", id, next, prev)
	}
}

// lives reports whether a broker's registration is that of the process that runs.
func (s *sim) lives(b int32) bool {
	n, p := s.zk.brokers[b], s.broker(b).proc
	return n != nil && p != nil && int64(p.epoch) == n.czxid
}

func (s *sim) checkCreate(f epoch.Fence, id partition.ID, next partition.State) {
	s.checkState(f, id, next)
	for _, r := range s.zk.replicas(id) {
		if r >= firstBaton {
			s.failf("%v: initialised with a replica on Baton %d", id, r)
		}
	}
}

func (s *sim) checkState(f epoch.Fence, id partition.ID, next partition.State) {
	replicas := s.zk.replicas(id)
	switch {
	case int32(f.Epoch) != s.zk.epoch || int32(next.ControllerEpoch) != s.zk.epoch:
		s.failf("%v: written under %v, the epoch is %d", id, f, s.zk.epoch)
	case len(next.ISR) == 0 || !next.ISR.Distinct():
		s.failf("%v: ISR %v", id, next.ISR)
	case next.Leader != isr.NoLeader && !next.ISR.Has(next.Leader):
		s.failf("%v: the leader is not in the ISR: %v", id, next)
	case next.Leader != isr.NoLeader && !slices.Contains(replicas, next.Leader) && !s.was(id).ISR.Has(next.Leader):
		s.failf("%v: the leader is no replica: %v of %v", id, next, replicas)
	}
}

// was is the state that is about to be replaced.
func (s *sim) was(id partition.ID) partition.State {
	if n := s.zk.states[id]; n != nil {
		return n.state
	}
	return partition.State{}
}

// checkRequest: what brokers are told is what ZooKeeper has acknowledged.
func (s *sim) checkRequest(b *baton, r planner.Request) {
	if r.Delete {
		s.checkRemoval(b, r)
		return
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			id := partition.ID{Topic: t.Name, Number: p.Number}
			if p.State.Leader == isr.LeaderGone {
				s.checkGone(b, id)
				continue
			}
			if !s.zk.had(id, p.State) && !s.opens(r, id, p.State) {
				s.failf("baton %d tells %d of %v: %v, which ZooKeeper never had", b.id, r.Broker, id, p.State)
			}
			if r.Kind != planner.UpdateMetadata && !slices.Contains(p.Assignment.Replicas, r.Broker) {
				s.failf("baton %d names %v to %d, which is no replica", b.id, id, r.Broker)
			}
		}
	}
	if r.Kind == planner.UpdateMetadata && !slices.ContainsFunc(r.Live, func(l cluster.Broker) bool { return l.ID == b.id }) {
		s.failf("baton %d is missing in the live list for %d", b.id, r.Broker)
	}
}

// opens: what names no leader only has a log opened, by a broker that was in sync before an unclean election; the rest is as
// ZooKeeper had it.
func (s *sim) opens(r planner.Request, id partition.ID, told partition.State) bool {
	if r.Kind != planner.LeaderAndISR || told.Leader != isr.NoLeader || told.ISR.Has(r.Broker) {
		return false
	}
	s.mark("log-opened")
	return slices.ContainsFunc(told.ISR, func(leader int32) bool {
		told.Leader = leader
		return s.zk.had(id, told)
	})
}

// checkRemoval: a log is only deleted where its partition has no replica any more, or where
// its topic's deletion was confirmed. A Baton that has lost the role may not know what has
// come after it; brokers refuse it. A log of a topic that was deleted may go when there is another of that name.
func (s *sim) checkRemoval(b *baton, r planner.Request) {
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			id := partition.ID{Topic: t.Name, Number: p.Number}
			if s.zk.doomed[t.Name] || s.zk.replicas(id) == nil || int32(b.fence.Epoch) != s.zk.epoch {
				continue
			}
			if l := s.broker(r.Broker).logs[id]; p.State.LeaderEpoch == epoch.Deleting && (l == nil || l.czxid != s.zk.topics[t.Name].czxid) {
				s.mark("leftover-removed")
				continue
			}
			if a := s.zk.topics[t.Name].parts[p.Number]; slices.Contains(a.Target(), r.Broker) || s.was(id).ISR.Has(r.Broker) {
				s.failf("baton %d has %d delete %v, which it is to keep: %v, %v", b.id, r.Broker, id, a, s.was(id))
			}
		}
	}
}

// had reports whether a state was there at some time, be it of a topic that is gone.
func (z *zookeeper) had(id partition.ID, st partition.State) bool {
	return slices.ContainsFunc(append([]*stateNode{z.states[id]}, z.graves[id]...), func(n *stateNode) bool {
		if n == nil {
			return false
		}
		was, ok := n.history[int32(st.PartitionEpoch)]
		return ok && was.SameContent(st.LeaderAndISR) && was.ControllerEpoch == st.ControllerEpoch
	})
}

// checkNewLeader: a leader of the current epoch has every acknowledged record.
func (s *sim) checkNewLeader(b *broker, id partition.ID, e epoch.Leader) {
	n := s.zk.states[id]
	if n == nil || n.bad != "" || n.state.LeaderEpoch != e || n.state.Leader != b.id || s.damaged[id] {
		return
	}
	s.checkLog(b, id)
}

func (s *sim) checkLog(b *broker, id partition.ID) {
	have := map[int]bool{}
	if l := b.logs[id]; l != nil {
		for _, r := range l.recs {
			have[r.id] = true
		}
	}
	for _, r := range s.acked[id] {
		if !have[r] {
			s.failf("%v: acknowledged record %d is not in the log of leader %d", id, r, b.id)
			return
		}
	}
}

// checkLeft: a broker that was told it may go leads nothing that others could lead.
func (s *sim) checkLeft(p *process) {
	for _, id := range sortedIDs(s.zk.states) {
		n := s.zk.states[id]
		if n.bad != "" || n.state.Leader != p.b.id || len(s.zk.replicas(id)) < 2 || len(n.state.ISR) < 2 || s.zk.deleting[id.Topic] {
			continue
		}
		s.mark("left-while-leading")
	}
}

func (s *sim) checkBlock(r planner.ReplyBody) {
	if a, ok := r.(planner.AllocateProducerIDsReply); ok && a.Err == nil && (a.Length != 1000 || a.Start%1000 != 0) {
		s.failf("producer id block %d+%d", a.Start, a.Length)
	}
}

func (s *sim) checkCreated(name string) {
	if t := s.zk.topics[name]; t == nil && !s.zk.buried(name) && s.marks["deleted"] == 0 {
		s.failf("topic %s was said to be created and is not there", name)
	}
}

// checkWell is the end of the liveness phase.
func (s *sim) checkWell() {
	h := s.zk.holder
	if h == nil || !h.baton {
		s.failf("no Baton holds /controller")
		return
	}
	for _, b := range s.batons {
		holds := h.owner == b.session
		if b.leading != holds || b.mach.Active() != holds {
			s.failf("baton %d: leading %v, machine active %v, holds %v", b.id, b.leading, b.mach.Active(), holds)
		}
		if holds && (!b.idle || len(b.writing) > 0) {
			s.failf("baton %d is not idle", b.id)
		}
	}
	for _, token := range sortedKeys(s.calls) {
		s.failf("call %d of %d ms was never answered", token, s.calls[token].since)
	}
	s.checkElections()
	if len(s.zk.isrs) > 0 {
		s.failf("ISR notifications are left: %v", s.zk.isrs)
	}
	for _, name := range sortedKeys(s.zk.deleting) {
		s.failf("topic %s was never deleted", name)
	}
	if len(s.zk.dirs) > 0 {
		s.mark("notifications-left")
	}
	s.checkEnds()
	for _, name := range sortedKeys(s.zk.topics) {
		t := s.zk.topics[name]
		if t.id.IsZero() && s.p.settings.TopicIDs {
			s.failf("topic %s has no id", name)
		}
		for i, l := range t.parts {
			if why := s.checkPartition(partition.ID{Topic: name, Number: int32(i)}, l.Replicas); why != "" {
				s.failf("%s-%d %v: %s", name, i, l, why)
			}
		}
	}
}

func (s *sim) checkPartition(id partition.ID, replicas []int32) string {
	n := s.zk.states[id]
	if n == nil {
		return "has no state"
	}
	st := n.state
	if st.Leader == isr.NoLeader {
		return fmt.Sprintf("nobody leads: %v", st)
	}
	if len(st.ISR) != len(replicas) {
		return fmt.Sprintf("the ISR is not full: %v", st)
	}
	for _, r := range replicas {
		if r >= firstBaton {
			return "a replica is on a Baton"
		}
		h := s.broker(r).proc.parts[id]
		switch {
		case h == nil || h.epoch != st.LeaderEpoch:
			return fmt.Sprintf("replica %d was not told %v", r, st)
		case h.leader != st.Leader || h.leading != (r == st.Leader) || h.following == (r == st.Leader):
			return fmt.Sprintf("replica %d: leader %d leading %v following %v, should be %v", r, h.leader, h.leading, h.following, st)
		}
	}
	for _, b := range s.brokers {
		c, ok := b.proc.cache[id]
		switch {
		case !ok || !c.State.SameContent(st.LeaderAndISR) || !slices.Equal(c.Assignment.Replicas, replicas):
			return fmt.Sprintf("broker %d knows %v of %v, should be %v", b.id, c.State, c.Assignment.Replicas, st)
		case len(c.Offline) > 0:
			return fmt.Sprintf("broker %d thinks %v are offline", b.id, c.Offline)
		case b.proc.controller != s.zk.holder.id || len(b.proc.live) != len(s.brokers)+1:
			return fmt.Sprintf("broker %d knows controller %d and live %v", b.id, b.proc.controller, b.proc.live)
		}
	}
	if !s.damaged[id] {
		s.checkLog(s.broker(st.Leader), id)
	}
	return ""
}
