package recovery

import "fmt"

// Sample is what was seen last of the lost leader's log.
type Sample struct {
	End int64 // one after its last record then
	// Most is where it ended at most when the partition lost it, if it grew no faster than it was seen to in the PaceMS before
	// the sample; Open if that is not known, and End if it has not grown since.
	Most   int64
	PaceMS int64
	AgeMS  int64 // before the partition lost it; 0: this is the log itself
	Epoch  int32 // the leader epoch in which it was lost
	// History are the leader epochs of the log's end, the newest first, as far back as is known. It may be older than the
	// sample, but not than the time since which this leader leads.
	History []Span
}

// Span is the records of one leader epoch, which end where those of the next one begin.
type Span struct {
	Epoch int32
	Start int64 // Open: not known, of the oldest one
}

// Open is an offset, or a number of them, that nothing bounds.
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
// From another live replica's log it has parted where their histories say.
func LossOf(c Candidate, live []Candidate, leader *Sample) Loss {
	if c.Log == nil {
		return Loss{Max: Open}
	}
	out := Loss{Max: Open}
	if leader != nil {
		lo, hi := leader.parts(*c.Log)
		out = Loss{Min: max(0, leader.End-hi), Max: Open, Known: true, From: leader.String()}
		if leader.Most != Open {
			out.Max = max(out.Min, leader.Most-lo)
		}
	}
	for _, o := range live {
		if o.Log == nil || o.ID == c.ID || Compare(*c.Log, *o.Log) != Behind {
			continue
		}
		less := max(0, o.Log.End-c.Log.End)
		if at, known := Parts(c, o); known {
			less = o.Log.End - at
		}
		switch {
		case !out.Known || less > out.Min && out.Max == Open:
			out = Loss{Min: less, Max: Open, Known: true, From: fmt.Sprintf("replica %d", o.ID)}
		case less > out.Min:
			out.Min, out.Max = less, max(less, out.Max)
			out.From = fmt.Sprintf("%v, and replica %d", leader, o.ID)
		}
	}
	return out
}

// parts bounds the offset up to which c has the leader's records.
//
// A log whose last record is of an epoch that the leader has, too, has nothing but the leader's records up to the end of that
// epoch there: both have them from the leader of that epoch. One whose last record is of another epoch may have parted from
// the leader's anywhere: from its start, below which it has nothing, to where the leader's later epochs begin.
func (s *Sample) parts(c Log) (lo, hi int64) {
	hi = c.End
	if s.Most != Open {
		hi = min(hi, s.Most)
	}
	for i, h := range s.History {
		if last := h.Epoch; c.Last.Known() && (c.Last.Min == last || i == 0 && last < c.Last.Min && c.Last.Min <= s.Epoch) {
			return hi, hi
		}
		if c.Last.Max < h.Epoch && h.Start != Open {
			hi = min(hi, h.Start)
		}
	}
	if len(s.History) == 0 && c.Last == Exactly(s.Epoch) {
		return hi, hi
	}
	return min(c.Start, hi), hi
}

// String says what was compared with, and on what assumption.
func (s *Sample) String() string {
	if s.AgeMS == 0 && s.Most == s.End {
		return "the leader's log"
	}
	text := fmt.Sprintf("the leader's log %.1f s before it was lost", float64(s.AgeMS)/1000)
	if s.Most != Open {
		text += fmt.Sprintf(", if it grew no faster than in the %.0f s before that", float64(s.PaceMS)/1000)
	}
	return text
}
