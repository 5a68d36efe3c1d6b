package history

import (
	"slices"
	"time"

	"baton/partition"
)

// joined is how long after a machine's crash a write that lets its replica into the ISR may have been decided before.
const joined = 10 * time.Second

// LostTail says that a broker's machine has crashed at that time and that what it had not flushed is gone. Kafka acknowledges what
// all members of the ISR have in memory, so such a replica must not lead again before it has copied from another, as long
// as there is another. Where there is none, what was acknowledged may be lost, and Excused names the partition.
func (h *History) LostTail(broker int32, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, replicas := range h.replicas {
		if slices.Contains(replicas, broker) {
			h.tails[tail{id, broker}] = at
		}
	}
}

// tail is a replica that may lack what it had acknowledged.
type tail struct {
	id     partition.ID
	broker int32
}

// Excused says whether a partition has had no choice but a leader that had lost its tail.
func (h *History) Excused(id partition.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.excused[id]
}

func (h *History) followTails(id partition.ID, was, s State) {
	for _, broker := range h.replicas[id] {
		lost, ok := h.tails[tail{id, broker}]
		if !ok {
			continue
		}
		in, before := slices.Contains(s.ISR, broker), slices.Contains(was.ISR, broker)
		switch {
		case !in && before, in && !before && time.Since(lost) > joined:
			delete(h.tails, tail{id, broker})
		case s.Leader == broker && s.LeaderEpoch > was.LeaderEpoch && h.brokers[broker].Since.After(lost):
			// It is back. Before that it may be elected, by whoever has not heard of its death, but cannot lead. Another
			// member is as good as it to the controller if it has registered since the ISR was decided.
			h.excused[id] = h.excused[id] || !slices.ContainsFunc(was.ISR, func(other int32) bool {
				_, lostToo := h.tails[tail{id, other}]
				b, there := h.brokers[other]
				return there && !lostToo && b.Since.Before(lost) && (b.First || was.written.Sub(b.Since) > joined)
			})
		}
	}
}
