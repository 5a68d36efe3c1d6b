package zkstore

import (
	"testing"
	"time"

	"baton/partition"
)

// Facts are what ZooKeeper has, whatever is missing or cannot be understood.
func TestReadFacts(t *testing.T) {
	a, b := pair(t)
	before := time.Now().Add(-time.Minute)
	write(t, b, pathBrokerDefaults, `{"version":1,"config":{"min.insync.replicas":"2"}}`)
	write(t, b, pathBrokerIDs+"/7", "{}")
	write(t, b, pathBrokerIDs+"/x", "{}")
	write(t, b, topicConfigPath("t"), `{"version":1,"config":{"min.insync.replicas":" 3","unclean.leader.election.enable":"TRUE"}}`)
	write(t, b, topicConfigPath("bad"), `{"version":1,"config":{"min.insync.replicas":"none","unclean.leader.election.enable":"true"}}`)
	write(t, b, topicConfigPath("worse"), "{")
	id := partition.ID{Topic: "t"}
	write(t, b, statePath(id), "{}")
	f, err := a.ReadFacts(t.Context(), FactsWanted{Topics: []string{"t", "none", "bad", "worse"}, States: []partition.ID{{Topic: "none"}, id}})
	if err != nil {
		t.Fatal(err)
	}
	if d := f.Defaults; d.Unclean != nil || d.MinISR == nil || *d.MinISR != 2 || d.Bad != "" {
		t.Errorf("defaults %+v", d)
	}
	if x := f.Topics[0]; x.Unclean == nil || !*x.Unclean || x.MinISR == nil || *x.MinISR != 3 || x.Bad != "" {
		t.Errorf("t: %+v", x)
	}
	if x := f.Topics[1]; x != (DecidingConfig{}) {
		t.Errorf("none: %+v", x)
	}
	if x := f.Topics[2]; x.MinISR != nil || x.Bad == "" {
		t.Errorf("bad: %+v", x)
	}
	if x := f.Topics[3]; x.Bad == "" {
		t.Errorf("worse: %+v", x)
	}
	if len(f.Registered) != 1 || f.Registered[7].Before(before) || f.Registered[7].After(time.Now().Add(time.Minute)) {
		t.Errorf("registered %v", f.Registered)
	}
	if !f.States[0].IsZero() || f.States[1].Before(before) {
		t.Errorf("states %v", f.States)
	}
}
