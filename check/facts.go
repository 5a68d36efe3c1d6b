package check

import (
	"time"

	"baton/cluster"
	"baton/config"
	"baton/planner"
	"baton/zkstore"
)

// Facts is everything the rules look at.
type Facts struct {
	Config  *config.Config
	Servers []Server // one for each of zookeeper.connect
	Session Session
	// What follows was read from ZooKeeper; it is zero if Session.Err is set.
	ClusterID  string
	Role       zkstore.RoleView
	Batons     []int32 // every id that was ever a Baton's
	Brokers    []Broker
	BadBrokers []planner.Bad
	Topics     Topics
	// ReadErrs are reads that failed, in the words of ZooKeeper.
	ReadErrs []string
}

// Server is one ZooKeeper server, asked with srvr on its own.
type Server struct {
	Addr    string
	Err     string
	Mode    string // leader, follower, standalone, observer; empty if it would not say
	Version string
}

// Session is the session that everything else was read through.
type Session struct {
	Err       string
	Server    string
	Timeout   time.Duration // as negotiated
	HasChroot bool
}

// Broker is a registered broker and what it says about itself.
type Broker struct {
	cluster.Broker
	Baton   bool   // registered, but by a Baton: not asked
	Addr    string // where it was asked, empty if it has no endpoint on the controller's listener
	Err     string // it could not be asked, or did not answer
	APIs    map[int16]Range
	Configs map[string]string // DescribeConfigs; nil if it refused
	ConfErr string
}

// Range is the versions of an API that a broker reads.
type Range struct{ Min, Max int16 }

// Topics sums up /brokers/topics.
type Topics struct {
	Count, Partitions, Leaderless int
	Names                         []string // sorted
	Bad                           []planner.Bad
	Deleting                      []string           // topics with a marker in /admin/delete_topics
	Reassigning                   []string           // topics with adding or removing replicas
	OnBatons                      map[int32][]string // by id: topics with replicas on an id of a Baton or on ours
}

// Level grades a finding.
type Level string

// The levels. Fail means that a takeover would be refused or would do harm.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one line of the report.
type Finding struct {
	Level  Level  `json:"level"`
	Item   string `json:"item"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Report is the outcome.
type Report struct {
	Findings []Finding `json:"findings"`
	// Unreachable: ZooKeeper could not be read, so nothing is known about the cluster.
	Unreachable bool `json:"unreachable"`
	OK          int  `json:"ok"`
	Warnings    int  `json:"warnings"`
	Failures    int  `json:"failures"`
}

// ExitCode is 0 without failures, 3 with some, 5 if ZooKeeper could not be read.
func (r Report) ExitCode() int {
	switch {
	case r.Unreachable:
		return 5
	case r.Failures > 0:
		return 3
	}
	return 0
}
