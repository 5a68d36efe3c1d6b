// Package recovery compares what the replicas of a leaderless partition have, and says which of them loses least if it leads,
// and what that loses at least and at most. It measures nothing: it judges what was measured.
//
// Logs are compared by the leader epoch of their last record, then by their end, as Kafka's followers and KIP-966 compare
// them: two logs whose last records have the same epoch come from the same leader, so the longer has all of the shorter. Of
// logs whose last epochs differ, the one of the later epoch has what was committed; the other may be longer by records that
// were never committed, so an offset alone says nothing.
//
// An epoch may be known only within bounds. Then an order that does not hold for every epoch within them is no order.
package recovery

import (
	"cmp"
	"fmt"
)

// NoEpoch is the last epoch of a log that never had a record.
const NoEpoch int32 = -1

// Epochs are bounds of a leader epoch, both included.
type Epochs struct{ Min, Max int32 }

// Exactly is an epoch that is known.
func Exactly(e int32) Epochs { return Epochs{e, e} }

// Known reports whether the bounds leave one epoch.
func (e Epochs) Known() bool { return e.Min == e.Max }

// String is the epoch, or its bounds.
func (e Epochs) String() string {
	if e.Known() {
		return fmt.Sprint(e.Min)
	}
	return fmt.Sprintf("%d…%d", e.Min, e.Max)
}

// Log is what a replica has on disk.
type Log struct {
	Start, End int64  // the first record's offset, and one after the last one's
	Last       Epochs // of the last record
}

// Order is how one log stands to another.
type Order int

const (
	// Unknown: the bounds of the epochs allow more than one of the others.
	Unknown Order = iota
	// Behind: it lacks records that the other has, or may have been overtaken by a later leader.
	Behind
	// Equal: the same last record.
	Equal
	// Ahead is the contrary of Behind.
	Ahead
)

// Compare says how a stands to b.
func Compare(a, b Log) Order {
	if a.Last.Known() && a.Last == b.Last {
		return [...]Order{Behind, Equal, Ahead}[cmp.Compare(a.End, b.End)+1]
	}
	switch le, ge := notAhead(a, b), notAhead(b, a); {
	case le && !ge:
		return Behind
	case ge && !le:
		return Ahead
	}
	return Unknown
}

// notAhead reports whether b is as good as a or better for all epochs within the bounds.
func notAhead(a, b Log) bool {
	return a.Last.Max < b.Last.Min || a.Last.Max == b.Last.Min && a.End <= b.End
}
