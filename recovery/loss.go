package recovery

import "fmt"

// Sample is what was seen of the lost leader's log.
type Sample struct {
	End   int64
	Last  Epochs // of its last record
	AgeMS int64  // before the partition lost it
	// Final: the log has not grown since. Otherwise its end is a lower bound.
	Final bool
}

// Open is a Max that nothing bounds.
const Open int64 = -1

// Loss is how many offsets of the best known log are not, or not with the same records, in the candidate's.
type Loss struct {
	Min, Max int64
	// Known: there is something to compare with. Otherwise Min is 0 and Max Open.
	Known bool
	From  string // what it was compared with
}

// String is the loss as people read it.
func (l Loss) String() string {
	switch {
	case !l.Known:
		return "unknown"
	case l.Max == Open:
		return fmt.Sprintf("at least %d", l.Min)
	case l.Min == l.Max:
		return fmt.Sprint(l.Min)
	}
	return fmt.Sprintf("%d…%d", l.Min, l.Max)
}

// LossOf is what is lost if c leads: compared with the leader's sample, and with the other live replicas, which may have got
// more since it was taken. Only what is certain is counted into Min.
//
// A log whose last epoch is the leader's is the beginning of the leader's. One whose last epoch is another may have parted
// from it anywhere, so all of the leader's log may be lost: from the candidate's start, below which it has nothing. From another
// live replica's log it has parted where their histories say.
func LossOf(c Candidate, live []Candidate, leader *Sample) Loss {
	if c.Log == nil {
		return Loss{Max: Open}
	}
	var out Loss
	if leader != nil {
		out = Loss{Min: max(0, leader.End-c.Log.End), Max: Open, Known: true, From: "the leader's log"}
		if leader.Final {
			if out.Max = out.Min; !leader.Last.Known() || c.Log.Last != leader.Last {
				out.Max = max(out.Min, leader.End-c.Log.Start)
			}
			return out
		}
		out.From = fmt.Sprintf("the leader's log %d ms before it was lost", leader.AgeMS)
	}
	for _, o := range live {
		if o.Log == nil || o.ID == c.ID || Compare(*c.Log, *o.Log) != Behind {
			continue
		}
		less := max(0, o.Log.End-c.Log.End)
		if at, known := Parts(c, o); known {
			less = o.Log.End - at
		}
		if !out.Known || less > out.Min {
			out = Loss{Min: less, Max: Open, Known: true, From: fmt.Sprintf("replica %d", o.ID)}
		}
	}
	return out
}
