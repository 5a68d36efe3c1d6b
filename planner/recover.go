package planner

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/recovery"
)

const (
	// maxMeasured is how many partitions are measured at once; one broker is asked for a few hundred with one request.
	maxMeasured = 1_000
	// maxMeasures is how many such measurements are under way: a broker that says nothing holds up its own.
	maxMeasures = 3
	// measureWithin is what the brokers of one measurement have together, some being asked after others.
	measureWithin Millis = 15_000
	// staleMeasure is how long an election may be tried for by what was measured once.
	staleMeasure Millis = 30_000
	// minRemeasure and maxRemeasure bound the pauses between measurements that left a doubt.
	minRemeasure Millis = 500
	maxRemeasure Millis = 60_000

	never Millis = math.MaxInt64
)

// rescue is a partition that nobody leads and nobody of whose ISR is live, while its strategy has the live replicas measured.
type rescue struct {
	strategy recovery.Strategy
	says     string // where the strategy comes from
	until    Millis // TakeLongestLater: nothing is measured before
	next     Millis // when it is to be measured, unless it is queued already
	pause    Millis // before the measurement after that
	queued   bool   // to be measured, or being measured
	// basis is what was measured last, nil before. Its ID is who is to lead, isr.NoLeader if that is not certain.
	basis *Candidate
	at    Millis
	live  []recovery.Candidate // of the last measurement, in preference order
	why   string               // nobody leads yet, for people
	kind  string               // of why, without what differs from try to try
}

// rule is what goes for a topic whose partition has lost its ISR: None, TakeFirst, or to measure. says tells who has it so.
// known is false while the topic's configuration is being read.
//
// A strategy that this Baton's configuration gives to the topic goes before all that Kafka knows; what the topic's own
// configuration says goes before the strategy of the cluster.
func (m *Machine) rule(topic string) (s recovery.Strategy, says string, known bool) {
	s, by := m.set.Recovery.For(topic)
	if by != "" && s != recovery.None {
		return s, fmt.Sprintf("unclean.recovery.strategy.topics (%s=%s)", by, s), true
	}
	c, ok := m.unclean[topic]
	if !ok {
		m.askConfig(topic)
		return recovery.None, "", false
	}
	if s != recovery.None && c.Bad == "" && c.Unclean == nil {
		return s, fmt.Sprintf("unclean.recovery.strategy=%s", s), true
	}
	allowed, says := m.uncleanOf(c)
	if allowed {
		return recovery.TakeFirst, says, true
	}
	return recovery.None, says, true
}

// permit lets an election take a replica from outside the ISR if that is what goes for the topic; whom it is to measure first,
// it takes only once that has been done. The result is what is on record.
func (m *Machine) permit(in *partition.Input, id partition.ID, p *cluster.Partition, s recovery.Strategy, says string) string {
	if !s.Measures() {
		m.forgetRescue(id)
		in.AllowUnclean = in.AllowUnclean || s == recovery.TakeFirst
		return uncleanWord(s == recovery.TakeFirst, says)
	}
	r := m.rescues[id]
	if c := m.certain(r, p); c != nil {
		in.AllowUnclean, in.Chosen = true, &c.ID
		return fmt.Sprintf("allowed by %s: all live replicas were measured", says)
	}
	return fmt.Sprintf("not before all live replicas are measured (%s)", says)
}

// certain is whom a measurement has found and who may still lead by it, nil if there is none.
func (m *Machine) certain(r *rescue, p *cluster.Partition) *Candidate {
	if r == nil || r.basis == nil || r.basis.ID == isr.NoLeader || m.now-r.at >= staleMeasure || m.changedSince(r.basis, p) != "" || len(m.unreadReplicas(p)) > 0 {
		return nil
	}
	return r.basis
}

