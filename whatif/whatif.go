package whatif

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"baton/partition"
	"baton/recovery"
	"baton/snapshot"
)

// Effect is what becomes of a partition.
type Effect string

// The effects, the worst first.
const (
	// Loss: a leader from outside the ISR is elected.
	Loss Effect = "unclean election"
	// Offline: it had a leader, and has none any more.
	Offline Effect = "offline"
	// UnderMinISR: it had min.insync.replicas or more in the ISR, and has fewer; acks=all fails.
	UnderMinISR Effect = "under min ISR"
	// Thinner: it was under min ISR, and the ISR shrinks further.
	Thinner Effect = "further under min ISR"
	// Moves: somebody else leads.
	Moves Effect = "leader moves"
	// Led: it had no leader, and has one.
	Led Effect = "led again"
	// Shrinks: the ISR gets smaller, the leader stays.
	Shrinks Effect = "ISR shrinks"
	// Changes is anything else, for example a new leader epoch.
	Changes Effect = "changes"
)

var severity = []Effect{Loss, Offline, UnderMinISR, Thinner, Moves, Led, Shrinks, Changes}

// Leadership is who leads and who is in sync.
type Leadership struct {
	Leader int32   `json:"leader"` // -1: none
	Epoch  int32   `json:"leaderEpoch"`
	ISR    []int32 `json:"isr"`
}

// Change is a partition of which something changes.
type Change struct {
	ID       partition.ID            `json:"-"`
	Topic    string                  `json:"topic"`
	Number   int32                   `json:"partition"`
	Replicas []int32                 `json:"replicas"`
	Effects  []Effect                `json:"effects"` // the worst first
	Before   Leadership              `json:"before"`
	After    Leadership              `json:"after"`
	MinISR   snapshot.Setting[int32] `json:"min.insync.replicas"`
	Strategy partition.Strategy      `json:"strategy"`
	Why      string                  `json:"why"`
}

// Has reports whether an effect is among the change's.
func (c *Change) Has(e Effect) bool { return slices.Contains(c.Effects, e) }

// Gain is how many partitions a broker leads.
type Gain struct {
	Broker int32 `json:"broker"`
	Before int   `json:"before"`
	After  int   `json:"after"`
}

// Totals count partitions by effect; one may count several times.
type Totals struct {
	Loss    int `json:"uncleanElections"`
	Offline int `json:"offline"`
	Under   int `json:"underMinIsr"`
	Thinner int `json:"furtherUnderMinIsr"`
	Moves   int `json:"leaderMoves"`
	Led     int `json:"ledAgain"`
	Shrinks int `json:"isrShrinks"`
	// What was so before, and stays so.
	StillOffline int `json:"stillOffline"`
	StillUnder   int `json:"stillUnderMinIsr"`
}

// Result is what would become of a cluster.
type Result struct {
	Failed     []int32  `json:"failed"`
	Unclean    bool     `json:"uncleanAllowed"` // Options.Unclean
	Partitions int      `json:"partitions"`     // looked at
	Totals     Totals   `json:"totals"`
	Leaders    []Gain   `json:"leaders"` // of brokers that lead more or fewer, by id
	Changes    []Change `json:"changes"` // the worst first, then by topic and number
}

// Fail asks what would become of the cluster if brokers failed at the same moment.
func Fail(doc *snapshot.Document, failed []int32, opts Options) (*Result, error) {
	if err := known(doc, failed); err != nil {
		return nil, err
	}
	w, err := Open(doc, opts)
	if err != nil {
		return nil, err
	}
	if err := w.Fail(failed...); err != nil {
		return nil, err
	}
	r := w.compare()
	r.Failed, r.Unclean = failed, opts.Unclean
	return r, nil
}

// UnknownBrokerError names an id that no broker of the snapshot has.
type UnknownBrokerError struct{ ID int32 }

func (e *UnknownBrokerError) Error() string {
	return fmt.Sprintf("broker %d is not registered, and hosts no replica", e.ID)
}

