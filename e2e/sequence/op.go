package sequence

import (
	"cmp"
	"fmt"
	"strings"
)

// Kind of an operation.
type Kind string

// The operations.
const (
	Create          Kind = "create"
	AddPartitions   Kind = "add partitions"
	Delete          Kind = "delete"
	Reassign        Kind = "reassign"
	ReassignAndKill Kind = "reassign and kill" // to a broker that stands still and is killed then: a reassignment that stays in progress
	Cancel          Kind = "cancel"
	Kill            Kind = "kill"
	ShutDown        Kind = "shut down" // in order
	Boot            Kind = "start"     // of a broker that was killed or shut down
	Restart         Kind = "restart"   // in order
	ElectPreferred  Kind = "elect preferred"
	ElectUnclean    Kind = "elect unclean"
	TopicConfig     Kind = "topic config"
	DefaultConfig   Kind = "default config" // of all brokers
	BrokerConfig    Kind = "broker config"
)

// Kinds are all of them.
var Kinds = []Kind{Create, AddPartitions, Delete, Reassign, ReassignAndKill, Cancel, Kill, ShutDown, Boot, Restart, ElectPreferred,
	ElectUnclean, TopicConfig, DefaultConfig, BrokerConfig}

// ID names a partition.
type ID struct {
	Topic     string
	Partition int32
}

func (id ID) String() string { return fmt.Sprintf("%s-%d", id.Topic, id.Partition) }

func compareIDs(a, b ID) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// Move is one partition's part of a reassignment; nobody in To cancels the one in progress.
type Move struct {
	ID
	To []int32
}

// Setting is one configuration's new value; nil takes it back.
type Setting struct {
	Name  string
	Value *string
}

// Op is one operation. Which fields count depends on its kind.
type Op struct {
	Kind    Kind
	Invalid string // why both controllers have to refuse it, empty if they have not

	Topic      string
	ByID       bool      // Delete names the topic by its id
	Assignment [][]int32 // of the partitions that are created or added
	Count      int32     // of partitions, after AddPartitions
	Settings   []Setting
	Moves      []Move
	Partitions []ID // to elect for, nil for all
	Broker     int32
	// Waits says that a request is not answered before its time-out, whoever the controller is.
	Waits   bool
	Touches []Touch
}

// Touch is a partition of which the controllers may count the leader epochs differently after an operation.
type Touch struct {
	ID
	Removed int // replicas that it has before and not after
	Again   int // how often what is so already may be written again: a reassignment, or the lack of a leader
}

func (o Op) String() string {
	var b strings.Builder
	b.WriteString(string(o.Kind))
	if o.Topic != "" {
		b.WriteString(" " + o.Topic)
	}
	if o.ByID {
		b.WriteString(" by id")
	}
	if o.Broker != 0 {
		fmt.Fprintf(&b, " broker %d", o.Broker)
	}
	if o.Count != 0 {
		fmt.Fprintf(&b, " to %d", o.Count)
	}
	if o.Assignment != nil {
		fmt.Fprintf(&b, " on %v", o.Assignment)
	}
	for _, m := range o.Moves {
		fmt.Fprintf(&b, " %v", m.ID)
		if o.Kind != Cancel {
			fmt.Fprintf(&b, " to %v", m.To)
		}
	}
	for _, s := range o.Settings {
		if s.Value == nil {
			fmt.Fprintf(&b, " without %s", s.Name)
		} else {
			fmt.Fprintf(&b, " %s=%s", s.Name, *s.Value)
		}
	}
	for _, id := range o.Partitions {
		fmt.Fprintf(&b, " %v", id)
	}
	if o.Invalid != "" {
		fmt.Fprintf(&b, " (%s)", o.Invalid)
	}
	return b.String()
}

// Describe lists operations, one a line.
func Describe(ops []Op) string {
	var b strings.Builder
	for i, o := range ops {
		fmt.Fprintf(&b, "%3d %v\n", i+1, o)
	}
	return b.String()
}
