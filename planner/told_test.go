package planner_test

import (
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
)

// told is a machine that leads brokers 1 and 2 with t-0 on both, led by 1, and carries
// its plans out in an orderly world: every write is applied, every request taken in
// unless answer says otherwise.
type told struct {
	t      testing.TB
	m      *planner.Machine
	now    planner.Millis
	sent   []planner.Request
	reads  []planner.Read
	answer func(planner.Request, *planner.BrokerReplied)
}

func stateOf(leader int32, version epoch.Partition) planner.StateRead {
	return planner.StateRead{ID: partition.ID{Topic: "t"}, Exists: true, Zxid: 20, State: partition.State{ControllerEpoch: 4,
		LeaderAndISR: isr.LeaderAndISR{Leader: leader, LeaderEpoch: 3, ISR: isr.Set{1, 2}, PartitionEpoch: version}}}
}

func newTold(t testing.TB) *told {
	w := &told{t: t, m: planner.New()}
	w.step(planner.Claimed{ID: 2_000_001, Fence: epoch.Fence{Epoch: 5, Version: 5}, Settings: planner.Settings{RetryAfter: 500, DeleteTopics: true},
		Brokers: []cluster.Broker{{ID: 1, Epoch: 10}, {ID: 2, Epoch: 11}},
		Topics: []planner.TopicRead{{Name: "t", Partitions: []planner.PartitionRead{
			{Assignment: partition.Assignment{Replicas: []int32{1, 2}}}}}},
		States: []planner.StateRead{stateOf(1, 0)}})
	w.step(planner.ChannelUp{Broker: 1, Epoch: 10, Conn: 1})
	w.step(planner.ChannelUp{Broker: 2, Epoch: 11, Conn: 2})
	return w
}

func (w *told) step(ev planner.Event) {
	p := w.m.Step(w.now, ev)
	w.reads = append(w.reads, p.Reads...)
	for _, x := range p.Writes {
		r := planner.Result{Seq: x.Seq, Outcome: planner.Applied}
		switch b := x.Body.(type) {
		case planner.SetState:
			r.Version = int32(b.State.PartitionEpoch) + 1
		case planner.ConfirmMarker:
			r.Outcome = planner.Failed // no deletion goes any further
		}
		w.step(planner.Committed{Results: []planner.Result{r}})
	}
	for _, r := range p.Requests {
		w.sent = append(w.sent, r)
		a := planner.BrokerReplied{Broker: r.Broker, Conn: r.Conn, Seq: r.Seq, Kind: r.Kind}
		for _, t := range r.Topics {
			for _, q := range t.Partitions {
				a.Partitions = append(a.Partitions, planner.PartitionCode{ID: partition.ID{Topic: t.Name, Number: q.Number}})
			}
		}
		if w.answer != nil {
			w.answer(r, &a)
		}
		w.step(a)
	}
}

func (w *told) after(ms planner.Millis) {
	w.now += ms
	w.step(planner.Tick{})
}

// count counts the requests of a kind to a broker that name t-0.
func (w *told) count(broker int32, kind planner.RequestKind) (n int) {
	for _, r := range w.sent {
		if r.Broker == broker && r.Kind == kind && len(r.Topics) > 0 {
			n++
		}
	}
	return n
}

func TestAReplicaThatWasNotStoppedIsStoppedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*planner.BrokerReplied)
		again bool
	}{
		"stopped":                {func(*planner.BrokerReplied) {}, false},
		"it knows a newer epoch": {func(a *planner.BrokerReplied) { a.Partitions[0].Code = kerr.FencedLeaderEpoch.Code }, false},
		"its directory failed":   {func(a *planner.BrokerReplied) { a.Partitions[0].Code = kerr.KafkaStorageError.Code }, false},
		"an unknown code":        {func(a *planner.BrokerReplied) { a.Partitions[0].Code = kerr.UnknownServerError.Code }, true},
		"no answer about it":     {func(a *planner.BrokerReplied) { a.Partitions = nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTold(t)
			w.answer = func(r planner.Request, a *planner.BrokerReplied) {
				if r.Kind == planner.StopReplica && w.count(2, planner.StopReplica) == 1 {
					c.spoil(a)
				}
			}
			w.step(planner.Call{Token: 1, Body: planner.ControlledShutdown{Broker: 2, BrokerEpoch: 11}})
			if n := w.count(2, planner.StopReplica); n != 1 {
				t.Fatalf("%d StopReplica at first", n)
			}
			w.after(100) // not at once
			if n := w.count(2, planner.StopReplica); n != 1 {
				t.Fatalf("%d StopReplica after 100 ms", n)
			}
			w.after(5_000)
			w.after(5_000)
			want := 1
			if c.again {
				want = 2
			}
			if n := w.count(2, planner.StopReplica); n != want {
				t.Errorf("%d StopReplica, want %d", n, want)
			}
		})
	}
}

