package coresim

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/recovery"
)

const preferredPath = "/admin/preferred_replica_election"

// electLeaders asks a Baton for elections, of some partitions or of all.
func (s *sim) electLeaders(b *baton) {
	body := planner.ElectLeaders{All: s.r.chance(30), Timeout: s.r.between(0, 3000)}
	if s.r.chance(30) {
		body.Type = planner.Unclean
	}
	ids := sortedIDs(s.zk.states)
	if !body.All {
		for range 1 + s.r.n(3) {
			body.Partitions = append(body.Partitions, pick(&s.r, ids))
		}
		ids = body.Partitions
	}
	if body.Type == planner.Unclean {
		for _, id := range ids {
			s.accepted[id] = s.now + 35_000 // a call's elections go on for 30 s
		}
	}
	s.callBaton(b, body, func(r planner.ReplyBody) {
		a, ok := r.(planner.ElectLeadersReply)
		if !ok || a.Err != nil {
			return
		}
		asked := map[partition.ID]bool{}
		for _, id := range body.Partitions {
			asked[id] = true
		}
		for _, e := range a.Results {
			if e.Err == nil {
				s.mark("elected-on-request")
			}
			if !body.All && !asked[e.ID] {
				s.failf("%v is answered, which was not asked for", e.ID)
			}
			delete(asked, e.ID)
		}
		for id := range asked {
			s.failf("%v was asked for and is not answered", id)
		}
	})
}

// nameLeader asks for a replica of a leaderless partition by its id, as an operator does who has had the replicas measured; some time
// goes by in between.
func (s *sim) nameLeader(b *baton, r *rng) {
	im := b.mach.View().Image
	for _, id := range sortedIDs(s.zk.states) {
		p := im.Partition(id)
		if p == nil || !p.Known || p.State.Leader != isr.NoLeader {
			continue
		}
		c := &planner.Candidate{ID: isr.NoLeader, PartitionEpoch: p.State.PartitionEpoch, Live: map[int32]epoch.Broker{}}
		for _, l := range p.Told().Replicas {
			if im.EligibleForISR(p, l) {
				c.ID, c.Live[l] = l, im.Broker(l).Epoch
			}
		}
		if c.ID == isr.NoLeader {
			continue
		}
		s.after(r.between(0, 1500), func() { s.elect(b, id, c) })
		return
	}
}

// elect is judged by what the state was: of the version that was named it becomes one that the named replica leads, or nothing.
func (s *sim) elect(b *baton, id partition.ID, c *planner.Candidate) {
	if !b.up {
		return
	}
	s.accepted[id] = s.now + 35_000
	body := planner.ElectLeaders{Type: planner.Unclean, Partitions: []partition.ID{id}, Candidate: c, Timeout: 2000}
	s.callBaton(b, body, func(r planner.ReplyBody) {
		a, ok := r.(planner.ElectLeadersReply)
		if !ok || a.Err != nil || len(a.Results) != 1 {
			return
		}
		switch why := a.Results[0].Err; why {
		case nil:
			s.mark("named-elected")
			n := s.zk.states[id]
			if n == nil {
				return
			}
			if was, ok := n.history[int32(c.PartitionEpoch)+1]; ok && was.Leader != c.ID {
				s.failf("%v: %d was named in version %d and is said to be elected, %v was written", id, c.ID, c.PartitionEpoch, was)
			}
		case kerr.InvalidUpdateVersion:
			s.mark("named-outdated")
		}
	})
}

// preferredZnode asks for elections as an old tool does, and for something that is no
// request now and then.
func (s *sim) preferredZnode() {
	if s.zk.preferred != nil {
		return
	}
	s.zk.tick()
	s.zk.preferred = &planner.PreferredRequested{Exists: true}
	if s.r.chance(20) {
		s.zk.preferred.Bad = "garbage"
		s.after(s.r.between(100, 3000), func() { // somebody takes it away
			s.zk.preferred = nil
			s.watchPreferred()
		})
	} else {
		for _, id := range sortedIDs(s.zk.states) {
			if s.r.chance(60) {
				s.zk.preferred.Partitions = append(s.zk.preferred.Partitions, id)
			}
		}
	}
	s.watchPreferred()
}

