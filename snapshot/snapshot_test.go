package snapshot

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

func ptr[T any](v T) *T { return &v }

// memory of a small cluster: 1 and 2 live, 2 leaving, 3 gone under this claim, 4 never seen.
func memory() planner.Memory {
	im := cluster.NewImage([]int32{2000001})
	im.PutBroker(cluster.Broker{ID: 1, Epoch: 10, Rack: "a", HasRack: true, Endpoints: []cluster.Endpoint{{Listener: "PLAINTEXT", Host: "b1", Port: 9092}}})
	im.PutBroker(cluster.Broker{ID: 2, Epoch: 11, Endpoints: []cluster.Endpoint{{Listener: "PLAINTEXT", Host: "::1", Port: 9092}}})
	im.SetLeaving(2)
	state := func(leader int32, members ...int32) partition.State {
		return partition.State{ControllerEpoch: 4, LeaderAndISR: isr.LeaderAndISR{Leader: leader, LeaderEpoch: 3, ISR: members, PartitionEpoch: 7}}
	}
	orders := cluster.Topic{Name: "orders", ID: cluster.TopicID{1}, Version: 2, Partitions: []cluster.Partition{
		{Number: 0, Known: true, Decided: im.View(), State: state(1, 1, 2), Assignment: partition.Assignment{Replicas: []int32{1, 2, 3}, Adding: []int32{3}}},
		{Number: 1, Known: true, State: state(isr.NoLeader, 3), Assignment: partition.Assignment{Replicas: []int32{3, 4}}},
		{Number: 2, Assignment: partition.Assignment{Replicas: []int32{4}}},
		{Number: 3, Known: true, State: state(1, 1), Broken: "no JSON", Dirs: []int32{2}, Assignment: partition.Assignment{Replicas: []int32{1, 2}}},
	}}
	return planner.Memory{ID: 2000001, Fence: epoch.Fence{Epoch: 5, Version: 9}, Image: im, Settings: planner.Settings{MinISR: 1, DeleteTopics: true},
		Topics: []planner.TopicMemory{{Topic: cluster.Topic{Name: "doomed", Held: "its deletion was asked for"}, Marked: true},
			{Topic: orders, Lost: []planner.LostLeader{{Number: 1, Leader: 3, At: 2500}}}},
		Away: []planner.Away{{Broker: 3, Epoch: 12, At: 2000, Leaving: true}}, Registered: map[int32]planner.Millis{2: 1000}}
}

func facts() Facts {
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	return Facts{Taken: at.Add(time.Minute), Took: 3 * time.Millisecond, Name: "one", ClusterID: "abc", Claimed: at,
		Config: map[string]Config{"orders": {Unclean: ptr(true), MinISR: ptr[int32](2)}}, Defaults: Config{MinISR: ptr[int32](3)},
		Registered: map[int32]time.Time{1: at.Add(-time.Hour)}, Written: map[partition.ID]time.Time{{Topic: "orders", Number: 1}: at.Add(3 * time.Second)}}
}

func TestMake(t *testing.T) {
	d := Make(memory(), facts())
	at := facts().Claimed
	if want := (Away{ID: 3, Epoch: 12, Since: at.Add(2 * time.Second), InOrder: true}); len(d.Away) != 2 || d.Away[0] != want || d.Away[1] != (Away{ID: 4}) {
		t.Errorf("away %+v", d.Away)
	}
	if d.Brokers[0].Since != at.Add(-time.Hour) || d.Brokers[1].Since != at.Add(time.Second) || !d.Brokers[1].Leaving || d.Brokers[1].Endpoints[0] != "PLAINTEXT://[::1]:9092" {
		t.Errorf("brokers %+v", d.Brokers)
	}
	o := d.Topic("orders")
	if o.Unclean != (Setting[bool]{Value: true, From: FromTopic}) || o.MinISR != (Setting[int32]{Value: 2, From: FromTopic}) {
		t.Errorf("settings %+v %+v", o.Unclean, o.MinISR)
	}
	if x := d.Topic("doomed"); x.Unclean != (Setting[bool]{From: FromStatic}) || x.MinISR != (Setting[int32]{Value: 3, From: FromDefault}) || !x.Marked {
		t.Errorf("doomed %+v", x)
	}
	if p := o.Partition(1); *p.LastLeader != (LastLeader{Broker: 3, Lost: at.Add(2500 * time.Millisecond)}) || p.Written != at.Add(3*time.Second) {
		t.Errorf("orders-1 %+v", p)
	}
	if p := o.Partition(0); !reflect.DeepEqual(p.Offline, []int32{2, 3}) {
		t.Errorf("orders-0 offline %v", p.Offline)
	}
	if p := o.Partition(3); !reflect.DeepEqual(p.Lapsed, []int32{1}) || !reflect.DeepEqual(p.FailedDirs, []int32{2}) {
		t.Errorf("orders-3: restarted %v, failed directories %v", p.Lapsed, p.FailedDirs)
	}
	if d.Topic("none") != nil || o.Partition(4) != nil || d.Broker(3) != nil {
		t.Error("found what is not there")
	}
}

