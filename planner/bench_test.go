package planner_test

import (
	"fmt"
	"runtime"
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// Sizes of the side-by-side comparison: 2,000 topics of 50 partitions, three replicas each, on five brokers.
const (
	benchTopics, benchPartitions = 2000, 50
	benchBrokers                 = 5
	benchBatch                   = 200 // states of a multi
)

func benchRegistered(absent int32) (out []cluster.Broker) {
	for id := int32(1); id <= benchBrokers; id++ {
		if id != absent {
			out = append(out, cluster.Broker{ID: id, Epoch: epoch.Broker(100 + id), Endpoints: []cluster.Endpoint{{Listener: "L", Host: "h", Port: 9000 + id}}})
		}
	}
	return out
}

func benchClaimed() planner.Claimed {
	c := planner.Claimed{ID: self, Fence: epoch.Fence{Epoch: 5, Version: 5}, Batons: []int32{self}, Settings: planner.Settings{RetryAfter: 1000}, Brokers: benchRegistered(0)}
	n := 0
	for t := range benchTopics {
		topic := planner.TopicRead{Name: fmt.Sprintf("base-%05d", t), ID: cluster.TopicID{1, byte(t >> 8), byte(t)}}
		for i := range int32(benchPartitions) {
			r := []int32{int32(n%benchBrokers) + 1, int32((n+1)%benchBrokers) + 1, int32((n+2)%benchBrokers) + 1}
			n++
			topic.Partitions = append(topic.Partitions, planner.PartitionRead{Number: i, Assignment: partition.Assignment{Replicas: r}})
			c.States = append(c.States, planner.StateRead{ID: partition.ID{Topic: topic.Name, Number: i}, Exists: true, Zxid: 1000, State: partition.State{
				ControllerEpoch: 4, LeaderAndISR: isr.LeaderAndISR{Leader: r[0], LeaderEpoch: 1, ISR: r, PartitionEpoch: 1}}})
		}
		c.Topics = append(c.Topics, topic)
	}
	return c
}

// atOnce answers a machine at once, as ZooKeeper and brokers would: what is written is applied in batches, what is told is taken in.
type atOnce struct {
	m              *planner.Machine
	now            planner.Millis
	events         []planner.Event
	steps, written int
	replies        []planner.Reply
}

func (w *atOnce) step(ev planner.Event) {
	w.events = append(w.events, ev)
	for len(w.events) > 0 {
		ev := w.events[0]
		w.events = w.events[1:]
		w.steps++
		w.take(w.m.Step(w.now, ev))
	}
}

func (w *atOnce) take(p planner.Plan) {
	for _, c := range p.Channels {
		if !c.Close {
			w.events = append(w.events, planner.ChannelUp{Broker: c.Broker.ID, Epoch: c.Broker.Epoch, Conn: uint64(c.Broker.ID)})
		}
	}
	w.replies = append(w.replies, p.Replies...)
	var results []planner.Result
	for _, write := range p.Writes {
		w.written++
		version := int32(0)
		if s, ok := write.Body.(planner.SetState); ok {
			version = int32(s.State.PartitionEpoch) + 1
		}
		results = append(results, planner.Result{Seq: write.Seq, Outcome: planner.Applied, Version: version})
		if len(results) == benchBatch {
			w.events, results = append(w.events, planner.Committed{Results: results}), nil
		}
	}
	if len(results) > 0 {
		w.events = append(w.events, planner.Committed{Results: results})
	}
	for _, r := range p.Requests {
		reply := planner.BrokerReplied{Broker: r.Broker, Conn: r.Conn, Seq: r.Seq, Kind: r.Kind}
		if r.Kind != planner.UpdateMetadata {
			for _, t := range r.Topics {
				for _, p := range t.Partitions {
					reply.Partitions = append(reply.Partitions, planner.PartitionCode{ID: partition.ID{Topic: t.Name, Number: p.Number}})
				}
			}
		}
		w.events = append(w.events, reply)
	}
	if p.Again {
		w.events = append(w.events, planner.Continue{})
	}
}

// All that a claim costs the loop, until every broker has been told of everything.
func BenchmarkClaim100000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		w, c := &atOnce{m: planner.New()}, benchClaimed()
		b.StartTimer()
		w.step(c)
	}
}

