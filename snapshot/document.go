// Package snapshot is the controller's image of the cluster as a document: what `controller snapshot` prints, and what
// `whatif`, `can-stop` and `explain` decide from. The format is JSON, one object; its keys are those of Document, which
// docs/snapshot.md describes. Version grows when a reader of the version before would misread it; new keys may come without.
//
// The package does no I/O of its own and reads no clock.
package snapshot

import (
	"cmp"
	"slices"
	"time"
)

// Format and Version of the documents that this package writes; it reads no others.
const (
	Format  = "baton-snapshot"
	Version = 1
)

// Document is the image of one moment.
type Document struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Taken   time.Time `json:"taken"`
	TookMS  int64     `json:"tookMs"` // copied in slices: a topic is as it was at a moment within
	// Torn: brokers came, went or began to leave meanwhile; topics are older or newer than the list of brokers.
	Torn bool `json:"torn,omitempty"`
	// Doubt says why the image may be out of date altogether, empty if it is not.
	Doubt     string `json:"doubt,omitempty"`
	ClusterID string `json:"clusterId,omitempty"`
	// Only are the topics that were asked for, if not all were.
	Only       []string   `json:"only,omitempty"`
	Controller Controller `json:"controller"`
	Static     Static     `json:"static"`
	Defaults   Defaults   `json:"dynamicDefaults"`
	// Unread says why topics' configurations are not here: ZooKeeper did not answer. Nothing is allowed by them then.
	Unread  string   `json:"configurationsUnread,omitempty"`
	Batons  []int32  `json:"batons"` // every id that was ever a Baton's
	Brokers []Broker `json:"brokers"`
	// Unreadable brokers are registered, but their registrations cannot be understood and never could.
	Unreadable []int32 `json:"unreadableBrokers,omitempty"`
	// Away are the brokers that are not registered and host replicas of these topics, or left under this claim.
	Away   []Away  `json:"awayBrokers"`
	Topics []Topic `json:"topics"` // sorted by name
}

// Controller is the claim that the image was read under.
type Controller struct {
	ID    int32     `json:"id"`
	Name  string    `json:"name"`
	Epoch int32     `json:"epoch"`
	Since time.Time `json:"since"` // this claim; what happened before it, this Baton did not see
}

// Static is the part of the Baton's own configuration that decides.
type Static struct {
	Unclean bool  `json:"unclean.leader.election.enable"`
	MinISR  int32 `json:"min.insync.replicas"`
	// DeleteTopics is delete.topic.enable.
	DeleteTopics bool `json:"delete.topic.enable"`
	// LeaderRecovery: the inter-broker protocol marks unclean leaders as recovering (3.2-IV0).
	LeaderRecovery bool `json:"leaderRecovery"`
	// Recovery and RecoveryTopics are unclean.recovery.strategy and unclean.recovery.strategy.topics, absent if nothing is set.
	Recovery       string          `json:"unclean.recovery.strategy,omitempty"`
	RecoveryTopics []TopicStrategy `json:"unclean.recovery.strategy.topics,omitempty"`
	RecoveryWaitMS int64           `json:"uncleanRecoveryWaitMs,omitempty"`
}

// Defaults is the cluster's dynamic broker configuration, /config/brokers/<default>; null is not set.
type Defaults struct {
	Unclean    *bool  `json:"unclean.leader.election.enable"`
	MinISR     *int32 `json:"min.insync.replicas"`
	Unreadable string `json:"unreadable,omitempty"` // why it cannot be understood
}

// Broker is a registered broker.
type Broker struct {
	ID        int32     `json:"id"`
	Epoch     int64     `json:"epoch"`               // czxid of its registration
	Since     time.Time `json:"registered,omitzero"` // absent: not known
	Rack      *string   `json:"rack,omitempty"`
	Endpoints []string  `json:"endpoints"`         // NAME://host:port
	Leaving   bool      `json:"leaving,omitempty"` // in a controlled shutdown
}

// Away is a broker that is not registered.
type Away struct {
	ID    int32     `json:"id"`
	Epoch int64     `json:"epoch,omitempty"` // of the registration that went
	Since time.Time `json:"since,omitzero"`  // absent: before this claim
	// InOrder: it had asked to shut down before it went.
	InOrder bool `json:"inOrder,omitempty"`
}

// Origin is where a setting's value comes from.
type Origin string

