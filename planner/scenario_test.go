package planner_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"

	"github.com/cockroachdb/datadriven"
)

// TestScenarios runs planner/testdata/*: one file for each behaviour, named after it.
// Rewrite the goldens with -rewrite, then read them line by line.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := &world{m: planner.New(), chans: map[int32]epoch.Broker{}, open: map[int32]planner.Request{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return w.run(t, d) })
	})
}

// world is what surrounds the machine in a scenario: writes, requests and reads that
// wait for their outcome, as the scenario says it.
type world struct {
	t      *testing.T
	m      *planner.Machine
	now    planner.Millis
	conn   uint64
	token  uint64
	writes []planner.Write
	reads  []planner.Read
	asked  []planner.Measure
	chans  map[int32]epoch.Broker // channels asked for
	open   map[int32]planner.Request
	out    strings.Builder
	args   *arguments
	input  []string
}

// arguments refuses what a command does not use: a misspelt argument would otherwise
// make a scenario test something else than it says.
type arguments struct {
	d    *datadriven.TestData
	used map[string]bool
}

func (a *arguments) has(key string) bool { a.used[key] = true; return a.d.HasArg(key) }

func (a *arguments) text(key, otherwise string) string {
	a.used[key] = true
	for _, c := range a.d.CmdArgs {
		if c.Key == key {
			return strings.Join(c.Vals, ",")
		}
	}
	return otherwise
}

func (w *world) num(key string, otherwise int64) int64 {
	s := w.args.text(key, "")
	if s == "" {
		return otherwise
	}
	return w.parseNum(s)
}

// rest returns the arguments that are no key of the command, in order.
func (a *arguments) rest() []string {
	var out []string
	for _, c := range a.d.CmdArgs {
		if !a.used[c.Key] {
			a.used[c.Key] = true
			if len(c.Vals) > 0 {
				w := c.Key + "=" + strings.Join(c.Vals, ",")
				out = append(out, w)
				continue
			}
			out = append(out, c.Key)
		}
	}
	return out
}

