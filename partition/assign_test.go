package partition

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// slowAssign is 14.1 word for word, with explicit scans instead of closed forms.
func slowAssign(brokers []Place, racks bool, n, factor, start, shift int) [][]int32 {
	m := len(brokers)
	names := map[string]bool{}
	for _, b := range brokers {
		names[b.Rack] = true
	}
	var out [][]int32
	for p := range n {
		if p > 0 && p%m == 0 {
			shift++
		}
		f := (p + start) % m
		replicas := []int32{brokers[f].ID}
		usedRacks := map[string]bool{brokers[f].Rack: true}
		usedBrokers := map[int32]bool{brokers[f].ID: true}
		k := 0
		for j := range factor - 1 {
			if !racks {
				replicas = append(replicas, brokers[(f+1+(shift+j)%(m-1))%m].ID)
				continue
			}
			for ; ; k++ { // every follower scans on from where the last one was taken
				c := brokers[(f+1+(shift*len(names)+k)%(m-1))%m]
				if (!usedRacks[c.Rack] || len(usedRacks) == len(names)) && (!usedBrokers[c.ID] || len(usedBrokers) == m) {
					replicas = append(replicas, c.ID)
					usedRacks[c.Rack], usedBrokers[c.ID] = true, true
					break
				}
			}
		}
		out = append(out, replicas)
	}
	return out
}

// places returns m brokers with racks by turns of sizes, none if racks is 0; and the
// same list as 14.1 wants it: rack by rack in turn.
func places(m, racks int) (given, ordered []Place) {
	byRack := map[string][]Place{}
	for i := range m {
		p := Place{ID: int32(i + 1)} //nolint:gosec // few
		if racks > 0 {
			p.Rack, p.HasRack = fmt.Sprintf("r%d", i*i%racks), true
		}
		given = append(given, p)
		byRack[p.Rack] = append(byRack[p.Rack], p)
	}
	if racks == 0 {
		return given, given
	}
	for round := range m {
		for r := range racks {
			if l := byRack[fmt.Sprintf("r%d", r)]; round < len(l) {
				ordered = append(ordered, l[round])
			}
		}
	}
	return given, ordered
}

func TestAssignAgainstTheDescription(t *testing.T) {
	for m := 1; m <= 7; m++ {
		for racks := range 4 {
			given, ordered := places(m, racks)
			for factor := 1; factor <= m; factor++ {
				for seed := range m * m {
					got, err := Assign(given, 15, int16(factor), uint64(seed)) //nolint:gosec // few
					if err != nil {
						t.Fatal(err)
					}
					want := slowAssign(ordered, racks > 0, 15, factor, seed%m, seed/m)
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Fatalf("%d brokers, %d racks, factor %d, seed %d:\n%v\n%v", m, racks, factor, seed, got, want)
					}
				}
			}
		}
	}
}

// TestAssignSpreads: replicas are distinct, leaders even, and with racks a partition
// uses as many of them as it can.
func TestAssignSpreads(t *testing.T) {
	for m := 1; m <= 7; m++ {
		for racks := range 4 {
			given, _ := places(m, racks)
			names := map[string]bool{}
			rackOf := map[int32]string{}
			for _, p := range given {
				names[p.Rack] = true
				rackOf[p.ID] = p.Rack
			}
			for factor := 1; factor <= m; factor++ {
				got, err := Assign(given, int32(3*m), int16(factor), uint64(5*m+factor)) //nolint:gosec // few
				if err != nil {
					t.Fatal(err)
				}
				leaders := map[int32]int{}
				for _, l := range got {
					leaders[l[0]]++
					used := map[string]bool{}
					for i, id := range l {
						used[rackOf[id]] = true
						if slices.Contains(l[:i], id) {
							t.Fatalf("%d twice in %v", id, l)
						}
					}
					if racks > 0 && len(used) != min(factor, len(names)) {
						t.Fatalf("%v uses %d of %d racks", l, len(used), len(names))
					}
				}
				for id, n := range leaders {
					if n != 3 {
						t.Fatalf("%d leads %d of %d partitions", id, n, 3*m)
					}
				}
			}
		}
	}
}

func TestAssignRefuses(t *testing.T) {
	given, _ := places(2, 0)
	for _, c := range []struct {
		n      int32
		factor int16
		want   error
	}{{0, 1, ErrPartitions}, {1, 0, ErrFactor}, {1, 3, ErrTooFew}} {
		if _, err := Assign(given, c.n, c.factor, 0); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
