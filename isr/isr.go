// Package isr holds what a partition's state znode says about its leader and its
// in-sync replicas, and the rules by which a leader's request to change them
// (AlterPartition) is accepted or refused.
//
// The package is part of the pure core: no I/O, no clock, no goroutine.
package isr

import (
	"fmt"
	"slices"

	"baton/epoch"
)

// NoLeader is the leader of a partition that nobody may lead at the moment.
const NoLeader int32 = -1

// LeaderGone is the leader in metadata of a partition whose topic is being deleted; brokers
// forget the partition. It is never in ZooKeeper.
const LeaderGone int32 = -2

// Recovery tells whether the leader was elected from outside the ISR and has not
// yet said that it is done with recovering (KIP-704).
type Recovery int8

// The values are those on the wire (LeaderAndIsr v6+) and in the state znode.
const (
	Recovered  Recovery = 0
	Recovering Recovery = 1
)

// Set is a list of broker ids without duplicates. The order is kept as ZooKeeper has
// it, because brokers compare ISRs as lists.
type Set []int32

// Has reports whether id is a member.
func (s Set) Has(id int32) bool { return slices.Contains(s, id) }

// Filter returns the members for which keep is true, in order. The receiver is not changed.
func (s Set) Filter(keep func(int32) bool) Set {
	out := make(Set, 0, len(s))
	for _, id := range s {
		if keep(id) {
			out = append(out, id)
		}
	}
	return out
}

// Any reports whether is holds for a member.
func (s Set) Any(is func(int32) bool) bool { return slices.ContainsFunc(s, is) }

// Equal compares members and order.
func (s Set) Equal(o Set) bool { return slices.Equal(s, o) }

// SubsetOf reports whether every member of s is in o.
func (s Set) SubsetOf(o []int32) bool {
	for _, id := range s {
		if !slices.Contains(o, id) {
			return false
		}
	}
	return true
}

// Distinct reports whether no id occurs twice.
func (s Set) Distinct() bool {
	// Sorted, as a list that comes from outside may have a million ids.
	sorted := slices.Sorted(slices.Values(s))
	return len(slices.Compact(sorted)) == len(s)
}

// LeaderAndISR is the content of a state znode without the controller's epoch.
//
// Invariants of an acknowledged value: ISR is not empty; Leader is NoLeader or in
// ISR; LeaderEpoch never goes back; PartitionEpoch is the dataVersion it was read
// or written at.
type LeaderAndISR struct {
	Leader         int32
	LeaderEpoch    epoch.Leader
	ISR            Set
	Recovery       Recovery
	PartitionEpoch epoch.Partition
}

// String is made for goldens and logs.
func (l LeaderAndISR) String() string {
	s := fmt.Sprintf("leader=%d epoch=%d isr=%v version=%d", l.Leader, l.LeaderEpoch, []int32(l.ISR), l.PartitionEpoch)
	if l.Recovery == Recovering {
		s += " recovering"
	}
	return s
}

// SameContent compares everything but the PartitionEpoch.
func (l LeaderAndISR) SameContent(o LeaderAndISR) bool {
	return l.Leader == o.Leader && l.LeaderEpoch == o.LeaderEpoch && l.Recovery == o.Recovery && l.ISR.Equal(o.ISR)
}
