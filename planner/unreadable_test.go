package planner_test

import (
	"slices"
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/planner"
)

func bad(m *planner.Machine) (paths []string) {
	for _, b := range m.Stats().Bad {
		paths = append(paths, b.Path)
	}
	return paths
}

func notes(p planner.Plan) (texts []string) {
	for _, n := range p.Notes {
		if n.Kind == planner.NoteBad {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// What cannot be understood is named by its own path, once, and for as long as it is there.
func TestUnreadable(t *testing.T) {
	m := planner.New()
	abc := planner.Bad{Path: "/brokers/ids/!abc", Reason: "no id"}
	b77 := planner.Bad{Path: "/brokers/ids/77", Reason: "no JSON"}
	one := cluster.Broker{ID: 1, Epoch: 5}
	p := m.Step(0, planner.Claimed{ID: 2_000_001, Fence: epoch.Fence{Epoch: 1, Version: 1}, Brokers: []cluster.Broker{one}, BadBrokers: []planner.Bad{abc}})
	expect(t, "notes at the claim", notes(p), "/brokers/ids/!abc: no id")
	expect(t, "bad at the claim", bad(m), abc.Path)

	ev := planner.BrokersChanged{Brokers: []cluster.Broker{one}, Bad: []planner.Bad{abc, b77}, BadIDs: []int32{77}}
	expect(t, "notes", notes(m.Step(1, ev)), "/brokers/ids/77: no JSON")
	expect(t, "notes the second time", notes(m.Step(2, ev)))
	expect(t, "bad", bad(m), abc.Path, b77.Path)
	m.Step(3, planner.BrokersChanged{Brokers: []cluster.Broker{one}})
	expect(t, "bad after mending", bad(m))

	work := planner.Bad{Path: "/admin/reassign_partitions", Reason: "no JSON"}
	m.Step(4, planner.WorkChanged{Bad: []planner.Bad{work}})
	m.Step(5, planner.LogDirFailed{Bad: []planner.Bad{{Path: "/log_dir_event_notification/x", Reason: "no JSON"}}})
	m.Step(6, planner.BatonsChanged{Bad: []planner.Bad{{Path: "/baton/ids/x", Reason: "no id"}}})
	expect(t, "bad elsewhere", bad(m), work.Path, "/baton/ids/x", "/log_dir_event_notification/x")
}

// A live broker whose registration cannot be understood any more stays what it was.
func TestUnreadableBrokerIsKept(t *testing.T) {
	m := planner.New()
	one := cluster.Broker{ID: 1, Epoch: 5}
	m.Step(0, planner.Claimed{ID: 2_000_001, Fence: epoch.Fence{Epoch: 1, Version: 1}, Brokers: []cluster.Broker{one}})
	p := m.Step(1, planner.BrokersChanged{Bad: []planner.Bad{{Path: "/brokers/ids/1", Reason: "no JSON"}}, BadIDs: []int32{1}})
	if m.View().Image.Broker(1) == nil || len(p.Channels) > 0 {
		t.Errorf("the broker is gone: %+v", p.Channels)
	}
}

// A topic configuration is asked for again while it cannot be understood.
func TestUnreadableConfigIsReadAgain(t *testing.T) {
	m := planner.New()
	m.Step(0, planner.Claimed{ID: 2_000_001, Fence: epoch.Fence{Epoch: 1, Version: 1}, Topics: []planner.TopicRead{{Name: "t"}}})
	expect(t, "notes", notes(m.Step(1, planner.TopicConfigRead{Topic: "t", Bad: "no JSON"})), "/config/topics/t: no JSON")
	p := m.Step(40_000, planner.Tick{})
	if len(p.Reads) != 1 || p.Reads[0].TopicConfig != "t" {
		t.Fatalf("reads %+v", p.Reads)
	}
	expect(t, "notes again", notes(m.Step(40_001, planner.TopicConfigRead{Topic: "t", Bad: "no JSON"})))
	m.Step(40_002, planner.TopicConfigRead{Topic: "t"})
	expect(t, "bad after mending", bad(m))
}
