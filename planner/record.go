package planner

import (
	"fmt"
	"slices"
	"strings"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
	"baton/recovery"
)

// Decision is one state write as it was decided: what for, from what, and what else could
// have been. It is for whoever asks later; nothing depends on it.
type Decision struct {
	Seq      uint64 // of the Write; its Learned has the same
	ID       partition.ID
	Trigger  *Trigger // shared by what one event has caused
	Asked    *Asked   // who wanted it, nil if nobody asked
	Strategy partition.Strategy
	// From is what was acknowledged, with no leader and no ISR for a new partition; To is
	// what is written on condition of To.PartitionEpoch, the version expected.
	From, To partition.State
	New      bool // there is no state yet
	Replicas []partition.Considered
	Unclean  string // where a replica from outside the ISR was thought of: whether it may lead, and who says so
	// Measured are the live replicas by whose logs the leader was chosen, in preference order; nil if none were.
	Measured []recovery.Candidate
}

// ISRChange is the strategy of a Decision that a leader asked for by AlterPartition.
const ISRChange partition.Strategy = "isr-change"

// Trigger is the event after which something was decided.
type Trigger struct {
	Event  string // its type: BrokersChanged, ElectLeaders, …
	Detail string // which brokers came or went, or what was asked for; may be empty
}

// Asked is who wants something. Who and Why are as far as known.
type Asked struct{ Cause, Who, Why string }

// Learned is what became of the Decision with the same Seq. Version is that of the znode now,
// meaningful if Applied; Took is from the decision until the outcome was heard of.
type Learned struct {
	Seq     uint64
	ID      partition.ID
	What    Outcome
	Version int32
	Took    Millis
	Reason  string
}

// maxBecause bounds the replicas named in one Trigger: a directory may hold thousands.
const maxBecause = 20

// trigger is what the step is about, made when it is first asked for.
func (m *Machine) trigger() *Trigger {
	if m.cause == nil {
		m.cause = &Trigger{Event: eventName(m.event), Detail: detail(m.event)}
		if len(m.because) > 0 {
			m.cause.Detail = strings.Join(m.because, ", ")
		}
	}
	return m.cause
}

// left are partitions that were touched in a step, and left to later ones.
type left struct {
	cause *Trigger
	slots cluster.Slots
}

// keepCauses notes what the step leaves undecided, and why it was touched.
func (m *Machine) keepCauses() {
	rest := m.dirty.Clone()
	for i := range m.left {
		rest.RemoveAll(&m.left[i].slots)
	}
	if rest.Len() > 0 {
		m.left = append(m.left, left{m.trigger(), rest})
	}
}

// causeOf is why a partition is looked at: what the step is about, unless an earlier one has left it.
func (m *Machine) causeOf(slot int32) *Trigger {
	for i := range m.left {
		if m.left[i].slots.Has(slot) {
			return m.left[i].cause
		}
	}
	return m.trigger()
}

// forgetLeft drops the causes of what is not dirty any more.
func (m *Machine) forgetLeft() {
	for i := range m.left {
		for slot := range m.left[i].slots.AllBut(&m.dirty) {
			m.left[i].slots.Remove(slot)
		}
	}
	m.left = slices.DeleteFunc(m.left, func(l left) bool { return l.slots.Len() == 0 })
}

// postponed remembers why a partition was looked at that cannot be decided about now.
func (m *Machine) postponed(id partition.ID, p *cluster.Partition) {
	m.overdue[id] = m.causeOf(p.Slot())
}

// decided puts a change, whose write was queued last, on record.
func (m *Machine) decided(c *change, isNew bool) {
	d := &c.decision
	d.Seq, d.ID, d.Strategy, d.From, d.To, d.New = m.seq, c.id, c.strategy, c.from, c.next, isNew
	if d.Trigger = m.overdue[c.id]; d.Trigger == nil {
		d.Trigger = m.causeOf(c.slot)
	} else {
		delete(m.overdue, c.id)
	}
	switch {
	case c.alter != nil:
		d.Strategy, d.Asked = ISRChange, &c.alter.call.asked
	case c.wanted != nil:
		d.Asked = &c.wanted.asker
	}
	c.at = m.now
	m.plan.Decisions = append(m.plan.Decisions, d)
}

// consider is partition.Consider in memory that many decisions share.
func (m *Machine) consider(in partition.Input, out isr.LeaderAndISR) []partition.Considered {
	const piece = 1024
	if most := len(in.Replicas) + len(in.Current.ISR); cap(m.considered)-len(m.considered) < most {
		m.considered = make([]partition.Considered, 0, max(piece, most))
	}
	from := len(m.considered)
	m.considered = partition.Consider(m.considered, in, out)
	return m.considered[from:len(m.considered):len(m.considered)]
}

// learned puts the outcome of a change on record. What is decided again because of it has
// still the trigger that the change had.
func (m *Machine) learned(c *change, r Result) {
	o := Learned{Seq: c.decision.Seq, ID: c.id, What: r.Outcome, Version: r.Version, Took: m.now - c.at, Reason: r.Reason}
	if r.Outcome == Conflict {
		o.Version = int32(r.Found.State.PartitionEpoch) //nolint:gosec // a version
	}
	m.plan.Learned = append(m.plan.Learned, o)
	if r.Outcome != Applied && c.alter == nil && m.overdue[c.id] == nil {
		m.overdue[c.id] = c.decision.Trigger
	}
}

// uncleanSays tells who decides whether a replica from outside the ISR may lead; ruled is what goes for the topic, empty if
// nobody had to ask because no such replica is live.
func (m *Machine) uncleanSays(id partition.ID, ruled string) string {
	switch {
	case m.chosen(id) != nil:
		return fmt.Sprintf("allowed: somebody asked for it, and named replica %d", *m.chosen(id))
	case m.wantsUnclean(id):
		return "allowed: somebody asked for it"
	case ruled != "":
		return ruled
	}
	return "nobody else is live"
}

func uncleanWord(allowed bool, who string) string {
	if allowed {
		return "allowed by " + who
	}
	return "not allowed by " + who
}

// eventName is an event's type without its package, a call's that of its body.
func eventName(ev Event) string {
	if c, ok := ev.(Call); ok {
		return strings.TrimPrefix(fmt.Sprintf("%T", c.Body), "planner.")
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", ev), "planner.")
}

// detail is what an event says of itself; what came or went is found by comparing.
func detail(ev Event) string {
	switch e := ev.(type) {
	case Claimed:
		return fmt.Sprintf("claimed with %d brokers and %d topics", len(e.Brokers), len(e.Topics))
	case TopicsChanged:
		return fmt.Sprintf("%d topics new or changed, %d gone", len(e.Topics), len(e.Gone))
	case TopicConfigRead:
		return "the configuration of " + e.Topic + " was read"
	case DefaultsChanged:
		return "the cluster's dynamic default was read"
	case BrokerReplied:
		return fmt.Sprintf("broker %d answered %v", e.Broker, e.Kind)
	case Call:
		return callDetail(e.Body)
	}
	return ""
}

func callDetail(body CallBody) string {
	switch b := body.(type) {
	case AlterPartition:
		return fmt.Sprintf("broker %d asked", b.Broker)
	case ControlledShutdown:
		return fmt.Sprintf("broker %d asked", b.Broker)
	case AlterReassignments:
		return fmt.Sprintf("%d partitions", len(b.Items))
	case CreateTopics:
		return fmt.Sprintf("%d topics", len(b.Topics))
	}
	return ""
}
