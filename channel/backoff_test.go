package channel

import (
	"testing"
	"time"

	"baton/planner"
)

// A connection that was of use is made again soon; one that only ever comes up and goes
// down is not hammered.
func TestBackOffAfterAConnection(t *testing.T) {
	run(t, func(h *harness) {
		h.broker.handle = hangUp
		conn := h.up(10)
		again := func() time.Duration { // from ChannelDown to the next ChannelUp
			one[planner.ChannelDown](h)
			start := time.Now()
			for {
				time.Sleep(time.Millisecond)
				for _, e := range h.take() {
					conn = e.(planner.ChannelUp).Conn
					return time.Since(start) / time.Millisecond
				}
			}
		}
		for _, base := range []time.Duration{100, 200, 400, 800, 1000} {
			h.Send(request(planner.LeaderAndISR, conn, 1))
			if d := again(); d < base || d > base*6/5+1 {
				t.Errorf("made again after %d ms, want %d", d, base)
			}
		}
		h.broker.set(func() { h.broker.handle = ok })
		h.Send(request(planner.LeaderAndISR, conn, 2))
		one[planner.BrokerReplied](h)
		h.broker.hangUp()
		if d := again(); d > 121 {
			t.Errorf("made again after %d ms", d)
		}
		time.Sleep(2 * time.Second) // long enough to count as well
		h.broker.hangUp()
		if d := again(); d > 121 {
			t.Errorf("made again after %d ms", d)
		}
	})
}

func TestBackOff(t *testing.T) {
	run(t, func(h *harness) {
		h.broker.refuse = true
		h.Apply([]planner.ChannelChange{{Broker: registered(10)}})
		time.Sleep(5 * time.Second)
		h.none()
		d := h.broker.dials
		for i, base := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
			if gap := d[i+1].Sub(d[i]) / time.Millisecond; gap < base || gap > base*6/5 {
				t.Errorf("attempt %d came after %d ms", i+1, gap)
			}
		}
	})
}
