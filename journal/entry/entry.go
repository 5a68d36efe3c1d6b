// Package entry is what the journal is made of, and what is found out from it: how entries are made from what the
// controller decided and sent, which of them are about a partition, and why one is led as it is. It is pure: files,
// queues and connections are package journal's.
package entry

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"baton/partition"
)

// Kind of an Entry; each uses some of the Entry's fields.
type Kind string

// The kinds.
const (
	Decided  Kind = "decided"  // states that are about to be written
	Learned  Kind = "written"  // what came of that
	Told     Kind = "told"     // a request to a broker
	Answered Kind = "answered" // its answer
	Noted    Kind = "noted"    // what the controller's log says beside that
	Role     Kind = "role"     // who holds the role
	Command  Kind = "command"  // what an operator asked this Baton for, and what came of it
	Dropped  Kind = "dropped"  // how much is missing here, because it came faster than it could be written
)

// Entry is one record of a journal. Its JSON form is what is on disk; Origin is left out there, as it is the journal's.
type Entry struct {
	Origin string    `json:"origin,omitempty"` // the journal it is from: Baton id and when it started
	Seq    uint64    `json:"seq"`              // from 1, without gaps in a whole journal
	At     time.Time `json:"at"`
	Kind   Kind      `json:"kind"`
	Epoch  int32     `json:"epoch,omitempty"` // the controller's

	// Of a Decided, the same for all its Decisions: what happened, and who wanted it.
	Trigger string `json:"trigger,omitempty"`
	Detail  string `json:"detail,omitempty"`
	Cause   string `json:"cause,omitempty"`
	Who     string `json:"who,omitempty"` // of a Role and a Command, too
	Why     string `json:"why,omitempty"`
	// Considered are the lists of replicas that Decisions refer to: few differ.
	Considered [][]Replica `json:"considered,omitempty"`
	Decisions  []Decision  `json:"decisions,omitempty"`
	Outcomes   []Outcome   `json:"outcomes,omitempty"`

	// Of a Told and its Answered; Request is Kafka's name, ID the same in both.
	Broker     int32             `json:"broker,omitempty"`
	Request    string            `json:"request,omitempty"`
	ID         uint64            `json:"id,omitempty"`
	Partitions map[string]string `json:"partitions,omitempty"` // by topic: 0-3,7
	Delete     bool              `json:"delete,omitempty"`     // StopReplica: the logs go, too
	Code       int16             `json:"code,omitempty"`       // Kafka's
	Refused    map[string]int16  `json:"refused,omitempty"`    // by partition: codes that are not 0
	MS         int64             `json:"ms,omitempty"`         // how long the answer, the command took

	Notes []Note `json:"notes,omitempty"`
	Text  string `json:"text,omitempty"`
	Error string `json:"error,omitempty"` // of a Command that failed
	Count int    `json:"count,omitempty"` // of a Dropped
}

// State is a partition's state. Version is that of the znode; of what is to be written, the one expected to be found.
type State struct {
	Leader     int32   `json:"leader"`
	Epoch      int32   `json:"leaderEpoch"`
	ISR        []int32 `json:"isr"`
	Version    int32   `json:"version"`
	Recovering bool    `json:"recovering,omitempty"`
}

// Decision is a state that is about to be written on condition of To.Version. Write is found again in its Outcome.
type Decision struct {
	Partition string `json:"partition"` // topic-number
	Write     uint64 `json:"write"`
	Strategy  string `json:"strategy"`
	New       bool   `json:"new,omitempty"` // there was no state
	From      State  `json:"from"`
	To        State  `json:"to"`
	Unclean   string `json:"unclean,omitempty"`
	Replicas  int    `json:"replicas"` // index into Considered
	// Measured are the live replicas by whose logs the leader was chosen.
	Measured []Measured `json:"measured,omitempty"`
}

// Measured is what a live replica had when a leader was chosen by it. The last record's leader epoch is between the two.
type Measured struct {
	ID       int32 `json:"id"`
	Start    int64 `json:"logStart"`
	End      int64 `json:"logEnd"`
	EpochMin int32 `json:"lastEpochMin"`
	EpochMax int32 `json:"lastEpochMax"`
}

// Replica is one that could have led, and why it does or does not.
type Replica struct {
	ID      int32  `json:"id"`
	InISR   bool   `json:"inIsr"` // before
	Stood   string `json:"stood"`
	Verdict string `json:"verdict"`
}

// The results of a write.
const (
	Applied  = "applied"
	Conflict = "conflict" // somebody else had written: Version is what was found, and it was decided again
	Failed   = "failed"   // tried again later
)

// Outcome is what came of the Decision with the same Write. Version is that of the znode now.
type Outcome struct {
	Partition string `json:"partition"`
	Write     uint64 `json:"write"`
	Result    string `json:"result"`
	Version   int32  `json:"version"`
	MS        int64  `json:"ms"`
	Reason    string `json:"reason,omitempty"`
}

// Note is a line of the controller's own log.
type Note struct {
	Kind      string `json:"kind"`
	Partition string `json:"partition,omitempty"`
	Text      string `json:"text"`
}

// ParseID reads a partition as it is written, topic-number.
func ParseID(s string) (partition.ID, error) {
	i := strings.LastIndexByte(s, '-')
	if i > 0 {
		if n, err := strconv.ParseInt(s[i+1:], 10, 32); err == nil && n >= 0 {
			return partition.ID{Topic: s[:i], Number: int32(n)}, nil
		}
	}
	return partition.ID{}, fmt.Errorf("%q is no partition: expected TOPIC-NUMBER", s)
}

// has reports whether ranges, as 0-3,7, contain a number.
func has(ranges string, number int32) bool {
	for r := range strings.SplitSeq(ranges, ",") {
		from, to, both := strings.Cut(r, "-")
		a, err := strconv.ParseInt(from, 10, 32)
		b := a
		if both && err == nil {
			b, err = strconv.ParseInt(to, 10, 32)
		}
		if err == nil && int64(number) >= a && int64(number) <= b {
			return true
		}
	}
	return false
}
