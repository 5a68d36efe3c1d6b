// Package cluster is the controller's picture of the cluster: only what ZooKeeper
// has acknowledged, never what was just attempted (Kafka's ControllerContext).
//
// The package is part of the pure core: no I/O, no clock, no goroutine. An Image is
// owned by one goroutine.
package cluster

import (
	"encoding/base64"

	"baton/epoch"
	"baton/partition"
)

// Security protocols as numbered on the wire (UpdateMetadata) and named in znodes.
const (
	Plaintext     int16 = 0
	SSL           int16 = 1
	SASLPlaintext int16 = 2
	SASLSSL       int16 = 3
)

// Endpoint is one advertised listener of a broker.
type Endpoint struct {
	Listener string // upper case, e.g. PLAINTEXT, INTERNAL
	Protocol int16  // Plaintext … SASLSSL
	Host     string
	Port     int32
}

// Broker is one registration under /brokers/ids, or Baton's own entry in the live
// list that brokers are told.
type Broker struct {
	ID        int32
	Epoch     epoch.Broker
	Endpoints []Endpoint
	Rack      string
	HasRack   bool
}

// Endpoint returns the broker's endpoint for a listener name.
func (b *Broker) Endpoint(listener string) (Endpoint, bool) {
	for _, e := range b.Endpoints {
		if e.Listener == listener {
			return e, true
		}
	}
	return Endpoint{}, false
}

// TopicID is a topic's UUID (KIP-516); the zero value means that it has none.
type TopicID [16]byte

// IsZero reports whether the topic has no id.
func (id TopicID) IsZero() bool { return id == TopicID{} }

// String is Kafka's text form: URL-safe base64 without padding.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// Topic is one child of /brokers/topics with its partitions.
type Topic struct {
	Name string
	ID   TopicID
	// Version is the dataVersion of the topic znode; rewrites of it are conditional.
	Version int32
	// Created is the znode's czxid, 0 while it has not been read since we created it.
	Created int64
	// Zxid is the znode's mzxid when it was last read.
	Zxid int64
	// Partitions is sorted by Number; numbers are normally dense from 0.
	Partitions []Partition
	// Deleting: brokers are told that the topic is gone and to delete their replicas. It is
	// over only with the topic.
	Deleting bool
	// Held says why the topic is not led any more (its deletion); empty when it is.
	Held string
}

// Partition is one partition with its acknowledged state.
type Partition struct {
	Number     int32
	slot       int32 // see Slot
	Assignment partition.Assignment
	// State is meaningful only if Known: a partition without a state znode is new.
	State partition.State
	Known bool
	// Seen is the mzxid of a state that was read from ZooKeeper: a member whose broker
	// registered later restarted since, so its membership says nothing about its log any
	// more. 0 for states that we wrote ourselves.
	Seen int64
	// Decided is the Image's View when the state was decided or read: a member whose
	// registration came into the image later restarted since. It is not a zxid, because a
	// broker list is not read at one moment: the czxid of a bounce that the list missed can
	// be smaller than another one in it.
	Decided int64
	// Lapsed holds members that had restarted when a state of the same leader epoch was
	// read: whoever wrote it did not deal with the restart.
	Lapsed []int32
	// Broken is why the state znode could not be understood; such a partition is left
	// untouched and unled, never taken for absent. Empty when fine.
	Broken string
	// Dirs holds brokers whose copy is on a failed log directory (KAFKA_STORAGE_ERROR).
	Dirs []int32

	hosts []int32 // the brokers whose index has the partition
}

// Slot is the partition's number in the image, for sets of partitions. It keeps it for as long as it is there; later another one gets it.
func (p *Partition) Slot() int32 { return p.slot }

// Told is the assignment that brokers are told; see partition.Assignment.Told.
func (p *Partition) Told() partition.Assignment {
	if !p.Known {
		return p.Assignment
	}
	return p.Assignment.Told(p.State.LeaderAndISR)
}
