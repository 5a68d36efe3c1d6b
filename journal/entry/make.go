package entry

import (
	"slices"
	"strconv"

	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/recovery"
)

const (
	// maxRows bounds an entry: what a crash can tear off is one entry.
	maxRows = 500
	// maxRefused bounds the partitions named in one answer.
	maxRefused = 100
)

// OfDecisions returns entries for what was decided in one step: one for each trigger and asker, with their rows.
func OfDecisions(epoch int32, ds []*planner.Decision) []Entry {
	var out []Entry
	var last *planner.Decision
	lists := map[string]int{}
	var key []byte
	for _, d := range ds {
		if last == nil || d.Trigger != last.Trigger || d.Asked != last.Asked || len(out[len(out)-1].Decisions) == maxRows {
			e := Entry{Kind: Decided, Epoch: epoch, Trigger: d.Trigger.Event, Detail: d.Trigger.Detail}
			if d.Asked != nil {
				e.Cause, e.Who, e.Why = d.Asked.Cause, d.Asked.Who, d.Asked.Why
			}
			out = append(out, e)
			clear(lists)
			last = d
		}
		e := &out[len(out)-1]
		key = considered(key[:0], d.Replicas)
		i, ok := lists[string(key)]
		if !ok {
			i = len(e.Considered)
			lists[string(key)] = i
			e.Considered = append(e.Considered, replicas(d.Replicas))
		}
		e.Decisions = append(e.Decisions, Decision{Partition: name(d.ID), Write: d.Seq, Strategy: string(d.Strategy), New: d.New,
			From: state(d.From), To: state(d.To), Unclean: d.Unclean, Replicas: i, Measured: measured(d.Measured)})
	}
	return out
}

// considered appends what tells lists of replicas apart.
func considered(key []byte, all []partition.Considered) []byte {
	for _, c := range all {
		in := byte(0)
		if c.InISR {
			in = 1
		}
		key = append(key, byte(c.ID), byte(c.ID>>8), byte(c.ID>>16), byte(c.ID>>24), in, byte(c.Standing), byte(c.Verdict)) //nolint:gosec // bytes of it
	}
	return key
}

func replicas(all []partition.Considered) []Replica {
	out := make([]Replica, len(all))
	for i, c := range all {
		out[i] = Replica{c.ID, c.InISR, c.Standing.String(), c.Verdict.String()}
	}
	return out
}

// measured are the logs that were compared; nobody is chosen by those that are silent.
func measured(live []recovery.Candidate) (out []Measured) {
	for _, c := range live {
		if l := c.Log; l != nil {
			out = append(out, Measured{c.ID, l.Start, l.End, l.Last.Min, l.Last.Max})
		}
	}
	return out
}

func state(s partition.State) State {
	members := s.ISR
	if members == nil {
		members = isr.Set{}
	}
	return State{Leader: s.Leader, Epoch: int32(s.LeaderEpoch), ISR: members, Version: int32(s.PartitionEpoch), Recovering: s.Recovery == isr.Recovering}
}

func name(id partition.ID) string { return id.Topic + "-" + strconv.Itoa(int(id.Number)) }

// OfOutcomes returns entries for what came of writes.
func OfOutcomes(epoch int32, ls []planner.Learned) []Entry {
	var out []Entry
	for part := range slices.Chunk(ls, maxRows) {
		e := Entry{Kind: Learned, Epoch: epoch, Outcomes: make([]Outcome, len(part))}
		for i, l := range part {
			e.Outcomes[i] = Outcome{Partition: name(l.ID), Write: l.Seq, Result: [...]string{Applied, Conflict, Failed}[l.What], Version: l.Version,
				MS: int64(l.Took), Reason: l.Reason}
		}
		out = append(out, e)
	}
	return out
}

// OfRequest is the entry of a request that is sent.
func OfRequest(epoch int32, r planner.Request) Entry {
	e := Entry{Kind: Told, Epoch: epoch, Broker: r.Broker, Request: r.Kind.String(), ID: r.Seq, Delete: r.Delete}
	if len(r.Topics) > 0 {
		e.Partitions = make(map[string]string, len(r.Topics))
	}
	for _, t := range r.Topics {
		e.Partitions[t.Name] = ranges(t.Partitions)
	}
	return e
}

// ranges of partitions, which come sorted.
func ranges(ps []planner.PartitionState) string {
	var b []byte
	for i := 0; i < len(ps); {
		j := i
		for j+1 < len(ps) && ps[j+1].Number == ps[j].Number+1 {
			j++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(ps[i].Number), 10)
		if j > i {
			b = strconv.AppendInt(append(b, '-'), int64(ps[j].Number), 10)
		}
		i = j + 1
	}
	return string(b)
}

// OfAnswer is the entry of an answer, after ms milliseconds.
func OfAnswer(epoch int32, a planner.BrokerReplied, ms int64) Entry {
	e := Entry{Kind: Answered, Epoch: epoch, Broker: a.Broker, Request: a.Kind.String(), ID: a.Seq, Code: a.Code, MS: ms}
	for _, p := range a.Partitions {
		if p.Code != 0 && len(e.Refused) < maxRefused {
			if e.Refused == nil {
				e.Refused = map[string]int16{}
			}
			e.Refused[name(p.ID)] = p.Code
		}
	}
	return e
}

// OfNote is a note's line; ok is false for notes whose content is in other entries.
func OfNote(n planner.Note) (note Note, ok bool) {
	if n.Kind == planner.NoteElection || n.Kind == planner.NoteISRChange && n.Strategy != "" {
		return note, false
	}
	note = Note{Kind: string(n.Kind), Text: n.Line()}
	if n.Partition.Topic != "" {
		note.Partition = name(n.Partition)
	}
	return note, true
}
