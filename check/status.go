package check

import (
	"context"
	"fmt"

	"baton/admin"
	"baton/config"
	"baton/isr"
)

// ReadStatus makes a status of what ZooKeeper says, for `status` without a running Baton. What only the controller
// knows, such as who has been told what, is left out.
func ReadStatus(ctx context.Context, c *config.Config, r Reader) (admin.Status, error) {
	st := admin.Status{
		Instance: admin.Instance{ID: int32(c.NodeID), Name: c.InstanceName, Mode: string(c.Mode)},
		Members:  []admin.Member{}, Brokers: []admin.Broker{}, BadZnodes: []admin.BadZnode{}, Alarms: []admin.Alarm{}, InProgress: []string{},
	}
	server, timeout := r.Session()
	st.ZooKeeper = admin.ZooKeeper{Connected: true, Server: server, TimeoutMS: timeout.Milliseconds()}
	role, err := r.ReadRole(ctx)
	if err != nil {
		return st, admin.Unreachable("ZooKeeper: %w", err)
	}
	st.Epoch, st.Migration = role.Epoch, role.Migration
	if h := role.Controller; h != nil {
		st.Holder = &admin.Holder{ID: h.BrokerID, Kind: admin.HolderBroker, Since: h.Claimed}
		if role.Bad["/controller"] != "" {
			st.Holder.Kind = admin.HolderUnknown
		}
		if h.Baton != nil {
			st.Holder.Kind, st.Holder.Instance = admin.HolderBaton, h.Baton.Name
		}
	}
	if h := role.Hold; h != nil {
		st.Hold = &admin.Hold{Who: h.Who, Why: h.Why, When: h.When}
	}
	for _, m := range role.Members {
		st.Members = append(st.Members, admin.Member{ID: m.ID, Name: m.Name, Mode: m.Mode, Version: m.Version, Host: m.Host})
	}
	for _, path := range sortedKeys(role.Bad) {
		st.BadZnodes = append(st.BadZnodes, admin.BadZnode{Path: path, Reason: role.Bad[path]})
	}
	return st, readCluster(ctx, c, r, &st)
}

func readCluster(ctx context.Context, c *config.Config, r Reader, st *admin.Status) error {
	brokers, bad, err := r.Brokers(ctx)
	if err != nil {
		return admin.Unreachable("ZooKeeper: %w", err)
	}
	for _, b := range brokers {
		x := admin.Broker{ID: b.ID, Epoch: int64(b.Epoch), Rack: b.Rack, Endpoints: []string{}}
		for _, e := range b.Endpoints {
			x.Endpoints = append(x.Endpoints, fmt.Sprintf("%s://%s:%d", e.Listener, e.Host, e.Port))
		}
		st.Brokers = append(st.Brokers, x)
	}
	topics, states, err := r.Topics(ctx)
	if err != nil {
		return admin.Unreachable("ZooKeeper: %w", err)
	}
	deletions, err := r.Deletions(ctx)
	if err != nil {
		return admin.Unreachable("ZooKeeper: %w", err)
	}
	s := sum(topics, states, nil)
	for _, name := range deletions {
		st.InProgress = append(st.InProgress, name+": to be deleted")
	}
	for _, name := range s.Reassigning {
		st.InProgress = append(st.InProgress, name+": being reassigned")
	}
	for _, b := range append(bad, s.Bad...) {
		st.BadZnodes = append(st.BadZnodes, admin.BadZnode{Path: b.Path, Reason: b.Reason})
	}
	st.Counts = &admin.Counts{Topics: s.Count, Partitions: s.Partitions}
	replicas := map[string]map[int32]int{}
	for _, t := range topics {
		replicas[t.Name] = map[int32]int{}
		for _, p := range t.Partitions {
			replicas[t.Name][p.Number] = len(p.Assignment.Replicas)
		}
	}
	for _, x := range states {
		if !x.Exists || x.Bad != "" {
			continue
		}
		if x.State.Leader == isr.NoLeader {
			st.Counts.Offline++
		}
		if len(x.State.ISR) < replicas[x.ID.Topic][x.ID.Number] {
			st.Counts.UnderReplicated++
		}
		if len(x.State.ISR) < c.MinInsyncReplicas {
			st.Counts.UnderMinISR++
		}
	}
	return nil
}
