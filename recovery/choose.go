package recovery

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"baton/epoch"
)

// Candidate is a live replica.
type Candidate struct {
	ID int32
	// Epoch is the registration that was measured: another one's log may be another.
	Epoch epoch.Broker
	// Log is nil if the replica could not be measured; Silent says why.
	Log    *Log
	Silent string
}

// Which names the candidate that is wanted.
type Which struct {
	By Way
	ID int32 // of ByID
}

// Way is how a candidate is named.
type Way int

const (
	// Longest: the one that loses least.
	Longest Way = iota
	// First: the most preferred live one, which Kafka's own unclean election takes.
	First
	// ByID: this one.
	ByID
)

// ParseWhich reads longest, first or a broker's id.
func ParseWhich(s string) (Which, error) {
	switch s {
	case "longest":
		return Which{By: Longest}, nil
	case "first":
		return Which{By: First}, nil
	}
	id, err := strconv.ParseInt(s, 10, 32)
	if err != nil || id < 0 {
		return Which{}, fmt.Errorf("%q: expected longest, first or a broker's id", s)
	}
	return Which{By: ByID, ID: int32(id)}, nil
}

// Choice is who is to lead.
type Choice struct {
	// Leader is -1 if nobody can, whatever loss is accepted.
	Leader int32
	// Doubts are why the loss has to be accepted first: without one it is certain that no other live replica has more.
	Doubts []string
}

// Choose picks among the live replicas, given in preference order.
func Choose(live []Candidate, which Which) Choice {
	out := Choice{Leader: -1}
	if len(live) == 0 {
		return Choice{Leader: -1, Doubts: []string{"no replica is live"}}
	}
	chosen := &live[0]
	switch which.By {
	case ByID:
		i := slices.IndexFunc(live, func(c Candidate) bool { return c.ID == which.ID })
		if i < 0 {
			return Choice{Leader: -1, Doubts: []string{fmt.Sprintf("%d is not a live replica", which.ID)}}
		}
		chosen = &live[i]
	case Longest:
		if chosen = longest(live); chosen == nil {
			return Choice{Leader: -1, Doubts: append([]string{"no live replica could be measured, so none can be called the longest"}, silent(live)...)}
		}
	}
	out.Leader = chosen.ID
	out.Doubts = doubts(live, chosen)
	return out
}

// longest is the first of those that no other is surely ahead of; where the order is unknown, the one with the later epochs
// and the greater end. It is nil if nobody was measured.
func longest(live []Candidate) *Candidate {
	var best *Candidate
	for i := range live {
		c := &live[i]
		if c.Log == nil || best != nil && !better(*c.Log, *best.Log) {
			continue
		}
		best = c
	}
	return best
}

// better is a strict weak order that Compare's answers, where there is one, agree with.
func better(a, b Log) bool {
	switch {
	case a.Last.Max != b.Last.Max:
		return a.Last.Max > b.Last.Max
	case a.Last.Min != b.Last.Min:
		return a.Last.Min > b.Last.Min
	}
	return a.End > b.End
}

func doubts(live []Candidate, chosen *Candidate) []string {
	out := silent(live)
	if chosen.Log == nil {
		return out // nothing can be compared with it
	}
	for _, c := range live {
		if c.Log == nil || c.ID == chosen.ID {
			continue
		}
		switch Compare(*chosen.Log, *c.Log) {
		case Behind:
			out = append(out, fmt.Sprintf("%d has more: %s, and %d has %s", c.ID, describe(*c.Log), chosen.ID, describe(*chosen.Log)))
		case Unknown:
			out = append(out, fmt.Sprintf("epoch unknown: %d may have more than %d (%s, and %s)", c.ID, chosen.ID, describe(*c.Log), describe(*chosen.Log)))
		}
	}
	return out
}

func silent(live []Candidate) []string {
	var out []string
	for _, c := range live {
		if c.Log == nil {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%d could not be measured: %s", c.ID, c.Silent), ": "))
		}
	}
	return out
}

// Describe says in a line what was measured.
func Describe(live []Candidate) string {
	out := silent(live)
	for _, c := range live {
		if c.Log != nil {
			out = append(out, fmt.Sprintf("%d has %s", c.ID, describe(*c.Log)))
		}
	}
	return strings.Join(out, "; ")
}

func describe(l Log) string {
	if l.End == l.Start && !l.Last.Known() {
		return fmt.Sprintf("no records, offset %d", l.End)
	}
	return fmt.Sprintf("last epoch %v, end %d", l.Last, l.End)
}
