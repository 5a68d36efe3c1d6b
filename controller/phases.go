package controller

import (
	"time"

	"baton/planner"
)

// Phases is how long the parts of a piece of work took, each from what set it off to the part's end; 0: there was no such part.
type Phases struct {
	Trigger Trigger
	// Read: the cluster is loaded. Decide: the last of the writes is decided. Write: ZooKeeper has acknowledged the last.
	// FirstTold, LastTold: the first broker, the last has answered a request that says so.
	Read, Decide, Write, FirstTold, LastTold time.Duration
	Writes, Requests                         int
}

// Trigger is what sets off work that is timed.
type Trigger string

// The triggers.
const (
	TriggerClaim      Trigger = "claim"
	TriggerBrokerLost Trigger = "broker_lost"
	TriggerShutdown   Trigger = "controlled_shutdown"
	TriggerElections  Trigger = "elections"
)

// giveUpPhases is when work that has not come to its end is not waited for any more: a broker may be unreachable for days.
const giveUpPhases = 5 * time.Minute

// phases times the work of a term. It sees every event with its plan, and belongs to the loop. What a later event has
// decided anew, or in slices, counts as the latest work's; a call's own writes do not.
type phases struct {
	claim   time.Time // when the term began
	works   []*timed  // that are not done, the latest last
	busy    map[int32]sent
	observe func(Phases)
}

// sent is the request that a broker has not answered.
type sent struct {
	seq  uint64
	kind planner.RequestKind
	at   time.Time
}

// timed is one piece of work.
type timed struct {
	Phases
	begun   time.Time
	open    []span         // of writes without a result
	more    bool           // slices are to come
	waits   map[int32]bool // once all is written: brokers that may have something to hear yet
	written time.Time      // when ZooKeeper acknowledged the first, or all was read
}

// span are numbers of writes of one plan.
type span struct {
	first, last uint64
	left        int
}

func newPhases(began time.Time, observe func(Phases)) *phases {
	return &phases{claim: began, busy: map[int32]sent{}, observe: observe}
}

// triggerOf says what an event sets off, with its plan.
func triggerOf(ev planner.Event, p *planner.Plan) Trigger {
	switch ev := ev.(type) {
	case planner.Claimed:
		return TriggerClaim
	case planner.BrokersChanged:
		for _, c := range p.Channels {
			if c.Close {
				return TriggerBrokerLost
			}
		}
	case planner.PreferredRequested:
		return TriggerElections
	case planner.Call:
		switch ev.Body.(type) {
		case planner.ControlledShutdown:
			return TriggerShutdown
		case planner.ElectLeaders:
			return TriggerElections
		}
	}
	return ""
}

// step sees an event that came at a time, and what was planned by now.
func (p *phases) step(ev planner.Event, came, now time.Time, plan *planner.Plan) {
	trigger := triggerOf(ev, plan)
	_, call := ev.(planner.Call)
	switch {
	case trigger == TriggerClaim:
		p.works = append(p.works, &timed{Phases: Phases{Trigger: trigger, Read: came.Sub(p.claim)}, begun: p.claim, written: now})
		for _, c := range plan.Channels {
			p.busy[c.Broker.ID] = sent{}
		}
	case trigger != "" && (len(plan.Writes) > 0 || plan.Again):
		p.works = append(p.works, &timed{Phases: Phases{Trigger: trigger}, begun: came})
	}
	if len(p.works) == 0 && len(plan.Requests) == 0 && len(p.busy) == 0 {
		return
	}
	p.answered(ev, now)
	if n := len(p.works); n > 0 && (trigger != "" || !call) {
		p.works[n-1].decided(plan, now)
	}
	for _, c := range plan.Channels {
		if c.Close {
			delete(p.busy, c.Broker.ID)
		}
	}
	for _, r := range plan.Requests {
		p.busy[r.Broker] = sent{r.Seq, r.Kind, now}
		for _, w := range p.works {
			w.Requests++
		}
	}
	kept := p.works[:0]
	for _, w := range p.works {
		done := w.done(p.busy)
		if !done && now.Sub(w.begun) < giveUpPhases {
			kept = append(kept, w)
			continue
		}
		if done {
			w.LastTold = now.Sub(w.begun)
		}
		if w.Writes > 0 || w.Trigger == TriggerClaim {
			p.observe(w.Phases)
		}
	}
	clear(p.works[len(kept):])
	p.works = kept
}

// answered takes in what ZooKeeper and the brokers say.
func (p *phases) answered(ev planner.Event, now time.Time) {
	switch ev := ev.(type) {
	case planner.Committed:
		for _, w := range p.works {
			w.wrote(ev.Results, now)
		}
	case planner.ChannelDown:
		delete(p.busy, ev.Broker)
	case planner.BrokerReplied:
		r := p.busy[ev.Broker]
		if r.seq != ev.Seq {
			return
		}
		delete(p.busy, ev.Broker)
		for _, w := range p.works {
			if w.FirstTold == 0 && r.kind == planner.LeaderAndISR && !w.written.IsZero() && !r.at.Before(w.written) {
				w.FirstTold = now.Sub(w.begun)
			}
		}
	}
}

func (w *timed) decided(plan *planner.Plan, now time.Time) {
	w.more = plan.Again
	if w.Trigger == TriggerClaim && w.Decide == 0 {
		w.Decide = now.Sub(w.begun)
	}
	if len(plan.Writes) == 0 {
		return
	}
	w.waits = nil
	w.Decide = now.Sub(w.begun)
	w.Writes += len(plan.Writes)
	s := span{plan.Writes[0].Seq, plan.Writes[0].Seq, len(plan.Writes)}
	for _, x := range plan.Writes {
		s.first, s.last = min(s.first, x.Seq), max(s.last, x.Seq)
	}
	w.open = append(w.open, s)
}

func (w *timed) wrote(results []planner.Result, now time.Time) {
	for _, r := range results {
		for i := range w.open {
			if s := &w.open[i]; r.Seq >= s.first && r.Seq <= s.last {
				if s.left--; s.left == 0 {
					w.open = append(w.open[:i], w.open[i+1:]...)
				}
				w.Write = now.Sub(w.begun)
				if w.written.IsZero() {
					w.written = now
				}
				break
			}
		}
	}
}

// done: everything is written, and every broker that had not answered by then has had its turn and is idle.
func (w *timed) done(busy map[int32]sent) bool {
	if len(w.open) > 0 || w.more {
		return false
	}
	if w.waits == nil {
		w.waits = map[int32]bool{}
		for b := range busy {
			w.waits[b] = true
		}
	}
	for b := range w.waits {
		if _, is := busy[b]; !is {
			delete(w.waits, b)
		}
	}
	return len(w.waits) == 0
}
