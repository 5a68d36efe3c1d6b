package coresim

import (
	"fmt"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// Leaders below inter-broker protocol 2.7-IV2 write the ISR to ZooKeeper themselves, on
// condition of the version they know, and tell the controller some time later through
// /isr_change_notification (08.1).

// isrNotification is one child of /isr_change_notification.
type isrNotification struct {
	path string
	ids  []partition.ID
}

// writeISR writes what the leader of each partition wants. Nothing is acknowledged
// meanwhile: the real one holds the partition's lock.
func (p *process) writeISR() {
	s := p.b.s
	for _, id := range sortedIDs(p.parts) {
		h := p.parts[id]
		if !h.leading || h.writing {
			continue
		}
		next := p.wanted(h, id)
		if next == nil {
			continue
		}
		h.writing = true
		st := partition.State{ControllerEpoch: h.by, LeaderAndISR: isr.LeaderAndISR{
			Leader: p.b.id, LeaderEpoch: h.epoch, ISR: next, PartitionEpoch: h.version}}
		session, e := p.b.session, h.epoch
		s.after(s.p.zk(s), func() {
			version, ok := s.zk.leaderWrites(session, id, st)
			s.after(s.p.zk(s), func() {
				h.writing = false
				if !p.alive || !h.leading || h.epoch != e || !ok {
					return
				}
				h.isr, h.version = next, version
				p.publish(id)
			})
		})
	}
}

// publish names the partition in the next notification.
func (p *process) publish(id partition.ID) {
	p.changed = append(p.changed, id)
	if len(p.changed) > 1 {
		return
	}
	s := p.b.s
	s.after(s.r.between(500, 2500), func() {
		if ids := p.changed; p.alive {
			p.changed = nil
			s.zk.notifyISR(ids)
		}
	})
}

// leaderWrites is the conditional write of a leader, deposed or not.
func (z *zookeeper) leaderWrites(session int64, id partition.ID, st partition.State) (epoch.Partition, bool) {
	n := z.states[id]
	if !z.sessions[session] || n == nil || n.bad != "" || n.version != int32(st.PartitionEpoch) {
		z.s.mark("old-leader-refused")
		return 0, false
	}
	if n.state.Leader != st.Leader || n.state.LeaderEpoch != st.LeaderEpoch {
		z.s.failf("%v: deposed leader %d writes %v over %v", id, st.Leader, st, n.state)
	}
	z.s.mark("old-leader-wrote")
	z.s.trace("zk: leader %d writes %v: %v", st.Leader, id, st)
	version := z.put(id, st)
	for _, b := range z.s.batons {
		for _, m := range z.replicas(id) {
			if !st.ISR.Has(m) { // dealt with
				delete(b.bounced, bounce{id, m})
			}
		}
	}
	return epoch.Partition(version), true
}

func (z *zookeeper) notifyISR(ids []partition.ID) {
	z.notified++
	z.isrs = append(z.isrs, isrNotification{fmt.Sprintf("/isr_change_notification/%d", z.notified), ids})
	z.s.watchers((*baton).kickISR)
}

// kickISR reads the notifications that are there.
func (b *baton) kickISR() {
	b.later(func() {
		if b.loading || b.s.bugs.DeafToISR {
			return // read when the load is done
		}
		var ev planner.ISRChanged
		for _, n := range b.s.zk.isrs {
			ev.Paths, ev.Partitions = append(ev.Paths, n.path), append(ev.Partitions, n.ids...)
		}
		if len(ev.Paths) > 0 {
			b.step(ev)
		}
	})
}

// freeStuck restarts brokers that lead with a version somebody has written over: they
// fail to write until the next leader epoch, as real ones do.
func (s *sim) freeStuck() {
	for _, b := range s.brokers {
		if !b.old || b.proc == nil {
			continue
		}
		for _, id := range sortedIDs(b.proc.parts) {
			h, n := b.proc.parts[id], s.zk.states[id]
			if h.leading && n != nil && n.state.LeaderEpoch == h.epoch && n.version != int32(h.version) {
				b.stop(true)
				b.boot()
				break
			}
		}
	}
}
