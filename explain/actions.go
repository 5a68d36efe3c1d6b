package explain

import (
	"fmt"

	"baton/partition"
	"baton/planner"
	"baton/snapshot"
	"baton/whatif"
)

// Action is something that could be done, or waited for.
type Action struct {
	Do      string `json:"do"`
	Command string `json:"command,omitempty"` // that does it; none for what is only waited for
	// Then is what would follow.
	Then string `json:"then"`
	// Loses: acknowledged records may be lost.
	Loses bool `json:"loses"`
}

// asker tries things out on the partition alone.
type asker struct {
	doc *snapshot.Document
	e   *Explanation
}

func actions(doc *snapshot.Document, t *snapshot.Topic, p *snapshot.Partition, e *Explanation) ([]Action, error) {
	alone := *doc
	topic := *t
	topic.Partitions = []snapshot.Partition{*p}
	alone.Topics = []snapshot.Topic{topic}
	a := asker{&alone, e}
	if p.New || p.Unreadable != "" || t.Held != "" {
		return []Action{}, nil // nothing that an election could do
	}
	if e.Served {
		return a.whenLed()
	}
	return a.whenNot()
}

// try lets something happen and says what became of the partition.
func (a asker) try(do func(*whatif.World) error) (*whatif.World, string, error) {
	w, err := whatif.Open(a.doc, whatif.Options{})
	if err != nil {
		return nil, "", fmt.Errorf("asking what would happen: %w", err)
	}
	if err := do(w); err != nil {
		return nil, "", fmt.Errorf("asking what would happen: %w", err)
	}
	s := w.Partition(a.e.id()).State
	if live := w.Unmeasured(a.e.id()); live != nil {
		return w, fmt.Sprintf("nobody leads until %s are measured; then the one that loses least", list(live)), nil
	}
	if !w.Led(a.e.id()) {
		return w, "nobody leads", nil
	}
	return w, fmt.Sprintf("%d leads, ISR %v", s.Leader, []int32(s.ISR)), nil
}

// election is what an election that somebody asks for would do, and how to ask for it.
func (a asker) election(kind planner.ElectionType, name string) (*whatif.World, Action, error) {
	act := Action{Command: fmt.Sprintf("controller elect %s --topic %s --partition %d", name, a.e.Topic, a.e.Number)}
	act.Do = "elect " + name
	w, then, err := a.try(func(w *whatif.World) error { return w.Elect(kind, a.e.id()) })
	act.Then = then
	return w, act, err
}

// whenNot: brokers that may come back, and an unclean election.
func (a asker) whenNot() ([]Action, error) {
	out := []Action{}
	for _, r := range a.e.Replicas {
		if r.State != Gone {
			continue
		}
		act := Action{Do: fmt.Sprintf("wait for broker %d", r.Broker)}
		if !r.InISR {
			act.Do = fmt.Sprintf("wait for broker %d, which is not in the ISR", r.Broker)
		}
		w, then, err := a.try(func(w *whatif.World) error { return w.Return(r.Broker) })
		if err != nil {
			return nil, err
		}
		act.Then, act.Loses = then, w.Why(a.e.id()) == partition.Unclean
		switch {
		case act.Loses:
			act.Then += "; what only the ISR has is lost"
		case w.Led(a.e.id()) && r.InISR:
			act.Then += "; nothing is lost that its log still has"
		}
		out = append(out, act)
	}
	w, act, err := a.election(planner.Unclean, "unclean")
	if err != nil {
		return nil, err
	}
	if act.Loses = w.Why(a.e.id()) == partition.Unclean; act.Loses {
		act.Then += fmt.Sprintf("; what only %s had is lost", list(a.e.ISR))
		out = append(out, Action{Do: "elect unclean, by what they have", Command: fmt.Sprintf("controller elect unclean %v --candidate longest", a.e.id()),
			Then: "the live replicas are measured, and the one that loses least leads, if you say so", Loses: true})
	} else {
		act.Command = ""
	}
	return append(out, act), nil
}

// whenLed: the preferred replica, and what the leader's end would mean.
func (a asker) whenLed() ([]Action, error) {
	out := []Action{}
	leader := a.e.Leader
	if a.e.Replicas[0].Broker != leader {
		w, act, err := a.election(planner.Preferred, "preferred")
		if err != nil {
			return nil, err
		}
		if w.Partition(a.e.id()).State.Leader == leader {
			act.Command, act.Then = "", fmt.Sprintf("nothing changes: %d is %s", a.e.Replicas[0].Broker, word(a.e.Replicas[0]))
		}
		out = append(out, act)
	}
	for _, stop := range []struct {
		what string
		do   func(*whatif.World) error
	}{
		{fmt.Sprintf("broker %d shuts down in order", leader), func(w *whatif.World) error {
			if err := w.Leave(leader); err != nil {
				return err
			}
			return w.Fail(leader)
		}},
		{fmt.Sprintf("broker %d fails", leader), func(w *whatif.World) error { return w.Fail(leader) }},
	} {
		w, then, err := a.try(stop.do)
		if err != nil {
			return nil, err
		}
		act := Action{Do: stop.what, Then: then, Loses: w.Why(a.e.id()) == partition.Unclean}
		if act.Loses {
			act.Then += "; it was not in sync, and what only the others had is lost"
		}
		if n := len(w.Partition(a.e.id()).State.ISR); w.Led(a.e.id()) && n < int(a.e.MinISR.Value) {
			act.Then += "; under min.insync.replicas"
		}
		out = append(out, act)
	}
	if behind := a.e.ids(func(r *Replica) bool { return !r.InISR }); len(behind) > 0 {
		out = append(out, Action{Do: "replica " + list(behind) + " catches up", Then: fmt.Sprintf("%d takes it into the ISR by itself", leader)})
	}
	return out, nil
}