func (s *sim) watchPreferred() { s.watchers((*baton).reportPreferred) }

func (b *baton) reportPreferred() {
	b.later(func() {
		switch {
		case b.loading: // read when it has been
		case b.s.zk.preferred != nil:
			b.step(*b.s.zk.preferred)
		default:
			b.step(planner.PreferredRequested{})
		}
	})
}

// toggleUnclean changes what a topic, or the cluster, says about unclean elections.
func (s *sim) toggleUnclean() {
	z := s.zk
	z.tick()
	was := z.allows()
	if s.r.chance(40) {
		switch s.r.n(3) {
		case 0:
			z.defaultUnclean = nil
		default:
			on := s.r.chance(50)
			z.defaultUnclean = &on
		}
		s.trace("zk: the default of unclean elections changes")
		z.noteChange(was)
		s.watchers(func(b *baton) { b.later(b.reportDefaults) })
		return
	}
	name := pick(&s.r, sortedKeys(z.topics))
	if _, set := z.unclean[name]; set && s.r.chance(30) {
		delete(z.unclean, name)
	} else {
		z.unclean[name] = s.r.chance(50)
	}
	s.trace("zk: %s changes what it says about unclean elections", name)
	z.noteChange(was)
	s.watchers(func(b *baton) {
		if b.configs[name] {
			b.later(func() { b.step(z.topicConfig(name)) })
		}
	})
}

func (b *baton) reportDefaults() {
	if !b.loading { // else it reads them later
		b.step(planner.DefaultsChanged{Unclean: b.s.zk.defaultUnclean})
	}
}

// allowed is what ZooKeeper says of unclean elections in a topic.
func (z *zookeeper) allowed(topic string) bool {
	if v, ok := z.unclean[topic]; ok {
		return v
	}
	if z.defaultUnclean != nil {
		return *z.defaultUnclean
	}
	return z.s.p.settings.UncleanElection
}

func (z *zookeeper) allows() map[string]bool {
	out := map[string]bool{}
	for name := range z.topics {
		out[name] = z.allowed(name)
	}
	return out
}

// noteChange remembers that a decision under way may still have been made by what was
// said before.
func (z *zookeeper) noteChange(was map[string]bool) {
	for name, on := range was {
		if on && !z.allowed(name) {
			z.revoked[name] = z.s.now + 5_000
		}
	}
}

func (z *zookeeper) topicConfig(topic string) planner.TopicConfigRead {
	ev := planner.TopicConfigRead{Topic: topic}
	if v, ok := z.unclean[topic]; ok {
		ev.Unclean = &v
	}
	return ev
}

// mayBeUnclean reports whether a leader from outside of the ISR is what somebody wants.
func (s *sim) mayBeUnclean(id partition.ID) bool {
	return s.recovers(id.Topic) != recovery.None || s.zk.allowed(id.Topic) || s.zk.revoked[id.Topic] > s.now || s.accepted[id] > s.now
}

// checkElections is part of the end: nothing that was asked for is left, and nobody leads
// too few of the partitions that are its own.
func (s *sim) checkElections() {
	if s.zk.preferred != nil {
		s.failf("%s is still there", preferredPath)
	}
	if !s.p.settings.AutoRebalance {
		return
	}
	all, off := map[int32]int{}, map[int32]int{}
	for _, id := range sortedIDs(s.zk.states) {
		first := s.zk.replicas(id)[0]
		all[first]++
		if l := s.zk.states[id].state.Leader; l != first && l != isr.NoLeader {
			off[first]++
		}
	}
	for _, b := range sortedKeys(off) {
		if off[b]*100 > all[b]*s.p.settings.RebalancePercent {
			s.failf("broker %d does not lead %d of its %d partitions", b, off[b], all[b])
		}
	}
	s.mark("balanced")
}
