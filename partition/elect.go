package partition

import (
	"slices"

	"baton/isr"
)

// Standing is what a replica's broker means for leading and for staying in the ISR.
type Standing uint8

const (
	// Alive: registered since before the ISR was decided, serving, its directory fine.
	Alive Standing = iota
	// Leaving: registered but in a controlled shutdown; keeps what it has, gets nothing new.
	Leaving
	// Lapsed: registered again after the ISR was decided. It may have lost what it had not
	// flushed, so it leaves the ISR unless nobody better is there (KIP-380, KIP-903).
	Lapsed
	// Offline: not registered, or its replica is on a failed log directory.
	Offline
	// Unread: registered, but the registration cannot be understood and never could. It is
	// not absent, so it keeps what it has; it is not known either, so it gets nothing.
	Unread
)

// Strategy names why a state changes; the words appear in logs, metrics and the journal.
type Strategy string

const (
	// Keep: nothing to change.
	Keep Strategy = "keep"
	// Initial: the first leader of a new partition.
	Initial Strategy = "initial"
	// Shrink: the leader stays, members that cannot follow leave the ISR.
	Shrink Strategy = "shrink"
	// OfflineElection: the leader is gone or has lapsed, an ISR member takes over.
	OfflineElection Strategy = "offline"
	// ControlledShutdown: the leader is leaving, an ISR member takes over before it goes.
	ControlledShutdown Strategy = "controlled-shutdown"
	// PreferredElection: somebody asked for it, and the first replica is alive and in the ISR.
	PreferredElection Strategy = "preferred"
	// Chosen: somebody named this replica, and it is alive and in the ISR.
	Chosen Strategy = "chosen"
	// Unclean: nobody of the ISR is left and the operator has accepted loss.
	Unclean Strategy = "unclean"
	// Leaderless: nobody may lead; the ISR is kept, so that any of its members may when it is back.
	Leaderless Strategy = "leaderless"
	// Repaired: the assignment named a Baton and was rewritten; leader and ISR stay.
	Repaired Strategy = "repaired"
	// Refence: leader and ISR stay under a new epoch, which takes back a leader's request that it
	// would not take back itself.
	Refence Strategy = "refence"
)

// Input is all that Elect looks at.
type Input struct {
	Replicas []int32 // in preference order
	Current  isr.LeaderAndISR
	Standing func(id int32) Standing
	// AllowUnclean permits a leader from outside the ISR when no member is left.
	AllowUnclean bool
	// Chosen is the replica that leads then; nil: the first live one, as Kafka has it.
	Chosen *int32
	// MarkRecovering: inter-broker protocol 3.2 or later, an unclean leader starts as RECOVERING (KIP-704).
	MarkRecovering bool
}

// Elect decides, from what is and not from what happened, which leader and ISR a
// partition should have. It returns Keep with the current value if that is the
// current one; every other outcome has a leader epoch one higher. It serves all
// causes: a broker's death, a bounce, a controlled shutdown, a failed directory, a
// replica's return.
//
// The ISR is never emptied: with no member left standing it stays as it is.
func Elect(in Input) (isr.LeaderAndISR, Strategy) {
	cur := in.Current
	leader := Offline
	if cur.Leader != isr.NoLeader && cur.ISR.Has(cur.Leader) {
		leader = in.Standing(cur.Leader)
	}
	if leader == Alive || leader == Unread {
		return next(cur, cur.Leader, cur.ISR.Filter(stays(in, cur.Leader)), Shrink)
	}
	if id, ok := firstInISR(in, Alive); ok {
		why := OfflineElection
		if leader == Leaving {
			why = ControlledShutdown
		}
		return next(cur, id, cur.ISR.Filter(stays(in, id)), why)
	}
	if leader == Leaving {
		// Nobody to hand over to: it leads until it is gone, and the broker hears that.
		return next(cur, cur.Leader, cur.ISR.Filter(alone(in, cur.Leader)), Shrink)
	}
	if id, ok := firstInISR(in, Leaving); ok {
		return next(cur, id, cur.ISR.Filter(alone(in, id)), OfflineElection)
	}
	if leader == Lapsed {
		// Every member restarted since. The old leader's log is the best guess there is.
		return bump(cur, cur.Leader, isr.Set{cur.Leader}), OfflineElection
	}
	if id, ok := firstInISR(in, Lapsed); ok {
		return next(cur, id, isr.Set{id}, OfflineElection)
	}
	if in.AllowUnclean && !cur.ISR.Any(func(id int32) bool { return in.Standing(id) == Unread }) {
		if id, ok := outsider(in); ok {
			out := bump(cur, id, isr.Set{id})
			if in.MarkRecovering {
				out.Recovery = isr.Recovering
			}
			return out, Unclean
		}
	}
	if cur.Leader == isr.NoLeader {
		return cur, Keep
	}
	return bump(cur, isr.NoLeader, cur.ISR), Leaderless
}

