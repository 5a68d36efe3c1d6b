package planner_test

import (
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/partition"
	"baton/planner"
)

// A topic goes and comes back while its znode is being rewritten: what became of that
// write says nothing about the namesake.
func TestANamesakeIsNotTakenForTheTopicThatHasGone(t *testing.T) {
	read := func(fresh byte) planner.TopicRead {
		return planner.TopicRead{Name: "t", FreshID: cluster.TopicID{fresh}, Partitions: []planner.PartitionRead{
			{Assignment: partition.Assignment{Replicas: []int32{1}}}}}
	}
	m := planner.New()
	p := m.Step(0, planner.Claimed{ID: 2_000_001, Fence: epoch.Fence{Epoch: 5, Version: 5}, Settings: planner.Settings{RetryAfter: 500, TopicIDs: true},
		Brokers: []cluster.Broker{{ID: 1, Epoch: 10}}, Topics: []planner.TopicRead{read(1)}})
	if len(p.Writes) != 1 {
		t.Fatalf("expected the write of an id, got %+v", p.Writes)
	}
	m.Step(1, planner.TopicsChanged{Gone: []string{"t"}})
	if again := m.Step(2, planner.TopicsChanged{Topics: []planner.TopicRead{read(2)}}); len(again.Writes) != 1 {
		t.Fatalf("expected the write of the namesake's id, got %+v", again.Writes)
	}
	m.Step(3, planner.Committed{Results: []planner.Result{{Seq: p.Writes[0].Seq, Outcome: planner.Applied, Version: 1}}})
	if id := m.View().Image.Topic("t").ID; !id.IsZero() {
		t.Errorf("the namesake has the id %v of the topic that has gone", id)
	}
}

// Two topics with one id, as when a znode was copied: the elder is the one that brokers
// have logs of, whatever the names.
func TestTheElderTopicKeepsTheID(t *testing.T) {
	read := func(name string, created int64) planner.TopicRead {
		return planner.TopicRead{Name: name, ID: cluster.TopicID{1}, Created: created, Partitions: []planner.PartitionRead{
			{Assignment: partition.Assignment{Replicas: []int32{1}}}}}
	}
	m := planner.New()
	m.Step(0, planner.Claimed{ID: 2_000_001, Fence: epoch.Fence{Epoch: 5, Version: 5}, Topics: []planner.TopicRead{read("copy", 70), read("t", 60)}})
	if im := m.View().Image; im.Topic("t") == nil || im.Topic("copy") != nil {
		t.Errorf("t: %v, its copy: %v", im.Topic("t"), im.Topic("copy"))
	}
	expect(t, "bad", bad(m), "/brokers/topics/copy")
}
