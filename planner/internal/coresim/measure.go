package coresim

import (
	"slices"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/recovery"
)

// evidence is what a Baton knows of a partition's live replicas when it has one of them lead.
type evidence struct {
	version epoch.Partition
	live    map[int32]epoch.Broker
	logs    map[int32][]rec // copies; of those that are not silent
}

// chooseRecovery gives some worlds strategies for lost ISRs, of all topics or of one. In some of these followers fall behind for a
// while, so that the logs of those that are left differ. Its chance is its own.
func (s *sim) chooseRecovery() {
	r := rng{s.seed * 0x9e3779b97f4a7c15}
	some := []recovery.Strategy{recovery.TakeLongest, recovery.TakeLongest, recovery.TakeLongest, recovery.TakeLongestLater, recovery.TakeFirst, recovery.None}
	p := recovery.Policy{WaitMS: int64(r.between(200, 4000))}
	if r.chance(30) {
		p.Default = pick(&r, some)
	}
	if r.chance(30) {
		p.Topics = []recovery.Rule{{Topic: pick(&r, []string{"t0", "t1", "t*", "auto-*"}), Strategy: pick(&r, some)}}
	}
	s.p.settings.Recovery = p
	if s.p.lags = len(p.Topics) > 0 && r.chance(70); s.p.lags {
		s.loseISRs(&r)
	}
}

// loseISRs kills brokers that are alone in an ISR, in worlds whose followers fall behind.
func (s *sim) loseISRs(r *rng) {
	s.after(r.between(500, 3000), func() {
		if s.healed || !s.p.lags {
			return
		}
		for _, id := range sortedIDs(s.zk.states) {
			if st := s.zk.states[id].state; len(st.ISR) == 1 && r.chance(50) {
				s.broker(st.ISR[0]).die(r.between(2000, 9000))
				break
			}
		}
		if b := pick(r, s.batons); b.leading {
			s.nameLeader(b, r)
		}
		s.loseISRs(r)
	})
}

// lags reports whether a follower does not fetch for the moment.
func (s *sim) lags(broker int32, id partition.ID) bool {
	if !s.p.lags || s.healed {
		return false
	}
	at := rng{s.seed ^ uint64(s.now/4000)<<20 ^ uint64(broker)<<10 ^ uint64(id.Topic[len(id.Topic)-1])<<5 ^ uint64(id.Number)} //nolint:gosec // small
	return at.chance(50)
}

// recovers is the strategy of a topic, if it is for Baton's configuration to say.
func (s *sim) recovers(topic string) recovery.Strategy {
	strategy, rule := s.p.settings.Recovery.For(topic)
	if _, says := s.zk.unclean[topic]; rule == "" && says {
		return recovery.None
	}
	return strategy
}

// measure asks brokers for their logs as a Baton does: a process answers for a replica that it was told of since its start.
// Now and then no answer comes at all.
func (b *baton) measure(q planner.Measure) {
	s := b.s
	if !s.healed && s.r.n(1000) < s.p.replyLost {
		s.mark("measurement-lost")
		return
	}
	found := map[partition.ID]*evidence{}
	for _, a := range q.Asks {
		for _, l := range a.Logs {
			if found[l.ID] == nil {
				found[l.ID] = &evidence{version: b.mach.View().Image.Partition(l.ID).State.PartitionEpoch, live: map[int32]epoch.Broker{}, logs: map[int32][]rec{}}
			}
			found[l.ID].live[a.Broker.ID] = a.Broker.Epoch
		}
	}
	gen := b.gen
	s.after(s.p.net(s), func() {
		ev := planner.Measured{Token: q.Token}
		for _, a := range q.Asks {
			for _, l := range a.Logs {
				got := s.broker(a.Broker.ID).measured(l)
				if ev.Logs = append(ev.Logs, got); got.Log != nil {
					found[l.ID].logs[a.Broker.ID] = slices.Clone(s.broker(a.Broker.ID).logs[l.ID].recs)
				} else {
					s.mark("measured-silent")
				}
			}
		}
		s.after(s.p.net(s), func() {
			if b.gen != gen {
				return
			}
			for id, e := range found {
				b.evidence[id] = e
			}
			b.step(ev)
		})
	})
}

// measured is what one replica has.
func (b *broker) measured(l planner.AskedLog) planner.MeasuredLog {
	out := planner.MeasuredLog{Broker: b.id, ID: l.ID, Silent: "it has not opened the log"}
	if b.proc == nil {
		out.Silent = "nobody is there"
		return out
	}
	if h := b.proc.parts[l.ID]; h == nil || h.offline || b.logs[l.ID] == nil {
		return out
	}
	log := recovery.Log{End: int64(len(b.logs[l.ID].recs)), Last: recovery.Exactly(recovery.NoEpoch)}
	if log.End > 0 {
		log.Last = recovery.Exactly(int32(b.logs[l.ID].recs[log.End-1].epoch))
	}
	out.Log, out.Silent = &log, ""
	return out
}

// checkRescue judges a leader from outside the ISR that nobody but a strategy has asked for: all that are live were measured, as
// what they are, and none of them has an acknowledged record that the leader lacks.
func (s *sim) checkRescue(b *baton, st planner.SetState) {
	im := b.mach.View().Image
	id, p := st.ID, im.Partition(st.ID)
	if p == nil || !p.Known || st.State.Leader == isr.NoLeader || p.State.ISR.Has(st.State.Leader) {
		return
	}
	if s.accepted[id] > s.now || s.zk.revoked[id.Topic] > s.now || !s.recovers(id.Topic).Measures() {
		return // anyone may lead
	}
	e := b.evidence[id]
	if e == nil || e.version != st.State.PartitionEpoch {
		s.failf("baton %d has %d lead %v, which was not measured in version %d", b.id, st.State.Leader, id, st.State.PartitionEpoch)
		return
	}
	for _, r := range p.Told().Replicas {
		if !im.EligibleForISR(p, r) {
			continue
		}
		if _, ok := e.logs[r]; !ok || e.live[r] != im.Broker(r).Epoch {
			s.failf("baton %d has %d lead %v, and does not know what %d has", b.id, st.State.Leader, id, r)
			return
		}
	}
	s.mark("rescued")
	if i := slices.IndexFunc(p.Told().Replicas, func(r int32) bool { return im.EligibleForISR(p, r) }); p.Told().Replicas[i] != st.State.Leader {
		s.mark("rescued-by-another-than-the-first")
	}
	if s.damaged[id] {
		return
	}
	have := map[int]bool{}
	for _, r := range e.logs[st.State.Leader] {
		have[r.id] = true
	}
	for _, other := range sortedKeys(e.logs) {
		for _, r := range e.logs[other] {
			if slices.Contains(s.acked[id], r.id) && !have[r.id] {
				s.failf("%v: acknowledged record %d is in the log of %d, and not in that of %d, which is to lead", id, r.id, other, st.State.Leader)
				return
			}
		}
	}
}
