// Package partition holds one partition's identity, assignment and state, and the
// one function that decides who leads it: Elect.
//
// The package is part of the pure core: no I/O, no clock, no goroutine.
package partition

import (
	"cmp"
	"fmt"

	"baton/epoch"
	"baton/isr"
)

// ID is Kafka's TopicPartition.
type ID struct {
	Topic  string
	Number int32
}

// String is Kafka's own form, topic-number.
func (id ID) String() string { return fmt.Sprintf("%s-%d", id.Topic, id.Number) }

// Compare orders by topic, then number; used wherever a map would leak its order.
func Compare(a, b ID) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
}

// Assignment is Kafka's ReplicaAssignment: Replicas is the full list in preference
// order; Adding and Removing are non-empty only while a reassignment runs (KIP-455).
type Assignment struct {
	Replicas []int32
	Adding   []int32
	Removing []int32
}

// Reassigning reports whether a reassignment of this partition is in progress.
func (a Assignment) Reassigning() bool { return len(a.Adding)+len(a.Removing) > 0 }

// State is the content of a partition's state znode.
type State struct {
	isr.LeaderAndISR
	// ControllerEpoch is the epoch of the controller that made the leadership decision;
	// it may be older than the current one and is passed on to brokers unchanged.
	ControllerEpoch epoch.Controller
}
