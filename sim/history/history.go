// Package history follows a cluster through the transactions of an embedded ZooKeeper: what is written there is
// what the cluster is. It shares no code with the controller, parses the znodes by itself, and checks after each
// transaction what must hold at any time (check.go).
package history

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"baton/jute"
	"baton/partition"
	"baton/zkserver"
)

// NoLeader is the leader of a partition that has none.
const NoLeader = -1

// State is the content of a partition's state znode.
type State struct {
	Leader          int32   `json:"leader"`
	LeaderEpoch     int32   `json:"leader_epoch"`
	ISR             []int32 `json:"isr"`
	ControllerEpoch int32   `json:"controller_epoch"`
	Version         int32   `json:"-"` // the znode's

	written time.Time
}

// Partition is one with its assignment.
type Partition struct {
	ID       partition.ID
	Replicas []int32
	// Adding and Removing are those of a reassignment in progress.
	Adding, Removing []int32
	State            State
	Known            bool // it has a state
}

// Led says whether somebody leads it.
func (p Partition) Led() bool { return p.Known && p.State.Leader != NoLeader }

// Broker is a registration.
type Broker struct {
	Epoch   int64 // the czxid
	Session int64
	Version int32 // of the data: it was written anew
	Since   time.Time
	First   bool // the broker has not registered before
}

// Role is /controller with /controller_epoch.
type Role struct {
	Holder  int32 // NoLeader: nobody
	Session int64 // that owns /controller
	Epoch   int32
	Version int32 // of /controller_epoch
	Claimer int64 // the session that raised the epoch last
	Baton   bool  // the holder is one of ours
}

// Event is a change that a person may want to see.
type Event struct {
	Kind   Kind
	Broker int32 // who came, went or claimed
	Epoch  int32 // of a claim
}

// Kind of an Event.
type Kind int

// The kinds.
const (
	Registered Kind = iota
	Gone
	Claimed
	Released
)

// History is safe for use by many goroutines. Apply is what zkserver.Options.OnTxn wants.
type History struct {
	// OnEvent, if set before the first transaction, hears what changes; it must not block.
	OnEvent func(Event)
	// OnState, likewise, hears of each state that is written while a Baton holds; it must not call back.
	OnState func(partition.ID, State)

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced at each transaction
	zxid       int64
	states     map[partition.ID]State
	replicas   map[partition.ID][]int32
	brokers    map[int32]Broker
	seen       map[int32]bool // that ever registered
	role       Role
	unclean    map[partition.ID]bool
	byLeaders  bool
	fenced     bool
	claims     map[int32]int64    // the claimer's session, by controller epoch
	ended      map[int64]bool     // sessions
	tails      map[tail]time.Time // when it was lost
	excused    map[partition.ID]bool
	violations []string
	writes     int
	work       work
}

// New returns the history of an empty cluster.
func New() *History {
	return &History{changed: make(chan struct{}), states: map[partition.ID]State{}, replicas: map[partition.ID][]int32{},
		brokers: map[int32]Broker{}, role: Role{Holder: NoLeader}, claims: map[int32]int64{}, ended: map[int64]bool{},
		seen: map[int32]bool{}, tails: map[tail]time.Time{}, unclean: map[partition.ID]bool{}, excused: map[partition.ID]bool{},
		work: newWork()}
}

// Apply takes in a transaction.
func (h *History) Apply(x *zkserver.Txn) {
	h.mu.Lock()
	var events []Event
	h.zxid = x.Zxid
	before := h.role
	if x.Op == jute.OpCloseSession {
		h.ended[x.Session] = true
	}
	if h.fenced {
		h.checkFence(x)
	}
	for i := range x.Changes {
		h.change(x, &x.Changes[i], &events)
	}
	h.checkRole(x, before)
	h.checkDeletions(x)
	if h.role.Epoch != before.Epoch {
		h.claims[h.role.Epoch] = h.role.Claimer
	}
	if h.role.Holder != before.Holder || h.role.Epoch != before.Epoch {
		if h.role.Holder == NoLeader {
			events = append(events, Event{Kind: Released, Broker: before.Holder, Epoch: before.Epoch})
		} else {
			events = append(events, Event{Kind: Claimed, Broker: h.role.Holder, Epoch: h.role.Epoch})
		}
	}
	close(h.changed)
	h.changed = make(chan struct{})
	h.mu.Unlock()
	if h.OnEvent != nil {
		for _, e := range events {
			h.OnEvent(e)
		}
	}
}

func (h *History) change(x *zkserver.Txn, c *zkserver.Change, events *[]Event) {
	path, removed := c.Path, c.Op == jute.OpDelete
	if c.Op == jute.OpSetACL {
		return
	}
	switch {
	case path == "/controller":
		h.controller(x, c, removed)
	case path == "/controller_epoch":
		n, _ := strconv.Atoi(string(c.Data))
		h.role.Epoch, h.role.Version = int32(n), c.Version
		if c.Op == jute.OpSetData {
			h.role.Claimer = x.Session
		}
	case strings.HasPrefix(path, "/brokers/ids/"):
		if id, err := strconv.Atoi(path[len("/brokers/ids/"):]); err == nil {
			h.broker(x, c, int32(id), removed, events)
		}
	case strings.HasPrefix(path, "/brokers/topics/"):
		h.topic(x, c, strings.Split(path[len("/brokers/topics/"):], "/"), removed)
	default:
		h.work.change(c, removed)
	}
}

