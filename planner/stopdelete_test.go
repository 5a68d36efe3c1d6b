package planner

import (
	"fmt"
	"slices"
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
)

// stopping is a machine with t-0 on brokers 1 and 2, which have heard of everything.
type stopping struct {
	*testing.T
	m    *Machine
	now  Millis
	last map[int32]Request // not answered yet, by broker
}

func newStopping(t *testing.T) *stopping {
	w := &stopping{T: t, m: New(), last: map[int32]Request{}}
	w.step(Claimed{ID: 2_000_001, Fence: epoch.Fence{Epoch: 5, Version: 5}, Settings: Settings{RetryAfter: 500},
		Brokers: []cluster.Broker{{ID: 1, Epoch: 10}, {ID: 2, Epoch: 11}},
		Topics:  []TopicRead{{Name: "t", Partitions: []PartitionRead{{Assignment: partition.Assignment{Replicas: []int32{1, 2}}}}}},
		States: []StateRead{{ID: partition.ID{Topic: "t"}, Exists: true, Zxid: 20, State: partition.State{ControllerEpoch: 4,
			LeaderAndISR: isr.LeaderAndISR{Leader: 1, LeaderEpoch: 3, ISR: isr.Set{1, 2}}}}}})
	w.step(ChannelUp{Broker: 1, Epoch: 10, Conn: 1})
	w.step(ChannelUp{Broker: 2, Epoch: 11, Conn: 2})
	for len(w.last) > 0 {
		for b := range w.last {
			w.answer(b)
		}
	}
	return w
}

func (w *stopping) step(ev Event) {
	for _, r := range w.m.Step(w.now, ev).Requests {
		if o, open := w.last[r.Broker]; open {
			w.Fatalf("%v to %d while %v is open", r.Kind, r.Broker, o.Kind)
		}
		w.last[r.Broker] = r
	}
}

// answer answers what a broker was sent, every partition with one code, none if it is negative.
func (w *stopping) answer(broker int32, codes ...int16) {
	r, ok := w.last[broker]
	if !ok {
		w.Fatalf("broker %d was sent nothing", broker)
	}
	delete(w.last, broker)
	a := BrokerReplied{Broker: broker, Conn: r.Conn, Seq: r.Seq, Kind: r.Kind}
	code := int16(0)
	if len(codes) > 0 {
		code = codes[0]
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if code >= 0 {
				a.Partitions = append(a.Partitions, PartitionCode{ID: partition.ID{Topic: t.Name, Number: p.Number}, Code: code})
			}
		}
	}
	w.step(a)
}

// sent says what a broker has been sent and not answered.
func (w *stopping) sent(broker int32) string {
	r, ok := w.last[broker]
	if !ok {
		return "nothing"
	}
	text := r.Kind.String()
	if r.Delete {
		text += " delete"
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			text += fmt.Sprintf(" %s-%d@%d", t.Name, p.Number, p.State.LeaderEpoch)
		}
	}
	return text
}

func (w *stopping) want(broker int32, text string) {
	w.Helper()
	if got := w.sent(broker); got != text {
		w.Fatalf("broker %d was sent %q, want %q", broker, got, text)
	}
}

func (w *stopping) after(ms Millis) {
	w.now += ms
	w.step(Tick{})
}

// removal asks for t-0 to be deleted from broker 2 and returns where its codes arrive.
func (w *stopping) removal(e epoch.Leader) *[]int16 {
	codes := &[]int16{}
	if !w.m.stopAndDelete(2, partition.ID{Topic: "t"}, e, func(c int16) { *codes = append(*codes, c) }) {
		w.Fatal("broker 2 is not registered")
	}
	w.step(Tick{})
	return codes
}

func (w *stopping) heard(codes *[]int16, want ...int16) {
	w.Helper()
	if !slices.Equal(*codes, want) {
		w.Fatalf("heard %v, want %v", *codes, want)
	}
}

func TestStopAndDeleteTellsWhatTheBrokerAnswered(t *testing.T) {
	for _, code := range []int16{0, kerr.FencedLeaderEpoch.Code, kerr.KafkaStorageError.Code} {
		w := newStopping(t)
		p := w.m.im.Partition(partition.ID{Topic: "t"})
		p.Assignment.Replicas, p.State.ISR = []int32{1}, isr.Set{1}
		codes := w.removal(3)
		w.want(2, "StopReplica delete t-0@3")
		w.want(1, "nothing")
		w.answer(2, code)
		w.heard(codes, code)
		w.after(60_000)
		w.want(2, "nothing")
	}
}

