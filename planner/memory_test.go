package planner

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/recovery"
)

// large is a machine that leads n partitions in topics of 100, three replicas each on 12 brokers.
func large(n int) *Machine {
	c := Claimed{ID: 2000001, Fence: epoch.Fence{Epoch: 5, Version: 4}, Batons: []int32{2000001}, Settings: Settings{MinISR: 1}}
	for id := range int32(12) {
		c.Brokers = append(c.Brokers, cluster.Broker{ID: id + 1, Epoch: epoch.Broker(id) + 11})
	}
	for i := range n {
		if i%100 == 0 {
			c.Topics = append(c.Topics, TopicRead{Name: fmt.Sprintf("topic-%06d", i/100), ID: cluster.TopicID{1, byte(i), byte(i >> 8), byte(i >> 16)}})
		}
		t := &c.Topics[len(c.Topics)-1]
		r := []int32{int32(i%12) + 1, int32((i+1)%12) + 1, int32((i+5)%12) + 1}
		t.Partitions = append(t.Partitions, PartitionRead{Number: int32(i % 100), Assignment: partition.Assignment{Replicas: r}})
		c.States = append(c.States, StateRead{ID: partition.ID{Topic: t.Name, Number: int32(i % 100)}, Exists: true, Zxid: 50,
			State: partition.State{ControllerEpoch: 4, LeaderAndISR: isr.LeaderAndISR{Leader: r[0], LeaderEpoch: 3, ISR: r}}})
	}
	m := New()
	m.Step(0, c)
	return m
}

func remember(m *Machine) (mem Memory) {
	mem = m.Remember()
	for names := slices.Sorted(slices.Values(m.TopicNames())); len(names) > 0; {
		var some []TopicMemory
		some, names = m.RememberTopics(names, 150)
		mem.Topics = append(mem.Topics, some...)
	}
	return mem
}

// TestMemory: what is remembered stays as it was, and who resumes from it decides as the one that was remembered.
func TestMemory(t *testing.T) {
	m := large(1000)
	mem := remember(m)
	if len(mem.Topics) != 10 || !slices.IsSortedFunc(mem.Topics, func(a, b TopicMemory) int { return strings.Compare(a.Name, b.Name) }) {
		t.Fatalf("%d topics", len(mem.Topics))
	}
	if topics, left := m.RememberTopics([]string{"gone", "topic-000001", "topic-000002"}, 100); len(topics) != 1 || !slices.Equal(left, []string{"topic-000002"}) {
		t.Errorf("a slice of %d topics, left %q", len(topics), left)
	}
	without := func(ids ...int32) (e BrokersChanged) {
		for id := range int32(12) {
			if !slices.Contains(ids, id+1) {
				e.Brokers = append(e.Brokers, cluster.Broker{ID: id + 1, Epoch: epoch.Broker(id) + 11})
			}
		}
		return e
	}
	twin, plan := Resume(remember(m))
	if len(plan.Writes) != 0 {
		t.Errorf("nothing has happened, and %d writes are wanted", len(plan.Writes))
	}
	live := m.Live()
	mine, theirs := m.Step(100, without(1, 2)), twin.Step(100, without(1, 2))
	if len(mine.Writes) == 0 || fmt.Sprint(bodies(mine)) != fmt.Sprint(bodies(theirs)) {
		t.Errorf("%d writes, the twin wants %d", len(mine.Writes), len(theirs.Writes))
	}
	if m.Live() == live {
		t.Error("two brokers are gone, and the mark is the same")
	}
	if mem.Image.Broker(1) == nil || m.im.Broker(1) != nil {
		t.Error("what was remembered has changed with the machine")
	}
}

func bodies(p Plan) (out []WriteBody) {
	for _, w := range p.Writes {
		out = append(out, w.Body)
	}
	return out
}

