package history

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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

// CheckWriters reports every partition state that was written by somebody who was not the controller at that moment:
// by another session than the one that owned /controller, or with another epoch than the one in force. With leadersToo,
// for brokers below inter-broker protocol 2.7-IV2, a leader may change the ISR of what it leads, and nothing else.
func (h *History) CheckWriters(leadersToo bool) error {
	var errs []error
	var holder int64
	epoch := -1
	brokers := map[string]int64{} // the sessions that registered them last
	before := map[TopicPartition]StateChange{}
	for _, c := range h.Changes {
		switch id, isBroker := strings.CutPrefix(c.Path, "/brokers/ids/"); {
		case isBroker && c.Op == Create:
			brokers[id] = c.Session
		case c.Path == "/controller" && c.Op == Delete:
			holder = 0
		case c.Path == "/controller":
			holder = c.Session
		case c.Path == "/controller_epoch":
			epoch, _ = strconv.Atoi(string(c.Data))
		}
		p, ok := statePath(c.Path)
		if !ok || c.Op == Delete {
			continue
		}
		s, was := stateOf(c), before[p]
		before[p] = s
		if leadersToo && s.Err == nil && s.Leader == was.Leader && s.LeaderEpoch == was.LeaderEpoch &&
			s.ControllerEpoch == was.ControllerEpoch && c.Session == brokers[strconv.Itoa(s.Leader)] {
			continue
		}
		if c.Session != holder || s.Err == nil && s.ControllerEpoch != epoch {
			errs = append(errs, fmt.Errorf("%s: written by session %#x, while %#x held the role at epoch %d: %s", p, c.Session, holder, epoch, s))
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
