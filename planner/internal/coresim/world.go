package coresim

import (
	"fmt"
	"slices"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

const (
	firstBaton = 2_000_001
	stageSet   = 100 // every broker has registered by then
)

// start sets the stage: everything runs, some topics exist, none has a state yet.
func (s *sim) start() {
	for i := range s.p.brokers {
		b := &broker{s: s, id: int32(i + 1), port: int32(9001 + i), logs: map[partition.ID]*plog{}, version: int16(s.r.n(4))} //nolint:gosec // few
		if !s.p.settings.TopicIDs {
			b.version %= 2
		}
		b.old = s.r.chance(s.p.old)
		s.brokers = append(s.brokers, b)
		b.boot()
	}
	for i, name := range []string{"t0", "t1"} {
		t := &topicNode{}
		if s.p.settings.TopicIDs {
			t.id = s.freshID()
		}
		for range s.p.partitions {
			var list []int32
			for _, j := range s.r.shuffled(len(s.brokers))[:min(len(s.brokers), 2+i)] {
				list = append(list, s.brokers[j].id)
			}
			s.asked(partition.ID{Topic: name, Number: int32(len(t.parts))}, list) //nolint:gosec // few
			t.parts = append(t.parts, partition.Assignment{Replicas: list})
		}
		s.zk.topics[name] = t
		states := func() { // a broker's controller has run the cluster until now
			for n, l := range t.parts {
				st := partition.State{LeaderAndISR: isr.LeaderAndISR{Leader: l.Replicas[0], ISR: slices.Clone(l.Replicas)}}
				s.zk.put(partition.ID{Topic: name, Number: int32(n)}, st) //nolint:gosec // few
			}
		}
		if s.r.chance(20) {
			states() // all brokers restart just now
		} else {
			s.after(stageSet-1, states)
		}
		if s.r.chance(20) {
			s.zk.unclean[name] = s.r.chance(50)
		}
	}
	for i := range s.p.batons {
		b := &baton{s: s, id: firstBaton + int32(i), active: i == 0 || s.r.chance(40)} //nolint:gosec // few
		s.batons = append(s.batons, b)
		b.up, b.mach = false, planner.New()
		s.after(s.r.between(stageSet, 1500), b.boot)
	}
	s.after(stageSet, func() {
		s.produce()
		s.chaosLoop()
	})
}

func (s *sim) batonIDs() []int32 {
	var out []int32
	for i := range s.p.batons {
		out = append(out, firstBaton+int32(i)) //nolint:gosec // few
	}
	return out
}

// heal ends all faults; what follows is the liveness phase.
func (s *sim) heal() {
	s.healed = true
	s.trace("faults stop")
	s.zk.pausedTo = s.now
	s.releaseHeld()
	s.held = nil
	for _, id := range sortedIDs(s.zk.states) {
		s.mend(id)
	}
	for _, id := range sortedKeys(s.zk.brokers) {
		s.zk.brokers[id].bad = false
	}
	for _, b := range s.brokers {
		if b.proc == nil {
			s.after(s.r.between(1, 3000), b.boot)
			continue
		}
		for _, id := range sortedIDs(b.proc.parts) {
			if b.proc.parts[id].offline { // a new disk
				b.stop(true)
				s.after(500, b.boot)
				break
			}
		}
	}
	s.after(15_000, s.freeStuck)
	s.after(5000, func() { // an operator deletes what is left of removed topics
		for _, b := range s.brokers {
			for _, id := range sortedIDs(s.zk.graves) {
				if b.proc != nil && s.zk.topics[id.Topic] == nil {
					delete(b.proc.parts, id)
				}
			}
		}
	})
	s.watchBrokers()
}

func (s *sim) watchers(do func(*baton)) {
	for _, b := range s.batons {
		if b.up && s.zk.sessions[b.session] && (b.leading || b.loading) {
			do(b)
		}
	}
}

func (s *sim) watchBrokers() { s.watchers((*baton).kickBrokers) }
func (s *sim) watchTopics()  { s.watchers((*baton).kickTopics) }

func (s *sim) watchController() {
	s.watchers(func(b *baton) {
		b.later(func() {
			if h := s.zk.holder; s.zk.sessions[b.session] && (h == nil || h.owner != b.session) {
				b.lose("/controller is not ours any more")
			}
		})
	})
}

// watchWork reports the deletion markers to a Baton that has finished loading; one that
// has not reads them again when it has.
func (s *sim) watchWork() {
	s.watchers(func(b *baton) {
		var report func()
		report = func() {
			if b.loading {
				b.later(report)
				return
			}
			b.step(planner.WorkChanged{Deleting: sortedKeys(s.zk.deleting), Reassigning: s.zk.readLegacy()})
		}
		b.later(report)
	})
}

// notify creates a log directory notification.
func (z *zookeeper) notify(broker int32) {
	z.notified++
	z.dirs = append(z.dirs, notification{fmt.Sprintf("/log_dir_event_notification/%d", z.notified), broker})
	z.s.watchers(func(b *baton) {
		b.later(func() {
			var ev planner.LogDirFailed
			for _, n := range z.dirs {
				ev.Brokers, ev.Paths = append(ev.Brokers, n.broker), append(ev.Paths, n.path)
			}
			if len(ev.Paths) > 0 {
				b.step(ev)
			}
		})
	})
}

func forgetSeen(p *cluster.Partition) { p.Seen, p.Decided, p.Lapsed = 0, 1<<62, nil }