// TestComingsAndGoings: when brokers came and went, and who led last, is remembered from what happens under the claim.
func TestComingsAndGoings(t *testing.T) {
	m := New()
	id := partition.ID{Topic: "t"}
	b := func(id int32, e epoch.Broker) cluster.Broker { return cluster.Broker{ID: id, Epoch: e} }
	m.Step(10, Claimed{ID: 2000001, Fence: epoch.Fence{Epoch: 5}, Brokers: []cluster.Broker{b(1, 11), b(2, 12)},
		Topics: []TopicRead{{Name: "t", ID: cluster.TopicID{1}, Partitions: []PartitionRead{{Assignment: partition.Assignment{Replicas: []int32{1}}}}}},
		States: []StateRead{{ID: id, Exists: true, Zxid: 50, State: partition.State{LeaderAndISR: isr.LeaderAndISR{Leader: 1, ISR: isr.Set{1}}}}}})
	if mem := remember(m); len(mem.Registered)+len(mem.Away)+len(mem.Topics[0].Lost) != 0 {
		t.Errorf("remembered what happened before the claim: %+v", mem)
	}
	m.Step(20, Call{Token: 1, Body: ControlledShutdown{Broker: 2, BrokerEpoch: epoch.Unknown}})
	plan := m.Step(30, BrokersChanged{})
	mem := remember(m)
	if want := []Away{{Broker: 1, Epoch: 11, At: 30}, {Broker: 2, Epoch: 12, At: 30, Leaving: true}}; !slices.Equal(mem.Away, want) {
		t.Errorf("away %+v", mem.Away)
	}
	m.Step(40, Committed{Results: []Result{{Seq: plan.Writes[0].Seq, Version: 1}}})
	if mem = remember(m); !slices.Equal(mem.Topics[0].Lost, []LostLeader{{Leader: 1, At: 40}}) {
		t.Errorf("lost %+v", mem.Topics[0].Lost)
	}
	plan = m.Step(50, BrokersChanged{Brokers: []cluster.Broker{b(1, 21), b(2, 12)}})
	m.Step(60, Committed{Results: []Result{{Seq: plan.Writes[0].Seq, Version: 2}}})
	if mem = remember(m); len(mem.Away) != 0 || mem.Registered[1] != 50 || len(mem.Topics[0].Lost) != 0 || len(m.lost) != 0 {
		t.Errorf("after they are back: %+v, lost %v", mem, m.lost)
	}
}

// BenchmarkRemember200000 copies 200,000 partitions as a snapshot does: ns/op is all of it, ms-slice how long the loop waits for
// one slice (the median; ms-longest is the worst, on a busy machine that of its scheduler), ms-first for the first look, which
// copies the brokers and lists the topics.
func BenchmarkRemember200000(b *testing.B) {
	m := large(200_000)
	b.ResetTimer()
	for b.Loop() {
		var slice []float64
		first := timed(func() { m.Remember() })
		var names []string
		first += timed(func() { names = m.TopicNames() })
		slices.Sort(names)
		for len(names) > 0 {
			slice = append(slice, timed(func() { _, names = m.RememberTopics(names, 2000) }))
		}
		slices.Sort(slice)
		b.ReportMetric(slice[len(slice)/2], "ms-slice")
		b.ReportMetric(slice[len(slice)-1], "ms-longest")
		b.ReportMetric(first, "ms-first")
	}
}

func timed(f func()) float64 {
	start := time.Now()
	f()
	return float64(time.Since(start).Microseconds()) / 1000
}

// TestRescuesAreRemembered: why nobody leads although a strategy is at it, and what was measured.
func TestRescuesAreRemembered(t *testing.T) {
	m := New()
	id := partition.ID{Topic: "t"}
	plan := m.Step(10, Claimed{ID: 2000001, Fence: epoch.Fence{Epoch: 5}, Brokers: []cluster.Broker{{ID: 2, Epoch: 12}, {ID: 3, Epoch: 13}},
		Settings: Settings{Recovery: recovery.Policy{Topics: []recovery.Rule{{Topic: "t", Strategy: recovery.TakeLongest}}}},
		Topics:   []TopicRead{{Name: "t", ID: cluster.TopicID{1}, Partitions: []PartitionRead{{Assignment: partition.Assignment{Replicas: []int32{1, 2, 3}}}}}},
		States:   []StateRead{{ID: id, Exists: true, Zxid: 50, State: partition.State{LeaderAndISR: isr.LeaderAndISR{Leader: isr.NoLeader, ISR: isr.Set{1}}}}}})
	if mem := remember(m); len(plan.Measures) != 1 || len(mem.Topics[0].Rescues) != 1 || mem.Topics[0].Rescues[0].Why != "" || m.Stats().Rescues.Measuring != 1 {
		t.Fatalf("%+v, %+v", plan.Measures, mem.Topics[0].Rescues)
	}
	log := &recovery.Log{End: 7, Last: recovery.Exactly(0)}
	m.Step(20, Measured{Token: plan.Measures[0].Token, Logs: []MeasuredLog{{Broker: 2, ID: id, Log: log}, {Broker: 3, ID: id, Silent: "no answer"}}})
	r := remember(m).Topics[0].Rescues[0]
	if r.Why != "3 could not be measured: no answer" || r.At != 20 || len(r.Live) != 2 || r.Live[0].Log != log || r.Live[1].Silent != "no answer" {
		t.Errorf("%+v", r)
	}
	if st := m.Stats().Rescues; st != (RescueStats{Doubtful: 1}) {
		t.Errorf("%+v", st)
	}
}