func (w *world) run(t *testing.T, d *datadriven.TestData) string {
	w.t, w.args = t, &arguments{d, map[string]bool{}}
	w.out.Reset()
	w.input = nil
	if d.Input != "" {
		w.input = strings.Split(strings.TrimSpace(d.Input), "\n")
	}
	w.now += planner.Millis(w.num("after", 0))
	do, ok := commands[d.Cmd]
	if !ok {
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
	do(w)
	if len(w.input) > 0 {
		d.Fatalf(t, "input not used: %q", w.input)
	}
	for _, c := range d.CmdArgs {
		if !w.args.used[c.Key] {
			d.Fatalf(t, "argument %q is not used by %q", c.Key, d.Cmd)
		}
	}
	if w.out.Len() == 0 {
		return "nothing\n"
	}
	return w.out.String()
}

func (w *world) printf(format string, args ...any) { fmt.Fprintf(&w.out, format+"\n", args...) }

// step gives the machine an event and shows its plan.
func (w *world) step(ev planner.Event) {
	p := w.m.Step(w.now, ev)
	for _, n := range p.Notes {
		switch n.Kind {
		case planner.NoteElection, planner.NoteISRChange, planner.NoteBroker: // the writes say it
		default:
			w.printf("note %s: %s", n.Kind, n.Text)
		}
	}
	for _, c := range p.Channels {
		if c.Close {
			delete(w.chans, c.Broker.ID)
			w.printf("close channel to %d", c.Broker.ID)
		} else {
			w.chans[c.Broker.ID] = c.Broker.Epoch
			w.printf("open channel to %d@%d", c.Broker.ID, c.Broker.Epoch)
		}
		delete(w.open, c.Broker.ID)
	}
	for _, x := range p.Writes {
		w.writes = append(w.writes, x)
		w.printf("write %s", showWrite(x.Body))
	}
	for _, r := range p.Reads {
		w.reads = append(w.reads, r)
		if r.TopicConfig != "" {
			w.printf("read the configuration of %s", r.TopicConfig)
		} else {
			w.printf("read states %v", r.States)
		}
	}
	for _, r := range p.Requests {
		if o, busy := w.open[r.Broker]; busy {
			w.t.Fatalf("a second request to %d while %v is open", r.Broker, o.Kind)
		}
		w.open[r.Broker] = r
		w.printf("tell %d@%d %s", r.Broker, r.BrokerEpoch, showRequest(r))
	}
	for _, q := range p.Measures {
		w.asked = append(w.asked, q)
		w.printf("measure, within %d ms: %s", q.Within, showAsks(q.Asks))
	}
	for _, r := range p.Replies {
		w.printf("reply to call %d: %s", r.Token, showReply(r.Body))
	}
	if p.Again {
		w.printf("more to do")
	}
	if p.Reclaim {
		w.printf("verify the fence, claim again")
	}
	if p.RereadBrokers {
		w.printf("read the brokers again")
	}
	if p.Resign != "" {
		w.printf("RESIGN: %s", p.Resign)
	}
	if len(p.Requests)+len(p.Writes) > 0 && !w.m.Active() {
		w.t.Fatal("effects without the role")
	}
}

// target is what a write is known by in a scenario: the partition or the topic.
func target(b planner.WriteBody) string {
	switch b := b.(type) {
	case planner.SetState:
		return b.ID.String()
	case planner.CreateState:
		return b.ID.String()
	case planner.SetTopic:
		return b.Name
	case planner.CreateTopic:
		return b.Name
	case planner.NextProducerIDs:
		return "producer-ids"
	case planner.SetLegacyReassignments:
		return "legacy"
	case planner.MarkTopic:
		return "mark-" + b.Topic
	case planner.ConfirmMarker:
		return "marker-" + b.Topic
	case planner.DropMarker:
		return "drop-" + b.Topic
	case planner.DeleteTopic:
		return "znodes-" + b.Name
	}
	return "notifications"
}

func (w *world) takeWrite(name string) planner.Write {
	i := slices.IndexFunc(w.writes, func(x planner.Write) bool { return target(x.Body) == name })
	if i < 0 {
		w.t.Fatalf("no write of %s is under way", name)
	}
	x := w.writes[i]
	w.writes = slices.Delete(w.writes, i, i+1)
	return x
}

// applied is the result of a write that went well.
func applied(x planner.Write) planner.Result {
	r := planner.Result{Seq: x.Seq}
	switch b := x.Body.(type) {
	case planner.SetState:
		r.Version = int32(b.State.PartitionEpoch) + 1
	case planner.SetTopic:
		r.Version = b.Version + 1
	case planner.SetLegacyReassignments:
		r.Version = b.Version + 1
	case planner.NextProducerIDs:
		r.Start, r.Length = 4000, 1000
	}
	return r
}

func showWrite(b planner.WriteBody) string {
	switch b := b.(type) {
	case planner.SetState:
		return fmt.Sprintf("%v: %s, by %d, over version %d", b.ID, showState(b.State, false), b.State.ControllerEpoch, b.State.PartitionEpoch)
	case planner.CreateState:
		return fmt.Sprintf("%v: %s, by %d, new", b.ID, showState(b.State, false), b.State.ControllerEpoch)
	case planner.SetTopic:
		return fmt.Sprintf("topic %s: id %d, %s, over version %d", b.Name, b.ID[0], showLists(b.Partitions), b.Version)
	case planner.CreateTopic:
		return fmt.Sprintf("topic %s: id %d, %s, new, %d configs", b.Name, b.ID[0], showLists(b.Partitions), len(b.Configs))
	case planner.NextProducerIDs:
		return fmt.Sprintf("producer-ids: the next block, for %d", b.Broker)
	case planner.SetLegacyReassignments:
		return fmt.Sprintf("legacy: left %v, over version %d", b.Left, b.Version)
	case planner.MarkTopic:
		return "mark-" + b.Topic
	case planner.ConfirmMarker:
		return fmt.Sprintf("marker-%s: is it there, and the topic?", b.Topic)
	case planner.DropMarker:
		return fmt.Sprintf("drop-%s: the marker goes, the topic known: %v", b.Topic, b.Known)
	case planner.DeleteTopic:
		return fmt.Sprintf("znodes-%s: a slice of them goes, at version %d", b.Name, b.Version)
	}
	return fmt.Sprintf("notifications: %+v", b)
}

func showAsks(asks []planner.Ask) string {
	var out []string
	for _, a := range asks {
		var logs []string
		for _, l := range a.Logs {
			text := fmt.Sprintf("%v up to epoch %d", l.ID, l.Epoch)
			if l.Leader != nil {
				text += fmt.Sprintf(", compared with leader %d", l.Leader.ID)
			}
			logs = append(logs, text)
		}
		out = append(out, fmt.Sprintf("%d@%d has %s", a.Broker.ID, a.Broker.Epoch, strings.Join(logs, ", ")))
	}
	return strings.Join(out, "; ")
}

func showLists(parts []planner.PartitionRead) string {
	var out []string
	for _, p := range parts {
		out = append(out, fmt.Sprintf("%d on %s", p.Number, showAssignment(p.Assignment)))
	}
	return strings.Join(out, ", ")
}

func showAssignment(a partition.Assignment) string {
	text := fmt.Sprint(a.Replicas)
	if len(a.Adding) > 0 {
		text += fmt.Sprintf(" adding %v", a.Adding)
	}
	if len(a.Removing) > 0 {
		text += fmt.Sprintf(" removing %v", a.Removing)
	}
	return text
}

func showState(s partition.State, version bool) string {
	text := fmt.Sprintf("leader %d epoch %d isr %v", s.Leader, s.LeaderEpoch, []int32(s.ISR))
	if s.Recovery != 0 {
		text += " recovering"
	}
	if version {
		text += fmt.Sprintf(" version %d by %d", s.PartitionEpoch, s.ControllerEpoch)
	}
	return text
}

func showRequest(r planner.Request) string {
	text := r.Kind.String()
	if r.Delete {
		text += " with delete"
	}
	if r.Kind == planner.UpdateMetadata {
		var ids []string
		for _, l := range r.Live {
			if l.ID == self {
				ids = append(ids, "Baton")
			} else {
				ids = append(ids, fmt.Sprint(l.ID))
			}
		}
		text += " live [" + strings.Join(ids, " ") + "]"
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			switch {
			case r.Delete:
				text += fmt.Sprintf("\n    %s-%d: epoch %d", t.Name, p.Number, p.State.LeaderEpoch)
				continue
			case p.State.Leader == isr.LeaderGone:
				text += fmt.Sprintf("\n    %s-%d: gone, leader %d epoch %d", t.Name, p.Number, p.State.Leader, p.State.LeaderEpoch)
				continue
			}
			text += fmt.Sprintf("\n    %s-%d: %s", t.Name, p.Number, showState(p.State, true))
			if p.IsNew {
				text += " new"
			}
			if p.Assignment.Reassigning() {
				text += " on " + showAssignment(p.Assignment)
			}
			if len(p.Offline) > 0 {
				text += fmt.Sprintf(" offline %v", p.Offline)
			}
		}
	}
	return text
}