func (h *History) controller(x *zkserver.Txn, c *zkserver.Change, removed bool) {
	if removed {
		h.role.Holder, h.role.Session, h.role.Baton = NoLeader, 0, false
		return
	}
	var v struct {
		ID    *int32          `json:"brokerid"`
		Baton json.RawMessage `json:"baton"`
	}
	if json.Unmarshal(c.Data, &v) != nil || v.ID == nil {
		h.violate(x, "/controller: %q", c.Data)
		return
	}
	h.role.Holder, h.role.Baton = *v.ID, v.Baton != nil
	if c.Op == jute.OpCreate {
		h.role.Session = c.Owner
	}
}

func (h *History) broker(x *zkserver.Txn, c *zkserver.Change, id int32, removed bool, events *[]Event) {
	switch {
	case removed:
		delete(h.brokers, id)
		*events = append(*events, Event{Kind: Gone, Broker: id})
	case c.Op == jute.OpCreate:
		h.brokers[id] = Broker{Epoch: x.Zxid, Session: c.Owner, Since: time.Now(), First: !h.seen[id]}
		h.seen[id] = true
		*events = append(*events, Event{Kind: Registered, Broker: id})
	default:
		b := h.brokers[id]
		b.Version = c.Version
		h.brokers[id] = b
	}
}

// topic takes parts of the path below /brokers/topics: the topic, then partitions, number, state.
func (h *History) topic(x *zkserver.Txn, c *zkserver.Change, parts []string, removed bool) {
	switch {
	case len(parts) == 1:
		h.assign(x, c, parts[0], removed)
	case len(parts) == 4 && parts[3] == "state":
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			return
		}
		id := partition.ID{Topic: parts[0], Number: int32(n)}
		if removed {
			delete(h.states, id)
			return
		}
		var s State
		if err := json.Unmarshal(c.Data, &s); err != nil {
			h.violate(x, "state of %v: %v", id, err)
			return
		}
		s.Version, s.written = c.Version, time.Now()
		h.checkState(x, id, s)
		if h.OnState != nil && h.role.Baton {
			h.OnState(id, s)
		}
		h.states[id] = s
		h.writes++
	}
}

// Partitions returns all, in order.
func (h *History) Partitions() []Partition {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Partition, 0, len(h.replicas))
	for id, replicas := range h.replicas {
		out = append(out, h.partition(id, replicas))
	}
	slices.SortFunc(out, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.ID.Topic, b.ID.Topic), cmp.Compare(a.ID.Number, b.ID.Number))
	})
	return out
}

// Partition returns one; ok is false if there is none.
func (h *History) Partition(id partition.ID) (p Partition, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	replicas, ok := h.replicas[id]
	return h.partition(id, replicas), ok
}

func (h *History) partition(id partition.ID, replicas []int32) Partition {
	s, known := h.states[id]
	m := h.work.moving[id]
	return Partition{ID: id, Replicas: replicas, Adding: m.adding, Removing: m.removing, State: s, Known: known}
}

// Brokers returns who is registered.
func (h *History) Brokers() map[int32]Broker {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.brokers)
}

// Role returns who holds the role.
func (h *History) Role() Role {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.role
}

// Claimer returns the session that claimed with a controller epoch, 0 for an epoch that nobody has. over says why it
// may not speak for the role any more, if that is so. Whoever has consented to a handover leads until it hears of the
// successor.
func (h *History) Claimer(epoch int32) (session int64, over string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	session = h.claims[epoch]
	switch {
	case epoch > h.role.Epoch:
		return session, fmt.Sprintf("the controller epoch is %d", h.role.Epoch)
	case h.ended[session]:
		return session, "its session is over"
	case epoch == h.role.Epoch && h.role.Session != session:
		return session, "it has released the role"
	}
	return session, ""
}

// Writes counts the states written.
func (h *History) Writes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.writes
}

// Changed is closed at the next transaction.
func (h *History) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

// AllowUnclean says whether an unclean election of a partition has been asked for: then any replica may lead it.
func (h *History) AllowUnclean(id partition.ID, yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unclean[id] = yes
}

// DemandFence says that rule 6 is to be checked: transactions come with their checks, and only Batons control.
func (h *History) DemandFence() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fenced = true
}

// LeadersWriteISR says that rule 2 cannot be checked: leaders write their ISRs themselves, as before AlterPartition.
func (h *History) LeadersWriteISR() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byLeaders = true
}

// Violations lists what did not hold.
func (h *History) Violations() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.violations)
}

func (h *History) violate(x *zkserver.Txn, format string, args ...any) {
	if len(h.violations) < 20 {
		h.violations = append(h.violations, fmt.Sprintf("zxid %d: ", x.Zxid)+fmt.Sprintf(format, args...))
	}
}
