package planner

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
)

// ElectionType is what somebody asks for; the numbers are those of ElectLeaders.
type ElectionType int8

// The two types.
const (
	Preferred ElectionType = 0
	Unclean   ElectionType = 1
)

// Why an election was held, for log lines.
const (
	causeCall    = "asked for by ElectLeaders"
	causeNamed   = "somebody named the replica"
	causeZnode   = "asked for in /admin/preferred_replica_election"
	causeBalance = "auto leader rebalance"
)

const (
	// maxWanted is how many partitions wait for an election at once. Fewer than a few
	// multis hold: what a broker's death wants written is not stuck behind fifty thousand
	// leaders on their way home.
	maxWanted = 500
	// maxLooked is how many partitions of an election are looked at in one step.
	maxLooked = 5_000
	// electionPatience is how long what was asked for is tried for; a call's answer may be
	// due before, and go out without it.
	electionPatience Millis = 30_000
)

// election is a set of partitions for which somebody wants a leader elected. They are
// taken up in slices: first maxWanted of them, then one for each that is settled.
type election struct {
	kind    ElectionType
	named   *Candidate // nil: whom the kind says
	cause   string
	asker   Asked
	queue   []partition.ID // not taken up yet
	wanted  int            // taken up and not settled
	telling []partition.ID // elected, and perhaps not told to all brokers
	applied Millis         // when the last of them was
	until   Millis         // given up then

	token    uint64 // of a call; 0: none
	asked    []partition.ID
	all      bool
	deadline Millis
	answered bool
	results  map[partition.ID]*ElectionResult

	reread map[partition.ID]bool // what was read again for it

	elected, unneeded, failed int

	done func() // what follows when all are settled; may be nil
}

func (e *election) open() bool { return len(e.queue)+e.wanted > 0 }

// electLeaders starts the elections of a call (07.3).
func (m *Machine) electLeaders(token uint64, c ElectLeaders) {
	if c.Candidate != nil && (c.All || len(c.Partitions) != 1) {
		m.reply(token, ElectLeadersReply{Err: kerr.InvalidRequest})
		return
	}
	e := &election{kind: c.Type, named: c.Candidate, cause: causeCall, asker: Asked{Who: c.Who, Why: c.Why}, token: token, all: c.All, deadline: m.now + max(c.Timeout, 0),
		results: map[partition.ID]*ElectionResult{}}
	if e.named != nil {
		e.cause = causeNamed
	}
	if c.All {
		m.im.Each(func(t *cluster.Topic, p *cluster.Partition) {
			if p.Known && !m.queued(t) { // brokers know no others
				e.asked = append(e.asked, partition.ID{Topic: t.Name, Number: p.Number})
			}
		})
	} else {
		e.asked = slices.Compact(slices.SortedFunc(slices.Values(c.Partitions), partition.Compare))
	}
	e.queue = e.asked
	m.startElection(e)
}

func (m *Machine) startElection(e *election) {
	e.until, e.asker.Cause = max(e.deadline, m.now+electionPatience), e.cause
	m.elections = append(m.elections, e)
}

// feedElections takes up as many partitions as may be under way, those of calls first.
func (m *Machine) feedElections() {
	room, looks := maxWanted-m.wantedCount, maxLooked
	for _, calls := range []bool{true, false} {
		for _, e := range m.elections {
			if (e.token != 0) != calls {
				continue
			}
			for ; len(e.queue) > 0 && room > 0 && looks > 0; looks-- {
				id := e.queue[0]
				e.queue = e.queue[1:]
				if m.screen(e, id) {
					continue
				}
				room--
				e.wanted++
				m.wantedCount++
				m.wanted[id] = append(m.wanted[id], e)
				m.touch(id)
			}
		}
	}
}

// moreElections asks for another step if there is room for more: what came to nothing is
// followed by no event.
func (m *Machine) moreElections() {
	waits := slices.ContainsFunc(m.elections, func(e *election) bool { return len(e.queue) > 0 })
	m.plan.Again = m.plan.Again || waits && m.wantedCount < maxWanted
}

// screen settles what needs no election and no wait: partitions that are led as they
// should be, and those that are not there.
func (m *Machine) screen(e *election, id partition.ID) bool {
	p := m.im.Partition(id)
	if why := m.notElectable(e, id); why != nil {
		m.settleElection(e, id, why)
		return true
	}
	if m.inflight.of(p) == nil && m.notNeeded(e, p) {
		m.settleElection(e, id, &refusal{kerr.ElectionNotNeeded, ""})
		return true
	}
	return false
}

