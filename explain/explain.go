// Package explain says why a partition is led by whom it is, or by nobody, and what each thing that could be done about it would
// do. It reads a snapshot; what would happen it asks package whatif, so by the controller's own decisions.
//
// The package is part of the pure core: no I/O, no clock, no goroutine.
package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/isr"
	"baton/partition"
	"baton/recovery"
	"baton/snapshot"
)

// Explanation is one partition's.
type Explanation struct {
	Topic      string              `json:"topic"`
	Number     int32               `json:"partition"`
	Taken      time.Time           `json:"taken"`
	Controller snapshot.Controller `json:"controller"`
	// Summary says it in a sentence.
	Summary     string  `json:"summary"`
	Leader      int32   `json:"leader"` // -1: none
	LeaderEpoch int32   `json:"leaderEpoch"`
	ISR         []int32 `json:"isr"`
	// Served: the leader is registered, and its log directory fine.
	Served      bool                    `json:"served"`
	UnderMinISR bool                    `json:"underMinIsr"`
	MinISR      snapshot.Setting[int32] `json:"min.insync.replicas"`
	Unclean     snapshot.Setting[bool]  `json:"unclean.leader.election.enable"`
	// Recovery is the strategy when the ISR is lost, absent if Unclean decides; Rescue is what it does now.
	Recovery   *snapshot.Setting[string] `json:"unclean.recovery.strategy,omitempty"`
	Rescue     *snapshot.Rescue          `json:"uncleanRecovery,omitempty"`
	LastLeader *LastLeader               `json:"lastLeader,omitempty"` // where nobody leads
	Logs       []string                  `json:"logs,omitempty"`       // what is known of them since a leader was lost, and of the leader's
	Replicas   []Replica                 `json:"replicas"`             // in preference order
	// Doubts are what makes all this uncertain, or stands in the way of an election.
	Doubts  []string `json:"doubts"`
	Actions []Action `json:"actions"`
}

// LastLeader is who led before nobody did.
type LastLeader struct {
	// Broker is -1 if it cannot be known.
	Broker int32     `json:"broker"`
	Lost   time.Time `json:"lost,omitzero"` // absent: not known
	How    string    `json:"knownFrom"`
}

// Words for what a replica is.
const (
	Leads     = "leader"
	InSync    = "in sync"
	Catching  = "catching up"
	Restarted = "in sync before its restart"
	Leaving   = "shutting down"
	FailedDir = "log directory failed"
	Gone      = "away"
	Unread    = "registration unreadable"
)

// Replica is one of the partition's, or a member of the ISR that the assignment does not name any more.
type Replica struct {
	Broker int32     `json:"broker"`
	State  string    `json:"state"` // one of the words
	InISR  bool      `json:"inIsr"`
	Since  time.Time `json:"since,omitzero"` // registered, or away; absent: not known
	Text   string    `json:"text"`
}

// Live reports whether the replica's broker serves it, or could.
func (r *Replica) Live() bool { return r.State != Gone && r.State != FailedDir && r.State != Unread }

// Resolve finds what name means in a document that has the topics of Candidates: a topic, or with number >= 0 a partition of it.
// A topic whose name ends in a number goes before a partition; also then says so.
func Resolve(doc *snapshot.Document, name string) (topic string, number int32, also string, err error) {
	prefix, n, ok := split(name)
	whole, part := doc.Topic(name) != nil, ok && doc.Topic(prefix) != nil
	switch {
	case whole && part:
		return name, -1, fmt.Sprintf("%s is a topic; for partition %d of topic %s give --partition", name, n, prefix), nil
	case whole:
		return name, -1, "", nil
	case part:
		return prefix, n, "", nil
	case ok:
		return "", 0, "", fmt.Errorf("there is no topic %s, and none %s", name, prefix)
	}
	return "", 0, "", fmt.Errorf("there is no topic %s", name)
}

// Candidates are the topics that name may be about.
func Candidates(name string) []string {
	if prefix, _, ok := split(name); ok {
		return []string{name, prefix}
	}
	return []string{name}
}

func split(name string) (topic string, number int32, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(name[i+1:], 10, 31)
	return name[:i], int32(n), err == nil
}

// Partition explains one partition, with what could be done.
func Partition(doc *snapshot.Document, topic string, number int32) (*Explanation, error) {
	t := doc.Topic(topic)
	if t == nil {
		return nil, fmt.Errorf("there is no topic %s", topic)
	}
	p := t.Partition(number)
	if p == nil {
		return nil, fmt.Errorf("topic %s has no partition %d; it has %d partitions", topic, number, len(t.Partitions))
	}
	e := describe(doc, t, p)
	var err error
	e.Actions, err = actions(doc, t, p, e)
	return e, err
}

