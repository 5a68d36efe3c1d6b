package quota

import (
	"fmt"
	"maps"
	"testing"
)

const window = 11_000

func rate(r float64) *float64 { return &r }

// The most specific limit counts, and tells who shares its bucket.
func TestPrecedence(t *testing.T) {
	deflt := Scope{Kind: Default}
	u, c := Of("u"), Of("c")
	order := []struct {
		entity Entity
		owner  Client
	}{
		{Entity{u, c}, Client{"u", "c"}},
		{Entity{u, deflt}, Client{"u", "c"}},
		{Entity{User: u}, Client{"u", ""}},
		{Entity{deflt, c}, Client{"u", "c"}},
		{Entity{deflt, deflt}, Client{"u", "c"}},
		{Entity{User: deflt}, Client{"u", ""}},
		{Entity{Client: c}, Client{"", "c"}},
		{Entity{Client: deflt}, Client{"", "c"}},
	}
	l := New()
	for i, o := range order {
		l.Set(o.entity, rate(float64(i)))
		l.Set(Entity{User: Of("other"), Client: o.entity.Client}, rate(99))
	}
	for i, o := range order {
		if got, owner, ok := l.limit(Client{"u", "c"}); !ok || got != float64(i) || owner != o.owner {
			t.Errorf("%d: %v of %v, %v", i, got, owner, ok)
		}
		l.Set(o.entity, nil)
	}
	if _, _, ok := l.limit(Client{"u", "c"}); ok {
		t.Error("a limit that was taken away")
	}
}

// Charges against a rate of 2 and a window of 11 s, 22 partitions, by the millisecond.
func TestCharge(t *testing.T) {
	type charge struct {
		at         int64
		strict     bool
		partitions int
		wait       int64
		ok         bool
	}
	for name, charges := range map[string][]charge{
		"strict: one over is let in, the next is not": {
			{0, true, 22, 0, true}, {0, true, 30, 0, true}, {0, true, 1, 15_000, false},
			{14_999, true, 1, 1, false}, {15_000, true, 40, 0, true}, {15_000, true, 0, 20_000, false},
		},
		"permissive: never refused, waits as soon as something is owed": {
			{0, false, 22, 0, true}, {0, false, 30, 15_000, true}, {5_000, false, 30, 25_000, true}, {5_000, true, 1, 25_000, false},
		},
		"no more than the window is saved up": {
			{0, true, 1, 0, true}, {9_000_000, false, 22, 0, true}, {9_000_000, false, 1, 500, true},
		},
		"nothing costs nothing":    {{0, true, 0, 0, true}, {0, false, 0, 0, true}},
		"half a partition is left": {{0, true, 22, 0, true}, {250, true, 1, 0, true}, {250, true, 1, 250, false}},
	} {
		t.Run(name, func(t *testing.T) {
			l := New()
			l.Set(Entity{User: Scope{Kind: Default}}, rate(2))
			for i, c := range charges {
				if wait, ok := l.Charge(1e6+c.at, window, Client{"u", fmt.Sprint(i)}, c.strict, c.partitions); wait != c.wait || ok != c.ok {
					t.Errorf("charge %d: %v ms, %v; want %+v", i, wait, ok, c)
				}
			}
			if _, ok := l.Charge(1e6, window, Client{"someone else", ""}, true, 1); !ok {
				t.Error("users share a bucket")
			}
		})
	}
}

// What is owed stays when a limit changes, and is paid back at the new rate.
func TestALimitThatChanges(t *testing.T) {
	l := New()
	u := Entity{User: Of("u")}
	charge := func(at int64, n int, wantWait int64, want bool) {
		t.Helper()
		if wait, ok := l.Charge(at, window, Client{"u", ""}, true, n); wait != wantWait || ok != want {
			t.Errorf("at %d: %d, %v", at, wait, ok)
		}
	}
	charge(0, 1000, 0, true) // none yet
	l.Set(u, rate(1))
	charge(0, 21, 0, true)
	charge(0, 1, 10_000, false)
	l.Set(u, rate(10))
	charge(0, 1, 1_000, false)
	l.Set(u, rate(0))
	charge(0, 1, maxWait, false)
	l.Set(u, nil)
	charge(0, 1000, 0, true)
	l.Set(u, rate(-1))
	charge(0, 1, maxWait, false)
}

// Buckets that are full again, or that nobody has touched for an hour, are dropped.
func TestBucketsAreBounded(t *testing.T) {
	l := New()
	l.Set(Entity{Client: Scope{Kind: Default}}, rate(1))
	for i := range int64(10_000) {
		l.Charge(i*1000, window, Client{"u", fmt.Sprint(i)}, false, 1)
	}
	if len(l.buckets) > 2*minPrune {
		t.Errorf("%d buckets, though each is full after a second", len(l.buckets))
	}
	const at = 10_000_000
	l.Charge(at, window, Client{"u", "deep"}, false, 1_000_000)
	for now, want := range map[int64]int{at + forgotten - 1: 1, at + forgotten: 0} {
		l := Limiter{limits: l.limits, buckets: maps.Clone(l.buckets)}
		if l.prune(now, window); len(l.buckets) != want {
			t.Errorf("%d buckets at %d, want %d: only what is owed is kept, for an hour", len(l.buckets), now, want)
		}
	}
}