func TestStopAndDeleteIsSentAgainUntilAnswered(t *testing.T) {
	t.Run("refused as a whole", func(t *testing.T) {
		w := newStopping(t)
		codes := w.removal(epoch.Deleting)
		r := w.last[2]
		delete(w.last, 2)
		w.step(BrokerReplied{Broker: 2, Conn: 2, Seq: r.Seq, Kind: r.Kind, Code: kerr.StaleBrokerEpoch.Code})
		w.want(2, "nothing")
		w.after(500)
		w.want(2, "StopReplica delete t-0@-2")
		w.heard(codes)
	})
	t.Run("left out", func(t *testing.T) {
		w := newStopping(t)
		codes := w.removal(epoch.Deleting)
		w.answer(2, -1)
		w.want(2, "nothing")
		w.after(2_000)
		w.want(2, "StopReplica delete t-0@-2")
		w.answer(2)
		w.heard(codes, 0)
	})
	t.Run("lost with its connection", func(t *testing.T) {
		w := newStopping(t)
		codes := w.removal(epoch.Deleting)
		delete(w.last, 2)
		w.step(ChannelDown{Broker: 2, Conn: 2})
		w.step(ChannelUp{Broker: 2, Epoch: 11, Conn: 3})
		w.want(2, "nothing") // the first frame may still be under way
		w.after(doubtAfter)
		w.want(2, "StopReplica delete t-0@-2")
		w.answer(2)
		w.heard(codes, 0)
	})
	t.Run("not to a later incarnation", func(t *testing.T) {
		w := newStopping(t)
		codes := w.removal(epoch.Deleting)
		delete(w.last, 2)
		w.step(BrokersChanged{Brokers: []cluster.Broker{{ID: 1, Epoch: 10}, {ID: 2, Epoch: 30}}})
		w.after(60_000)
		w.step(ChannelUp{Broker: 2, Epoch: 30, Conn: 3})
		for w.sent(2) != "nothing" {
			if w.last[2].Kind == StopReplica {
				w.Fatal(w.sent(2))
			}
			w.answer(2)
		}
		w.heard(codes)
	})
}

// A broker that has yet to delete a topic's log must not be told to lead or follow the
// topic of the same name that came after it: the deletion would take that one's log.
func TestStopAndDeleteComesBeforeTheNextTopicOfThatName(t *testing.T) {
	w := newStopping(t)
	codes := w.removal(epoch.Deleting)
	delete(w.last, 2)
	w.step(ChannelDown{Broker: 2, Conn: 2})
	w.step(ChannelUp{Broker: 2, Epoch: 11, Conn: 3})
	again := TopicRead{Name: "t", ID: cluster.TopicID{7}, Partitions: []PartitionRead{{Assignment: partition.Assignment{Replicas: []int32{2}}}}}
	w.step(TopicsChanged{Gone: []string{"t"}})
	p := w.m.Step(w.now, TopicsChanged{Topics: []TopicRead{again}})
	if len(p.Writes) != 1 {
		t.Fatalf("writes %+v", p.Writes)
	}
	w.step(Committed{Results: []Result{{Seq: p.Writes[0].Seq}}})
	for w.sent(1) != "nothing" {
		w.answer(1)
	}
	for w.sent(2) != "nothing" {
		if w.last[2].Kind != UpdateMetadata {
			t.Fatal(w.sent(2))
		}
		w.answer(2)
	}
	w.after(doubtAfter)
	w.want(2, "StopReplica delete t-0@-2")
	w.answer(2)
	w.heard(codes, 0)
	w.want(2, "LeaderAndIsr t-0@0")
}

// A LeaderAndIsr that was lost with its connection may arrive late; it would make anew what
// was deleted before.
func TestStopAndDeleteWaitsForALostLeaderAndISR(t *testing.T) {
	w := newStopping(t)
	id := partition.ID{Topic: "t"}
	w.m.ledgers[2].addLAI(w.m.im.Partition(id).Slot(), false)
	w.step(Tick{})
	w.want(2, "LeaderAndIsr t-0@3")
	w.m.ledgers[2].forget(id, w.m.im.Partition(id).Slot())
	delete(w.last, 2)
	w.step(ChannelDown{Broker: 2, Conn: 2})
	w.step(ChannelUp{Broker: 2, Epoch: 11, Conn: 3})
	codes := w.removal(epoch.Deleting)
	w.want(2, "nothing")
	w.after(doubtAfter)
	w.want(2, "StopReplica delete t-0@-2")
	w.answer(2, 0)
	w.heard(codes, 0)
}
