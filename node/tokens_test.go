package node

import (
	"testing"
	"time"
)

func TestTokensAreLookedForAsOftenAsConfigured(t *testing.T) {
	for setting, want := range map[string]int{"": 3, "delegation.token.expiry.check.interval.ms=60000": 121} {
		inWorld(t, 0, func(t *testing.T, w *world) {
			w.join(t, a1, Standby, setting)
			time.Sleep(2*time.Hour + 30*time.Second)
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.looks != want {
				t.Errorf("%q: looked %d times in two hours, want %d", setting, w.looks, want)
			}
		})
	}
}
