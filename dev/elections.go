package dev

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// atOnce is how many elections in a row are printed one by one: all of a world of the usual size.
const atOnce = 40

// elections prints and counts what the Batons note.
type elections struct {
	out *Screen

	mu      sync.Mutex
	counts  map[partition.Strategy]int
	printed int
	rest    int
}

func newElections(out *Screen) *elections {
	return &elections{out: out, counts: map[partition.Strategy]int{}}
}

// note is node.Options.Notes.
func (e *elections) note(_ int32, n planner.Note) {
	switch n.Kind {
	case planner.NoteElection:
		e.election(n)
	case planner.NoteAlarm, planner.NoteBad:
		e.out.Detail(red, "%s: %s", n.Kind, n.Text)
	}
}

func (e *elections) election(n planner.Note) {
	e.mu.Lock()
	e.counts[n.Strategy]++
	show := e.printed < atOnce
	if show {
		e.printed++
	} else {
		e.rest++
	}
	e.mu.Unlock()
	if !show {
		return
	}
	color, leader := green, fmt.Sprintf("broker %d leads", n.To.Leader)
	switch {
	case n.To.Leader == isr.NoLeader:
		color, leader = red, "no leader"
	case n.Strategy == partition.Shrink:
		color = yellow
	}
	e.out.Detail(color, "%v: %s, in sync %v, leader epoch %d: %s", n.Partition, leader, n.To.ISR, n.To.LeaderEpoch, reason(n))
}

// chapter ends a chapter: what was not printed is counted.
func (e *elections) chapter() {
	e.mu.Lock()
	rest := e.rest
	e.printed, e.rest = 0, 0
	e.mu.Unlock()
	if rest > 0 {
		e.out.Detail(plain, "and %d more", rest)
	}
}

// reason puts a strategy into words.
func reason(n planner.Note) string {
	switch n.Strategy {
	case partition.Initial:
		return "a new partition, its first live replica leads"
	case partition.Shrink:
		return "who is gone leaves the ISR, the leader stays"
	case partition.OfflineElection:
		if n.From.Leader == isr.NoLeader {
			return "a member of the ISR is back"
		}
		return fmt.Sprintf("broker %d is gone, the most preferred live member of the ISR takes over", n.From.Leader)
	case partition.ControlledShutdown:
		return fmt.Sprintf("broker %d is stopping in order", n.From.Leader)
	case partition.Leaderless:
		return fmt.Sprintf("nobody of the ISR %v is alive, and who is not in it may lack acknowledged records", n.From.ISR)
	case partition.PreferredElection:
		return "the first replica is back in the ISR and leads again"
	case partition.Unclean:
		return "nobody of the ISR is left and unclean elections are on: records may be lost"
	}
	return string(n.Strategy)
}

// total and a list by strategy.
func (e *elections) summary() (total int, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(e.counts)) {
		total += e.counts[s]
		parts = append(parts, fmt.Sprintf("%d %s", e.counts[s], s))
	}
	if total == 0 {
		return 0, "none"
	}
	return total, strings.Join(parts, ", ")
}
