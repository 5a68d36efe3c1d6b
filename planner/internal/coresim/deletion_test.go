package coresim

import "testing"

// TestDeletionsAcrossRoles: Batons crash, lose their sessions and are pushed aside at every
// step of deletions, and brokers die; whoever leads in the end has finished them all.
func TestDeletionsAcrossRoles(t *testing.T) {
	t.Parallel()
	kinds := []func(*sim){
		(*sim).marker, (*sim).marker, (*sim).marker, (*sim).clientCall, (*sim).autoCreate, (*sim).addPartition, (*sim).rivalClaims,
		(*sim).reassignCall, (*sim).reassignCall, (*sim).reassignLegacy, (*sim).grow,
		func(s *sim) {
			if b := pick(&s.r, s.batons); b.up {
				b.crash()
			}
		},
		func(s *sim) {
			if b := pick(&s.r, s.batons); b.up {
				b.sessionEnds(s.r.between(0, 3000))
			}
		},
		func(s *sim) { pick(&s.r, s.brokers).die(s.r.between(200, 5000)) },
	}
	deleted := 0
	for n := uint64(1); n <= uint64(seeds(t, 300)); n++ {
		r := run(n, Bugs{}, false, kinds)
		if r.Fail != "" {
			t.Fatalf("seed %d: %s\n%s", n, r.Fail, run(n, Bugs{}, true, kinds).Trace)
		}
		deleted += r.Marks["deleted"]
	}
	if deleted == 0 {
		t.Error("nothing was ever deleted")
	}
	t.Logf("%d topics deleted", deleted)
}
