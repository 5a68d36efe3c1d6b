package isr

import "baton/epoch"

// AlterRequest is one partition of an AlterPartition request, as its sender sees it.
type AlterRequest struct {
	Sender         int32 // the broker that believes it leads the partition
	LeaderEpoch    epoch.Leader
	PartitionEpoch epoch.Partition // the version the sender read; what it wants to replace
	ISR            Set
	Recovery       Recovery // v0 has none: Recovered
}

// Verdict is what becomes of an AlterRequest.
type Verdict int

const (
	// Accept: write the returned value, conditionally on the request's PartitionEpoch.
	Accept Verdict = iota
	// Current: answer success with the value we hold. The request is already done, or
	// is based on an older version; a leader that is told the newer state adopts it and
	// asks again from there, while INVALID_UPDATE_VERSION would freeze its ISR until the
	// next leader epoch (08.3).
	Current
	// Ahead: the sender knows more than we do. Read the znode again before answering.
	Ahead
	// Fenced: the sender leads under an older leader epoch; a LeaderAndIsr with the newer
	// one is on its way, which is what makes FENCED_LEADER_EPOCH safe to answer.
	Fenced
	// Ineligible: a member may not be in the ISR now. The leader goes back to its last
	// committed state by itself and tries again later.
	Ineligible
	// Malformed: no broker of ours sends this. Answered with a code from which a leader
	// recovers by itself, because INVALID_REQUEST freezes the ISR.
	Malformed
)

// Alter decides about one requested ISR change. cur is the acknowledged state,
// replicas the assignment, eligible whether a broker may be in an ISR now (it is
// registered, not shutting down, its replica not on a failed directory).
//
// The order of the checks is Kafka's (3.3 and later), with the four checks that
// Kafka does not make added in front of the last one: sender is the leader, ISR not
// empty, contains the leader, is a part of the assignment.
func Alter(cur LeaderAndISR, replicas []int32, req AlterRequest, eligible func(int32) bool) (LeaderAndISR, Verdict) {
	next := cur
	next.ISR, next.Recovery = req.ISR, req.Recovery
	switch {
	case req.PartitionEpoch > cur.PartitionEpoch || req.LeaderEpoch > cur.LeaderEpoch:
		return cur, Ahead
	case req.LeaderEpoch < cur.LeaderEpoch:
		return cur, Fenced
	case req.Sender != cur.Leader:
		return cur, Malformed
	case next.SameContent(cur):
		return cur, Current
	case req.PartitionEpoch < cur.PartitionEpoch:
		return cur, Current
	case len(req.ISR) == 0 || !req.ISR.Has(req.Sender) || !req.ISR.SubsetOf(replicas) || !req.ISR.Distinct():
		return cur, Malformed
	case req.Recovery == Recovering && (len(req.ISR) > 1 || cur.Recovery == Recovered):
		return cur, Malformed
	}
	for _, id := range req.ISR {
		if !eligible(id) {
			return cur, Ineligible
		}
	}
	return next, Accept
}
