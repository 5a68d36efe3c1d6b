package planner

import (
	"fmt"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
	"baton/recovery"
)

// change is a state write under way.
type change struct {
	id       partition.ID
	slot     int32
	next     partition.State
	from     partition.State
	strategy partition.Strategy
	view     int64 // broker registrations taken into account
	alter    *alterItem
	wanted   *election // that it is held for, nil if none
	by       string    // whose setting has a measured replica lead, empty if none has
	decision Decision  // for the record
	at       Millis    // when it was decided
	// missed: a newer version was read while the write was under way.
	missed bool
}

// maxConflicts is how often in a row a decision is made again at once; after that the
// partition waits for RetryAfter, so that two writers cannot spin.
const maxConflicts = 5

// decide compares what a partition is with what it should be and writes the
// difference. It is safe to call at any time: nothing to do is the common case.
func (m *Machine) decide(id partition.ID) {
	t, p := m.im.Topic(id.Topic), m.im.Partition(id)
	switch {
	case p == nil || p.Broken != "" || t.Held != "":
		m.refuseElections(id)
		m.forgetRescue(id)
		delete(m.overdue, id)
		return
	case m.inflight.of(p) != nil || m.topicWrites[id.Topic] != 0 || m.retry[id] > m.now:
		m.postponed(id, p)
		return
	case m.namesBaton(p.Assignment.Replicas):
		return // until the topic's repair is acknowledged, or a broker is there to repair with
	case !p.Known && !m.fresh[id.Topic].IsZero():
		return // brokers would make its logs without the topic's id; tried again by tick
	case !p.Known:
		m.initialise(id, p)
		return
	}
	m.dropOutdated(id, p)
	in := partition.Input{
		Replicas: p.Told().Replicas, Current: p.State.LeaderAndISR,
		Standing:       func(b int32) partition.Standing { return m.im.Standing(p, b) },
		MarkRecovering: m.set.LeaderRecovery, AllowUnclean: m.wantsUnclean(id), Chosen: m.chosen(id),
	}
	next, why := partition.Move(p.Assignment, in)
	if why == partition.Keep {
		next, why = partition.Elect(in)
	}
	says := ""
	if next.Leader == isr.NoLeader && m.outsiderLives(p) {
		s, from, known := m.rule(id.Topic)
		if !known {
			m.postponed(id, p)
			return // decided when the topic's configuration has been read
		}
		says = m.permit(&in, id, p, s, from)
		if next, why = partition.Elect(in); why == partition.Keep && s.Measures() {
			m.await(id, p, s, from)
		}
	} else if next.Leader == isr.NoLeader || p.State.Leader != isr.NoLeader {
		m.forgetRescue(id)
	}
	wanted := m.uncleanWanted(id, why)
	if why == partition.Keep {
		next, why, wanted = m.elect(id, in)
	}
	if because := m.bump[id]; why == partition.Keep && because != "" {
		next.LeaderEpoch++
		why = because
	}
	if why == partition.Keep {
		m.dismiss(id, p)
		delete(m.overdue, id)
		return
	}
	c := &change{id: id, slot: p.Slot(), next: partition.State{LeaderAndISR: next, ControllerEpoch: m.fence.Epoch},
		from: p.State, strategy: why, view: m.im.View(), wanted: wanted}
	if wanted != nil && wanted.named != nil {
		in.Chosen = &wanted.named.ID
	}
	c.decision.Replicas = m.consider(in, next)
	if next.Leader == isr.NoLeader || why == partition.Unclean {
		c.decision.Unclean = m.uncleanSays(id, says)
	}
	if r := m.rescues[id]; why == partition.Unclean && wanted == nil && r != nil {
		c.decision.Measured, c.by = r.live, r.says
	}
	m.propose(c)
}

// initialise makes the first state of a new partition (04.3); without a live replica
// it stays new until one registers.
func (m *Machine) initialise(id partition.ID, p *cluster.Partition) {
	in := partition.Input{Replicas: p.Assignment.Replicas, Current: isr.LeaderAndISR{Leader: isr.NoLeader},
		Standing: func(b int32) partition.Standing { return m.im.Standing(p, b) }}
	first, ok := partition.First(in.Replicas, in.Standing)
	if !ok {
		return
	}
	c := &change{id: id, slot: p.Slot(), next: partition.State{LeaderAndISR: first, ControllerEpoch: m.fence.Epoch},
		from: partition.State{LeaderAndISR: in.Current}, strategy: partition.Initial, view: m.im.View()}
	c.decision.Replicas = m.consider(in, first)
	m.propose(c)
}

