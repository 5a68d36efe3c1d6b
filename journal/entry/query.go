package entry

import (
	"bytes"
	"time"

	"baton/partition"
)

// Filter chooses entries. The zero value of a field chooses all.
type Filter struct {
	Topic     string
	Partition *int32 // of Topic
	Since     time.Time
	Until     time.Time
	Limit     int  // the newest so many
	Tellings  bool // also what brokers were told and answered
}

// Of returns the filter for all of one partition's entries.
func Of(id partition.ID) Filter {
	return Filter{Topic: id.Topic, Partition: &id.Number, Tellings: true}
}

// Selector applies a Filter to the entries of one journal, in their order. What an answer is about is in the request.
type Selector struct {
	f     Filter
	topic []byte
	told  map[[2]uint64]bool // by epoch and ID
}

// Selector returns one for the next journal.
func (f Filter) Selector() *Selector {
	return &Selector{f: f, topic: []byte(f.Topic), told: map[[2]uint64]bool{}}
}

// MayMatch is a cheap look at an entry's JSON: false means that Select would not choose it.
func (s *Selector) MayMatch(text []byte) bool {
	return s.f.Topic == "" || bytes.Contains(text, s.topic) || bytes.Contains(text, []byte(`"kind":"answered"`))
}

// Select narrows an entry to what was asked for; ok is false if nothing is left.
func (s *Selector) Select(e Entry) (_ Entry, ok bool) {
	if e.At.Before(s.f.Since) || !s.f.Until.IsZero() && e.At.After(s.f.Until) {
		return e, false
	}
	if !s.f.Tellings && (e.Kind == Told || e.Kind == Answered) {
		return e, false
	}
	if s.f.Topic == "" {
		return e, true
	}
	key := [2]uint64{uint64(uint32(e.Epoch)), e.ID} //nolint:gosec // a key
	switch e.Kind {
	case Decided:
		e.Decisions = keep(e.Decisions, func(d Decision) bool { return s.about(d.Partition) })
		return e, len(e.Decisions) > 0
	case Learned:
		e.Outcomes = keep(e.Outcomes, func(o Outcome) bool { return s.about(o.Partition) })
		return e, len(e.Outcomes) > 0
	case Noted:
		e.Notes = keep(e.Notes, func(n Note) bool { return s.about(n.Partition) })
		return e, len(e.Notes) > 0
	case Told:
		parts, ok := e.Partitions[s.f.Topic]
		if ok = ok && (s.f.Partition == nil || has(parts, *s.f.Partition)); ok {
			e.Partitions = map[string]string{s.f.Topic: parts}
			s.told[key] = true
		}
		return e, ok
	case Answered:
		if !s.told[key] {
			return e, false
		}
		delete(s.told, key)
		refused := map[string]int16{}
		for p, code := range e.Refused {
			if s.about(p) {
				refused[p] = code
			}
		}
		e.Refused = refused
		return e, true
	}
	return e, false
}

func (s *Selector) about(p string) bool {
	id, err := ParseID(p)
	return err == nil && id.Topic == s.f.Topic && (s.f.Partition == nil || id.Number == *s.f.Partition)
}

func keep[T any](all []T, want func(T) bool) []T {
	var out []T
	for _, x := range all {
		if want(x) {
			out = append(out, x)
		}
	}
	return out
}