// Topic explains all partitions of a topic, without what could be done.
func Topic(doc *snapshot.Document, topic string) ([]*Explanation, error) {
	t := doc.Topic(topic)
	if t == nil {
		return nil, fmt.Errorf("there is no topic %s", topic)
	}
	out := make([]*Explanation, 0, len(t.Partitions))
	for i := range t.Partitions {
		out = append(out, describe(doc, t, &t.Partitions[i]))
	}
	return out, nil
}

func describe(doc *snapshot.Document, t *snapshot.Topic, p *snapshot.Partition) *Explanation {
	e := &Explanation{Topic: t.Name, Number: p.Number, Taken: doc.Taken, Controller: doc.Controller, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, ISR: p.ISR, Logs: p.Logs,
		MinISR: t.MinISR, Unclean: t.Unclean, Recovery: t.Recovery, Rescue: p.Rescue, UnderMinISR: !p.New && len(p.ISR) < int(t.MinISR.Value), Actions: []Action{}}
	for _, id := range replicas(p) {
		e.Replicas = append(e.Replicas, replica(doc, p, id))
	}
	i := slices.IndexFunc(e.Replicas, func(r Replica) bool { return r.Broker == p.Leader })
	e.Served = i >= 0 && e.Replicas[i].Live()
	if p.Leader == isr.NoLeader && !p.New {
		e.LastLeader = lastLeader(doc, p)
	}
	e.Doubts = doubts(doc, t, p)
	e.Summary = e.summary(t, p)
	return e
}