// Preferred gives leadership to the first replica, if it is alive and in the ISR; ok is
// false if it is not. Members that cannot follow leave the ISR by the same decision, as
// otherwise it would look as if it had been made about them. A leader whose registration
// cannot be read stays: nobody could tell it to stop.
func Preferred(in Input) (out isr.LeaderAndISR, ok bool) {
	if len(in.Replicas) == 0 {
		return in.Current, false
	}
	return Give(in, in.Replicas[0])
}

// Give does the same for a replica that is named.
func Give(in Input, id int32) (out isr.LeaderAndISR, ok bool) {
	cur := in.Current
	if cur.Leader == id || !slices.Contains(in.Replicas, id) {
		return cur, false
	}
	if !cur.ISR.Has(id) || in.Standing(id) != Alive || cur.Leader != isr.NoLeader && in.Standing(cur.Leader) == Unread {
		return cur, false
	}
	return bump(cur, id, cur.ISR.Filter(stays(in, id))), true
}

// First decides the first state of a new partition: all live replicas are in the
// ISR, the first of them leads, as none has any data yet. ok is false when no replica
// is live; the partition then stays new.
func First(replicas []int32, standing func(int32) Standing) (isr.LeaderAndISR, bool) {
	var members isr.Set
	for _, id := range replicas {
		if s := standing(id); s == Alive || s == Lapsed {
			members = append(members, id)
		}
	}
	if len(members) == 0 {
		return isr.LeaderAndISR{}, false
	}
	return isr.LeaderAndISR{Leader: members[0], ISR: members}, true
}

// stays tells which members the ISR keeps under a leader: itself, those that are alive,
// and those of which nothing is known.
func stays(in Input, leader int32) func(int32) bool {
	return func(id int32) bool {
		s := in.Standing(id)
		return id == leader || s == Alive || s == Unread
	}
}

// alone tells which members the ISR keeps under a leader that is leaving: itself, and
// those of which nothing is known.
func alone(in Input, leader int32) func(int32) bool {
	return func(id int32) bool { return id == leader || in.Standing(id) == Unread }
}

// firstInISR returns the most preferred replica that is in the ISR and stands as s. An
// ISR member that is missing in the assignment is never chosen.
func firstInISR(in Input, s Standing) (int32, bool) {
	for _, id := range in.Replicas {
		if in.Current.ISR.Has(id) && in.Standing(id) == s {
			return id, true
		}
	}
	return 0, false
}

// outsider is who leads without being in the ISR.
func outsider(in Input) (int32, bool) {
	if in.Chosen == nil {
		return firstLive(in)
	}
	if !slices.Contains(in.Replicas, *in.Chosen) {
		return 0, false
	}
	s := in.Standing(*in.Chosen)
	return *in.Chosen, s == Alive || s == Lapsed
}

func firstLive(in Input) (int32, bool) {
	for _, id := range in.Replicas {
		if s := in.Standing(id); s == Alive || s == Lapsed {
			return id, true
		}
	}
	return 0, false
}

// next returns Keep if leader and members are what is there already.
func next(cur isr.LeaderAndISR, leader int32, members isr.Set, why Strategy) (isr.LeaderAndISR, Strategy) {
	if leader == cur.Leader && members.Equal(cur.ISR) {
		return cur, Keep
	}
	return bump(cur, leader, members), why
}

func bump(cur isr.LeaderAndISR, leader int32, members isr.Set) isr.LeaderAndISR {
	cur.Leader, cur.ISR = leader, members
	cur.LeaderEpoch++
	return cur
}