// TestOrigins: which value goes, and what decides when something cannot be read.
func TestOrigins(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*planner.Memory, *Facts)
		unclean Setting[bool]
		minISR  Setting[int32]
	}{
		"static":    {func(m *planner.Memory, _ *Facts) { m.Settings.UncleanElection = true }, Setting[bool]{Value: true, From: FromStatic}, Setting[int32]{Value: 3, From: FromDefault}},
		"dynamic":   {func(m *planner.Memory, _ *Facts) { m.UncleanDynamic = ptr(true) }, Setting[bool]{Value: true, From: FromDefault}, Setting[int32]{Value: 3, From: FromDefault}},
		"bad topic": {func(_ *planner.Memory, f *Facts) { f.Config["doomed"] = Config{Bad: "x"} }, Setting[bool]{From: Unknown, Unreadable: "x"}, Setting[int32]{Value: 3, From: Unknown, Unreadable: "x"}},
		"bad default": {func(m *planner.Memory, f *Facts) { m.DefaultsBad, f.Defaults = "y", Config{Bad: "y"} },
			Setting[bool]{From: Unknown, Unreadable: "y"}, Setting[int32]{Value: 1, From: Unknown, Unreadable: "y"}},
		"unread": {func(m *planner.Memory, f *Facts) { m.Settings.UncleanElection, f.Unread = true, "z" }, Setting[bool]{From: Unknown, Unreadable: "z"}, Setting[int32]{Value: 1, From: Unknown, Unreadable: "z"}},
	} {
		m, f := memory(), facts()
		c.change(&m, &f)
		if x := Make(m, f).Topic("doomed"); x.Unclean != c.unclean || x.MinISR != c.minISR {
			t.Errorf("%s: %+v, %+v", name, x.Unclean, x.MinISR)
		}
	}
}

// TestThereAndBack: a machine that resumes from a document makes the same document.
func TestThereAndBack(t *testing.T) {
	d := Make(memory(), facts())
	var text strings.Builder
	if err := d.Encode(&text); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "\n"); n != 1+len(d.Topics) {
		t.Errorf("%d lines for %d topics", n, len(d.Topics))
	}
	read, err := Decode(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	again := read.Memory()
	if x := again.Topics[1].Topic; x.ID != memory().Topics[1].ID || x.Version != 2 || len(x.Partitions) != 4 || x.Partitions[2].Known {
		t.Errorf("orders came back as %+v", x)
	}
	f := facts()
	f.Config["orders"], f.Defaults = Config{Unclean: read.Topic("orders").ConfigRead().Unclean, MinISR: ptr[int32](2)}, Config{MinISR: read.Defaults.MinISR}
	second := Make(again, f)
	for i := range d.Topics {
		for j := range d.Topics[i].Partitions { // what decides nothing stays behind
			d.Topics[i].Partitions[j].LastLeader = nil
		}
	}
	if !reflect.DeepEqual(second.Topics, d.Topics) {
		t.Errorf("topics\n%+v\nwere\n%+v", second.Topics, d.Topics)
	}
}

