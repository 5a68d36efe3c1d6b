package zkstore

import (
	"errors"
	"strings"
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/planner"
)

// Baton in /brokers/ids: read by brokers, never taken for a broker by a Baton, made under the fence only and removed
// by the session that made it only.
func TestRegisterAsBroker(t *testing.T) {
	a, b := pair(t)
	ephemeral(t, b, pathBrokerIDs+"/1", brokerJSON)
	fence := claim(t, a, 2000001)
	f := follow(t, a, fence)
	me := cluster.Broker{ID: 2000001, Rack: "a", HasRack: true, Endpoints: []cluster.Endpoint{
		{Listener: "CLIENT", Protocol: cluster.Plaintext, Host: "h", Port: 9}, {Listener: "INTERNAL", Protocol: cluster.Plaintext, Host: "::1", Port: 10}}}
	path := idPath(pathBrokerIDs, me.ID)

	ephemeral(t, b, path, `{"version":4,"endpoints":["X://h:1"]}`)
	if err := a.RegisterBroker(t.Context(), fence, me, info); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("over a broker: %v", err)
	}
	erase(t, b, path)
	ephemeral(t, b, path, `{"baton":{}}`) // of an earlier life
	for range 2 {
		if err := a.RegisterBroker(t.Context(), fence, me, info); err != nil {
			t.Fatal(err)
		}
	}
	n, err := b.get(t.Context(), path)
	if err != nil || n.stat.EphemeralOwner != a.ID() {
		t.Fatalf("%+v, %v", n, err)
	}
	got, err := decodeBroker(n.data)
	if err != nil || len(got.Endpoints) != 2 || got.Endpoints[1] != me.Endpoints[1] || got.Rack != "a" || !strings.Contains(string(n.data), `"host":"h","port":9`) {
		t.Errorf("%s is read as %+v, %v", n.data, got, err)
	}
	f.RereadBrokers()
	until(t, f, "the broker without us", func(e planner.BrokersChanged) bool {
		return len(e.Brokers) == 1 && e.Brokers[0].ID == 1 && len(e.Bad) == 0
	})
	if list, _, err := b.ReadBrokers(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}

	if err := b.UnregisterBroker(t.Context(), me.ID); err != nil {
		t.Error(err)
	}
	if n, _ := a.get(t.Context(), path); !n.exists {
		t.Error("removed by another session")
	}
	for range 2 {
		if err := a.UnregisterBroker(t.Context(), me.ID); err != nil {
			t.Error(err)
		}
	}
	if n, _ := a.get(t.Context(), path); n.exists {
		t.Error("not removed")
	}
	claim(t, b, 2)
	if err := a.RegisterBroker(t.Context(), fence, me, info); !errors.Is(err, epoch.ErrFenced) {
		t.Errorf("under an old fence: %v", err)
	}
	if n, err := b.get(t.Context(), path); n.exists || err != nil {
		t.Errorf("%+v, %v", n, err)
	}
}
