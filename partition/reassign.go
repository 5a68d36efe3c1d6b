package partition

import (
	"slices"

	"baton/isr"
)

// Reassign: the reassigned partition's leader or ISR gives up replicas that are to go, or
// brokers hear of an assignment that has changed.
const Reassign Strategy = "reassign"

// Origin is the assignment that a cancelled reassignment goes back to.
func (a Assignment) Origin() []int32 { return minus(a.Replicas, a.Adding) }

// Target is what a reassignment leads to; without one, the replicas.
func (a Assignment) Target() []int32 { return minus(a.Replicas, a.Removing) }

// ReassignTo starts a reassignment, or replaces the one in progress (KIP-455): the target's
// replicas come first, in its order. A target equal to the origin cancels.
func (a Assignment) ReassignTo(target []int32) Assignment {
	origin := a.Origin()
	full := append(slices.Clone(target), minus(origin, target)...)
	return Assignment{Replicas: full, Adding: minus(full, origin), Removing: minus(full, target)}
}

// Cancel ends a reassignment where it began; the order of the replicas is not restored.
func (a Assignment) Cancel() Assignment { return a.ReassignTo(a.Origin()) }

// Equal compares the lists with their order.
func (a Assignment) Equal(b Assignment) bool {
	return slices.Equal(a.Replicas, b.Replicas) && slices.Equal(a.Adding, b.Adding) && slices.Equal(a.Removing, b.Removing)
}

// Unneeded returns the replicas of before that after does not have.
func Unneeded(before, after Assignment) []int32 { return minus(before.Replicas, after.Replicas) }

// Settled reports whether the target has taken over: it is the ISR, and nobody else leads.
// What is left of the reassignment is to delete the removed replicas' logs and to forget
// about them.
func (a Assignment) Settled(s isr.LeaderAndISR) bool {
	if !a.Reassigning() {
		return false
	}
	target := a.Target()
	return s.ISR.SubsetOf(target) && isr.Set(target).SubsetOf(s.ISR) && (s.Leader == isr.NoLeader || slices.Contains(target, s.Leader))
}

// Told is the assignment that brokers are told. It is the one in ZooKeeper but for two
// cases, which both follow from what ZooKeeper has. Of a settled reassignment they hear the
// target only, so that no leader takes a removed replica back. And a member of the ISR that
// the assignment does not name any more counts until it has left: it may be the only one
// that has every record.
func (a Assignment) Told(s isr.LeaderAndISR) Assignment {
	switch {
	case a.Settled(s):
		return Assignment{Replicas: a.Target()}
	case s.ISR.SubsetOf(a.Replicas):
		return a
	}
	a.Replicas = append(slices.Clone(a.Replicas), minus(s.ISR, a.Replicas)...)
	return a
}

// Move decides what a reassignment wants of leader and ISR, and Keep if that is what is
// there: the ISR is left by members that the assignment does not name and, as soon as the
// whole target is in it and alive, by those that are to be removed; the leader is one that
// stays. It comes before Elect, whose rules it keeps: it never adds a member, never empties
// the ISR and does nothing while nobody who stays could lead.
func Move(a Assignment, in Input) (isr.LeaderAndISR, Strategy) {
	cur, stay := in.Current, a.Replicas
	alive := func(id int32) bool { return cur.ISR.Has(id) && in.Standing(id) == Alive }
	if target := a.Target(); a.Reassigning() && !slices.ContainsFunc(target, func(id int32) bool { return !alive(id) }) {
		stay = target
	}
	if cur.ISR.SubsetOf(stay) {
		return cur, Keep
	}
	leader := cur.Leader
	if !slices.Contains(stay, leader) || !alive(leader) && in.Standing(leader) != Unread {
		i := slices.IndexFunc(stay, alive)
		if i < 0 {
			return cur, Keep
		}
		leader = stay[i]
	}
	keeps := stays(in, leader)
	return next(cur, leader, cur.ISR.Filter(func(id int32) bool { return slices.Contains(stay, id) && keeps(id) }), Reassign)
}

// minus returns the ids of list that are not in without, in order.
func minus(list, without []int32) []int32 {
	var out []int32
	for _, id := range list {
		if !slices.Contains(without, id) {
			out = append(out, id)
		}
	}
	return out
}