func showReply(b planner.ReplyBody) string {
	out := showGrownOrDeleted(b)
	switch r := b.(type) {
	case planner.AlterPartitionReply:
		if r.Err != nil {
			return r.Err.Message
		}
		for _, it := range r.Items {
			if it.Err != nil {
				out = append(out, fmt.Sprintf("%s-%d %s", it.Topic, it.Number, it.Err.Message))
			} else {
				out = append(out, fmt.Sprintf("%s-%d %s", it.Topic, it.Number, it.State))
			}
		}
	case planner.ControlledShutdownReply:
		if r.Err != nil {
			return r.Err.Message
		}
		return fmt.Sprintf("remaining %v", r.Remaining)
	case planner.AllocateProducerIDsReply:
		if r.Err != nil {
			return r.Err.Message
		}
		return fmt.Sprintf("%d ids from %d", r.Length, r.Start)
	case planner.ElectLeadersReply:
		if r.Err != nil {
			return r.Err.Message
		}
		for _, e := range r.Results {
			switch {
			case e.Err == nil:
				out = append(out, e.ID.String()+" elected")
			case e.Message == "":
				out = append(out, e.ID.String()+" "+e.Err.Message)
			default:
				out = append(out, fmt.Sprintf("%v %s: %s", e.ID, e.Err.Message, e.Message))
			}
		}
		if len(out) == 0 {
			return "nothing"
		}
	case planner.CreateTopicsReply:
		for _, t := range r.Topics {
			if t.Err != nil {
				out = append(out, fmt.Sprintf("%s %s: %s", t.Name, t.Err.Message, t.Message))
			} else {
				out = append(out, fmt.Sprintf("%s created, id %d, %d partitions, factor %d", t.Name, t.ID[0], t.Partitions, t.Factor))
			}
		}
		out = append(out, throttle(r.Throttle)...)
	}
	if r, ok := b.(planner.AlterReassignmentsReply); ok {
		if r.Err != nil {
			return r.Err.Message
		}
		for _, it := range r.Items {
			if it.Err != nil {
				out = append(out, fmt.Sprintf("%v %s: %s", it.ID, it.Err.Message, it.Message))
			} else {
				out = append(out, fmt.Sprintf("%v accepted", it.ID))
			}
		}
	}
	sort.Strings(out)
	return strings.Join(out, "; ")
}

func showGrownOrDeleted(b planner.ReplyBody) (out []string) {
	switch r := b.(type) {
	case planner.DeleteTopicsReply:
		for _, t := range r.Topics {
			text := fmt.Sprintf("%q deleted", t.Name)
			if t.Err != nil {
				text = fmt.Sprintf("%q id %d: %s", t.Name, t.ID[0], t.Err.Message)
			}
			out = append(out, text)
		}
		out = append(out, throttle(r.Throttle)...)
	case planner.CreatePartitionsReply:
		for _, t := range r.Topics {
			text := t.Name + " has grown"
			if t.Err != nil {
				text = fmt.Sprintf("%s %s: %s", t.Name, t.Err.Message, t.Message)
			}
			out = append(out, text)
		}
		out = append(out, throttle(r.Throttle)...)
	}
	return out
}

func throttle(wait planner.Millis) []string {
	if wait == 0 {
		return nil
	}
	return []string{fmt.Sprintf("throttled for %d ms", wait)}
}
