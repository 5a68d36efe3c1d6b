package zkstore

import (
	"fmt"
	"strings"
	"testing"

	"baton/planner"
)

// doomed is a topic with n partitions, its configuration and its marker.
func doomed(n int) []string {
	paths := []string{topicConfigPath("t"), markerPath("t"), topicPath("u"), topicConfigPath("u"), topicPath("t"), partitionsPath("t")}
	for i := range n {
		paths = append(paths, statePath(pid(i)))
	}
	return paths
}

// deleteAll deletes slice by slice, as the planner does, and returns how many it took.
func deleteAll(t *testing.T, st *Store, version int32) int {
	t.Helper()
	for n := 1; n < 1000; n++ {
		got, err := commitAll(t, st, planner.DeleteTopic{Name: "t", Version: version})
		if err != nil || got[0].Outcome != planner.Applied {
			t.Fatalf("slice %d: %+v, %v", n, got[0], err)
		}
		if !got[0].More {
			return n
		}
	}
	t.Fatal("never done")
	return 0
}

func TestTopicIsDeletedInSlices(t *testing.T) {
	for partitions, want := range map[int]int{0: 1, 1: 1, 3: 1, 4: 2, 6: 2, 25: 9} {
		tr, st := newTree(t, Config{MaxBatch: 10}, doomed(partitions)...)
		if n := deleteAll(t, st, 0); n != want {
			t.Errorf("%d partitions took %d multis, want %d", partitions, n, want)
		}
		for path := range tr.nodes {
			if strings.HasPrefix(path, topicPath("t")) || path == topicConfigPath("t") || path == markerPath("t") {
				t.Errorf("%d partitions: %s is left", partitions, path)
			}
		}
		if tr.nodes[topicPath("u")] == nil || tr.nodes[topicConfigPath("u")] == nil {
			t.Error("another topic was touched")
		}
		for _, size := range tr.multis {
			if size > 12 { // the fence and the version
				t.Errorf("a multi of %d operations", size)
			}
		}
	}
}

// The marker must outlive everything else: a controller that comes later has to see that
// there is something left to do.
func TestMarkerGoesLast(t *testing.T) {
	tr, st := newTree(t, Config{MaxBatch: 10}, doomed(25)...)
	for more := true; more; {
		if tr.nodes[markerPath("t")] == nil || tr.nodes[topicPath("t")] == nil || tr.nodes[topicConfigPath("t")] == nil {
			t.Fatal("marker, topic or configuration went before the last slice")
		}
		got, err := commitAll(t, st, planner.DeleteTopic{Name: "t"})
		if err != nil {
			t.Fatal(err)
		}
		more = got[0].More
	}
}