// await has the live replicas of a partition measured as soon as that may help. Nothing else can be decided about it now.
func (m *Machine) await(id partition.ID, p *cluster.Partition, s recovery.Strategy, says string) {
	r := m.rescues[id]
	if r == nil || r.strategy != s {
		r = &rescue{strategy: s}
		m.rescues[id] = r
	}
	if until := m.waitUntil(id, s); r.says != says || r.until != until {
		r.says, r.until = says, until
		if until > m.now {
			m.noteRescue(id, r, fmt.Sprintf("one of the ISR %v may come back within %d s", p.State.ISR, (until-m.now+999)/1000), "wait")
		}
	}
	switch unread := m.unreadReplicas(p); {
	case len(unread) > 0:
		m.noteRescue(id, r, fmt.Sprintf("the registration of %v cannot be understood, so it cannot be measured", unread), "unread")
		r.basis, r.next = nil, m.now+maxRemeasure
	case r.queued:
	case r.basis == nil || m.changedSince(r.basis, p) != "":
		r.pause, r.next = 0, r.until
	case r.basis.ID != isr.NoLeader && m.now-r.at >= staleMeasure:
		r.next = m.now
	default: // it was measured as it is, and left a doubt
	}
	m.schedule(id, r)
}

// unreadReplicas are replicas and members of the ISR that are registered, nobody can understand how.
func (m *Machine) unreadReplicas(p *cluster.Partition) (out []int32) {
	for _, b := range slices.Concat(p.Told().Replicas, p.State.ISR) {
		if m.im.Standing(p, b) == partition.Unread && !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	return out
}

// waitUntil is when the members of an ISR have had their time.
func (m *Machine) waitUntil(id partition.ID, s recovery.Strategy) Millis {
	if s != recovery.TakeLongestLater {
		return 0
	}
	since := m.claimedAt
	if l, ok := m.lost[id]; ok {
		since = l.at
	} else if at, ok := m.leaderless[id]; ok {
		since = at
	}
	return since + Millis(m.set.Recovery.WaitMS)
}

// leaderlessAtClaim remembers since when partitions have no leader at the least, so that a failover of ours does not begin their
// time anew: from when their state was written last.
func (m *Machine) leaderlessAtClaim(states []StateRead) {
	for _, s := range states {
		if s.Exists && s.Bad == "" && s.State.Leader == isr.NoLeader {
			m.leaderless[s.ID] = m.now - s.Age
		}
	}
}

// schedule queues what is due, and remembers when the next is.
func (m *Machine) schedule(id partition.ID, r *rescue) {
	switch {
	case r.queued:
	case r.next <= m.now:
		r.queued = true
		m.toMeasure = append(m.toMeasure, id)
	default:
		m.nextRescue = min(m.nextRescue, r.next)
	}
}

func (m *Machine) countRescues(st *RescueStats) {
	for _, r := range m.rescues {
		switch {
		case r.until > m.now:
			st.Waiting++
		case r.queued || r.basis == nil || r.basis.ID != isr.NoLeader:
			st.Measuring++
		default:
			st.Doubtful++
		}
	}
}

func (m *Machine) forgetRescue(id partition.ID) { delete(m.rescues, id) }

// rescueTick queues what has become due.
func (m *Machine) rescueTick() {
	if m.now < m.nextRescue || len(m.rescues) == 0 {
		return
	}
	m.nextRescue = never
	for _, id := range sorted(m.rescues) {
		if r := m.rescues[id]; r.basis == nil || r.basis.ID == isr.NoLeader {
			m.schedule(id, r)
		}
	}
}

// measureQueued asks for what is queued, as far as may be under way at once.
func (m *Machine) measureQueued() {
	for m.measuring < maxMeasures && len(m.toMeasure) > 0 {
		batch := newBatch()
		for len(m.toMeasure) > 0 && len(batch.rescues) < maxMeasured {
			id := m.toMeasure[0]
			m.toMeasure = m.toMeasure[1:]
			r, p := m.rescues[id], m.im.Partition(id)
			if r == nil || !r.queued || batch.rescues[id] != nil {
				continue
			}
			if p == nil || p.State.Leader != isr.NoLeader {
				m.forgetRescue(id)
				continue
			}
			batch.add(m, id, p, r)
		}
		if len(batch.rescues) == 0 {
			return
		}
		m.measuring++
		m.measure(batch.asks(m), measureWithin, func(logs []MeasuredLog) {
			m.measuring--
			batch.judge(m, logs)
		})
	}
}

// batch is what one measurement is about.
type batch struct {
	ids     []partition.ID
	rescues map[partition.ID]*rescue
	basis   map[partition.ID]*Candidate
	brokers map[int32][]AskedLog
}

func newBatch() *batch {
	return &batch{rescues: map[partition.ID]*rescue{}, basis: map[partition.ID]*Candidate{}, brokers: map[int32][]AskedLog{}}
}

// add puts a partition's live replicas into the batch, and remembers by what they were chosen.
func (b *batch) add(m *Machine, id partition.ID, p *cluster.Partition, r *rescue) {
	c := &Candidate{ID: isr.NoLeader, PartitionEpoch: p.State.PartitionEpoch, Live: map[int32]epoch.Broker{}}
	for _, l := range p.Told().Replicas {
		if m.im.EligibleForISR(p, l) {
			c.Live[l] = m.im.Broker(l).Epoch
			b.brokers[l] = append(b.brokers[l], AskedLog{ID: id, Epoch: p.State.LeaderEpoch})
		}
	}
	b.ids, b.rescues[id], b.basis[id] = append(b.ids, id), r, c
}

func (b *batch) asks(m *Machine) []Ask {
	var out []Ask
	for _, id := range sortedBrokers(b.brokers) {
		out = append(out, Ask{Broker: *m.im.Broker(id), Logs: b.brokers[id]})
	}
	return out
}

// judge has each partition looked at again for which the measurement says who is to lead, and the others measured again later.
func (b *batch) judge(m *Machine, logs []MeasuredLog) {
	measured := make(map[partition.ID][]MeasuredLog, len(b.ids))
	for _, l := range logs {
		measured[l.ID] = append(measured[l.ID], l)
	}
	for _, id := range b.ids {
		r, p := b.rescues[id], m.im.Partition(id)
		if m.rescues[id] != r {
			continue // it has a leader, or another strategy
		}
		r.queued, r.basis, r.at, r.live = false, b.basis[id], m.now, nil
		for _, l := range p.Told().Replicas {
			i := slices.IndexFunc(measured[id], func(g MeasuredLog) bool { return g.Broker == l })
			if i >= 0 {
				r.live = append(r.live, recovery.Candidate{ID: l, Epoch: r.basis.Live[l], Log: measured[id][i].Log, Silent: measured[id][i].Silent})
			}
		}
		m.touch(id)
		choice := recovery.Choose(r.live, recovery.Which{By: recovery.Longest})
		if len(choice.Doubts) == 0 && choice.Leader != isr.NoLeader {
			r.basis.ID, r.pause = choice.Leader, 0
			continue
		}
		if m.changedSince(r.basis, p) != "" {
			continue // measured again at once
		}
		r.pause = min(max(2*r.pause, minRemeasure), maxRemeasure)
		r.next = m.now + r.pause
		m.noteRescue(id, r, strings.Join(choice.Doubts, "; "), doubtKind(r.live))
		m.schedule(id, r)
	}
}

// doubtKind tells doubts apart without the figures that differ from one measurement to the next.
func doubtKind(live []recovery.Candidate) string {
	var b strings.Builder
	for _, c := range live {
		fmt.Fprintf(&b, "%d:%s;", c.ID, strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, c.Silent))
	}
	return b.String()
}

// noteRescue says why nobody leads yet, once for each kind of reason.
func (m *Machine) noteRescue(id partition.ID, r *rescue, why, kind string) {
	r.why = why
	if r.kind == kind {
		return
	}
	r.kind = kind
	m.note(Note{Kind: NoteRescue, Partition: id, Broker: -1, Text: fmt.Sprintf("%v: no leader yet (%s): %s", id, r.says, why)})
}