// The origins, in the order in which they win.
const (
	FromTopic   Origin = "topic"
	FromDefault Origin = "dynamic default"
	FromStatic  Origin = "static"
	// Unknown: what would decide cannot be read, so the careful value goes.
	Unknown Origin = "unknown"
)

// Setting is a value with its origin.
type Setting[T any] struct {
	Value      T      `json:"value"`
	From       Origin `json:"from"`
	Unreadable string `json:"unreadable,omitempty"` // why what would decide cannot be understood
}

// Topic is one topic with the settings in force for it.
type Topic struct {
	Name         string         `json:"name"`
	ID           string         `json:"id,omitempty"`
	ZnodeVersion int32          `json:"znodeVersion"`
	Unclean      Setting[bool]  `json:"unclean.leader.election.enable"`
	MinISR       Setting[int32] `json:"min.insync.replicas"`
	// Recovery is the strategy when the ISR is lost; absent: Unclean decides.
	Recovery   *Setting[string] `json:"unclean.recovery.strategy,omitempty"`
	Held       string           `json:"held,omitempty"`     // why it is not led any more
	Marked     bool             `json:"marked,omitempty"`   // its deletion was asked for
	Deleting   bool             `json:"deleting,omitempty"` // brokers delete their replicas
	Unreadable string           `json:"unreadable,omitempty"`
	Partitions []Partition      `json:"partitions"` // sorted by number
}

// Partition is one partition. Without a state (New) it has no leader and no ISR yet.
type Partition struct {
	Number          int32   `json:"partition"`
	Replicas        []int32 `json:"replicas"`
	Adding          []int32 `json:"adding,omitempty"`
	Removing        []int32 `json:"removing,omitempty"`
	Leader          int32   `json:"leader"` // -1: none
	LeaderEpoch     int32   `json:"leaderEpoch"`
	ISR             []int32 `json:"isr"`
	PartitionEpoch  int32   `json:"partitionEpoch"` // dataVersion of the state znode
	ControllerEpoch int32   `json:"controllerEpoch"`
	Recovering      bool    `json:"recovering,omitempty"`
	New             bool    `json:"new,omitempty"`
	Unreadable      string  `json:"unreadable,omitempty"` // why the state cannot be understood; it is as it was before
	// Offline are the replicas that cannot serve, as brokers are told: away, leaving, or on a failed log directory.
	Offline []int32 `json:"offline,omitempty"`
	// FailedDirs are those of them whose log directory has failed.
	FailedDirs []int32 `json:"failedLogDirs,omitempty"`
	// Lapsed are members of the ISR that have restarted since it was decided.
	Lapsed []int32 `json:"restarted,omitempty"`
	// LastLeader is who led before nobody did, if that happened under this claim.
	LastLeader *LastLeader `json:"lastLeader,omitempty"`
	// Rescue is what the strategy does, where there is no leader and one that measures goes.
	Rescue *Rescue `json:"uncleanRecovery,omitempty"`
	// Written is when the state was last written; read only if few topics were asked for.
	Written time.Time `json:"stateWritten,omitzero"`
	// Logs is what this Baton has found out about replicas' logs since the partition lost a leader, and where its leader's ended last; only if
	// few topics were asked for.
	Logs []string `json:"logs,omitempty"`
}

// LastLeader is a leader that was lost.
type LastLeader struct {
	Broker int32     `json:"broker"`
	Lost   time.Time `json:"lost"`
}

// Topic returns the topic of that name, nil if there is none.
func (d *Document) Topic(name string) *Topic {
	i, ok := slices.BinarySearchFunc(d.Topics, name, func(t Topic, name string) int { return cmp.Compare(t.Name, name) })
	if !ok {
		return nil
	}
	return &d.Topics[i]
}

// Partition returns the topic's partition of that number, nil if there is none.
func (t *Topic) Partition(n int32) *Partition {
	i, ok := slices.BinarySearchFunc(t.Partitions, n, func(p Partition, n int32) int { return cmp.Compare(p.Number, n) })
	if !ok {
		return nil
	}
	return &t.Partitions[i]
}

// Broker returns a registered broker, nil if there is none of that id.
func (d *Document) Broker(id int32) *Broker {
	for i := range d.Brokers {
		if d.Brokers[i].ID == id {
			return &d.Brokers[i]
		}
	}
	return nil
}

// PartitionCount is the number of partitions of all topics.
func (d *Document) PartitionCount() int {
	n := 0
	for i := range d.Topics {
		n += len(d.Topics[i].Partitions)
	}
	return n
}
