package planner_test

import (
	"testing"

	"baton/cluster"
	"baton/planner"
)

// Clients hear from Baton itself which rack it has, so it has to be the one that brokers are told.
func TestViewHasTheRackThatBrokersAreTold(t *testing.T) {
	m := planner.New()
	if m.View().Self.HasRack {
		t.Error("a rack without a role")
	}
	m.Step(0, planner.Claimed{
		ID: 2000001, Self: cluster.Broker{ID: 2000001},
		Brokers: []cluster.Broker{{ID: 1, Epoch: 10, Rack: "a", HasRack: true}, {ID: 2, Epoch: 11, Rack: "b", HasRack: true}},
	})
	if self := m.View().Self; self.Rack != "a" || !self.HasRack {
		t.Errorf("rack %q", self.Rack)
	}
}
