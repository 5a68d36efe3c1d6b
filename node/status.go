package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"baton/admin"
	"baton/cluster"
	"baton/controller"
	"baton/internal/version"
	"baton/planner"
	"baton/zkstore"
)

// stuck is how long the loop may take for one batch before the process counts as ill.
const stuck = 60 * time.Second

// statusWait is how long a status waits for the loop.
const statusWait = 3 * time.Second

// Alive implements admin.Node.
func (n *Node) Alive() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.term == nil {
		return true
	}
	select {
	case <-n.term.Ready():
		return time.Since(n.term.Progress()) < stuck
	default:
		return true // still loading
	}
}

// Ready implements admin.Node.
func (n *Node) Ready() (bool, string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.session == nil:
		return false, n.reason
	case !n.session.LeaseValid():
		return false, "ZooKeeper has not confirmed the session lately"
	case n.term == nil && !n.viewSeen:
		return false, "the role has not been read yet"
	case n.term == nil && unsafe(n.view) != "":
		return false, unsafe(n.view)
	case n.term != nil:
		select {
		case <-n.term.Ready():
		default:
			return false, "loading the cluster"
		}
	}
	return true, ""
}

// Status implements admin.Node.
func (n *Node) Status(ctx context.Context) (admin.Status, error) {
	ready, why := n.Ready()
	c := n.config()
	out := admin.Status{
		Instance: admin.Instance{ID: n.id(), Name: c.InstanceName, Version: version.Get().Version, Mode: string(c.Mode),
			Role: admin.RoleStandby, Ready: ready, Why: why, StartedAt: n.started},
		Brokers: []admin.Broker{}, Members: []admin.Member{}, BadZnodes: []admin.BadZnode{}, InProgress: []string{}, Alarms: []admin.Alarm{},
	}
	n.mu.Lock()
	v, s, t := n.view, n.session, n.term
	for _, a := range n.alarms {
		out.Alarms = append(out.Alarms, admin.Alarm{When: a.when, Text: a.text})
	}
	if t == nil && why == "" {
		out.Instance.Why = n.reason
	}
	n.mu.Unlock()
	if s != nil {
		out.ZooKeeper = admin.ZooKeeper{Connected: s.Connected(), SessionID: fmt.Sprintf("0x%x", s.ID()), TimeoutMS: s.Timeout().Milliseconds()}
	}
	fillRole(&out, v)
	if v.Hold != nil {
		out.Instance.Role = admin.RoleHeld
	}
	if t == nil {
		if s != nil {
			img := s.Image()
			out.Image = &admin.Image{Warm: img.Warm, Topics: img.Topics, Partitions: img.Partitions, AgeMS: img.Age.Milliseconds(), Why: img.Why}
		}
		for _, b := range n.dir.list() {
			out.Brokers = append(out.Brokers, brokerStatus(b))
		}
		return out, nil
	}
	out.Instance.Role = admin.RoleActive
	select {
	case <-t.Ready():
	default:
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	var thin map[string][]int
	err := t.ViewMachine(ctx, func(m *planner.Machine) { n.fill(&out, m); thin = thinISRs(m, c.MinInsyncReplicas) })
	switch {
	case errors.Is(err, controller.ErrNotActive):
		out.Instance.Role = admin.RoleStandby // just lost
	case err != nil:
		// Whoever asks because something is wrong must get an answer all the same.
		out.Instance.Ready = false
		out.Instance.Why = fmt.Sprintf("the controller's loop does not answer (last progress %s ago)", time.Since(t.Progress()).Round(time.Second))
	default:
		n.countUnderMinISR(ctx, s, thin, out.Counts)
	}
	return out, nil
}

// fill adds what only the leading machine knows; it runs on the loop's goroutine.
func (n *Node) fill(out *admin.Status, m *planner.Machine) {
	st := m.Stats()
	out.Counts = &admin.Counts{Topics: st.Topics, Partitions: st.Partitions, Offline: st.Offline, UnderReplicated: st.UnderReplicated, UnderMinISR: st.UnderMinISR}
	for _, b := range m.View().Image.Brokers() {
		row := brokerStatus(*b)
		tell := st.Brokers[b.ID]
		row.Connected, row.Untold, row.Told = tell.Connected, tell.Untold, st.Partitions-min(tell.Untold, st.Partitions)
		row.Leaving = m.View().Image.Leaving(b.ID)
		out.Brokers = append(out.Brokers, row)
	}
	for _, b := range st.Bad {
		out.BadZnodes = append(out.BadZnodes, admin.BadZnode{Path: b.Path, Reason: b.Reason})
	}
	out.InProgress = append(out.InProgress, st.Deleting...)
	if st.Reassigning > 0 {
		out.InProgress = append(out.InProgress, fmt.Sprintf("%d partitions being reassigned", st.Reassigning))
	}
}

// fillRole copies what decides about the role.
func fillRole(out *admin.Status, v zkstore.RoleView) {
	out.Epoch, out.Migration = v.Epoch, v.Migration
	for path, why := range v.Bad {
		out.BadZnodes = append(out.BadZnodes, admin.BadZnode{Path: path, Reason: why})
	}
	if c := v.Controller; c != nil {
		out.Holder = &admin.Holder{ID: c.BrokerID, Kind: admin.HolderBroker, Since: c.Claimed}
		if v.Bad[pathController] != "" {
			out.Holder.Kind = admin.HolderUnknown
		}
		if c.Baton != nil {
			out.Holder.Kind, out.Holder.Instance = admin.HolderBaton, c.Baton.Name
		}
	}
	if v.Hold != nil {
		out.Hold = &admin.Hold{Who: v.Hold.Who, Why: v.Hold.Why, When: v.Hold.When}
	}
	for _, m := range v.Members {
		out.Members = append(out.Members, admin.Member{ID: m.ID, Name: m.Name, Mode: m.Mode, Version: m.Version, Host: m.Host})
	}
}

func brokerStatus(b cluster.Broker) admin.Broker {
	out := admin.Broker{ID: b.ID, Epoch: int64(b.Epoch), Rack: b.Rack, Endpoints: []string{}}
	for _, e := range b.Endpoints {
		out.Endpoints = append(out.Endpoints, e.Listener+"://"+net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))))
	}
	return out
}
