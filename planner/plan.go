package planner

import (
	"fmt"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Plan is what Step wants done. The executor starts Writes and Reads, hands Requests
// to the channels, has brokers asked for Measures and delivers Replies; all may run at the same time, because
// nothing in one Plan depends on another part of it: replies and requests only ever
// speak of what is acknowledged already.
type Plan struct {
	Writes   []Write
	Reads    []Read
	Channels []ChannelChange
	Requests []Request
	Measures []Measure
	Replies  []Reply
	Notes    []Note
	// Decisions explains the state writes among Writes, Learned what came of earlier ones.
	Decisions []*Decision
	Learned   []Learned
	// Resign is non-empty when the machine must not go on: a broken invariant.
	Resign string
	// Reclaim: a broker knows a higher controller epoch than ours. Verify the fence in
	// ZooKeeper; if it still holds, claim again with back-off.
	Reclaim bool
	// Again: there is more to do than one step should take; Continue goes on with it.
	Again bool
	// RereadBrokers: a broker has a newer czxid than we know.
	RereadBrokers bool
}

// Write is one conditional change of ZooKeeper; all of them are made under the Fence.
// Seq identifies it in its Result and is unique for the machine's life.
type Write struct {
	Seq   uint64
	Class Class
	Body  WriteBody
}

// Class says what a write must not wait behind.
type Class uint8

// The classes; one waits behind those after it.
const (
	// Storm: new topics, elections that somebody wants, reassignments, deletions: there may be very many at once.
	Storm Class = iota
	// Loss: a partition has lost its leader, or a member of its ISR.
	Loss
	// ISR: a leader waits for a change of the ISR.
	ISR
)

// Classes is how many there are.
const Classes = 3

// WriteBody is one of SetState, CreateState, SetTopic, CreateTopic, NextProducerIDs,
// DeleteNotifications, SetLegacyReassignments, ConfirmMarker, MarkTopic, DropMarker,
// DeleteTopic, AlterUser, EnableFeatures.
type WriteBody interface{ write() }

// SetState replaces a state znode of version State.PartitionEpoch (the version
// expected, not the one it will have).
type SetState struct {
	ID    partition.ID
	State partition.State
}

// CreateState creates a state znode, and its parents where they are missing. Found
// already there: a Conflict that carries what is there.
type CreateState struct {
	ID    partition.ID
	State partition.State
}

// SetTopic rewrites a topic znode (JSON version 3) on condition of Version. Found at
// another version: a Conflict without content; the topic's watch brings the news.
type SetTopic struct {
	Name       string
	Version    int32
	ID         cluster.TopicID
	Partitions []PartitionRead
}

// CreateTopic creates /config/topics/<name> and /brokers/topics/<name> together.
type CreateTopic struct {
	Name       string
	ID         cluster.TopicID // zero: none is written (inter-broker protocol < 2.8-IV0)
	Partitions []PartitionRead
	Configs    []TopicConfig
}

// NextProducerIDs takes the next block of 1000 ids from /latest_producer_id_block.
type NextProducerIDs struct{ Broker int32 }

// DeleteNotifications removes handled notification znodes; missing ones are fine.
type DeleteNotifications struct{ Paths []string }

// SetLegacyReassignments rewrites /admin/reassign_partitions on condition of Version, or
// deletes it when nothing is left. Found at another version, or gone: a Conflict.
type SetLegacyReassignments struct {
	Version int32
	Left    []Reassignment
}

// ConfirmMarker finds out whether a topic and its marker under /admin/delete_topics are both
// there: a Conflict if not. It changes nothing.
type ConfirmMarker struct{ Topic string }

// MarkTopic creates the marker of a topic; one that is there already is as good. A topic
// that does not exist is a Conflict.
type MarkTopic struct{ Topic string }

// DropMarker removes a marker, if it is there. Unless Known says that the topic is known to
// exist, its existence is a Conflict, and a configuration that is left of it goes, too.
type DropMarker struct {
	Topic string
	Known bool
}

// DeleteTopic removes a slice of a topic's znodes: state and partition znodes first; when
// those are gone the topic's, its configuration and its marker, together. The Result says
// whether there is More. A topic znode of another version is a Conflict; that it is gone
// already is fine.
type DeleteTopic struct {
	Name    string
	Version int32
}

// AlterUser changes keys of /config/users/<user> and leaves the others as they are, and tells
// brokers by a notification. A key to be removed that is not there is a Conflict, and nothing
// is changed.
type AlterUser struct {
	User   string
	Remove []string
	Set    map[string]string
}

// EnableFeatures makes sure that /feature is there and enabled, in JSON version Version or
// higher and without a feature. Failed, with Bad, if what is there is anything else.
type EnableFeatures struct{ Version int32 }

func (AlterUser) write()           {}
func (EnableFeatures) write()      {}
func (SetState) write()            {}
func (CreateState) write()         {}
func (SetTopic) write()            {}
func (CreateTopic) write()         {}
func (NextProducerIDs) write()     {}
func (DeleteNotifications) write() {}
func (ConfirmMarker) write()       {}
func (MarkTopic) write()           {}
func (DropMarker) write()          {}
func (DeleteTopic) write()         {}

func (SetLegacyReassignments) write() {}

// Outcome of a Write. Unknown outcomes (connection lost after sending) are resolved
// by zkstore through reading back; they never reach the planner.
type Outcome int

const (
	// Applied: ZooKeeper has it, or had it already by this very write.
	Applied Outcome = iota
	// Conflict: somebody else was there first; Found says what is there now.
	Conflict
	// Failed: not applied, Reason says why. Tried again later.
	Failed
)

// Result is the outcome of one Write. A fenced write has none: the role is lost.
type Result struct {
	Seq     uint64
	Outcome Outcome
	Version int32     // Applied SetState, CreateState, SetTopic, CreateTopic, SetLegacyReassignments: dataVersion now
	Found   StateRead // Conflict of SetState and CreateState
	Start   int64     // Applied NextProducerIDs: first id of the block
	Length  int32     // Applied NextProducerIDs: number of ids
	Reason  string
	More    bool  // Applied DeleteTopic: there are znodes left
	Gone    bool  // Failed CreateState: there is no such topic
	Bad     []Bad // Failed NextProducerIDs, EnableFeatures: the znode cannot be understood
}

// Read asks for something to be read; the answer is an event.
type Read struct {
	States      []partition.ID // answered by Refreshed
	TopicConfig string         // answered by TopicConfigRead, and again with each change
}

// ChannelChange opens a channel to a broker's endpoint, or closes it (Close). Opening
// one for a broker that has one replaces it.
type ChannelChange struct {
	Broker cluster.Broker
	Close  bool
}

// RequestKind is one of the three control requests.
type RequestKind int

// In the order in which they go out to one broker.
const (
	LeaderAndISR RequestKind = iota
	UpdateMetadata
	StopReplica
)

// String returns Kafka's name of the request.
func (k RequestKind) String() string {
	return [...]string{"LeaderAndIsr", "UpdateMetadata", "StopReplica"}[k]
}

// Request is one control request to one broker, to be sent on connection Conn only
// and to be answered with BrokerReplied{Seq}. At most one is under way for each broker.
type Request struct {
	Kind            RequestKind
	Broker          int32
	BrokerEpoch     epoch.Broker
	Conn            uint64
	Seq             uint64
	ControllerID    int32
	ControllerEpoch epoch.Controller
	Topics          []TopicStates // one entry a topic, sorted
	Delete          bool          // StopReplica: the logs of all of them go, too
	// Body: UpdateMetadata: requests with the same Body, not 0, carry the same Topics and Live, so their bytes differ in header, controller
	// and broker epoch only.
	Body uint64
	Live []cluster.Broker // UpdateMetadata: the whole live list, Baton included; LeaderAndIsr: the leaders named
}

// TopicStates groups partitions by topic, as the requests do.
type TopicStates struct {
	Name       string
	ID         cluster.TopicID
	Partitions []PartitionState
}

// PartitionState is one partition as a broker is told it.
type PartitionState struct {
	Number     int32
	State      partition.State
	Assignment partition.Assignment
	Offline    []int32 // UpdateMetadata
	IsNew      bool    // LeaderAndIsr
}

// Measure asks live brokers what the logs of their replicas hold. It is answered by Measured with the same Token, once;
// what has not come Within is given up, by whoever asks the brokers and by the machine's own clock.
type Measure struct {
	Token  uint64 // unique for the machine's life
	Asks   []Ask  // one entry a broker
	Within Millis
}

// Ask is what one broker is asked about.
type Ask struct {
	Broker cluster.Broker // the registration that is meant
	Logs   []AskedLog
}

// AskedLog is one replica's log. Epoch is that above which no record of it can be. Leader, if not nil, leads in that epoch, and its
// log is to be compared.
type AskedLog struct {
	ID     partition.ID
	Epoch  epoch.Leader
	Leader *cluster.Broker
}

// Reply answers a Call.
type Reply struct {
	Token uint64
	Body  ReplyBody
}

// ReplyBody is one of those below, matching the call.
type ReplyBody interface{ reply() }

// AlterPartitionReply answers AlterPartition. Err is the top-level error, nil if none;
// Items has one entry for each of the request, in its order.
type AlterPartitionReply struct {
	Err   *kerr.Error
	Items []AlterItemReply
}

// AlterItemReply is one partition's answer.
type AlterItemReply struct {
	Topic   string
	TopicID cluster.TopicID
	Number  int32
	Err     *kerr.Error
	State   isr.LeaderAndISR // meaningful without Err
}

// ControlledShutdownReply lists what the broker still leads.
type ControlledShutdownReply struct {
	Err       *kerr.Error
	Remaining []partition.ID
}

// AllocateProducerIDsReply carries a block.
type AllocateProducerIDsReply struct {
	Err    *kerr.Error
	Start  int64
	Length int32
}

// CreateTopicsReply has one entry for each topic of the request, in its order. Throttle is how
// long the caller has to wait for its quota, 0 if it has none to wait for.
type CreateTopicsReply struct {
	Topics   []NewTopicReply
	Throttle Millis
}

// NewTopicReply is one topic's answer. Message explains Err.
type NewTopicReply struct {
	Name       string
	ID         cluster.TopicID
	Partitions int32
	Factor     int16
	Err        *kerr.Error
	Message    string
}

// ElectLeadersReply has one entry for each partition asked for, sorted. Err is set only if
// this process does not hold the role.
type ElectLeadersReply struct {
	Err     *kerr.Error
	Results []ElectionResult
}

// ElectionResult is one partition's answer: Err is nil if it has a new leader.
type ElectionResult struct {
	ID      partition.ID
	Err     *kerr.Error
	Message string // explains Err, may be empty
}

func (ElectLeadersReply) reply() {}

// AlterReassignmentsReply has one entry for each of the request, in its order. Err is the
// top-level error, nil if none.
type AlterReassignmentsReply struct {
	Err   *kerr.Error
	Items []AlterReassignmentsItem
}

// AlterReassignmentsItem is one partition's answer. Without Err the reassignment is
// accepted: it is in ZooKeeper, and goes on.
type AlterReassignmentsItem struct {
	ID      partition.ID
	Err     *kerr.Error
	Message string
}

// DeleteTopicsReply has one entry for each topic of the request, in its order.
type DeleteTopicsReply struct {
	Topics   []DeletedTopic
	Throttle Millis // see CreateTopicsReply
}

// DeletedTopic is one topic's answer. Name is empty where an id belongs to no topic; ID is
// zero where the request had the name.
type DeletedTopic struct {
	Name string
	ID   cluster.TopicID
	Err  *kerr.Error
}

// CreatePartitionsReply has one entry for each topic of the request, in its order.
type CreatePartitionsReply struct {
	Topics   []GrownTopic
	Throttle Millis // see CreateTopicsReply
}

// GrownTopic is one topic's answer. Message explains Err.
type GrownTopic struct {
	Name    string
	Err     *kerr.Error
	Message string
}

func (AlterPartitionReply) reply()      {}
func (ControlledShutdownReply) reply()  {}
func (AllocateProducerIDsReply) reply() {}
func (CreateTopicsReply) reply()        {}
func (AlterReassignmentsReply) reply()  {}
func (DeleteTopicsReply) reply()        {}
func (CreatePartitionsReply) reply()    {}

// NoteKind says what a Note is about.
type NoteKind string

// Kinds of notes; the executor logs and counts them.
const (
	NoteElection    NoteKind = "election"      // a committed change of leader or ISR by us
	NoteISRChange   NoteKind = "isr-change"    // a committed AlterPartition
	NoteRefused     NoteKind = "refused"       // items of an AlterPartition request that were not accepted
	NoteBroker      NoteKind = "broker"        // a broker came, went, bounced, moved or is leaving
	NoteTopic       NoteKind = "topic"         // a topic came, grew, was repaired, held or went
	NoteBad         NoteKind = "bad-znode"     // a znode that cannot be understood
	NoteTold        NoteKind = "told"          // a broker refused or failed a request
	NoteAlarm       NoteKind = "alarm"         // an operator should look
	NoteDirectory   NoteKind = "log-directory" // a replica went offline or came back
	NoteWriteFailed NoteKind = "write-failed"  // a write that was not applied, tried again later
	NoteConflict    NoteKind = "conflict"      // a write found another version and was decided again
	NoteNoElection  NoteKind = "not-elected"   // an election asked for that came to nothing
	NoteElections   NoteKind = "elections"     // what came of those asked for, or why leaders go home
	NoteRescue      NoteKind = "recovery"      // why unclean.recovery.strategy has nobody lead yet
	NoteReturned    NoteKind = "returned"      // what an unclean election has cost, found when who was in sync came back
)

// Note is something worth logging, counting or journalling; decisions never depend
// on it.
type Note struct {
	Kind      NoteKind
	Text      string
	Partition partition.ID // where it applies
	Broker    int32        // where it applies, else -1
	Strategy  partition.Strategy
	From, To  partition.State // elections and ISR changes
	Reason    string          // of those that we wrote; they have no Text
	Refused   map[string]int  // how many items, by the error's name
	Returned  *Returned       // of a NoteReturned
}

// Line is what people read. Of elections it is not made before somebody does: a broker's death has as many as it hosted partitions.
func (n *Note) Line() string {
	if n.Text != "" {
		return n.Text
	}
	return fmt.Sprintf("%v: %s: %v", n.Partition, n.Reason, n.To.LeaderAndISR)
}

// View is what readers outside the loop may look at, on the loop's goroutine only.
type View struct {
	ControllerID int32
	Fence        epoch.Fence
	Self         cluster.Broker
	Image        *cluster.Image
}
