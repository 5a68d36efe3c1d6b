// Package epoch names the four counters that order everything a ZooKeeper-mode
// cluster does, and the Fence that proves a claim of the controller role.
//
// The package is part of the pure core: no I/O, no clock, no goroutine.
package epoch

import (
	"errors"
	"fmt"
)

// Controller is the value stored in /controller_epoch. It grows by one with every
// claim of /controller, by whoever makes it.
type Controller int32

// Leader counts the leadership decisions of one partition. Every change made by a
// controller adds one; an ISR change asked for by the leader adds none.
type Leader int32

// Deleting is the Leader value of a StopReplica for a topic that is being deleted: brokers
// compare it with nothing.
const Deleting Leader = -2

// Partition is the dataVersion of a partition's state znode. Kafka calls it
// zkVersion in old messages and partition epoch in new ones.
type Partition int32

// Broker is the czxid of a broker's registration (KIP-380): a restarted broker has
// a larger one, and a setData by the broker does not change it.
type Broker int64

// Unknown is the Broker value that switches a broker's own epoch check off.
const Unknown Broker = -1

// Fence is the proof of a claim. Every ZooKeeper write of cluster state goes out in
// a multi that checks Version, so a claim by anyone else ends this one at once.
type Fence struct {
	Epoch   Controller // the value this claim wrote into /controller_epoch
	Version int32      // dataVersion of /controller_epoch after that write
}

// String implements fmt.Stringer.
func (f Fence) String() string { return fmt.Sprintf("epoch %d (version %d)", f.Epoch, f.Version) }

// ErrFenced says that /controller_epoch moved: somebody else has claimed, and
// nothing decided under the old Fence may be written or sent any more.
var ErrFenced = errors.New("fenced: /controller_epoch has moved on")
