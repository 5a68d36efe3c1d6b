// Package whatif asks the controller's own mind what it would do: it resumes a planner.Machine from a snapshot, lets
// something happen, takes each write for done until nothing more is decided, and compares. No decision is made here.
//
// What it cannot know is what is not in the snapshot: writes and elections that are under way, what leaders ask for by
// themselves (AlterPartition), log directories that fail later. Brokers that fail, fail at the same moment.
//
// The package is part of the pure core: no I/O, no clock, no goroutine.
package whatif

import (
	"fmt"
	"math"
	"slices"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/recovery"
	"baton/snapshot"
)

// Options change what the snapshot says.
type Options struct {
	// Unclean: unclean elections are allowed, whatever topics, defaults and configuration say.
	Unclean bool
}

// World is a cluster as a snapshot has it, and what becomes of it. It is not the snapshot's: that is never changed.
type World struct {
	doc     *snapshot.Document
	opts    Options
	m       *planner.Machine
	brokers []cluster.Broker // registered now
	unread  []int32
	why     map[partition.ID]partition.Strategy // of the last decision about it
	token   uint64
	// unmeasured are the live replicas of partitions whose leader nobody knows before their logs are measured.
	unmeasured map[partition.ID][]int32
}

// now is the machine's time: it stands still, so nothing is tried again and nothing is due.
const now planner.Millis = 1

// Open resumes a machine from a document and lets it settle: what it would do anyway is done.
func Open(doc *snapshot.Document, opts Options) (*World, error) {
	mem := doc.Memory()
	mem.Settings.RetryAfter = math.MaxInt32 // what fails here fails again
	if opts.Unclean {
		mem.Settings.UncleanElection, mem.UncleanDynamic, mem.DefaultsBad = true, nil, ""
		mem.Settings.Recovery = recovery.Policy{}
	}
	w := &World{doc: doc, opts: opts, unread: doc.Unreadable, why: map[partition.ID]partition.Strategy{}, unmeasured: map[partition.ID][]int32{}}
	for _, b := range mem.Image.Brokers() {
		w.brokers = append(w.brokers, *b)
	}
	var plan planner.Plan
	w.m, plan = planner.Resume(mem)
	return w, w.carryOut(plan)
}

// Fail takes brokers away, all at once.
func (w *World) Fail(ids ...int32) error {
	w.brokers = slices.DeleteFunc(w.brokers, func(b cluster.Broker) bool { return slices.Contains(ids, b.ID) })
	w.unread = slices.DeleteFunc(slices.Clone(w.unread), func(id int32) bool { return slices.Contains(ids, id) })
	return w.step(w.registered())
}

// Return registers brokers that are away, as new incarnations.
func (w *World) Return(ids ...int32) error {
	for _, id := range ids {
		newest := epoch.Broker(0)
		for _, b := range w.brokers {
			newest = max(newest, b.Epoch)
		}
		for _, a := range w.doc.Away {
			newest = max(newest, epoch.Broker(a.Epoch))
		}
		w.brokers = append(w.brokers, cluster.Broker{ID: id, Epoch: newest + 1})
	}
	return w.step(w.registered())
}

// Leave has a broker ask to shut down; it stays registered.
func (w *World) Leave(id int32) error {
	w.token++
	return w.step(planner.Call{Token: w.token, Body: planner.ControlledShutdown{Broker: id, BrokerEpoch: epoch.Unknown}})
}

// Elect holds an election that somebody asks for.
func (w *World) Elect(kind planner.ElectionType, ids ...partition.ID) error {
	w.token++
	return w.step(planner.Call{Token: w.token, Body: planner.ElectLeaders{Type: kind, Partitions: ids}})
}

func (w *World) registered() planner.BrokersChanged {
	return planner.BrokersChanged{Brokers: slices.Clone(w.brokers), BadIDs: w.unread}
}

// Partition is what has become of a partition; nil if there is none.
func (w *World) Partition(id partition.ID) *cluster.Partition {
	return w.m.View().Image.Partition(id)
}

// Standing is what a broker means for a partition now.
func (w *World) Standing(id partition.ID, broker int32) partition.Standing {
	im := w.m.View().Image
	return im.Standing(im.Partition(id), broker)
}

// Led reports whether somebody serves a partition: its leader is registered, and its log directory fine.
func (w *World) Led(id partition.ID) bool {
	im := w.m.View().Image
	p := im.Partition(id)
	return p != nil && im.HasLeader(p) && !slices.Contains(p.Dirs, p.State.Leader)
}