// replicas are the assigned ones, then members of the ISR that the assignment does not name.
func replicas(p *snapshot.Partition) []int32 {
	out := slices.Clone(p.Replicas)
	for _, id := range p.ISR {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

func replica(doc *snapshot.Document, p *snapshot.Partition, id int32) Replica {
	r := Replica{Broker: id, InISR: slices.Contains(p.ISR, id)}
	b := doc.Broker(id)
	switch {
	case b == nil && slices.Contains(doc.Unreadable, id):
		r.State, r.Text = Unread, "registered, but nobody can understand its registration: it keeps what it has and gets nothing new"
	case b == nil:
		r.State = Gone
		r.Since, r.Text = absent(doc, id)
	default:
		r.Since = b.Since
		r.State, r.Text = present(doc, p, b, r.InISR)
	}
	return r
}

// absent says since when a broker is away, as far as this Baton knows.
func absent(doc *snapshot.Document, id int32) (time.Time, string) {
	for _, a := range doc.Away {
		if a.ID != id || a.Since.IsZero() {
			continue
		}
		how := "left without shutting down in order"
		if a.InOrder {
			how = "shut down in order"
		}
		return a.Since, fmt.Sprintf("%s at %s", how, Stamp(a.Since))
	}
	return time.Time{}, fmt.Sprintf("has been away since before this Baton led (%s)", Stamp(doc.Controller.Since))
}

func present(doc *snapshot.Document, p *snapshot.Partition, b *snapshot.Broker, inISR bool) (state, text string) {
	since := "registered before this Baton led (" + Stamp(doc.Controller.Since) + ")"
	if !b.Since.IsZero() {
		since = "registered at " + Stamp(b.Since)
	}
	switch {
	case slices.Contains(p.FailedDirs, b.ID):
		return FailedDir, "live, but the log directory of this replica has failed"
	case b.Leaving:
		return Leaving, since + "; it has asked to shut down"
	case slices.Contains(p.Lapsed, b.ID):
		return Restarted, since + ", after the ISR was decided: its log may have lost its end"
	case b.ID == p.Leader:
		return Leads, since
	case inISR:
		return InSync, since
	}
	return Catching, since + "; live, but not in the ISR: it may lack records"
}

// lastLeader says who led, as far as it can be known.
func lastLeader(doc *snapshot.Document, p *snapshot.Partition) *LastLeader {
	switch {
	case p.LastLeader != nil:
		return &LastLeader{Broker: p.LastLeader.Broker, Lost: p.LastLeader.Lost, How: "this Baton saw it"}
	case len(p.ISR) == 1:
		return &LastLeader{Broker: p.ISR[0], Lost: p.Written, How: "it is the only member of the ISR, to which the leader belongs"}
	}
	return &LastLeader{Broker: isr.NoLeader, Lost: p.Written, How: fmt.Sprintf("it was one of the ISR, before this Baton led (%s)", Stamp(doc.Controller.Since))}
}

func doubts(doc *snapshot.Document, t *snapshot.Topic, p *snapshot.Partition) []string {
	out := []string{}
	add := func(so bool, format string, args ...any) {
		if so {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(doc.Doubt != "", "%s", doc.Doubt)
	add(doc.Torn, "brokers came or went while the snapshot was taken: ask again")
	add(t.Held != "", "the topic is not led any more: %s", t.Held)
	add(t.Marked && t.Held == "", "the topic is to be deleted when its reassignment is over")
	add(t.Unreadable != "", "the topic's znode cannot be understood, and is taken as it was before: %s", t.Unreadable)
	add(p.Unreadable != "", "the state znode cannot be understood, so nobody is elected: %s", p.Unreadable)
	add(t.Unclean.Unreadable != "", "whether unclean election is allowed cannot be read, so it is not: %s", t.Unclean.Unreadable)
	add(len(p.Adding)+len(p.Removing) > 0, "a reassignment is in progress: adding %v, removing %v", p.Adding, p.Removing)
	add(p.Recovering, "the leader was elected from outside the ISR and is still recovering")
	return out
}

// Stamp is a point in time as people read it.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func (e *Explanation) ids(is func(*Replica) bool) (out []int32) {
	for i := range e.Replicas {
		if is(&e.Replicas[i]) {
			out = append(out, e.Replicas[i].Broker)
		}
	}
	return out
}

func (e *Explanation) summary(t *snapshot.Topic, p *snapshot.Partition) string {
	switch {
	case p.Unreadable != "":
		return "nobody is elected: the state znode cannot be understood"
	case p.New && t.Held != "":
		return "it is new, and the topic is held: " + t.Held
	case p.New && len(e.ids(func(r *Replica) bool { return r.Live() && r.State != Leaving })) == 0:
		return "no leader yet: it is new, and none of its replicas is live"
	case p.New:
		return "no leader yet: it is new, and is about to get one"
	case p.Leader == isr.NoLeader && t.Held != "":
		return "no leader, and none is elected: " + t.Held
	case p.Leader == isr.NoLeader:
		return e.leaderless()
	case !e.Served && t.Held != "":
		return fmt.Sprintf("%d led it and cannot serve; no other leader is elected: %s", p.Leader, t.Held)
	case !e.Served:
		return fmt.Sprintf("%d led it and cannot serve any more: an election is due", p.Leader)
	}
	return e.led(p)
}

// leaderless says why nobody leads.
func (e *Explanation) leaderless() string {
	if live := e.ids(func(r *Replica) bool { return r.InISR && r.Live() }); len(live) > 0 {
		return fmt.Sprintf("no leader, but %s of the ISR %v can lead: an election is due", list(live), e.ISR)
	}
	why := fmt.Sprintf("no leader: nobody of the ISR %v is live", e.ISR)
	outside := e.ids(func(r *Replica) bool { return r.State == Catching || r.State == Restarted && !r.InISR })
	switch {
	case len(outside) == 0:
		return why + ", and no other replica is either"
	case e.Recovery != nil:
		return fmt.Sprintf("%s; %s could lead with loss: %s", why, list(outside), e.rescue())
	case e.Unclean.Value:
		return fmt.Sprintf("%s; %s could lead with loss, which is allowed (%s): an election is due", why, list(outside), e.Unclean.From)
	}
	return fmt.Sprintf("%s; %s could lead only with loss, and unclean election is off (%s)", why, list(outside), e.Unclean.From)
}

// rescue says what the strategy makes of it.
func (e *Explanation) rescue() string {
	by := fmt.Sprintf("unclean.recovery.strategy=%s (%s)", e.Recovery.Value, e.Recovery.From)
	if !recovery.Strategy(e.Recovery.Value).Measures() {
		return by + " allows it: an election is due"
	}
	text := by + " has them measured, and the one that loses least leads"
	if e.Rescue == nil {
		return text
	}
	if e.Rescue.Until.After(e.Taken) {
		return fmt.Sprintf("%s gives the ISR until %s to come back; then they are measured, and the one that loses least leads", by, Stamp(e.Rescue.Until))
	}
	if e.Rescue.Why != "" {
		text += "; not yet: " + e.Rescue.Why
	}
	return text
}

// led says why this one leads.
func (e *Explanation) led(p *snapshot.Partition) string {
	preferred := e.Replicas[0]
	var text string
	switch {
	case p.Leader == preferred.Broker:
		text = fmt.Sprintf("%d leads: it is the preferred replica, live and in sync", p.Leader)
	case preferred.State == InSync:
		text = fmt.Sprintf("%d leads; the preferred replica %d is live and in sync, and may have it back", p.Leader, preferred.Broker)
	default:
		text = fmt.Sprintf("%d leads: the preferred replica %d is %s", p.Leader, preferred.Broker, word(preferred))
	}
	if e.UnderMinISR {
		text += fmt.Sprintf("; the ISR %v is under min.insync.replicas %d, so acks=all fails", e.ISR, e.MinISR.Value)
	}
	return text
}

// word is a state within a sentence.
func word(r Replica) string {
	switch r.State {
	case FailedDir:
		return "on a failed log directory"
	case Unread:
		return "not understood in ZooKeeper"
	case Catching:
		return "live, but not in the ISR"
	case Restarted:
		return "restarted"
	}
	return r.State
}

func list(ids []int32) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.Itoa(int(id))
	}
	return strings.Join(out, ", ")
}

// id of the partition.
func (e *Explanation) id() partition.ID { return partition.ID{Topic: e.Topic, Number: e.Number} }
