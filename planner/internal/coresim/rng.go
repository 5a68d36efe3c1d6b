package coresim

import "baton/planner"

// rng is splitmix64: the same on every machine and Go version.
type rng struct{ state uint64 }

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// n returns 0 … n-1.
func (r *rng) n(n int) int { return int(r.next() % uint64(n)) }

// between returns lo … hi.
func (r *rng) between(lo, hi int) planner.Millis { return planner.Millis(lo + r.n(hi-lo+1)) }

// chance is true in percent of cases.
func (r *rng) chance(percent int) bool { return r.n(100) < percent }

// pick returns an element of a slice that is not empty.
func pick[T any](r *rng, s []T) T { return s[r.n(len(s))] }

// shuffled returns 0 … n-1 in random order.
func (r *rng) shuffled(n int) []int {
	out := make([]int, n)
	for i := range out {
		j := r.n(i + 1)
		out[i], out[j] = out[j], i
	}
	return out
}