func known(doc *snapshot.Document, ids []int32) error {
	for _, id := range ids {
		if doc.Broker(id) == nil && !slices.ContainsFunc(doc.Away, func(a snapshot.Away) bool { return a.ID == id }) && !slices.Contains(doc.Unreadable, id) {
			return &UnknownBrokerError{id}
		}
	}
	return nil
}

// compare says what has become of the partitions of the document.
func (w *World) compare() *Result {
	r := &Result{Partitions: w.doc.PartitionCount(), Leaders: []Gain{}, Changes: []Change{}}
	leads := map[int32]*Gain{}
	gain := func(id int32) *Gain {
		if leads[id] == nil {
			leads[id] = &Gain{Broker: id}
		}
		return leads[id]
	}
	for i := range w.doc.Topics {
		t := &w.doc.Topics[i]
		if t.Deleting {
			continue
		}
		for j := range t.Partitions {
			c := w.change(t, &t.Partitions[j])
			if c.Before.Leader >= 0 {
				gain(c.Before.Leader).Before++
			}
			if c.After.Leader >= 0 {
				gain(c.After.Leader).After++
			}
			r.count(w, t, &t.Partitions[j], &c)
			if len(c.Effects) > 0 {
				r.Changes = append(r.Changes, c)
			}
		}
	}
	for _, g := range leads {
		if g.Before != g.After {
			r.Leaders = append(r.Leaders, *g)
		}
	}
	slices.SortFunc(r.Leaders, func(a, b Gain) int { return cmp.Compare(a.Broker, b.Broker) })
	rank := func(c Change) int { return slices.Index(severity, c.Effects[0]) }
	slices.SortStableFunc(r.Changes, func(a, b Change) int { return cmp.Compare(rank(a), rank(b)) })
	return r
}

// wasLed is World.Led of what the snapshot says.
func (w *World) wasLed(p *snapshot.Partition) bool {
	return w.doc.Broker(p.Leader) != nil && !slices.Contains(p.FailedDirs, p.Leader)
}

func (w *World) change(t *snapshot.Topic, p *snapshot.Partition) Change {
	id := partition.ID{Topic: t.Name, Number: p.Number}
	c := Change{ID: id, Topic: t.Name, Number: p.Number, Replicas: p.Replicas, MinISR: t.MinISR, Strategy: w.why[id],
		Before: Leadership{Leader: p.Leader, Epoch: p.LeaderEpoch, ISR: p.ISR}, After: leadership(w.Partition(id))}
	is := func(e Effect, so bool) {
		if so {
			c.Effects = append(c.Effects, e)
		}
	}
	wasLed, led := w.wasLed(p), w.Led(id)
	wasUnder, under := len(p.ISR) < int(t.MinISR.Value), len(c.After.ISR) < int(t.MinISR.Value)
	is(Loss, c.Strategy == partition.Unclean)
	is(Offline, wasLed && !led)
	is(UnderMinISR, !p.New && !wasUnder && under)
	is(Thinner, !p.New && wasUnder && len(c.After.ISR) < len(p.ISR))
	is(Moves, wasLed && led && c.After.Leader != p.Leader)
	is(Led, !wasLed && led)
	is(Shrinks, len(c.Effects) == 0 && len(c.After.ISR) < len(p.ISR))
	is(Changes, len(c.Effects) == 0 && c.After.Epoch != p.LeaderEpoch)
	if len(c.Effects) > 0 {
		c.Why = w.reason(t, p, &c)
	}
	return c
}

func (r *Result) count(w *World, t *snapshot.Topic, p *snapshot.Partition, c *Change) {
	for e, n := range map[Effect]*int{Loss: &r.Totals.Loss, Offline: &r.Totals.Offline, UnderMinISR: &r.Totals.Under, Thinner: &r.Totals.Thinner,
		Moves: &r.Totals.Moves, Led: &r.Totals.Led, Shrinks: &r.Totals.Shrinks} {
		if c.Has(e) {
			*n++
		}
	}
	if !w.wasLed(p) && !w.Led(c.ID) {
		r.Totals.StillOffline++
	}
	if !p.New && len(p.ISR) < int(t.MinISR.Value) && len(c.After.ISR) < int(t.MinISR.Value) {
		r.Totals.StillUnder++
	}
}

