package sequence

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// ideal is a cluster that is exactly what the model says, with the first member of the ISR that is there as the leader.
func ideal(t *testing.T, m *Model) Snapshot {
	t.Helper()
	s := Snapshot{Znodes: map[string]Znode{}, Views: map[int32]View{}, Holder: 9}
	put := func(path string, v any) {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		s.Znodes[path] = Znode{Data: string(data)}
	}
	seen := map[string]TopicView{}
	for _, name := range m.names() {
		a := assignment{Partitions: map[int32][]int32{}, Adding: map[int32][]int32{}, Removing: map[int32][]int32{}}
		seen[name] = TopicView{HasID: true, Partitions: map[int32]PartitionView{}}
		for n := range m.topics[name].partitions {
			id := ID{name, int32(n)}
			p := m.partition(id)
			a.Partitions[id.Partition] = p.replicas
			if p.target != nil {
				a.Adding[id.Partition] = p.target
			}
			if p.isr == nil {
				continue
			}
			leader := int32(-1)
			if m.led(p) {
				leader = m.alive(p.isr)[0]
			}
			put(statePath(id), map[string]any{"controller_epoch": 3, "leader": leader, "version": 1, "leader_epoch": 4, "isr": p.isr})
			seen[name].Partitions[id.Partition] = PartitionView{Leader: leader, Epoch: 4, Replicas: p.replicas, ISR: p.isr}
		}
		put(topicsPath+"/"+name, map[string]any{"partitions": a.Partitions, "adding_replicas": a.Adding, "removing_replicas": a.Removing,
			"topic_id": "id of " + name, "version": 3})
		put("/config/topics/"+name, map[string]any{"version": 1, "config": m.topics[name].config})
	}
	for _, b := range m.live() {
		put(fmt.Sprintf("/brokers/ids/%d", b), map[string]any{"host": "here", "port": 1, "rack": "a"})
		v := View{Controller: s.Holder, Topics: map[string]TopicView{}}
		for _, id := range m.live() {
			v.Brokers = append(v.Brokers, fmt.Sprint(id, " a"))
		}
		for name, topic := range seen {
			topic.Partitions = maps.Clone(topic.Partitions)
			v.Topics[name] = topic
		}
		for _, id := range m.ids(func(_ ID, p *partition) bool { return slices.Contains(p.replicas, b) }) {
			v.Logs = append(v.Logs, id.String())
		}
		s.Views[b] = v
	}
	return s
}

// example is a cluster of four with topic t of two partitions, of which one is moving to broker 4, which is down.
func example() *Model {
	m := NewModel(1, 2, 3, 4)
	m.Apply(Op{Kind: Create, Topic: "t", Assignment: [][]int32{{1, 2, 3}, {2, 3}}})
	m.Apply(Op{Kind: ReassignAndKill, Broker: 4, Moves: []Move{{ID{"t", 1}, []int32{4, 2}}}})
	return m
}

// change replaces a znode's key, or removes it if the value is nil.
func change(t *testing.T, s Snapshot, path, key string, value any) {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(s.Znodes[path].Data), &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	v[key] = value
	if value == nil {
		delete(v, key)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	s.Znodes[path] = Znode{Data: string(data)}
}

// changePartition replaces what a broker says of a partition.
func changePartition(s Snapshot, broker int32, id ID, with func(*PartitionView)) {
	p := s.Views[broker].Topics[id.Topic].Partitions[id.Partition]
	with(&p)
	s.Views[broker].Topics[id.Topic].Partitions[id.Partition] = p
}