// outsiderLives reports whether a live replica outside the ISR could lead if the
// operator accepted loss: only then the topic's configuration matters.
func (m *Machine) outsiderLives(p *cluster.Partition) bool {
	for _, b := range p.Told().Replicas {
		if !p.State.ISR.Has(b) && m.im.EligibleForISR(p, b) {
			return true
		}
	}
	return false
}

func (m *Machine) askConfig(topic string) {
	if !m.asked[topic] {
		m.asked[topic] = true
		m.plan.Reads = append(m.plan.Reads, Read{TopicConfig: topic})
	}
}

func (m *Machine) topicConfigRead(c TopicConfigRead) {
	delete(m.asked, c.Topic)
	m.unclean[c.Topic] = c
	if m.im.Topic(c.Topic) == nil {
		return // gone meanwhile
	}
	var bad []Bad
	if c.Bad != "" {
		bad = []Bad{{scopeConfig + c.Topic, c.Bad}}
	}
	m.setUnreadable(scopeConfig+c.Topic, bad)
	m.touchTopic(c.Topic)
}

// propose writes a change, unless it breaks an invariant: then this process does not
// understand the cluster and must not lead it. A leader that stays can do without a member
// longer than a partition can without a leader: what only shrinks an ISR goes behind the rest.
func (m *Machine) propose(c *change) {
	p := m.im.Partition(c.id)
	if why := breaks(p, c); why != "" {
		m.plan.Resign = fmt.Sprintf("about to write %v: %v over %v: %s", c.id, c.next, c.from, why)
		return
	}
	m.inflight.add(c)
	m.bodies = nil // they may name a state that ZooKeeper is about to have no more
	var body WriteBody = SetState{ID: c.id, State: c.next}
	if !p.Known {
		body = CreateState{ID: c.id, State: c.next}
	}
	w := m.newWrite(body, func(r Result) { m.stateCommitted(c, r) })
	w.Class = c.class()
	if c.strategy == partition.Shrink {
		m.shrinks = append(m.shrinks, w)
	} else {
		m.plan.Writes = append(m.plan.Writes, w)
	}
	m.decided(c, !p.Known)
}

func (c *change) class() Class {
	switch {
	case c.alter != nil:
		return ISR
	case c.wanted != nil:
		return Storm
	}
	switch c.strategy {
	case partition.Shrink, partition.OfflineElection, partition.ControlledShutdown, partition.Unclean, partition.Leaderless, partition.Refence:
		return Loss
	}
	return Storm
}

// breaks names the invariant a change would break, empty if none.
func breaks(p *cluster.Partition, c *change) string {
	n := c.next
	switch {
	case len(n.ISR) == 0:
		return "the ISR is empty"
	case n.Leader != isr.NoLeader && !n.ISR.Has(n.Leader):
		return "the leader is not in the ISR"
	case c.strategy != partition.Unclean && p.Known && !n.ISR.SubsetOf(append(p.State.ISR[:len(p.State.ISR):len(p.State.ISR)], p.Assignment.Replicas...)):
		return "the ISR has a member that is no replica"
	case c.strategy != partition.Unclean && c.alter == nil && p.Known && !n.ISR.SubsetOf(p.State.ISR):
		return "a clean election adds to the ISR"
	case c.alter == nil && p.Known && n.LeaderEpoch != p.State.LeaderEpoch+1:
		return "a decision of ours must raise the leader epoch by one"
	case p.Known && n.PartitionEpoch != p.State.PartitionEpoch:
		return "not based on the acknowledged version"
	}
	return ""
}

