package sequence

import (
	"reflect"
	"slices"
	"testing"
)

var ending = []Kind{Kill, ShutDown, Restart, ReassignAndKill}

// Each seed always gives the same operations, and they fit what was there before them: the model follows them to a healed cluster.
func TestGenerate(t *testing.T) {
	const n = 300
	kinds, refusals := map[Kind]int{}, map[string]int{}
	for seed := range uint64(n) {
		ops := Generate(seed, 1, 2, 3, 4)
		if !reflect.DeepEqual(ops, Generate(seed, 1, 2, 3, 4)) {
			t.Fatalf("seed %d gives two sequences", seed)
		}
		m := NewModel(1, 2, 3, 4)
		ended := 0
		for _, o := range ops {
			kinds[o.Kind]++
			refusals[o.Invalid]++
			if slices.Contains(ending, o.Kind) {
				ended++
			}
			m.Apply(o)
			if missing := Settled(m, ideal(t, m)); missing != "" {
				t.Fatalf("seed %d: %v: %s", seed, o, missing)
			}
		}
		if len(m.down) > 0 || len(m.ids(func(_ ID, p *partition) bool { return p.target != nil })) > 0 || len(m.names()) != len(m.topics) {
			t.Errorf("seed %d does not end healed:\n%s", seed, Describe(ops))
		}
		if (ended > 0) != (seed%2 == 0) || ended > 2 {
			t.Errorf("seed %d ends %d brokers:\n%s", seed, ended, Describe(ops))
		}
		for _, o := range m.CleanUp() {
			m.Apply(o)
		}
		if len(m.topics) > 0 {
			t.Errorf("seed %d leaves %v", seed, m.names())
		}
	}
	for _, k := range Kinds {
		if kinds[k] < n/25 {
			t.Errorf("%d × %s in %d seeds", kinds[k], k, n)
		}
	}
	if len(refusals) < 20 {
		t.Errorf("%d kinds of refusals: %v", len(refusals), refusals)
	}
}
