package stories

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/history"
	"baton/e2e/kafka"
)

type kill struct {
	of int
	at time.Time
}

// The active Baton is killed again and again beside a standby. Whoever is faster claims; if that is a broker, the
// Baton that is configured as active takes the role from it. No message is lost and no partition loses its leader.
func TestActiveKilled(t *testing.T) {
	s := begin(t, kafka.Options{}, "orders")
	holder, other := s.pair(batonproc.Standby)
	var kills []kill
	for range rounds(20) {
		if s.tenure().holder == other.ID() { // it moved by itself, on a machine too busy for a short session
			holder, other = other, holder
		}
		kills = append(kills, kill{holder.ID(), time.Now()})
		s.must(holder.Kill())
		_, err := s.cluster.WaitController(s.ctx, func(id int) bool { return id != holder.ID() })
		s.must(err)
		s.must(holder.Start())
		c, err := s.cluster.WaitController(s.ctx, func(id int) bool { return id >= batonproc.FirstID })
		s.must(err)
		if c.BrokerID == other.ID() {
			holder, other = other, holder
		}
		s.leads(holder)
		s.stands(other)
		s.more(5)
	}
	h := s.finish()
	s.neverLeaderless(h)
	t.Log(claims(t, h, kills))
}

// claims says who won after each kill, and how long after it.
func claims(t *testing.T, h *history.History, kills []kill) string {
	t.Helper()
	var took []time.Duration
	won := 0
	for _, k := range kills {
		i := slices.IndexFunc(h.Controller(), func(c history.ControllerChange) bool {
			return c.Op == history.Create && c.Time.After(k.at)
		})
		if i < 0 {
			t.Fatalf("nobody claimed after the kill of %d at %v", k.of, k.at)
		}
		c := h.Controller()[i]
		took = append(took, c.Time.Sub(k.at))
		if c.BrokerID >= batonproc.FirstID {
			won++
		}
	}
	slices.Sort(took)
	var all []string
	for _, d := range took {
		all = append(all, d.Round(10*time.Millisecond).String())
	}
	return fmt.Sprintf("%d of %d claims won by the standby; from kill to claim: median %v, longest %v (%s)", won, len(kills),
		took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), strings.Join(all, " "))
}