// stateCommitted takes in the outcome of a state write.
func (m *Machine) stateCommitted(c *change, r Result) {
	if !m.inflight.remove(c) {
		return // the topic has gone, and perhaps come back, meanwhile
	}
	_, p := m.im.At(c.slot)
	if f := r.Found; r.Outcome == Conflict && f.Exists && f.Bad == "" && f.State.PartitionEpoch > c.next.PartitionEpoch &&
		f.State.ControllerEpoch == m.fence.Epoch && f.State.SameContent(c.next.LeaderAndISR) {
		// It is our own write that is there: to take it for somebody else's would let it
		// look as if it had been decided with what we know now.
		r.Outcome, r.Version = Applied, int32(f.State.PartitionEpoch)
	}
	m.learned(c, r)
	switch r.Outcome {
	case Applied:
		m.stateApplied(c, p, r)
	case Conflict:
		m.note(Note{Kind: NoteConflict, Partition: c.id, Broker: -1, Text: fmt.Sprintf("%v: decided on version %d, found %d", c.id, c.next.PartitionEpoch, r.Found.State.PartitionEpoch)})
		m.adopt(p, r.Found)
		if m.conflicts[c.id]++; m.conflicts[c.id] >= maxConflicts {
			delete(m.conflicts, c.id)
			m.retry[c.id] = m.now + m.set.RetryAfter
		}
		if c.alter != nil {
			m.alterConflict(c.alter)
		}
	case Failed:
		if r.Gone {
			// Removed by somebody else: perhaps before its own creation was acknowledged, so that
			// nobody who looks at the list of topics ever saw it.
			m.forgetTopic(c.id.Topic)
			return
		}
		m.retry[c.id] = m.now + m.set.RetryAfter
		m.note(Note{Kind: NoteWriteFailed, Partition: c.id, Broker: -1, Text: fmt.Sprintf("%v: %s", c.id, r.Reason)})
		if c.alter != nil {
			m.alterFailed(c.alter)
		}
		if c.missed {
			m.readStates([]partition.ID{c.id})
		}
	}
	m.touch(c.id)
	m.wakeWaiting(c.id)
	m.look(c.id.Topic)
}

func (m *Machine) stateApplied(c *change, p *cluster.Partition, r Result) {
	isNew, was := !p.Known, p.Told()
	delete(m.conflicts, c.id)
	m.noteLeader(c.id, c.from.Leader, c.next.Leader)
	p.Known, p.State, p.Seen, p.Decided, p.Lapsed, p.Broken = true, c.next, 0, c.view, nil, ""
	p.State.PartitionEpoch = partitionEpoch(r.Version)
	m.im.Rehost(c.id)
	kind := NoteElection
	switch {
	case c.alter != nil:
		kind = NoteISRChange
		m.retell(c.id, was, p)
		m.announceMetadata(c.id)
	case isNew:
		delete(m.bump, c.id)
		m.newEpoch(p)
		// Kafka tells only the ISR of a new partition and the others when they register; one
		// that has registered while the write was under way would never hear of it.
		for _, b := range p.Assignment.Replicas {
			if l := m.ledgers[b]; l != nil && !m.im.Leaving(b) {
				l.addLAI(c.slot, true)
			}
		}
		m.announceMetadata(c.id)
	default:
		delete(m.bump, c.id)
		m.newEpoch(p)
		m.announceLeadership(c.id, p)
		m.stopLeavingFollowers(c, p)
	}
	m.overrule(c)
	reason := string(c.strategy)
	switch {
	case c.wanted != nil:
		reason += " (" + c.wanted.cause + ")"
		m.settleWanted(c.id, c.wanted, nil)
	case c.by != "":
		reason += fmt.Sprintf(" (%s: %s)", c.by, recovery.Describe(c.decision.Measured))
	}
	m.note(Note{Kind: kind, Partition: c.id, Broker: p.State.Leader, Strategy: c.strategy, From: c.from, To: p.State, Reason: reason})
	if c.alter != nil {
		m.alterApplied(c.alter, p.State.LeaderAndISR)
	}
}

// stopLeavingFollowers stops a leaving broker's follower instead of telling it whom to
// follow: it would only fetch its way towards the ISR again.
func (m *Machine) stopLeavingFollowers(c *change, p *cluster.Partition) {
	for _, b := range p.Told().Replicas {
		if l := m.ledgers[b]; l != nil && m.im.Leaving(b) && b != p.State.Leader && b != c.from.Leader {
			l.dropLAI(c.slot)
			l.sr.Add(c.slot)
		}
	}
}

