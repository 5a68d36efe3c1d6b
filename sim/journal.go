package sim

import (
	"bytes"
	"fmt"
	"slices"

	"baton/journal"
	"baton/journal/entry"
	"baton/partition"
	"baton/sim/history"
)

// What a Baton writes and what it has on record are the same: each state that ZooKeeper got from a Baton was decided, with
// the same values, in the journal of one of them; and each write that a journal calls applied is in ZooKeeper.

// written is a state as a Baton wrote it.
type written struct {
	id    partition.ID
	state history.State
}

func (x written) String() string {
	s := x.state
	return fmt.Sprintf("%v: leader %d, leader epoch %d, ISR %v, version %d, controller epoch %d", x.id, s.Leader, s.LeaderEpoch, s.ISR, s.Version, s.ControllerEpoch)
}

// journalled compares; it may be called when every Baton has come to its end.
func (w *world) journalled() error {
	decided := map[string]bool{}
	type version struct {
		partition      string
		version, epoch int32
	}
	there := map[version]bool{}
	for _, x := range w.states {
		there[version{x.id.String(), x.state.Version, x.state.ControllerEpoch}] = true
	}
	var wrong []string
	for _, records := range w.journals {
		damaged, err := journal.Read(bytes.NewReader(records.Bytes()), func(e entry.Entry) {
			for _, d := range e.Decisions {
				s := history.State{Leader: d.To.Leader, LeaderEpoch: d.To.Epoch, ISR: d.To.ISR, ControllerEpoch: e.Epoch, Version: d.To.Version + 1}
				if d.New {
					s.Version = 0
				}
				id, err := entry.ParseID(d.Partition)
				if err != nil || e.Trigger == "" || d.Replicas >= len(e.Considered) || len(e.Considered[d.Replicas]) == 0 {
					wrong = append(wrong, fmt.Sprintf("a decision without its reasons: %+v of %+v", d, e))
				}
				decided[written{id, s}.String()] = true
			}
			for _, o := range e.Outcomes {
				if o.Result == entry.Applied && !there[version{o.Partition, o.Version, e.Epoch}] {
					wrong = append(wrong, fmt.Sprintf("on record as applied by epoch %d, and never written: %+v", e.Epoch, o))
				}
			}
		})
		if err != nil || damaged > 0 {
			return fmt.Errorf("a journal with %d damaged entries: %w", damaged, err)
		}
	}
	for _, x := range w.states {
		if !decided[x.String()] {
			wrong = append(wrong, fmt.Sprintf("written, and not on record: %v", x))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the journals are wrong %d times, first: %s", len(wrong), slices.Min(wrong))
	}
	return nil
}
