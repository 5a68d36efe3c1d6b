package recovery

// Began is where the records of a leader epoch begin in a log.
type Began struct {
	Epoch  int32
	Offset int64
}

// History are a log's newest epochs, oldest first. Each ends where the next one begins, the last at the log's end.
type History []Began

// Parts is the offset up to which two logs have the same records, as far as their histories say. It is Kafka's rule for a
// follower (KIP-101): of the newest epoch that both have records of, the one with fewer has the beginning of the other's, as
// both come from the same leader; what comes after that is of different leaders.
func Parts(a, b Candidate) (offset int64, known bool) {
	if a.Log == nil || b.Log == nil {
		return 0, false
	}
	for i := len(a.History) - 1; i >= 0; i-- {
		for j := len(b.History) - 1; j >= 0; j-- {
			if a.History[i].Epoch == b.History[j].Epoch {
				return min(a.ends(i), b.ends(j)), true
			}
		}
	}
	return 0, false
}

// ends is where the i-th epoch of the history ends.
func (c *Candidate) ends(i int) int64 {
	if i+1 < len(c.History) {
		return c.History[i+1].Offset
	}
	return c.Log.End
}