// adopt takes a state as found in ZooKeeper for the truth and lets brokers know.
func (m *Machine) adopt(p *cluster.Partition, s StateRead) {
	path := statePath(s.ID)
	switch {
	case s.Bad != "":
		if p.Broken != s.Bad {
			p.Broken = s.Bad
			m.bad(path, s.Bad)
		}
		return
	case !s.Exists:
		if p.Known && p.Broken == "" {
			// A new znode would begin at leader epoch 0, which no broker accepts any more.
			p.Broken = "the znode has vanished"
			m.bad(path, p.Broken)
		}
		return
	case s.State.ControllerEpoch > m.fence.Epoch:
		m.plan.Resign = fmt.Sprintf("%s was written by controller epoch %d, ours is %d", path, s.State.ControllerEpoch, m.fence.Epoch)
		return
	}
	if p.Known && s.State.PartitionEpoch < p.State.PartitionEpoch {
		// Versions never go back: somebody has deleted the znode and made a new one, and
		// what brokers hold may be ahead of it.
		p.Broken = fmt.Sprintf("its version went back from %d to %d", p.State.PartitionEpoch, s.State.PartitionEpoch)
		m.bad(path, p.Broken)
		return
	}
	// A partition that could not be read was not told either, to brokers that came meanwhile.
	changed := !p.Known || p.Broken != "" || !p.State.SameContent(s.State.LeaderAndISR) || p.State.PartitionEpoch != s.State.PartitionEpoch
	wasBroken := p.Broken
	p.Broken = ""
	if !changed {
		return
	}
	from, was, known := p.State, p.Told(), p.Known
	told := known && wasBroken == "" && p.State.Leader == s.State.Leader && p.State.LeaderEpoch == s.State.LeaderEpoch
	m.im.Adopt(p, s.State, s.Zxid)
	m.im.Rehost(s.ID)
	if known {
		m.noteLeader(s.ID, from.Leader, s.State.Leader)
		m.retell(s.ID, was, p)
	} else {
		m.unsure(s.ID, p)
	}
	if !told {
		m.announceLeadership(s.ID, p)
		return
	}
	// The leader has changed the ISR itself: replicas ignore an epoch they know.
	m.announceMetadata(s.ID)
	if !from.ISR.Equal(p.State.ISR) {
		m.note(Note{Kind: NoteISRChange, Partition: s.ID, Broker: p.State.Leader, From: from, To: p.State,
			Text: fmt.Sprintf("%v: by its leader: %v", s.ID, p.State.LeaderAndISR)})
	}
}

func (m *Machine) refreshed(s StateRead) {
	asked, p := m.reads[s.ID] != nil, m.im.Partition(s.ID)
	overtaken := m.readDone(p, s)
	if p == nil || !p.Known && !asked {
		return // it was asked for a topic of the same name that is gone
	}
	if c := m.inflight.of(p); c != nil { // the write's own outcome is newer, if it has one
		c.missed = c.missed || s.State.PartitionEpoch > p.State.PartitionEpoch
	} else if !overtaken && !m.im.Topic(s.ID.Topic).Deleting {
		m.adopt(p, s)
		m.touch(s.ID)
	} else if len(m.wanted[s.ID]) > 0 {
		m.touch(s.ID) // an election may have waited for this
	}
	m.wakeWaiting(s.ID)
}

// flights are the state writes under way, one for a partition at the most.
type flights struct {
	slots   cluster.Slots
	changes []*change // by slot
}

// of returns the change under way for a partition, nil if there is none.
func (f *flights) of(p *cluster.Partition) *change {
	if !f.slots.Has(p.Slot()) {
		return nil
	}
	return f.changes[p.Slot()]
}

func (f *flights) add(c *change) {
	if n := int(c.slot) + 1 - len(f.changes); n > 0 {
		f.changes = append(f.changes, make([]*change, n)...)
	}
	f.slots.Add(c.slot)
	f.changes[c.slot] = c
}

// remove reports whether the change was under way still.
func (f *flights) remove(c *change) bool {
	if !f.slots.Has(c.slot) || f.changes[c.slot] != c {
		return false
	}
	f.slots.Remove(c.slot)
	f.changes[c.slot] = nil
	return true
}
