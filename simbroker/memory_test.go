package simbroker

import (
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// arrivals are the times at which some bytes arrive over a network with delays.
func arrivals(t *testing.T, seed uint64) (at []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, begun := NewMemory(), time.Now()
		m.Delay(seed, time.Millisecond)
		l, err := m.Host("b").Listen(":1")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := m.Host("a").Dial(t.Context(), "b:1")
			if err != nil {
				t.Error(err)
				return
			}
			for range 5 {
				_, _ = c.Write([]byte{0})
			}
			_ = c.Close()
		}()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				return
			}
			at = append(at, time.Since(begun))
		}
	})
	return at
}

func TestDelayIsTheSeeds(t *testing.T) {
	a, again, other := arrivals(t, 1), arrivals(t, 1), arrivals(t, 2)
	if !slices.Equal(a, again) || slices.Equal(a, other) {
		t.Errorf("seed 1: %v and %v, seed 2: %v", a, again, other)
	}
	if len(a) != 5 || a[0] <= 0 || a[4] > 6*time.Millisecond || len(slices.Compact(slices.Clone(a))) != 5 {
		t.Errorf("arrivals at %v", a)
	}
}
