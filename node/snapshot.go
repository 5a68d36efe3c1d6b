package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"baton/admin"
	"baton/controller"
	"baton/partition"
	"baton/planner"
	"baton/snapshot"
	"baton/zkstore"
)

const (
	// factsWait is how long a snapshot waits for ZooKeeper, without which it is nearly as good.
	factsWait = 20 * time.Second
	// factsHope is how long if ZooKeeper does not answer anyway.
	factsHope = 2 * time.Second
	// timedStates is how many partitions' states have their times read.
	timedStates = 1000
)

// Snapshot implements admin.Node: the image of the active Baton.
func (n *Node) Snapshot(ctx context.Context, only []string) (*snapshot.Document, error) {
	n.mu.Lock()
	t, s, v := n.term, n.session, n.view
	n.mu.Unlock()
	if t == nil {
		return nil, notHere(n.id(), v)
	}
	select {
	case <-t.Ready():
	default:
		return nil, admin.Unreachable("this Baton has just claimed the role and is loading the cluster; try again")
	}
	start := time.Now()
	mem, torn, err := t.Remember(ctx, only)
	switch {
	case errors.Is(err, controller.ErrNotActive):
		return nil, notHere(n.id(), v)
	case err != nil:
		return nil, admin.Unreachable("the controller's loop does not answer (last progress %s ago): %w", time.Since(t.Progress()).Round(time.Second), err)
	}
	f := snapshot.Facts{Taken: time.Now(), Took: time.Since(start), Torn: torn, Only: only, Name: n.config().InstanceName, Claimed: t.Began()}
	f.Logs = n.logRemarks(only)
	wait := factsWait
	if s == nil || !s.LeaseValid() {
		f.Doubt = "ZooKeeper has not confirmed the session lately: somebody else may lead by now"
		wait = factsHope
	}
	facts, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := addFacts(facts, s, mem, &f, only != nil); err != nil {
		f.Unread = err.Error()
	}
	return snapshot.Make(mem, f), nil
}

// notHere says where to ask instead.
func notHere(id int32, v zkstore.RoleView) error {
	if v.Controller != nil && v.Controller.Baton != nil && v.Controller.BrokerID != id {
		for _, m := range v.Members {
			if m.ID == v.Controller.BrokerID && m.Host != "" {
				return admin.Unreachable("this Baton is not active; %s on %s is: ask there", holder(v), m.Host)
			}
		}
		return admin.Unreachable("this Baton is not active; %s is: ask there", holder(v))
	}
	return admin.Unreachable("this Baton is not active (%s), and only the active one knows the cluster", holder(v))
}

// addFacts reads what the machine does not keep. What ZooKeeper does not answer is named in the document.
func addFacts(ctx context.Context, s session, mem planner.Memory, f *snapshot.Facts, times bool) error {
	if s == nil {
		return errNoSession
	}
	var want zkstore.FactsWanted
	for i := range mem.Topics {
		t := &mem.Topics[i]
		want.Topics = append(want.Topics, t.Name)
		for j := range t.Partitions {
			if times && len(want.States) < timedStates {
				want.States = append(want.States, partition.ID{Topic: t.Name, Number: t.Partitions[j].Number})
			}
		}
	}
	facts, err := s.ReadFacts(ctx, want)
	if err != nil {
		return fmt.Errorf("ZooKeeper: %w", err)
	}
	f.Registered, f.Defaults = facts.Registered, decidingConfig(facts.Defaults)
	f.Config, f.Written = map[string]snapshot.Config{}, map[partition.ID]time.Time{}
	for i, name := range want.Topics {
		f.Config[name] = decidingConfig(facts.Topics[i])
	}
	for i, id := range want.States {
		if !facts.States[i].IsZero() {
			f.Written[id] = facts.States[i]
		}
	}
	f.ClusterID, err = s.ReadClusterID(ctx)
	if err != nil {
		f.ClusterID = "" // it decides nothing
	}
	return nil
}

func decidingConfig(c zkstore.DecidingConfig) snapshot.Config {
	return snapshot.Config{Unclean: c.Unclean, MinISR: c.MinISR, Bad: c.Bad}
}