// A broker that registered while a partition could not be read hears of it afterwards,
// also when nothing has changed in it.
func TestAMendedPartitionIsToldToWhoeverCameMeanwhile(t *testing.T) {
	w := newTold(t)
	outside := stateOf(1, 1)
	outside.State.ISR = isr.Set{1}
	w.step(planner.Refreshed{States: []planner.StateRead{outside}}) // 2 is no member: its restart changes nothing
	bad := planner.StateRead{ID: partition.ID{Topic: "t"}, Exists: true, Bad: "no permission"}
	w.step(planner.Refreshed{States: []planner.StateRead{bad}})
	w.step(planner.BrokersChanged{Brokers: []cluster.Broker{{ID: 1, Epoch: 10}, {ID: 2, Epoch: 30}}})
	w.step(planner.ChannelUp{Broker: 2, Epoch: 30, Conn: 3})
	before := w.count(2, planner.LeaderAndISR)
	w.step(planner.Refreshed{States: []planner.StateRead{outside}})
	w.after(1_000)
	if n := w.count(2, planner.LeaderAndISR); n == before {
		t.Error("the restarted follower was never told")
	}
}

// Whether a replica is new decides where its broker may put it; that its topic was held
// for a while does not make it old.
func TestANewReplicaOfAHeldTopicStaysNew(t *testing.T) {
	w := newTold(t)
	w.step(planner.ChannelDown{Broker: 2, Conn: 2})
	w.step(planner.TopicsChanged{Topics: []planner.TopicRead{{Name: "u", Partitions: []planner.PartitionRead{
		{Assignment: partition.Assignment{Replicas: []int32{1, 2}}}}}}})
	w.step(planner.WorkChanged{Deleting: []string{"u"}})
	w.step(planner.ChannelUp{Broker: 2, Epoch: 11, Conn: 3})
	w.after(1_000)
	find := func() (told, isNew bool) {
		for _, r := range w.sent {
			for _, q := range r.Topics {
				if r.Broker == 2 && r.Kind == planner.LeaderAndISR && q.Name == "u" {
					told, isNew = true, q.Partitions[0].IsNew
				}
			}
		}
		return told, isNew
	}
	if told, _ := find(); told {
		t.Fatal("a held topic was told")
	}
	w.step(planner.WorkChanged{})
	w.after(1_000)
	if told, isNew := find(); !told || !isNew {
		t.Errorf("told: %v, as new: %v", told, isNew)
	}
}

// While ZooKeeper is away reads have no answer; they must not pile up.
func TestAnUnreadablePartitionIsReadAgainOneReadAtATime(t *testing.T) {
	w := newTold(t)
	bad := planner.StateRead{ID: partition.ID{Topic: "t"}, Exists: true, Bad: "no permission"}
	w.step(planner.Refreshed{States: []planner.StateRead{bad}})
	for range 5 {
		w.after(60_000)
	}
	if len(w.reads) != 1 {
		t.Fatalf("%d reads under way", len(w.reads))
	}
	w.step(planner.Refreshed{States: []planner.StateRead{bad}})
	w.after(60_000)
	if len(w.reads) != 2 {
		t.Errorf("%d reads after an answer", len(w.reads))
	}
}

// An answer that belongs to another connection, or to a request before this one, says
// nothing about the one under way.
func TestOnlyTheAnswerToTheRequestCounts(t *testing.T) {
	for name, spoil := range map[string]func(*planner.BrokerReplied){
		"another connection": func(a *planner.BrokerReplied) { a.Conn++ },
		"an earlier request": func(a *planner.BrokerReplied) { a.Seq-- },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTold(t)
			before := w.count(2, planner.LeaderAndISR)
			w.answer = func(r planner.Request, a *planner.BrokerReplied) {
				if r.Broker == 2 {
					spoil(a)
				}
			}
			w.step(planner.LogDirFailed{Brokers: []int32{2}}) // asks broker 2 about all it hosts
			w.answer = nil
			w.step(planner.ChannelDown{Broker: 2, Conn: 2})
			w.step(planner.ChannelUp{Broker: 2, Epoch: 11, Conn: 3})
			if n := w.count(2, planner.LeaderAndISR) - before; n != 2 {
				t.Errorf("asked %d times, expected once more after an answer that was not its own", n)
			}
		})
	}
}

// A broker that says nothing about a partition has not taken it in.
func TestAPartitionThatIsNotAnsweredIsToldAgain(t *testing.T) {
	w := newTold(t)
	before := w.count(2, planner.LeaderAndISR)
	w.answer = func(r planner.Request, a *planner.BrokerReplied) {
		if r.Broker == 2 && r.Kind == planner.LeaderAndISR {
			a.Partitions = nil
		}
	}
	w.step(planner.LogDirFailed{Brokers: []int32{2}})
	w.answer = nil
	w.after(5_000)
	if n := w.count(2, planner.LeaderAndISR) - before; n != 2 {
		t.Errorf("told %d times, expected once more after an answer that left it out", n)
	}
}
