package coresim

import (
	"reflect"
	"testing"
)

// TestPlantedBugs: each bug of Bugs, alone, breaks an invariant within some
// thousand seeds. A simulation that sees none of them would prove nothing.
func TestPlantedBugs(t *testing.T) {
	t.Parallel()
	kind := reflect.TypeFor[Bugs]()
	for i := range kind.NumField() {
		t.Run(kind.Field(i).Name, func(t *testing.T) {
			t.Parallel()
			var bugs Bugs
			reflect.ValueOf(&bugs).Elem().Field(i).SetBool(true)
			for seed := uint64(1); seed <= 4000; seed++ {
				if r := Run(seed, bugs, false); r.Fail != "" {
					t.Logf("seed %d: %s", seed, r.Fail)
					return
				}
			}
			t.Error("not caught in 4,000 seeds")
		})
	}
}
