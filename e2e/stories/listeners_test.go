package stories

import (
	"testing"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// With a listener for clients beside the brokers' own, and with a control plane listener,
// the same things work: takeover, an orderly restart, ISR changes, hand-back.
func TestListeners(t *testing.T) {
	for name, o := range map[string]kafka.Options{
		"client listener": {TwoListeners: true},
		// The clients' listener doubles as control plane: the harness has two.
		"control plane listener": {TwoListeners: true, Overrides: map[string]string{"control.plane.listener.name": kafka.Client}},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, o, "orders")
			b := s.baton(batonproc.Options{Mode: batonproc.Standby})
			s.must(b.WaitStandby(s.ctx))
			s.cli(b, 0, "check")
			s.cli(b, 0, "takeover", "--yes")
			s.must(s.cluster.CreateTopic(s.ctx, "fresh", 3, 3))
			s.must(s.cluster.WaitISRFull(s.ctx, "fresh"))
			s.must(s.cluster.Broker(3).Terminate(s.ctx))
			s.must(s.cluster.WaitNotLeading(s.ctx, 3, "orders", "fresh"))
			s.must(s.cluster.Broker(3).Restart(s.ctx))
			s.must(s.cluster.WaitISRFull(s.ctx, "orders", "fresh"))
			s.cli(b, 0, "handback", "--yes")
			s.neverLeaderless(s.finish())
		})
	}
}
