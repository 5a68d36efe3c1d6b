// Package planner is the controller's mind: Machine.Step takes one Event and
// returns a Plan of effects as data. It does no I/O, reads no clock and starts no
// goroutine; the same events give the same plans, bit for bit.
//
// The order of truth is ZooKeeper, then memory, then brokers: a Plan's writes go out
// under the Fence; their outcome comes back as a Committed event; only then the image
// changes; and what brokers are told is only ever the difference between the image and
// what they have acknowledged (ledger.go).
package planner

import (
	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/quota"
	"baton/recovery"
	"baton/topicconfig"
)

// Millis is a point in time or a duration in milliseconds; points come from the
// shell's monotonic clock.
type Millis int64

// Event is anything that happens to the controller. Level, not edge: an event carries
// what is there now, and the planner compares.
type Event interface{ event() }

// Bad names a znode that could not be understood, and why.
type Bad struct {
	Path   string
	Reason string
}

// TopicRead is a topic znode as read. States may cover fewer partitions than the
// assignment: a partition without an entry has no state znode.
type TopicRead struct {
	Name    string
	Version int32 // dataVersion of the topic znode
	Created int64 // its czxid
	Zxid    int64 // its mzxid
	ID      cluster.TopicID
	// FreshID is a random id from the shell, used if the topic has none and the
	// inter-broker protocol has topic ids.
	FreshID    cluster.TopicID
	Partitions []PartitionRead // sorted by number
	// Bad: the znode could not be understood; the last good image of the topic is kept.
	Bad string
}

// PartitionRead is one partition of a topic znode.
type PartitionRead struct {
	Number     int32
	Assignment partition.Assignment
}

// StateRead is a partition's state znode as read.
type StateRead struct {
	ID     partition.ID
	Exists bool
	State  partition.State // PartitionEpoch is the znode's dataVersion
	Zxid   int64           // mzxid of the znode
	Age    Millis          // since it was written, by the clocks of ZooKeeper and of this process; never negative
	Bad    string          // could not be understood; State is then meaningless
}

// Claimed: this process holds /controller and has read everything under the claim.
type Claimed struct {
	ID          int32 // Baton's own id
	Fence       epoch.Fence
	Settings    Settings
	Self        cluster.Broker // Baton's entry in every live list
	Brokers     []cluster.Broker
	BadBrokers  []Bad
	BadIDs      []int32 // the broker ids among BadBrokers
	Topics      []TopicRead
	States      []StateRead
	Batons      []int32  // every id under /baton/ids
	Deleting    []string // children of /admin/delete_topics
	Reassigning LegacyReassignments
	Defaults    DefaultsChanged
}

// RoleLost: session, znode or epoch is gone. Every open call is answered
// NOT_CONTROLLER and the machine is empty again.
type RoleLost struct{ Reason string }

// BrokersChanged is the whole content of /brokers/ids.
type BrokersChanged struct {
	Brokers []cluster.Broker
	Bad     []Bad // registrations that could not be understood: their last good image is kept
	// BadIDs are the broker ids among Bad; a child whose name is no number has none.
	BadIDs []int32
}

// TopicsChanged: topics that are new or whose znode changed, with the states that
// exist of partitions that are new to the image, and topics that are gone.
type TopicsChanged struct {
	Topics []TopicRead
	States []StateRead
	Gone   []string
}

// WorkChanged is the whole content of /admin/delete_topics and of
// /admin/reassign_partitions.
type WorkChanged struct {
	Deleting    []string
	Reassigning LegacyReassignments
	Bad         []Bad // what could not be understood; Reassigning is then what was last
}

// BatonsChanged is the whole content of /baton/ids.
type BatonsChanged struct {
	IDs []int32
	Bad []Bad // children whose name is no id
}

// LogDirFailed: brokers that reported a failed log directory through
// /log_dir_event_notification; which replicas are on it is learned by asking.
type LogDirFailed struct {
	Brokers []int32
	Paths   []string // the notifications, deleted once handled
	Bad     []Bad    // all notifications there that could not be understood; left where they are
}

// ISRChanged: leaders below inter-broker protocol 2.7-IV2 have written these states
// themselves, and said so through /isr_change_notification.
type ISRChanged struct {
	Partitions []partition.ID // sorted, each once
	Paths      []string       // the notifications, deleted once handled
	Bad        []Bad          // all notifications there that could not be understood; left where they are
}

// SettingsChanged replaces the settings after a reload.
type SettingsChanged struct{ Settings Settings }

// Committed tells the outcome of writes of earlier plans, in any order.
type Committed struct{ Results []Result }

// Refreshed answers a Plan's Reads of states.
type Refreshed struct{ States []StateRead }