// Why is the strategy of the last decision about a partition, empty if there was none.
func (w *World) Why(id partition.ID) partition.Strategy { return w.why[id] }

func (w *World) step(ev planner.Event) error { return w.carryOut(w.m.Step(now, ev)) }

// carryOut does what a plan says, and what follows from it.
func (w *World) carryOut(plan planner.Plan) error {
	// Each write settles something and is made once or twice; a machine that goes on for longer would go on for ever.
	limit := 1000 + 20*w.doc.PartitionCount()
	var events []planner.Event
	for n := 0; n < limit; n++ {
		if plan.Resign != "" {
			return fmt.Errorf("the controller would resign: %s", plan.Resign)
		}
		events = append(events, w.outcomes(plan)...)
		if len(events) == 0 {
			return nil
		}
		plan, events = w.m.Step(now, events[0]), events[1:]
	}
	return fmt.Errorf("the decisions do not come to an end within %d steps", limit)
}

// outcomes are the events that a plan's effects come back as.
func (w *World) outcomes(plan planner.Plan) (events []planner.Event) {
	for _, n := range plan.Notes {
		if n.Kind == planner.NoteElection {
			w.why[n.Partition] = n.Strategy
		}
	}
	results := make([]planner.Result, 0, len(plan.Writes))
	for _, x := range plan.Writes {
		results = append(results, applied(x))
	}
	if len(results) > 0 {
		events = append(events, planner.Committed{Results: results})
	}
	for _, r := range plan.Reads {
		if r.TopicConfig != "" {
			events = append(events, w.config(r.TopicConfig))
		}
		if len(r.States) > 0 {
			events = append(events, w.states(r.States))
		}
	}
	for _, q := range plan.Measures {
		events = append(events, w.measured(q))
	}
	if plan.Again {
		events = append(events, planner.Continue{})
	}
	return events
}

// applied is how a write ends: changes of states and assignments are made. Nothing else decides who leads; it waits.
func applied(w planner.Write) planner.Result {
	r := planner.Result{Seq: w.Seq}
	switch b := w.Body.(type) {
	case planner.SetState:
		r.Version = int32(b.State.PartitionEpoch) + 1
	case planner.CreateState:
	case planner.SetTopic:
		r.Version = b.Version + 1
	default:
		r.Outcome, r.Reason = planner.Failed, "this is a question"
	}
	return r
}

func (w *World) config(topic string) planner.TopicConfigRead {
	if t := w.doc.Topic(topic); t != nil && !w.opts.Unclean {
		return t.ConfigRead()
	}
	return planner.TopicConfigRead{Topic: topic}
}

// measured answers for partitions with one live replica: whatever that has, it is the longest. What others have nobody knows, so
// they stay silent.
func (w *World) measured(q planner.Measure) planner.Measured {
	live := map[partition.ID][]int32{}
	for _, a := range q.Asks {
		for _, l := range a.Logs {
			live[l.ID] = append(live[l.ID], a.Broker.ID)
		}
	}
	out := planner.Measured{Token: q.Token}
	for id, brokers := range live {
		if len(brokers) == 1 {
			out.Logs = append(out.Logs, planner.MeasuredLog{Broker: brokers[0], ID: id, Log: &recovery.Log{}})
			continue
		}
		w.unmeasured[id] = brokers
	}
	return out
}

// Unmeasured are the live replicas of a partition of which the one that loses least leads, once it is known; nil if that is not how
// it gets its leader.
func (w *World) Unmeasured(id partition.ID) []int32 {
	if w.Led(id) {
		return nil
	}
	return w.unmeasured[id]
}

// states answers with what the machine itself has acknowledged: nobody else writes.
func (w *World) states(ids []partition.ID) planner.Refreshed {
	var out planner.Refreshed
	for _, id := range ids {
		r := planner.StateRead{ID: id}
		if p := w.Partition(id); p != nil && p.Known {
			r.Exists, r.State, r.Bad = true, p.State, p.Broken
		}
		out.States = append(out.States, r)
	}
	return out
}

// leadership is the part of a partition's state that people ask about.
func leadership(p *cluster.Partition) Leadership {
	if p == nil || !p.Known {
		return Leadership{Leader: isr.NoLeader, ISR: []int32{}}
	}
	return Leadership{Leader: p.State.Leader, Epoch: int32(p.State.LeaderEpoch), ISR: p.State.ISR}
}