// notElectable says why no election can be held whatever comes of what is under way.
func (m *Machine) notElectable(e *election, id partition.ID) *refusal {
	t, p := m.im.Topic(id.Topic), m.im.Partition(id)
	unavailable := kerr.PreferredLeaderNotAvailable
	if e.kind == Unclean {
		unavailable = kerr.EligibleLeadersNotAvailable
	}
	switch {
	case t != nil && m.queued(t) && p != nil:
		return refuse(kerr.InvalidTopicException, "The topic is being deleted")
	case p == nil:
		return refuse(kerr.UnknownTopicOrPartition, "The partition does not exist.")
	case t.Held != "":
		return refuse(unavailable, "No leader is elected for %v: %s.", id, t.Held)
	case p.Broken != "":
		return refuse(unavailable, "No leader is elected for %v: its state cannot be understood: %s.", id, p.Broken)
	case !p.Known:
		return refuse(unavailable, "No leader is elected for %v: it has no state yet.", id)
	}
	if why := m.outdated(e, p); why != "" {
		return refuse(kerr.InvalidUpdateVersion, "No leader is elected for %v: %s.", id, why)
	}
	return nil
}

// outdated says what has changed since a candidate was chosen, empty if nothing has.
func (m *Machine) outdated(e *election, p *cluster.Partition) string {
	c := e.named
	switch {
	case c == nil:
		return ""
	case !slices.Contains(p.Told().Replicas, c.ID):
		return fmt.Sprintf("%d is not one of its replicas %v", c.ID, p.Told().Replicas)
	case e.kind != Unclean:
		return versionSince(c, p)
	}
	return m.changedSince(c, p)
}

func versionSince(c *Candidate, p *cluster.Partition) string {
	if p.State.PartitionEpoch == c.PartitionEpoch {
		return ""
	}
	return fmt.Sprintf("its state has changed since %d was chosen: version %d then, %d now", c.ID, c.PartitionEpoch, p.State.PartitionEpoch)
}

// changedSince says what is not as it was when a candidate was chosen by measurement, empty if all is: the state's version, and
// which replicas are live under which registrations.
func (m *Machine) changedSince(c *Candidate, p *cluster.Partition) string {
	if why := versionSince(c, p); why != "" {
		return why
	}
	for _, id := range p.Told().Replicas {
		was, live := c.Live[id], m.im.EligibleForISR(p, id)
		switch {
		case live && was == 0:
			return fmt.Sprintf("replica %d is live, which it was not when %d was chosen", id, c.ID)
		case live && was != m.im.Broker(id).Epoch:
			return fmt.Sprintf("replica %d has restarted since %d was chosen", id, c.ID)
		case !live && was != 0:
			return fmt.Sprintf("replica %d is not live any more, which it was when %d was chosen", id, c.ID)
		}
	}
	return ""
}

// dropOutdated settles the elections of a partition whose candidates were chosen by what is no more.
func (m *Machine) dropOutdated(id partition.ID, p *cluster.Partition) {
	for _, e := range slices.Clone(m.wanted[id]) {
		if why := m.outdated(e, p); why != "" {
			m.settleWanted(id, e, refuse(kerr.InvalidUpdateVersion, "No leader is elected for %v: %s.", id, why))
		}
	}
}

// chosen is the replica that was named for an unclean election, nil if none was.
func (m *Machine) chosen(id partition.ID) *int32 {
	i := slices.IndexFunc(m.wanted[id], func(e *election) bool { return e.kind == Unclean })
	if i < 0 || m.wanted[id][i].named == nil {
		return nil
	}
	return &m.wanted[id][i].named.ID
}

// target is who leads after an election of the kind Preferred; the assignment has replicas.
func (e *election) target(replicas []int32) int32 {
	if e.named != nil {
		return e.named.ID
	}
	return replicas[0]
}

func (m *Machine) notNeeded(e *election, p *cluster.Partition) bool {
	if e.kind == Unclean {
		return p.State.Leader != isr.NoLeader && m.im.Standing(p, p.State.Leader) != partition.Offline
	}
	return len(p.Assignment.Replicas) > 0 && p.State.Leader == e.target(p.Assignment.Replicas)
}

// wantsUnclean reports whether somebody has accepted loss for the partition.
func (m *Machine) wantsUnclean(id partition.ID) bool {
	return slices.ContainsFunc(m.wanted[id], func(e *election) bool { return e.kind == Unclean })
}

