package admin

import (
	"context"
	"time"

	"baton/snapshot"
)

// Node is what the endpoints need of a running Baton. Methods may be called from any goroutine. A context that ends
// stops the waiting, not what has begun.
type Node interface {
	Status(ctx context.Context) (Status, error)
	// Snapshot is the image of the cluster, of the named topics only unless topics is nil. Only the active Baton has one.
	Snapshot(ctx context.Context, topics []string) (*snapshot.Document, error)
	// Takeover removes /baton/hold and claims; it returns when the role is held and loaded.
	Takeover(ctx context.Context, req Request, progress func(string)) error
	// Handback gives the role to a broker and says to which.
	Handback(ctx context.Context, req Request, progress func(string)) (Handback, error)
	// Handover gives the role to another Baton, AnyMember to whichever is ready.
	Handover(ctx context.Context, to int32, req Request, progress func(string)) error
	// Reload reads the configuration again and lists the keys now in force and those that need a restart.
	Reload(ctx context.Context, req Request) (applied, needsRestart []string, err error)
	// Alive reports whether the event loop has made progress lately.
	Alive() bool
	// Ready reports whether the session is up and this instance leads with a loaded image or could; the text says why not.
	Ready() (bool, string)
	Journal
	Elector
}

// AnyMember as the target of a handover means any other Baton.
const AnyMember int32 = -1

// Request says who wants something changed and why; both end up in the log and in ZooKeeper.
type Request struct {
	Who string `json:"who"`
	Why string `json:"why,omitempty"`
}

// Handback is how a handback ended.
type Handback struct {
	Broker int32         // the broker that claimed
	Epoch  int32         // its controller epoch
	Took   time.Duration // from the hold to the broker's first UpdateMetadata
}

// Roles of an instance.
const (
	RoleActive  = "active"
	RoleStandby = "standby"
	RoleHeld    = "held"
)

// Kinds of a holder of /controller.
const (
	HolderBroker = "broker"
	HolderBaton  = "baton"
	// HolderUnknown: somebody holds, but the znode does not say who.
	HolderUnknown = "unknown"
)

// Status is what `controller status` shows. Without the role a Baton sees what is in ZooKeeper; what only the
// controller knows (Detail) is absent then.
type Status struct {
	Instance  Instance  `json:"instance"`
	Holder    *Holder   `json:"holder"` // null: nobody holds /controller
	Epoch     int32     `json:"controllerEpoch"`
	Hold      *Hold     `json:"hold,omitempty"`
	Migration string    `json:"migration,omitempty"` // an active migration to KRaft
	ZooKeeper ZooKeeper `json:"zookeeper"`
	Image     *Image    `json:"image,omitempty"` // of a standby
	Members   []Member  `json:"members"`
	Brokers   []Broker  `json:"brokers"`
	// Counts is null where it was not counted: on a standby, or when ZooKeeper was read without a running Baton.
	Counts     *Counts    `json:"counts"`
	BadZnodes  []BadZnode `json:"badZnodes"`
	InProgress []string   `json:"workInProgress"` // deletions and reassignments that are going on
	Alarms     []Alarm    `json:"alarms"`
}

// Instance is the process that answers.
type Instance struct {
	ID        int32     `json:"id"`
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Mode      string    `json:"mode"` // controller.mode
	Role      string    `json:"role"` // active, standby, held; empty when ZooKeeper was read directly
	Ready     bool      `json:"ready"`
	Why       string    `json:"notReadyBecause,omitempty"`
	StartedAt time.Time `json:"startedAt,omitzero"`
}

// Image is what a standby keeps of topics and partition states for its claim.
type Image struct {
	Warm       bool   `json:"warm"` // a claim need not read them
	Topics     int    `json:"topics"`
	Partitions int    `json:"partitions"`
	AgeMS      int64  `json:"ageMs"` // since it was last known to be as ZooKeeper had it
	Why        string `json:"coldBecause,omitempty"`
}

// Holder is who is in /controller.
type Holder struct {
	ID       int32     `json:"id"`
	Kind     string    `json:"kind"`               // broker, baton or unknown
	Instance string    `json:"instance,omitempty"` // a Baton's name
	Since    time.Time `json:"since,omitzero"`
}

// Hold is /baton/hold: no Baton claims while it is there.
type Hold struct {
	Who  string    `json:"who"`
	Why  string    `json:"why"`
	When time.Time `json:"when"`
}

// ZooKeeper is this instance's session.
type ZooKeeper struct {
	Connected bool   `json:"connected"`
	Server    string `json:"server,omitempty"`
	SessionID string `json:"sessionId,omitempty"` // 0x… as ZooKeeper's own tools print it
	TimeoutMS int64  `json:"sessionTimeoutMs"`
}

// Member is a live Baton.
type Member struct {
	ID      int32  `json:"id"`
	Name    string `json:"name"`
	Mode    string `json:"mode"`
	Version string `json:"version"`
	Host    string `json:"host,omitempty"`
}

// Broker is a registered broker.
type Broker struct {
	ID        int32    `json:"id"`
	Epoch     int64    `json:"epoch"` // czxid of its registration
	Rack      string   `json:"rack,omitempty"`
	Endpoints []string `json:"endpoints"` // NAME://host:port
	// The rest is known to the controller only.
	Connected bool `json:"connected"`
	Leaving   bool `json:"leaving"` // in a controlled shutdown
	Told      int  `json:"told"`    // partitions it has acknowledged
	Untold    int  `json:"untold"`
}

// Counts is the health of the partitions.
type Counts struct {
	Topics          int `json:"topics"`
	Partitions      int `json:"partitions"`
	Offline         int `json:"offline"` // without a leader
	UnderReplicated int `json:"underReplicated"`
	UnderMinISR     int `json:"underMinIsr"`
}

// BadZnode is one that cannot be understood.
type BadZnode struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Alarm is something an operator should look at.
type Alarm struct {
	When time.Time `json:"when"`
	Text string    `json:"text"`
}
