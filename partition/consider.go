package partition

import (
	"slices"

	"baton/isr"
)

// Considered is one replica as a decision saw it, and what the decision made of it.
type Considered struct {
	ID       int32
	InISR    bool // before the decision
	Standing Standing
	Verdict  Verdict
}

// Verdict is why a replica leads after a decision, or why it does not.
type Verdict uint8

// The verdicts; the first that applies, in this order, is given.
const (
	// Leads: the decision names it.
	Leads Verdict = iota
	// NoReplica: a member of the ISR that the assignment does not name.
	NoReplica
	// IsOffline: its broker is not registered, or its log directory has failed.
	IsOffline
	// IsUnread: its broker's registration cannot be understood.
	IsUnread
	// OutsideISR: nobody has accepted the loss of what only others have.
	OutsideISR
	// IsLeaving: its broker is in a controlled shutdown.
	IsLeaving
	// HasRestarted: it has restarted since the ISR was decided, so it may lack what it had.
	HasRestarted
	// LeaderStays: it could lead, but there was no reason to move the leader.
	LeaderStays
	// LessPreferred: it could lead, but the one that does comes first.
	LessPreferred
	// NotChosen: it could lead, but somebody named the one that does, or that one was measured to lose least.
	NotChosen
)

var standingNames = [...]string{"alive", "leaving", "restarted", "offline", "unreadable"}

// String is the word of logs and of the journal.
func (s Standing) String() string { return standingNames[s] }

var verdictNames = [...]string{"leads", "is no replica", "is offline", "has an unreadable registration", "is not in the ISR", "is shutting down",
	"has restarted since the ISR was decided", "could lead, but the leader stays", "could lead, but comes later",
	"could lead, but another one was chosen"}

// String is what a person reads after the replica's id.
func (v Verdict) String() string { return verdictNames[v] }

// Consider says of each replica, in preference order, and of each member of the ISR what
// the decision from in to out made of it, and appends that to all.
func Consider(all []Considered, in Input, out isr.LeaderAndISR) []Considered {
	for _, id := range in.Replicas {
		all = append(all, consider(in, out, id, true))
	}
	for _, id := range in.Current.ISR {
		if !slices.Contains(in.Replicas, id) {
			all = append(all, consider(in, out, id, false))
		}
	}
	return all
}

func consider(in Input, out isr.LeaderAndISR, id int32, replica bool) Considered {
	c := Considered{ID: id, InISR: in.Current.ISR.Has(id), Standing: in.Standing(id)}
	switch {
	case id == out.Leader:
		c.Verdict = Leads
	case !replica:
		c.Verdict = NoReplica
	case c.Standing == Offline:
		c.Verdict = IsOffline
	case c.Standing == Unread:
		c.Verdict = IsUnread
	case !c.InISR && (out.Leader == isr.NoLeader || in.Current.ISR.Has(out.Leader)):
		c.Verdict = OutsideISR
	case c.Standing == Leaving:
		c.Verdict = IsLeaving
	case c.Standing == Lapsed && out.Leader != isr.NoLeader && c.InISR:
		c.Verdict = HasRestarted
	case out.Leader == in.Current.Leader:
		c.Verdict = LeaderStays
	case in.Chosen != nil:
		c.Verdict = NotChosen
	default:
		c.Verdict = LessPreferred
	}
	return c
}
