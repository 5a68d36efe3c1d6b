package dev

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"baton/sim/history"
)

// Show lists brokers, Batons and partitions; those without a leader are explained. A filter is a topic or the
// beginning of a partition's name.
func (w *World) Show(filter string) string {
	var b strings.Builder
	role := w.history.Role()
	fmt.Fprintf(&b, "controller epoch %d", role.Epoch)
	for _, n := range w.batons {
		fmt.Fprintf(&b, "\n  Baton %d: %s", n.id, w.batonFate(n, role))
	}
	registered := w.history.Brokers()
	for _, br := range w.brokers {
		r, ok := registered[br.ID()]
		reg := "not registered"
		if ok {
			reg = fmt.Sprintf("registered with epoch %d", r.Epoch)
		}
		fmt.Fprintf(&b, "\n  broker %d (%s) %s, %s", br.ID(), br.Addr(), br.fateText(), reg)
	}
	const most = 40
	shown, rest := 0, 0
	for _, p := range w.history.Partitions() {
		if !strings.HasPrefix(p.ID.String(), filter) {
			continue
		}
		if shown++; shown > most && w.led(p) {
			rest++
			continue
		}
		b.WriteString("\n  " + w.partitionText(p))
	}
	if rest > 0 {
		fmt.Fprintf(&b, "\n  and %d more, all led", rest)
	}
	return b.String()
}

func (w *World) batonFate(n *baton, role history.Role) string {
	switch {
	case !n.running() && role.Holder == n.id:
		return "killed; its session still holds /controller"
	case !n.running():
		return "not running"
	case role.Holder == n.id:
		return "active"
	}
	if st, err := n.status(); err == nil && st.Instance.Why != "" {
		return "standby: " + st.Instance.Why
	}
	return "standby"
}

func (b *broker) fateText() string {
	text := "is running"
	if b.is() != running {
		text = fmt.Sprintf("was %s %d s ago", b.is(), int(time.Since(b.since).Seconds()))
	}
	if b.cutOff {
		text += ", cut off"
	}
	return text
}

func (w *World) partitionText(p history.Partition) string {
	s := p.State
	if w.led(p) {
		return fmt.Sprintf("%v: led by %d, in sync %v of %v, leader epoch %d", p.ID, s.Leader, s.ISR, p.Replicas, s.LeaderEpoch)
	}
	return fmt.Sprintf("%v: NO LEADER, in sync %v of %v, leader epoch %d\n      because %s", p.ID, s.ISR, p.Replicas, s.LeaderEpoch, w.Why(p))
}

// Why explains why a partition has no leader.
func (w *World) Why(p history.Partition) string {
	if !p.Known {
		return "it is new and none of its replicas is alive"
	}
	registered := w.history.Brokers()
	if p.Led() {
		return fmt.Sprintf("broker %d, which ZooKeeper still names, is not there any more, and the controller has not come to it yet (%s)",
			p.State.Leader, w.holder())
	}
	var gone, outside []string
	for _, id := range p.State.ISR {
		b, err := w.broker(id)
		if _, there := registered[id]; there {
			return fmt.Sprintf("broker %d of its ISR is registered: the controller has not come to it yet (%s)", id, w.holder())
		}
		if err == nil {
			gone = append(gone, fmt.Sprintf("broker %d %s", id, b.fateText()))
		}
	}
	for _, id := range p.Replicas {
		if _, there := registered[id]; there && !slices.Contains(p.State.ISR, id) {
			outside = append(outside, fmt.Sprint(id))
		}
	}
	text := "only a member of the ISR may lead, and " + strings.Join(gone, ", ")
	if len(outside) > 0 {
		text += fmt.Sprintf("; broker %s is alive but outside of the ISR and may lack acknowledged records (unclean.leader.election.enable=false)",
			strings.Join(outside, ", "))
	}
	return text
}

// holder says who is the controller.
func (w *World) holder() string {
	if id := w.history.Role().Holder; id != history.NoLeader {
		return fmt.Sprintf("%s holds the role", name(id))
	}
	return "nobody holds the role"
}

// led: ZooKeeper names a leader, and that one is there.
func (w *World) led(p history.Partition) bool {
	_, there := w.history.Brokers()[p.State.Leader]
	return p.Led() && there
}

// Unled lists the partitions without a leader, and of those the ones that could have one.
func (w *World) Unled() (all, wrong []history.Partition) {
	registered := w.history.Brokers()
	for _, p := range w.history.Partitions() {
		if _, there := registered[p.State.Leader]; p.Led() && there {
			continue
		}
		all = append(all, p)
		could := !p.Known
		for _, id := range p.State.ISR {
			_, there := registered[id]
			could = could || there
		}
		if could {
			wrong = append(wrong, p)
		}
	}
	return all, wrong
}