// elect holds the elections that are wanted for a partition about which there is
// nothing else to decide. It settles those that come to nothing; the first that does
// not is to be written.
func (m *Machine) elect(id partition.ID, in partition.Input) (isr.LeaderAndISR, partition.Strategy, *election) {
	p := m.im.Partition(id)
	for _, e := range slices.Clone(m.wanted[id]) {
		if m.notNeeded(e, p) {
			m.settleWanted(id, e, &refusal{kerr.ElectionNotNeeded, ""})
			continue
		}
		if e.kind == Preferred {
			if next, why, ok := e.give(in); ok {
				return next, why, e
			}
			if m.readsFirst(e, id, in) {
				continue
			}
			if e.named != nil {
				m.settleWanted(id, e, refuse(kerr.EligibleLeadersNotAvailable, "%d is %v, and the ISR of %v is %v", e.named.ID, in.Standing(e.named.ID), id, in.Current.ISR))
				continue
			}
			m.settleWanted(id, e, refuse(kerr.PreferredLeaderNotAvailable,
				"Failed to elect leader for partition %v under strategy PreferredReplicaPartitionLeaderElectionStrategy", id))
			continue
		}
		m.settleWanted(id, e, refuse(kerr.EligibleLeadersNotAvailable,
			"Failed to elect leader for partition %v under strategy OfflinePartitionLeaderElectionStrategy(true)", id))
	}
	return in.Current, partition.Keep, nil
}

// give moves the leader to a member of the ISR.
func (e *election) give(in partition.Input) (isr.LeaderAndISR, partition.Strategy, bool) {
	if e.named != nil {
		next, ok := partition.Give(in, e.named.ID)
		return next, partition.Chosen, ok
	}
	next, ok := partition.Preferred(in)
	return next, partition.PreferredElection, ok
}

// readsFirst asks for the state once, before an election is refused for an ISR that its leader may have changed since:
// leaders below 2.7-IV2 say so up to 7 s later, and Kafka's controller reads before each election.
func (m *Machine) readsFirst(e *election, id partition.ID, in partition.Input) bool {
	if !m.set.LeadersWriteISR || len(in.Replicas) == 0 {
		return false
	}
	if s := in.Standing(e.target(in.Replicas)); s != partition.Alive && s != partition.Lapsed {
		return false
	}
	if !e.reread[id] {
		if e.reread == nil {
			e.reread = map[partition.ID]bool{}
		}
		e.reread[id] = true
		m.readStates([]partition.ID{id})
	}
	return m.reads[id] != nil
}

// uncleanWanted is the election that a change by Unclean belongs to, nil if none does.
func (m *Machine) uncleanWanted(id partition.ID, why partition.Strategy) *election {
	i := slices.IndexFunc(m.wanted[id], func(e *election) bool { return e.kind == Unclean })
	if i < 0 || why != partition.Unclean {
		return nil
	}
	return m.wanted[id][i]
}

// refuseElections settles what is wanted for a partition that has lost what an
// election needs.
func (m *Machine) refuseElections(id partition.ID) {
	for _, e := range slices.Clone(m.wanted[id]) {
		if why := m.notElectable(e, id); why != nil {
			m.settleWanted(id, e, why)
		}
	}
}

// settleWanted takes a partition off those that wait; nil: it was elected.
func (m *Machine) settleWanted(id partition.ID, e *election, why *refusal) {
	i := slices.Index(m.wanted[id], e)
	if i < 0 {
		return // given up meanwhile
	}
	if m.wanted[id] = slices.Delete(m.wanted[id], i, i+1); len(m.wanted[id]) == 0 {
		delete(m.wanted, id)
	}
	e.wanted--
	m.wantedCount--
	m.settleElection(e, id, why)
}

func (m *Machine) settleElection(e *election, id partition.ID, why *refusal) {
	r := ElectionResult{ID: id}
	if why != nil {
		r.Err, r.Message = why.code, why.text
	}
	if e.token != 0 {
		e.results[id] = &r
	}
	switch {
	case why == nil:
		e.elected++
		e.telling, e.applied = append(e.telling, id), m.now
	case why.code == kerr.ElectionNotNeeded:
		e.unneeded++
	default:
		e.failed++
		m.note(Note{Kind: NoteNoElection, Partition: id, Broker: -1, Text: fmt.Sprintf("%v: not elected (%s): %s", id, e.cause, why.text)})
	}
}

// settleElections answers the calls whose partitions are settled and told, or whose
// time is over, and ends elections.
func (m *Machine) settleElections() {
	open := m.elections[:0]
	for _, e := range m.elections {
		if e.open() && m.now >= e.until {
			m.giveUp(e)
		}
		m.answerElection(e)
		if e.open() || e.token != 0 && !e.answered {
			open = append(open, e)
			continue
		}
		m.sumUp(e)
		if e.done != nil {
			e.done()
		}
	}
	clear(m.elections[len(open):])
	m.elections = open
}

