package planner

import (
	"baton/epoch"
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A leftover is a log that a reassignment left on a broker that was away, or did not answer, until its topic was deleted.
// The deletion does not wait for it, as the broker is no replica, but it would meet the next topic of the name, which the
// broker then refuses to host (INCONSISTENT_TOPIC_ID). ZooKeeper does not say that it is there: the next controller does
// not know.

// leave has a broker delete a leftover, now or when it is back.
func (m *Machine) leave(broker int32, id partition.ID) {
	if m.leftovers[broker] == nil {
		m.leftovers[broker] = map[partition.ID]struct{}{}
	}
	m.leftovers[broker][id] = struct{}{}
	m.askLeftover(broker, id)
}

// askLeftover asks a broker once in each of its lives. What is on a failed directory may be back after the next restart.
func (m *Machine) askLeftover(broker int32, id partition.ID) {
	m.stopAndDelete(broker, id, epoch.Deleting, func(code int16) {
		if code != kerr.KafkaStorageError.Code {
			m.notLeft(broker, id)
		}
	})
}

func (m *Machine) askLeftovers(broker int32) {
	for _, id := range sorted(m.leftovers[broker]) {
		m.askLeftover(broker, id)
	}
}

// notLeft: it is deleted, or the broker is told of a partition of that name, whose log it must not lose.
func (m *Machine) notLeft(broker int32, id partition.ID) {
	delete(m.leftovers[broker], id)
	if len(m.leftovers[broker]) == 0 {
		delete(m.leftovers, broker)
	}
}