// TopicConfigRead answers a Plan's reads of topic configurations. After an answer it comes
// again, unasked, whenever that configuration has changed.
type TopicConfigRead struct {
	Topic   string
	Unclean *bool // the topic's own unclean.leader.election.enable, nil if not set
	Bad     string
}

// DefaultsChanged is the cluster's dynamic broker configuration, /config/brokers/<default>,
// as far as it matters here.
type DefaultsChanged struct {
	Unclean *bool // unclean.leader.election.enable, nil if not set
	Bad     string
}

// QuotasChanged is what was found anew of quotas on controller_mutation_rate under
// /config/users and /config/clients.
type QuotasChanged struct {
	Read []QuotaRead
	Bad  []Bad // all that could not be understood: what was last read of these holds
}

// QuotaRead is an entity's quota, in partitions a second; nil if it has none.
type QuotaRead struct {
	Entity quota.Entity
	Rate   *float64
}

// PreferredRequested is /admin/preferred_replica_election: elections asked for by a tool
// that talks to ZooKeeper.
type PreferredRequested struct {
	Exists     bool
	Partitions []partition.ID
	Bad        string // could not be understood; left where it is
}

// Continue has the machine go on with what it does in slices; a Plan's Again asks for it.
type Continue struct{}

// ChannelUp: the channel to a broker is connected and takes requests. Conn is unique
// for each connection of this process.
type ChannelUp struct {
	Broker int32
	Epoch  epoch.Broker // the epoch the channel was opened for
	Conn   uint64
}

// ChannelDown: that connection is gone; a request without an answer counts as untold.
type ChannelDown struct {
	Broker int32
	Conn   uint64
	Reason string
}

// BrokerReplied is the answer to one Request.
type BrokerReplied struct {
	Broker     int32
	Conn       uint64
	Seq        uint64
	Kind       RequestKind
	Code       int16           // top-level Kafka error code
	Partitions []PartitionCode // LeaderAndIsr, StopReplica: every partition answered
}

// Measured answers a Measure. A log that was asked for and is left out is silent.
type Measured struct {
	Token uint64
	Logs  []MeasuredLog
}

// MeasuredLog is what one replica has. Log is nil if that could not be found out, and Silent says why.
type MeasuredLog struct {
	Broker int32
	ID     partition.ID
	Log    *recovery.Log
	Silent string
	// Parted is the offset up to which it has the same records as the leader that it was to be compared with.
	Parted int64
}

// PartitionCode is one partition's error code in an answer.
type PartitionCode struct {
	ID   partition.ID
	Code int16
}

// Tick: time has passed. The shell sends one at least every 500 ms.
type Tick struct{}

// Call is a request from outside that wants exactly one Reply with its Token.
type Call struct {
	Token uint64
	Body  CallBody
}

// CallBody is one of AlterPartition, ControlledShutdown, AllocateProducerIDs,
// CreateTopics, DeleteTopics, CreatePartitions, ElectLeaders, AlterReassignments, AlterScram.
type CallBody interface{ call() }

// AlterPartition is an ISR change request (api 56, v0–3) of a leader.
type AlterPartition struct {
	Broker      int32
	BrokerEpoch epoch.Broker
	Version     int16
	Items       []AlterItem
}

// AlterItem is one partition of an AlterPartition request: by name (v0–1) or id (v2+).
type AlterItem struct {
	Topic   string
	TopicID cluster.TopicID
	Number  int32
	Request isr.AlterRequest // Sender is filled in by the planner
}

// ControlledShutdown (api 7, v1–3): the broker wants to leave.
type ControlledShutdown struct {
	Broker      int32
	BrokerEpoch epoch.Broker // epoch.Unknown in v1
}

// AllocateProducerIDs (api 67): a broker wants the next block.
type AllocateProducerIDs struct {
	Broker      int32
	BrokerEpoch epoch.Broker
}

// Caller is who made a call that a quota on controller_mutation_rate may hold back. Strict is
// refused while a throttle time holds, others only get one.
type Caller struct {
	quota.Client
	Strict bool
}

// CreateTopics (api 19), and auto-creation by Metadata or FindCoordinator.
type CreateTopics struct {
	Caller       Caller
	Topics       []NewTopic
	ValidateOnly bool
	Timeout      Millis
}

// ElectLeaders (api 43): preferred or unclean elections.
type ElectLeaders struct {
	Type       ElectionType
	Partitions []partition.ID
	All        bool // all partitions; those that need no election are left out of the reply
	Timeout    Millis
	Who, Why   string // who asks, as far as known; for the record
	// Candidate is who is to lead; nil: whom the type says. Then Partitions is one.
	Candidate *Candidate
}

// Candidate is the replica that an election names: one of the ISR if it is Preferred, any live one if it is Unclean. It holds
// only as long as what it was chosen by: if that has changed, nothing is elected.
type Candidate struct {
	ID             int32
	PartitionEpoch epoch.Partition
	// Live are the registrations of the live replicas then, of an Unclean election.
	Live map[int32]epoch.Broker
}