// reason says in words why the partition is led as it is.
func (w *World) reason(t *snapshot.Topic, p *snapshot.Partition, c *Change) string {
	switch {
	case t.Held != "":
		return "no leader is elected: " + t.Held
	case p.Unreadable != "":
		return "no leader is elected: its state cannot be understood"
	}
	switch c.Strategy {
	case partition.Unclean:
		if w.strategy(t).Measures() {
			return fmt.Sprintf("nobody of the ISR %v is left; %d is the only live replica of %v, and may lead once it is measured (%s)",
				c.Before.ISR, c.After.Leader, p.Replicas, w.allowedBy(t))
		}
		return fmt.Sprintf("nobody of the ISR %v is left; %d is the first live replica of %v, and unclean election is allowed (%s)",
			c.Before.ISR, c.After.Leader, p.Replicas, w.allowedBy(t))
	case partition.Leaderless:
		return "nobody of the ISR " + fmt.Sprint(c.Before.ISR) + " is left; " + w.outsiders(c.ID, t, p, c.After.ISR)
	case partition.OfflineElection, partition.ControlledShutdown:
		return fmt.Sprintf("%d is the first live replica of %v that is in the ISR %v", c.After.Leader, p.Replicas, c.Before.ISR)
	case partition.Shrink:
		return fmt.Sprintf("%d goes on leading without %s", c.After.Leader, ids(minus(c.Before.ISR, c.After.ISR)))
	case partition.Initial:
		return "it is new: the first live replica leads"
	case partition.Reassign:
		return "its reassignment goes on"
	}
	return string(c.Strategy)
}

func (w *World) allowedBy(t *snapshot.Topic) string {
	if w.opts.Unclean {
		return "by this question"
	}
	if t.Recovery != nil {
		return fmt.Sprintf("unclean.recovery.strategy=%s, %s", t.Recovery.Value, t.Recovery.From)
	}
	return string(t.Unclean.From)
}

// strategy is what goes for a topic in this world.
func (w *World) strategy(t *snapshot.Topic) recovery.Strategy {
	if t.Recovery == nil || w.opts.Unclean {
		return recovery.None
	}
	return recovery.Strategy(t.Recovery.Value)
}

// outsiders says who lives and may not lead.
func (w *World) outsiders(id partition.ID, t *snapshot.Topic, p *snapshot.Partition, isr []int32) string {
	var live []int32
	for _, b := range p.Replicas {
		if s := w.Standing(id, b); !slices.Contains(isr, b) && (s == partition.Alive || s == partition.Lapsed) {
			live = append(live, b)
		}
	}
	if len(live) == 0 {
		return "no other replica is live"
	}
	if s := w.strategy(t); s.Measures() {
		then := "they are measured first, and the one that loses least leads"
		if s == recovery.TakeLongestLater {
			then = fmt.Sprintf("after %d min for the ISR to come back %s", w.doc.Static.RecoveryWaitMS/60_000, then)
		}
		return fmt.Sprintf("%s live, but not in sync: %s (%s)", ids(live), then, w.allowedBy(t))
	}
	why := "unclean election is off (" + string(t.Unclean.From) + ")"
	if t.Unclean.Unreadable != "" {
		why = "whether unclean election is allowed cannot be read: " + t.Unclean.Unreadable
	}
	return fmt.Sprintf("%s live, but not in sync, and %s", ids(live), why)
}

func minus(list, without []int32) (out []int32) {
	for _, id := range list {
		if !slices.Contains(without, id) {
			out = append(out, id)
		}
	}
	return out
}

func ids(list []int32) string {
	out := make([]string, len(list))
	for i, id := range list {
		out[i] = fmt.Sprint(id)
	}
	return strings.Join(out, ", ")
}