func TestTopicDeletionFindsWhatOthersLeft(t *testing.T) {
	for name, c := range map[string]struct {
		without []string
		lose    map[int]string
	}{
		"nothing lost":              {},
		"no configuration":          {without: []string{topicConfigPath("t")}},
		"no marker":                 {without: []string{markerPath("t")}},
		"a state is gone":           {without: []string{statePath(pid(1))}},
		"only marker and config":    {without: []string{statePath(pid(0)), statePath(pid(1)), partitionPath(pid(0)), partitionPath(pid(1)), partitionsPath("t"), topicPath("t")}},
		"all gone":                  {without: []string{statePath(pid(0)), statePath(pid(1)), partitionPath(pid(0)), partitionPath(pid(1)), partitionsPath("t"), topicPath("t"), markerPath("t"), topicConfigPath("t")}},
		"request lost":              {lose: map[int]string{1: "before"}},
		"answer lost":               {lose: map[int]string{1: "after"}},
		"answers lost in a row":     {lose: map[int]string{1: "before", 2: "before", 3: "after"}},
		"lost while something gone": {without: []string{topicConfigPath("t")}, lose: map[int]string{1: "after", 2: "after"}},
	} {
		t.Run(name, func(t *testing.T) {
			tr, st := newTree(t, Config{}, doomed(2)...)
			for _, p := range c.without {
				delete(tr.nodes, p)
			}
			tr.lose = func(n int) string { return c.lose[n] }
			deleteAll(t, st, 0)
			for path := range tr.nodes {
				if strings.HasPrefix(path, topicPath("t")) || path == topicConfigPath("t") || path == markerPath("t") {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

func TestTopicOfAnotherVersionIsNotDeleted(t *testing.T) {
	tr, st := newTree(t, Config{}, doomed(2)...)
	tr.put(topicPath("t"), "somebody wrote")
	got, err := commitAll(t, st, planner.DeleteTopic{Name: "t", Version: 0})
	if err != nil || got[0].Outcome != planner.Conflict || tr.nodes[statePath(pid(0))] == nil {
		t.Errorf("%+v, %v", got[0], err)
	}
}

// On a server that refuses to delete what has children, which the tree does not.
func TestStrayZnodesBelowATopicGoToo(t *testing.T) {
	a, _ := pair(t)
	st := a.Store(claim(t, a, 2_000_001))
	for _, p := range doomed(3) {
		write(t, a, p, "")
	}
	for i := range 7 {
		write(t, a, fmt.Sprintf("%s/stray%d/deep", partitionPath(pid(1)), i), "")
	}
	write(t, a, partitionsPath("t")+"/not-a-number/x", "")
	write(t, a, topicPath("t")+"/other", "")
	n, err := a.get(t.Context(), topicPath("t"))
	if err != nil {
		t.Fatal(err)
	}
	deleteAll(t, st, n.stat.Version)
	for _, p := range []string{topicPath("t"), topicConfigPath("t"), markerPath("t")} {
		if n, err := a.get(t.Context(), p); err != nil || n.exists {
			t.Errorf("%s is left (%v)", p, err)
		}
	}
}

func TestMarkers(t *testing.T) {
	a, _ := pair(t)
	st := a.Store(claim(t, a, 2_000_001))
	one := func(body planner.WriteBody) planner.Outcome {
		t.Helper()
		got, err := commitAll(t, st, body)
		if err != nil {
			t.Fatal(err)
		}
		return got[0].Outcome
	}
	want := func(what string, got, want planner.Outcome) {
		t.Helper()
		if got != want {
			t.Errorf("%s: outcome %d, want %d", what, got, want)
		}
	}
	want("mark without a topic", one(planner.MarkTopic{Topic: "t"}), planner.Conflict)
	write(t, a, topicPath("t"), "")
	want("confirm without a marker", one(planner.ConfirmMarker{Topic: "t"}), planner.Conflict)
	want("mark", one(planner.MarkTopic{Topic: "t"}), planner.Applied)
	want("mark again", one(planner.MarkTopic{Topic: "t"}), planner.Applied)
	want("confirm", one(planner.ConfirmMarker{Topic: "t"}), planner.Applied)
	want("drop as unknown", one(planner.DropMarker{Topic: "t"}), planner.Conflict)
	want("drop as known", one(planner.DropMarker{Topic: "t", Known: true}), planner.Applied)
	want("drop again", one(planner.DropMarker{Topic: "t", Known: true}), planner.Applied)
	want("confirm what was dropped", one(planner.ConfirmMarker{Topic: "t"}), planner.Conflict)
	write(t, a, markerPath("t"), "")
	erase(t, a, topicPath("t"))
	want("confirm without the topic", one(planner.ConfirmMarker{Topic: "t"}), planner.Conflict)
	want("drop of an unknown topic", one(planner.DropMarker{Topic: "t"}), planner.Applied)
}

// Kafka's controller was stopped between deleting a topic and its configuration: the next
// one drops the marker, and a later topic of that name would have the configuration.
func TestConfigurationOfADeletedTopicGoesWithItsMarker(t *testing.T) {
	tr, st := newTree(t, Config{}, topicConfigPath("t"), markerPath("t"), topicPath("u"), topicConfigPath("u"), markerPath("u"))
	got, err := commitAll(t, st, planner.DropMarker{Topic: "t"}, planner.DropMarker{Topic: "u", Known: true})
	if err != nil || got[0].Outcome != planner.Applied || got[1].Outcome != planner.Applied {
		t.Fatalf("%+v, %v", got, err)
	}
	for path, there := range map[string]bool{topicConfigPath("t"): false, markerPath("t"): false, topicConfigPath("u"): true, markerPath("u"): false} {
		if (tr.nodes[path] != nil) != there {
			t.Errorf("%s is there: %v", path, !there)
		}
	}
}
