package history

import (
	"errors"
	"fmt"
	"slices"
)

// CheckEpochs reports every place where an epoch went back: /controller_epoch must grow with each change, and a
// partition's leader epoch and controller epoch must never fall, whatever its life brings.
func (h *History) CheckEpochs() error {
	var errs []error
	last := -1
	for _, c := range h.ControllerEpochs() {
		if c.Op == Delete || c.Epoch <= last {
			errs = append(errs, fmt.Errorf("controller epoch %d after %d (%s, zxid %#x)", c.Epoch, last, c.Op, c.Zxid))
		}
		last = c.Epoch
	}
	for p, states := range h.Partitions() {
		var was StateChange
		for _, s := range states {
			if s.Err != nil {
				was = StateChange{} // a topic that is created anew starts anew
				continue
			}
			if s.LeaderEpoch < was.LeaderEpoch || s.ControllerEpoch < was.ControllerEpoch {
				errs = append(errs, fmt.Errorf("%s went back: %s, then %s", p, was, s))
			}
			if s.Leader != was.Leader && s.LeaderEpoch == was.LeaderEpoch && was.Zxid != 0 {
				errs = append(errs, fmt.Errorf("%s has two leaders in one epoch: %s, then %s", p, was, s))
			}
			was = s
		}
	}
	return errors.Join(errs...)
}

// CheckISR reports every state whose ISR is empty or whose leader is outside it.
func (h *History) CheckISR() error {
	var errs []error
	for p, states := range h.Partitions() {
		for _, s := range states {
			if s.Err != nil {
				continue
			}
			if len(s.ISR) == 0 || s.Leader >= 0 && !slices.Contains(s.ISR, s.Leader) {
				errs = append(errs, fmt.Errorf("%s: %s", p, s))
			}
		}
	}
	return errors.Join(errs...)
}

// Leaderless returns the states in which a partition of these topics had no leader; without topics, of any.
func (h *History) Leaderless(topics ...string) map[TopicPartition][]StateChange {
	found := map[TopicPartition][]StateChange{}
	for p, states := range h.Partitions() {
		if len(topics) > 0 && !slices.Contains(topics, p.Topic) {
			continue
		}
		for _, s := range states {
			if s.Err == nil && s.Leader < 0 {
				found[p] = append(found[p], s)
			}
		}
	}
	return found
}