func TestDecodeRefuses(t *testing.T) {
	const head = `{"format":"baton-snapshot","version":1,"brokers":[{"id":1},{"id":2}],"topics":[`
	for text, want := range map[string]string{
		`{`: "cut off", ``: "cut off", `[]`: "cannot unmarshal array", `{"version":1}`: "this is no snapshot",
		`{"format":"baton-snapshot","version":2}`:                                                                    "version 1 only",
		`{"format":"baton-snapshot","version":1,"brokers":[{"id":2},{"id":1}]}`:                                      "brokers: 1 comes after 2",
		head + `{"name":"b"},{"name":"a"}]}`:                                                                         `"a" comes after "b"`,
		head + `{"name":"a","partitions":[{"partition":0,"new":true},{"partition":0,"new":true}]}]}`:                 "there twice",
		head + `{"name":"a","partitions":[{"partition":0,"isr":[],"leader":-1}]}]}`:                                  "a-0: isr is empty",
		head + `{"name":"a","partitions":[{"partition":0,"isr":[1],"leader":2}]}]}`:                                  "a-0: leader 2 is not in the isr [1]",
		head + `{"name":"a","partitions":[{"partition":0,"isr":[1,1],"leader":1}]}]}`:                                "a-0: isr [1 1]",
		head + `{"name":"a","partitions":[{"partition":0,"isr":[1],"leader":1,"replicas":[3,3]}]}]}`:                 "a-0: replicas [3 3]",
		head + `{"name":"a","partitions":[{"partition":0,"isr":[1],"leader":1,"replicas":[1],"leaderEpoch":"x"}]}]}`: "leaderEpoch",
	} {
		if _, err := Decode(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

// FuzzDecode: what is accepted can be resumed from, and comes back the same.
func FuzzDecode(f *testing.F) {
	var text strings.Builder
	if err := Make(memory(), facts()).Encode(&text); err != nil {
		f.Fatal(err)
	}
	f.Add(text.String())
	f.Add(`{"format":"baton-snapshot","version":1,"topics":[{"name":"a","partitions":[{"partition":0,"new":true}]}]}`)
	f.Fuzz(func(t *testing.T, in string) {
		d, err := Decode(strings.NewReader(in))
		if err != nil {
			return
		}
		mem := d.Memory()
		if len(mem.Topics) != len(d.Topics) {
			t.Errorf("%d topics of %d", len(mem.Topics), len(d.Topics))
		}
		var out strings.Builder
		if err := d.Encode(&out); err != nil {
			return // a time that JSON cannot have
		}
		if _, err := Decode(strings.NewReader(out.String())); err != nil {
			t.Errorf("not read again: %v\n%s", err, out.String())
		}
	})
}

// BenchmarkDocument200000 makes a document of 200,000 partitions, writes it and reads it again: what a client of `controller
// snapshot` waits for besides the copying (planner) and ZooKeeper.
func BenchmarkDocument200000(b *testing.B) {
	mem := planner.Memory{Image: cluster.NewImage(nil)}
	for id := range int32(12) {
		mem.Image.PutBroker(cluster.Broker{ID: id + 1, Epoch: epoch.Broker(id) + 11})
	}
	for i := range 200_000 {
		if i%100 == 0 {
			mem.Topics = append(mem.Topics, planner.TopicMemory{Topic: cluster.Topic{Name: fmt.Sprintf("topic-%06d", i/100)}})
		}
		t := &mem.Topics[len(mem.Topics)-1]
		r := []int32{int32(i%12) + 1, int32((i+1)%12) + 1, int32((i+5)%12) + 1}
		t.Partitions = append(t.Partitions, cluster.Partition{Number: int32(i % 100), Known: true, Decided: mem.Image.View(),
			Assignment: partition.Assignment{Replicas: r}, State: partition.State{LeaderAndISR: isr.LeaderAndISR{Leader: r[0], ISR: r}}})
	}
	var text strings.Builder
	b.ResetTimer()
	for b.Loop() {
		text.Reset()
		if err := Make(mem, Facts{}).Encode(&text); err != nil {
			b.Fatal(err)
		}
		if _, err := Decode(strings.NewReader(text.String())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(text.Len())/(1<<20), "MB")
}