// NewTopic is one topic to create. Either Assignment is set, or Partitions and
// Factor (-1: the settings' defaults).
type NewTopic struct {
	Name       string
	Partitions int32
	Factor     int16
	Assignment map[int32][]int32
	Configs    []TopicConfig
	// ID and Seed are fresh random values from the shell; Seed chooses the start and the
	// shift of the automatic assignment.
	ID   cluster.TopicID
	Seed uint64
}

// DeleteTopics (api 20, v0–6).
type DeleteTopics struct {
	Caller  Caller
	Topics  []DoomedTopic
	Timeout Millis
}

// DoomedTopic is one topic to delete: by ID, or by Name where ID is zero.
type DoomedTopic struct {
	Name string
	ID   cluster.TopicID
}

// CreatePartitions (api 37, v0–3).
type CreatePartitions struct {
	Caller       Caller
	Topics       []MorePartitions
	ValidateOnly bool
	Timeout      Millis
}

// MorePartitions is one topic that is to have Count partitions. Assignments are those of
// the new partitions, nil if they are to be placed automatically.
type MorePartitions struct {
	Name        string
	Count       int32
	Assignments [][]int32
}

// TopicConfig is one configuration of a new topic; Value nil is an error in Kafka.
type TopicConfig struct {
	Name  string
	Value *string
}

func (Claimed) event()            {}
func (RoleLost) event()           {}
func (BrokersChanged) event()     {}
func (TopicsChanged) event()      {}
func (WorkChanged) event()        {}
func (BatonsChanged) event()      {}
func (LogDirFailed) event()       {}
func (ISRChanged) event()         {}
func (SettingsChanged) event()    {}
func (Committed) event()          {}
func (Refreshed) event()          {}
func (TopicConfigRead) event()    {}
func (DefaultsChanged) event()    {}
func (QuotasChanged) event()      {}
func (PreferredRequested) event() {}
func (Continue) event()           {}
func (ChannelUp) event()          {}
func (ChannelDown) event()        {}
func (BrokerReplied) event()      {}
func (Measured) event()           {}
func (Tick) event()               {}
func (Call) event()               {}

// AlterReassignments (api 45): partitions to be reassigned, each named once.
type AlterReassignments struct {
	Items    []Reassignment
	Timeout  Millis
	ClientID string // for the record
}

// Reassignment is one partition and the replicas it is to have; nil cancels what is in
// progress.
type Reassignment struct {
	ID       partition.ID
	Replicas []int32
}

func (AlterPartition) call()      {}
func (ControlledShutdown) call()  {}
func (AllocateProducerIDs) call() {}
func (CreateTopics) call()        {}
func (ElectLeaders) call()        {}
func (AlterReassignments) call()  {}
func (DeleteTopics) call()        {}
func (CreatePartitions) call()    {}

// Settings are the parts of the configuration that decisions depend on.
type Settings struct {
	UncleanElection bool                  // unclean.leader.election.enable, static
	Partitions      int32                 // num.partitions
	Factor          int16                 // default.replication.factor
	DeleteTopics    bool                  // delete.topic.enable
	Inherited       topicconfig.Inherited // what topics have of the static settings
	TopicIDs        bool                  // inter-broker protocol >= 2.8-IV0
	LeaderRecovery  bool                  // inter-broker protocol >= 3.2-IV0
	LeadersWriteISR bool                  // inter-broker protocol < 2.7-IV2: an ISR may be newer in ZooKeeper than we know, for seconds
	FeatureVersion  int32                 // of /feature: 1 from inter-broker protocol 2.7-IV0, 2 from 3.3-IV0; 0: it is not written
	MaxPerRequest   int                   // partitions in one LeaderAndIsr or UpdateMetadata; 0 = no limit
	MaxDecided      int                   // partitions looked at in one step, 0: a default
	RetryAfter      Millis
	MinISR          int32  // min.insync.replicas, for counting under-min-ISR partitions
	ToldWait        Millis // how long CreateTopics and ElectLeaders wait for sick brokers to hear of the outcome

	QuotaWindow Millis // controller.quota.window.num × controller.quota.window.size.seconds: what may be saved up of a quota

	Recovery recovery.Policy // unclean.recovery.strategy, and of topics
	// MeasureReturned is how long a replica that was in sync before an unclean election is not told whom to follow when it is back,
	// so that its log can be compared first; 0: it is told at once.
	MeasureReturned Millis

	AutoRebalance    bool   // auto.leader.rebalance.enable
	RebalanceEvery   Millis // leader.imbalance.check.interval.seconds
	RebalancePercent int    // leader.imbalance.per.broker.percentage
}
