package cluster

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// Sets of slots do what maps would do.
func TestSlotsAreSets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var sets [2]Slots
		twins := [2]map[int32]bool{{}, {}}
		limit := []int32{10, 200, 10_000}[rng.IntN(3)]
		for range 300 {
			i := rng.IntN(2)
			a, b, slot := &sets[i], &sets[1-i], rng.Int32N(limit)
			x, y := twins[i], twins[1-i]
			switch rng.IntN(12) {
			case 0:
				a.AddAll(b)
				maps.Copy(x, y)
			case 1:
				a.RemoveAll(b)
				maps.DeleteFunc(x, func(s int32, _ bool) bool { return y[s] })
			case 2:
				*a, twins[i] = b.Clone(), maps.Clone(y)
			case 3, 4, 5, 6:
				a.Remove(slot)
				delete(x, slot)
			default:
				a.Add(slot)
				x[slot] = true
			}
			compareSlots(t, &sets[0], &sets[1], twins[0], twins[1])
		}
	}
}

func compareSlots(t *testing.T, a, b *Slots, x, y map[int32]bool) {
	t.Helper()
	all := slices.Sorted(maps.Keys(x))
	if got := slices.Collect(a.All()); !slices.Equal(got, all) || a.Len() != len(all) {
		t.Fatalf("%d slots %v, want %v", a.Len(), got, all)
	}
	but := slices.DeleteFunc(all, func(s int32) bool { return y[s] })
	if got := slices.Collect(a.AllBut(b)); !slices.Equal(got, but) {
		t.Fatalf("all but %v, want %v", got, but)
	}
	if a.Meets(b) != (len(but) < len(x)) || a.Equal(b) != maps.Equal(x, y) {
		t.Fatalf("meets %v, equal %v: %v, %v", a.Meets(b), a.Equal(b), x, y)
	}
	for s := range y {
		if a.Has(s) != x[s] {
			t.Fatalf("has %d: %v", s, a.Has(s))
		}
	}
}

// What is taken out of a set while one goes through it is not met, and the rest is.
func TestSlotsChangedOnTheWay(t *testing.T) {
	var s Slots
	for i := range int32(300) {
		s.Add(i)
	}
	var got []int32
	for slot := range s.All() {
		got = append(got, slot)
		s.Remove(slot)
		s.Remove(slot + 64)
	}
	if len(got) >= 300 || !slices.IsSorted(got) || s.Len() != 0 {
		t.Fatal(got, s.Len())
	}
}