// sumUp says what came of an election.
func (m *Machine) sumUp(e *election) {
	if e.elected+e.unneeded+e.failed == 0 {
		return // a rebalance that found nothing to do
	}
	kind := "preferred"
	switch {
	case e.kind == Unclean:
		kind = "unclean"
	case e.named != nil:
		kind = "chosen"
	}
	m.note(Note{Kind: NoteElections, Broker: -1, Text: fmt.Sprintf("%s election (%s): %d partitions elected, %d needed none, %d without one",
		kind, e.cause, e.elected, e.unneeded, e.failed)})
}

// answerElection answers a call: each partition by its outcome, and by
// REQUEST_TIMED_OUT if it has none at the deadline. Its elections go on all the same, as
// Kafka's do.
func (m *Machine) answerElection(e *election) {
	if e.token == 0 || e.answered || m.now < e.deadline && (e.open() || !m.toldOf(e)) {
		return
	}
	e.answered = true
	reply := ElectLeadersReply{Results: make([]ElectionResult, 0, len(e.asked))}
	for _, id := range e.asked {
		switch r := e.results[id]; {
		case r == nil:
			reply.Results = append(reply.Results, ElectionResult{ID: id, Err: kerr.RequestTimedOut})
		case !e.all || r.Err != kerr.ElectionNotNeeded:
			reply.Results = append(reply.Results, *r)
		}
	}
	m.reply(e.token, reply)
}

// toldOf reports whether all brokers that listen have heard of what was elected; sick
// ones are waited for only so long. What was found told is not looked at again.
func (m *Machine) toldOf(e *election) bool {
	if len(e.telling) > 0 && m.now-e.applied >= m.set.ToldWait {
		e.telling = nil
	}
	for n := len(e.telling); n > 0; n-- {
		if p := m.im.Partition(e.telling[n-1]); p != nil && !m.allKnowOf(p) {
			return false
		}
		e.telling = e.telling[:n-1]
	}
	return true
}

// allKnowOf reports whether nothing about a partition is left to be told to brokers that listen.
func (m *Machine) allKnowOf(p *cluster.Partition) bool {
	for _, l := range m.ledgers {
		if l.up && !l.knowsOf(p.Slot()) {
			return false
		}
	}
	return true
}

// giveUp leaves what is still open as it is.
func (m *Machine) giveUp(e *election) {
	m.note(Note{Kind: NoteNoElection, Broker: -1, Text: fmt.Sprintf("%d partitions not elected (%s): given up after %d s", len(e.queue)+e.wanted, e.cause, electionPatience/1000)})
	e.failed += len(e.queue) + e.wanted
	e.queue = nil
	for _, id := range sorted(m.wanted) {
		for slices.Contains(m.wanted[id], e) {
			i := slices.Index(m.wanted[id], e)
			if m.wanted[id] = slices.Delete(m.wanted[id], i, i+1); len(m.wanted[id]) == 0 {
				delete(m.wanted, id)
			}
			e.wanted--
			m.wantedCount--
		}
	}
}

// preferredRequested takes in /admin/preferred_replica_election (07.5). The znode is
// deleted when its partitions are settled, whatever came of them; what cannot be
// understood is left where it is.
func (m *Machine) preferredRequested(ev PreferredRequested) {
	var bad []Bad
	if ev.Bad != "" {
		bad = []Bad{{scopePreferred, ev.Bad}}
	}
	m.setUnreadable(scopePreferred, bad)
	if ev.Bad != "" || !ev.Exists {
		return
	}
	e := &election{kind: Preferred, cause: causeZnode, queue: slices.Clone(ev.Partitions)}
	e.done = m.deletePreferred
	m.startElection(e)
}

// deletePreferred takes the handled request away, or whoever made it could make no other.
func (m *Machine) deletePreferred() {
	m.preferredLeft = 0
	m.write(DeleteNotifications{Paths: []string{scopePreferred}}, func(r Result) {
		if r.Outcome == Failed {
			m.preferredLeft = m.now + 4*m.set.RetryAfter
			m.note(Note{Kind: NoteWriteFailed, Broker: -1, Text: scopePreferred + ": " + r.Reason})
		}
	})
}

func (m *Machine) electionsTick() {
	if m.preferredLeft != 0 && m.now >= m.preferredLeft {
		m.deletePreferred()
	}
}
