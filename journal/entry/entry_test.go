package entry

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/isr"
	"baton/partition"
	"baton/planner"
)

func TestParseID(t *testing.T) {
	for text, want := range map[string]partition.ID{"a-0": {Topic: "a"}, "a-b-12": {Topic: "a-b", Number: 12}, "a--1": {Topic: "a-", Number: 1}} {
		if got, err := ParseID(text); err != nil || got != want || name(got) != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "-1", "a-", "a-x", "a-99999999999", "a-+1"} {
		if got, err := ParseID(text); err == nil && name(got) == text {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// Ranges have what they were made of, for every set of up to ten numbers.
func TestRanges(t *testing.T) {
	for set := range 1 << 10 {
		var ps []planner.PartitionState
		for n := range int32(10) {
			if set>>n&1 == 1 {
				ps = append(ps, planner.PartitionState{Number: n})
			}
		}
		text := ranges(ps)
		for n := range int32(11) {
			if got, want := has(text, n), set>>n&1 == 1; got != want {
				t.Fatalf("%q has %d: %v", text, n, got)
			}
		}
	}
}

func ids(leader, epoch int32, version int32, members ...int32) State {
	return State{Leader: leader, Epoch: epoch, ISR: members, Version: version}
}

// story is a journal in which orders-0 is elected, told, shrunk in vain, and grown.
type story struct{ entries []Entry }

func (s *story) add(origin string, epoch int32, e Entry) *Entry {
	seq := uint64(1)
	for _, o := range s.entries {
		if o.Origin == origin {
			seq = o.Seq + 1
		}
	}
	e.Origin, e.Seq, e.Epoch, e.At = origin, seq, epoch, time.Unix(1000+int64(len(s.entries)), 0)
	s.entries = append(s.entries, e)
	return &s.entries[len(s.entries)-1]
}

func (s *story) decide(origin string, epoch int32, write uint64, strategy string, from, to State) {
	s.add(origin, epoch, Entry{Kind: Decided, Trigger: strategy, Considered: [][]Replica{{{ID: 7}}},
		Decisions: []Decision{{Partition: "orders-0", Write: write, Strategy: strategy, From: from, To: to}}})
}

func (s *story) outcome(origin string, epoch int32, write uint64, result string, version int32) {
	s.add(origin, epoch, Entry{Kind: Learned, Outcomes: []Outcome{{Partition: "orders-0", Write: write, Result: result, Version: version}}})
}

func (s *story) why(t *testing.T, at time.Time) Explanation {
	t.Helper()
	x := Why(partition.ID{Topic: "orders"}, at, s.entries)
	mixed := slices.Clone(s.entries)
	rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	if y := Why(partition.ID{Topic: "orders"}, at, mixed); !reflect.DeepEqual(x, y) {
		t.Errorf("the order of the entries matters:\n%+v\n%+v", x, y)
	}
	return x
}

func TestWhy(t *testing.T) {
	const a, b = "1-100", "2-200"
	s := &story{}
	if x := s.why(t, time.Time{}); x.Leader != nil || x.ISR != nil {
		t.Errorf("%+v", x)
	}
	s.decide(a, 1, 10, "offline", ids(1, 4, 7, 1, 2, 3), ids(2, 5, 7, 2, 3))
	s.outcome(a, 1, 10, Conflict, 8)
	s.decide(a, 1, 11, "offline", ids(1, 4, 8, 1, 2), ids(2, 5, 8, 2))
	s.outcome(a, 1, 11, Applied, 9)
	s.add(a, 1, Entry{Kind: Told, Broker: 2, Request: "LeaderAndIsr", ID: 20, Partitions: map[string]string{"orders": "0-4"}})
	s.add(a, 1, Entry{Kind: Told, Broker: 3, Request: "LeaderAndIsr", ID: 21, Partitions: map[string]string{"orders": "1-4"}}) // of others
	s.add(a, 1, Entry{Kind: Answered, Broker: 2, Request: "LeaderAndIsr", ID: 20, Refused: map[string]int16{"orders-0": 3}})
	s.add(a, 1, Entry{Kind: Told, Broker: 2, Request: "LeaderAndIsr", ID: 22, Partitions: map[string]string{"orders": "0"}})
	s.add(a, 1, Entry{Kind: Answered, Broker: 2, Request: "LeaderAndIsr", ID: 22})
	x := s.why(t, time.Time{})
	if x.Leader == nil || x.Leader != x.ISR || x.Leader.Version != 9 || x.Leader.write != 11 || len(x.Leader.Told) != 1 || x.Leader.Told[0].id != 22 ||
		x.Leader.Told[0].Answered == nil || x.Leader.Told[0].Code != 0 {
		t.Fatalf("%+v", x.Leader)
	}
	elected := s.entries[len(s.entries)-1].At
	// The next holder's journal: the write of an ISR change whose outcome is not on record, and what stands on it.
	s.decide(b, 2, 1, "isr-change", ids(2, 5, 9, 2), ids(2, 5, 9, 2, 3))
	s.decide(b, 2, 2, "isr-change", ids(2, 5, 10, 2, 3), ids(2, 5, 10, 2, 3, 1))
	s.add(b, 2, Entry{Kind: Told, Broker: 9, Request: "UpdateMetadata", ID: 30, Partitions: map[string]string{"orders": "0"}})
	x = s.why(t, time.Time{})
	if x.Leader.write != 11 || x.ISR.write != 1 || x.ISR.Origin != b || x.ISR.Written != nil || x.ISR.Version != 10 || x.Others != 0 || len(x.ISR.Told) != 0 {
		t.Errorf("%+v, others %d", x.ISR, x.Others)
	}
	if x = s.why(t, elected); x.ISR.write != 11 {
		t.Errorf("at %v: %+v", elected, x.ISR)
	}
	// Somebody else wrote version 11 and 12, and then b once more, which failed and was tried again.
	s.outcome(b, 2, 2, Conflict, 12)
	s.decide(b, 2, 3, "shrink", ids(2, 6, 12, 2, 3), ids(2, 7, 12, 2))
	s.outcome(b, 2, 3, Failed, 0)
	s.decide(b, 2, 4, "shrink", ids(2, 6, 12, 2, 3), ids(2, 7, 12, 2))
	s.outcome(b, 2, 4, Applied, 13)
	if x = s.why(t, time.Time{}); x.ISR.write != 4 || x.Others != 1 || x.Leader.write != 11 {
		t.Errorf("%+v, others %d", x.ISR, x.Others)
	}
}

// TestWhyTellsWhatWasLost: what was found out since the leader before this one, and nothing of other partitions or elections.
func TestWhyTellsWhatWasLost(t *testing.T) {
	s := &story{}
	note := func(kind, partition, text string) {
		s.add("1-100", 1, Entry{Kind: Noted, Notes: []Note{{Kind: kind, Partition: partition, Text: text}}})
	}
	turn := func(write uint64, strategy string, from, to State) {
		s.decide("1-100", 1, write, strategy, from, to)
		s.outcome("1-100", 1, write, Applied, to.Version+1)
	}
	turn(1, "offline", ids(1, 4, 7, 1, 2), ids(2, 5, 7, 2))
	note(Returned, "orders-0", "of an earlier one")
	turn(2, "leaderless", ids(2, 5, 8, 2), ids(-1, 6, 8, 2))
	note(LeaderLog, "orders-0", "ended at 100")
	note(LeaderLog, "orders-1", "ended at 7")
	lost := s.entries[len(s.entries)-1].At
	turn(3, "unclean", ids(-1, 6, 9, 2), ids(1, 7, 9, 1))
	note("alarm", "orders-0", "something else")
	note(Returned, "orders-0", "10 records are lost")
	texts := func(at time.Time) (out []string) {
		for _, r := range s.why(t, at).Logs {
			out = append(out, r.Text)
		}
		return out
	}
	if got := texts(time.Time{}); !slices.Equal(got, []string{"ended at 100", "10 records are lost"}) {
		t.Errorf("now: %q", got)
	}
	if got := texts(lost); !slices.Equal(got, []string{"of an earlier one", "ended at 100"}) {
		t.Errorf("when it was lost: %q", got)
	}
}

// A filter leaves what is about a partition, and everything that is needed to explain it.
func TestFilter(t *testing.T) {
	all := []Entry{
		{Kind: Decided, Decisions: []Decision{{Partition: "orders-0"}, {Partition: "orders-1"}, {Partition: "orders-10"}, {Partition: "orders-x-0"}}},
		{Kind: Learned, Outcomes: []Outcome{{Partition: "orders-1"}}},
		{Kind: Told, ID: 1, Partitions: map[string]string{"orders": "0-5", "x": "1"}},
		{Kind: Told, ID: 2, Partitions: map[string]string{"orders": "2-5"}},
		{Kind: Answered, ID: 1, Refused: map[string]int16{"orders-1": 3, "orders-2": 3}},
		{Kind: Answered, ID: 2},
		{Kind: Noted, Notes: []Note{{Text: "a"}, {Partition: "orders-1", Text: "b"}}},
		{Kind: Role, Text: "claimed"},
	}
	choose := func(f Filter) string {
		s := f.Selector()
		var out []Entry
		for _, e := range all {
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			chosen, ok := s.Select(e)
			if ok && !s.MayMatch(text) {
				t.Errorf("%s would not have been looked at", text)
			}
			if ok {
				out = append(out, chosen)
			}
		}
		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	got := choose(Of(partition.ID{Topic: "orders", Number: 1}))
	for _, not := range []string{"orders-0", "orders-10", "orders-x", `"x"`, "orders-2", `"id":2`, "claimed", `"text":"a"`} {
		if strings.Contains(got, not) {
			t.Errorf("%s is in %s", not, got)
		}
	}
	if n := strings.Count(got, `"kind"`); n != 6 { // a note has one of its own
		t.Errorf("%d kinds in %s", n, got)
	}
	if got := choose(Filter{Topic: "orders"}); strings.Contains(got, "told") || !strings.Contains(got, "orders-10") || strings.Contains(got, "orders-x") {
		t.Error(got)
	}
	if got := choose(Filter{}); !strings.Contains(got, "claimed") || strings.Contains(got, "answered") {
		t.Error(got)
	}
	if got := choose(Filter{Since: time.Unix(5, 0)}); got != "null" {
		t.Error(got)
	}
}

// Copies of an entry count once, the newest are kept, and what nobody has is named.
func TestMerge(t *testing.T) {
	at := func(origin string, seqs ...uint64) (a Answer) {
		h := Holding{Origin: origin}
		for _, seq := range seqs {
			h.Saw(seq)
			a.Entries = append(a.Entries, Entry{Origin: origin, Seq: seq, At: time.Unix(int64(seq), 0)})
		}
		a.Journals = []Holding{h}
		return a
	}
	got := Merge(Filter{Limit: 6}, at("1-1", 1, 2, 3, 7, 8), at("1-1", 2, 3, 4, 9), at("2-2", 5, 6), Answer{Unreached: []string{"b", "a"}})
	var seqs []uint64
	for _, e := range got.Entries {
		seqs = append(seqs, e.Seq)
	}
	if !slices.Equal(seqs, []uint64{4, 5, 6, 7, 8, 9}) || fmt.Sprint(got.Missing) != "[entries 5 to 6 of the journal 1-1]" ||
		fmt.Sprint(got.Journals[0].Ranges) != "[[1 4] [7 9]]" || fmt.Sprint(got.Unreached) != "[a b]" {
		t.Errorf("%v, %+v", seqs, got)
	}
}

// What the controller decided is in the entries, with lists of replicas that are alike once.
func TestMake(t *testing.T) {
	trigger, other := &planner.Trigger{Event: "BrokersChanged", Detail: "broker 1 is gone"}, &planner.Trigger{Event: "Tick"}
	asked := &planner.Asked{Cause: "asked", Who: "kim", Why: "because"}
	var ds []*planner.Decision
	for i := range 3 * maxRows / 2 {
		ds = append(ds, &planner.Decision{Seq: uint64(i), ID: partition.ID{Topic: "t", Number: int32(i)}, Trigger: trigger, Strategy: partition.OfflineElection,
			From:     partition.State{LeaderAndISR: isr.LeaderAndISR{Leader: 1, ISR: isr.Set{1, 2}, PartitionEpoch: 3}},
			To:       partition.State{LeaderAndISR: isr.LeaderAndISR{Leader: 2, LeaderEpoch: 1, ISR: isr.Set{2}, PartitionEpoch: 3}},
			Replicas: []partition.Considered{{ID: 1, InISR: true, Standing: partition.Offline, Verdict: partition.IsOffline}, {ID: 2 + int32(i%2), InISR: true}}})
	}
	ds = append(ds, &planner.Decision{Trigger: other, Asked: asked, Strategy: planner.ISRChange})
	es := OfDecisions(4, ds)
	if len(es) != 3 || len(es[0].Decisions) != maxRows || len(es[0].Considered) != 2 || es[0].Detail != "broker 1 is gone" || es[2].Who != "kim" || es[2].Why != "because" {
		t.Fatalf("%d entries, first with %d lists of replicas", len(es), len(es[0].Considered))
	}
	for _, e := range es[:2] {
		for _, d := range e.Decisions {
			if want := 2 + int32(d.Write%2); e.Considered[d.Replicas][1].ID != want {
				t.Fatalf("%+v has the replicas of another", d)
			}
		}
	}
	text, err := json.Marshal(es[0].Decisions[1])
	if want := `{"partition":"t-1","write":1,"strategy":"offline","from":{"leader":1,"leaderEpoch":0,"isr":[1,2],"version":3},` +
		`"to":{"leader":2,"leaderEpoch":1,"isr":[2],"version":3},"replicas":1}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	r := OfRequest(4, planner.Request{Kind: planner.StopReplica, Broker: 3, Seq: 8, Delete: true, Topics: []planner.TopicStates{{Name: "t",
		Partitions: []planner.PartitionState{{Number: 0}, {Number: 1}, {Number: 5}}}}})
	if r.Request != "StopReplica" || r.Partitions["t"] != "0-1,5" || !r.Delete || r.ID != 8 {
		t.Errorf("%+v", r)
	}
	a := OfAnswer(4, planner.BrokerReplied{Broker: 3, Seq: 8, Partitions: []planner.PartitionCode{{ID: partition.ID{Topic: "t"}}, {ID: partition.ID{Topic: "t", Number: 5}, Code: 56}}}, 12)
	if len(a.Refused) != 1 || a.Refused["t-5"] != 56 || a.MS != 12 {
		t.Errorf("%+v", a)
	}
	if _, ok := OfNote(planner.Note{Kind: planner.NoteElection}); ok {
		t.Error("an election is on record twice")
	}
	os := OfOutcomes(4, []planner.Learned{{Seq: 1, What: planner.Conflict, Version: 9}, {Seq: 2, What: planner.Failed, Reason: "no"}})
	if os[0].Outcomes[0].Result != Conflict || os[0].Outcomes[1].Reason != "no" {
		t.Errorf("%+v", os)
	}
}
