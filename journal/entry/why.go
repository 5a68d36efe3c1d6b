package entry

import (
	"cmp"
	"slices"
	"time"

	"baton/partition"
)

// Explanation is why a partition is, or was, led as it is. What is not known is nil.
type Explanation struct {
	Partition string `json:"partition"`
	// Leader is the decision that made the leader, ISR the last one of all; they may be the same.
	Leader *Step `json:"leader"`
	ISR    *Step `json:"isr"`
	// Others counts states between the two and after that somebody else wrote: leaders before AlterPartition, Kafka's controller.
	Others int `json:"writtenByOthers,omitempty"`
}

// Step is a decision that was written, with all that belongs to it.
type Step struct {
	Origin     string     `json:"origin"`
	Epoch      int32      `json:"controllerEpoch"`
	At         time.Time  `json:"at"`
	Trigger    string     `json:"trigger"`
	Detail     string     `json:"detail,omitempty"`
	Cause      string     `json:"cause,omitempty"`
	Who        string     `json:"who,omitempty"`
	Why        string     `json:"why,omitempty"`
	Strategy   string     `json:"strategy"`
	From       State      `json:"from"`
	To         State      `json:"to"`
	New        bool       `json:"new,omitempty"`
	Unclean    string     `json:"unclean,omitempty"`
	Considered []Replica  `json:"considered"`
	Measured   []Measured `json:"measured,omitempty"`
	Written    *time.Time `json:"written,omitempty"` // nil: its journal does not say, but what follows stands on it
	Version    int32      `json:"version"`           // of the znode since
	MS         int64      `json:"ms"`                // from the decision until the write was known
	Told       []Telling  `json:"told"`

	write   uint64
	seq     uint64 // of the Decided
	learned uint64 // of the Learned, 0 if there is none
	result  string
}

// Telling is one broker's hearing of a Step: the first request of that kind that it answered, else the last.
type Telling struct {
	Broker   int32      `json:"broker"`
	Request  string     `json:"request"`
	Sent     time.Time  `json:"sent"`
	Answered *time.Time `json:"answered,omitempty"` // nil: no answer was heard of
	Code     int16      `json:"code,omitempty"`

	id uint64
}

// Why finds what made a partition's leader and ISR at a moment, the zero time for now, out of entries about it, in any
// order.
func Why(id partition.ID, at time.Time, entries []Entry) Explanation {
	x := Explanation{Partition: name(id)}
	entries = sorted(entries)
	all := steps(x.Partition, entries)
	written := applied(all)
	if !at.IsZero() {
		written = slices.DeleteFunc(written, func(s *Step) bool { return s.when().After(at) })
	}
	for i, s := range written {
		if i > 0 && s.From.Version != written[i-1].Version {
			x.Others++
		}
		x.ISR = s
		if s.New || s.From.Leader != s.To.Leader {
			x.Leader, x.Others = s, 0
		}
	}
	for _, s := range []*Step{x.Leader, x.ISR} {
		if s != nil && s.Told == nil {
			s.Told = tellings(s, x.Partition, all, entries)
		}
	}
	return x
}

// when a step counts from.
func (s *Step) when() time.Time {
	if s.Written != nil {
		return *s.Written
	}
	return s.At
}

// sorted orders entries as they happened: one journal has a controller epoch, and its own numbers are in order.
func sorted(entries []Entry) []Entry {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Seq, b.Seq))
	})
	return entries
}

// steps are all decisions about a partition with their outcomes.
func steps(p string, entries []Entry) []*Step {
	var out []*Step
	for _, e := range entries {
		for _, d := range e.Decisions {
			if d.Partition != p {
				continue
			}
			s := &Step{Origin: e.Origin, Epoch: e.Epoch, At: e.At, Trigger: e.Trigger, Detail: e.Detail, Cause: e.Cause, Who: e.Who, Why: e.Why,
				Strategy: d.Strategy, From: d.From, To: d.To, New: d.New, Unclean: d.Unclean, Measured: d.Measured, write: d.Write, seq: e.Seq}
			if d.Replicas >= 0 && d.Replicas < len(e.Considered) {
				s.Considered = e.Considered[d.Replicas]
			}
			out = append(out, s)
		}
		for _, o := range e.Outcomes {
			i := slices.IndexFunc(out, func(s *Step) bool { return s.Origin == e.Origin && s.Epoch == e.Epoch && s.write == o.Write })
			if o.Partition == p && i >= 0 {
				at := e.At
				s := out[i]
				s.result, s.Written, s.Version, s.MS, s.learned = o.Result, &at, o.Version, o.MS, e.Seq
			}
		}
	}
	return out
}

// applied are the steps that are known to be written: by their outcome, or because a later one stands on them.
func applied(all []*Step) []*Step {
	var out []*Step
	for i, s := range all {
		if s.result == "" {
			s.Version = s.To.Version + 1
			if s.New {
				s.Version = 0
			}
			if slices.ContainsFunc(all[i+1:], func(later *Step) bool { return !later.New && same(later.From, s.To, s.Version) }) {
				s.result = Applied
			}
		}
		if s.result == Applied {
			out = append(out, s)
		}
	}
	return out
}

func same(found, written State, version int32) bool {
	return found.Version == version && found.Leader == written.Leader && found.Epoch == written.Epoch && slices.Equal(found.ISR, written.ISR)
}

// tellings are the requests of each kind to each broker between a step's write and the next.
func tellings(s *Step, p string, all []*Step, entries []Entry) []Telling {
	out := []Telling{}
	until := ^uint64(0)
	for _, next := range all {
		if next.Origin == s.Origin && next.Epoch == s.Epoch && next.result == Applied && next.learned > s.learned {
			until = min(until, next.learned)
		}
	}
	id, _ := ParseID(p)
	for _, e := range entries {
		if s.learned == 0 || e.Origin != s.Origin || e.Epoch != s.Epoch || e.Seq < s.learned {
			continue
		}
		i := slices.IndexFunc(out, func(t Telling) bool { return t.Broker == e.Broker && t.Request == e.Request })
		switch {
		case e.Kind == Told && e.Seq < until && has(e.Partitions[id.Topic], id.Number):
			t := Telling{Broker: e.Broker, Request: e.Request, Sent: e.At, id: e.ID}
			if i < 0 {
				out = append(out, t)
			} else if out[i].Answered == nil || out[i].Code != 0 {
				out[i] = t
			}
		case e.Kind == Answered && i >= 0 && out[i].id == e.ID:
			at := e.At
			out[i].Answered, out[i].Code = &at, e.Code
			if code := e.Refused[p]; code != 0 {
				out[i].Code = code
			}
		}
	}
	return out
}