// All that the loss of a broker with 60,000 replicas, 20,000 of them leaders, costs the loop until the others know.
func BenchmarkBrokerLost100000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		w := &atOnce{m: planner.New()}
		w.step(benchClaimed())
		w.steps, w.written = 0, 0
		b.StartTimer()
		w.step(planner.BrokersChanged{Brokers: benchRegistered(benchBrokers)})
		if w.written != 60_000 {
			b.Fatal(w.written, "states were written")
		}
		b.ReportMetric(float64(w.steps), "steps")
	}
}

// An AlterPartition of one partition at rest.
func BenchmarkAlterPartition100000(b *testing.B) {
	b.ReportAllocs()
	w := &atOnce{m: planner.New()}
	w.step(benchClaimed())
	w.now = 10_000 // replicas have proven what they are
	w.step(planner.Tick{})
	full, short := isr.Set{1, 2, 3}, isr.Set{1, 2}
	token, version := uint64(0), epoch.Partition(1)
	for b.Loop() {
		token, version = token+1, version+1
		set := short
		if token%2 == 0 {
			set = full
		}
		w.now++
		w.step(planner.Call{Token: token, Body: planner.AlterPartition{Broker: 1, BrokerEpoch: 101, Items: []planner.AlterItem{{Topic: "base-00000",
			Request: isr.AlterRequest{LeaderEpoch: 1, PartitionEpoch: version - 1, ISR: set}}}}})
	}
	if w.written != int(token) {
		b.Fatal(w.written, token)
	}
}

// All that a controlled shutdown of a broker with 60,000 replicas, 20,000 of them leaders, costs the loop until it is answered and the
// others know.
func BenchmarkShutdown100000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		w := &atOnce{m: planner.New()}
		w.step(benchClaimed())
		w.steps, w.written, w.replies = 0, 0, nil
		b.StartTimer()
		w.step(planner.Call{Token: 1, Body: planner.ControlledShutdown{Broker: benchBrokers, BrokerEpoch: 100 + benchBrokers}})
		if w.written != 60_000 || len(w.replies) != 1 {
			b.Fatal(w.written, "states were written,", len(w.replies), "answers")
		}
		b.ReportMetric(float64(w.steps), "steps")
	}
}

// All that a preferred election of 50,000 partitions costs the loop until it is answered. The other 50,000 are led as they should be.
func BenchmarkPreferred50000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		w, c := &atOnce{m: planner.New()}, benchClaimed()
		var ids []partition.ID
		for i := range c.States {
			if s := &c.States[i]; i%2 == 0 {
				s.State.Leader = s.State.ISR[1]
				ids = append(ids, s.ID)
			}
		}
		w.step(c)
		w.steps, w.written = 0, 0
		b.StartTimer()
		w.step(planner.Call{Token: 1, Body: planner.ElectLeaders{Type: planner.Preferred, Partitions: ids, Timeout: 60_000}})
		if w.written != 50_000 || len(w.replies) != 1 {
			b.Fatal(w.written, "states were written,", len(w.replies), "answers")
		}
		b.ReportMetric(float64(w.steps), "steps")
	}
}

// What a machine keeps per partition when all is told: the image and the ledgers of five brokers.
func BenchmarkMemoryAtRest100000(b *testing.B) {
	for b.Loop() {
		before := heap()
		w := &atOnce{m: planner.New()}
		w.step(benchClaimed())
		w.now = 10_000
		w.step(planner.Tick{})
		w.events = nil
		b.ReportMetric(float64(heap()-before)/(benchTopics*benchPartitions), "B/partition")
		runtime.KeepAlive(w)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers held
	var st runtime.MemStats
	runtime.ReadMemStats(&st)
	return st.HeapAlloc
}
