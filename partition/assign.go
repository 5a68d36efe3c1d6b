package partition

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Place is a broker as replica assignment sees it.
type Place struct {
	ID      int32
	Rack    string
	HasRack bool
}

// Assign errors; the texts are those that Kafka's tools show.
var (
	ErrPartitions = errors.New("Number of partitions must be larger than 0.")          //nolint:revive,staticcheck // Kafka's wording
	ErrFactor     = errors.New("Replication factor must be larger than 0.")            //nolint:revive,staticcheck // Kafka's wording
	ErrTooFew     = errors.New("replication factor larger than the available brokers") // wrapped with both numbers
)

// Assign spreads n partitions with the given replication factor over brokers as
// Kafka does (14.1): leaders round-robin from a start, followers at a shift that grows
// with every round; with racks on all brokers, replicas of a partition prefer racks it
// does not use yet. If only some brokers have a rack, racks are not looked at. seed
// chooses start and shift.
func Assign(brokers []Place, n int32, factor int16, seed uint64) ([][]int32, error) {
	switch {
	case n <= 0:
		return nil, ErrPartitions
	case factor <= 0:
		return nil, ErrFactor
	case int(factor) > len(brokers):
		return nil, fmt.Errorf("Replication factor: %d larger than available brokers: %d.%w", factor, len(brokers), quiet{ErrTooFew}) //nolint:revive,staticcheck // Kafka's wording
	}
	m := uint64(len(brokers))
	return assign(brokers, 0, int(n), int(factor), int(seed%m), int(seed/m%m)), nil
}

// Extend places n more partitions of a topic that has some: as Assign would, starting and
// shifting by the position of the broker that leads partition 0, or of the next one that is
// there (05.7).
func Extend(brokers []Place, have, n int32, factor int16, leader int32) ([][]int32, error) {
	if _, err := Assign(brokers, min(n, 1), factor, 0); err != nil {
		return nil, err
	}
	ids := make([]int32, len(brokers))
	for i, b := range brokers {
		ids[i] = b.ID
	}
	slices.Sort(ids)
	start := max(0, slices.IndexFunc(ids, func(id int32) bool { return id >= leader }))
	return assign(brokers, int(have), int(n), int(factor), start, start), nil
}

// assign places partitions from up to from+n.
func assign(brokers []Place, from, n, factor, start, shift int) [][]int32 {
	list, racks := arrange(brokers)
	m := len(list)
	out := make([][]int32, n)
	for i := range n {
		p := from + i
		if p > 0 && p%m == 0 {
			shift++
		}
		first := (p + start) % m
		if racks > 1 {
			out[i] = spreadRacks(list, first, shift*racks, factor, racks)
			continue
		}
		replicas := []int32{list[first].ID}
		for j := range factor - 1 {
			replicas = append(replicas, list[follower(first, shift+j, m)].ID)
		}
		out[i] = replicas
	}
	return out
}

// quiet lets an error be matched without adding to the text.
type quiet struct{ error }

func (quiet) Error() string   { return "" }
func (q quiet) Unwrap() error { return q.error }

// follower returns the index of a follower at a distance from the first replica that
// never is a multiple of m.
func follower(first, distance, m int) int { return (first + 1 + distance%(m-1)) % m }

// arrange sorts brokers by id, or takes them rack by rack in turn, and counts racks;
// 1 means that racks are not looked at.
func arrange(brokers []Place) ([]Place, int) {
	list := slices.Clone(brokers)
	slices.SortFunc(list, func(a, b Place) int { return cmp.Compare(a.ID, b.ID) })
	byRack := map[string][]Place{}
	for _, b := range list {
		if !b.HasRack {
			return list, 1
		}
		byRack[b.Rack] = append(byRack[b.Rack], b)
	}
	names := make([]string, 0, len(byRack))
	for r := range byRack {
		names = append(names, r)
	}
	slices.Sort(names)
	alternated := make([]Place, 0, len(list))
	for round := 0; len(alternated) < len(list); round++ {
		for _, r := range names {
			if round < len(byRack[r]) {
				alternated = append(alternated, byRack[r][round])
			}
		}
	}
	return alternated, len(names)
}

func spreadRacks(list []Place, first, shift, factor, racks int) []int32 {
	replicas := []int32{list[first].ID}
	used := map[string]bool{list[first].Rack: true}
	for k := 0; len(replicas) < factor; k++ {
		c := list[follower(first, shift+k, len(list))]
		if slices.Contains(replicas, c.ID) || used[c.Rack] && len(used) < racks {
			continue
		}
		replicas = append(replicas, c.ID)
		used[c.Rack] = true
	}
	return replicas
}
