package planner

import (
	"maps"
	"math"
	"slices"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/recovery"
)

// Memory is what a machine knows, as far as decisions depend on it: another one that resumes from it decides the same.
// What is under way (writes, calls, elections asked for, what brokers were told) is not in it.
type Memory struct {
	ID       int32
	Fence    epoch.Fence
	Settings Settings
	// Image has no topics; they are in Topics.
	Image          *cluster.Image
	Topics         []TopicMemory // sorted by name
	UncleanDynamic *bool         // the cluster's dynamic default, nil if not set
	DefaultsBad    string        // why that cannot be understood, empty if it can
	Now            Millis        // when the brokers were copied
	// Registered is when brokers registered that did so under this claim, Away those that have gone under it.
	Registered map[int32]Millis
	Away       []Away
	Live       LiveMark
}

// LiveMark differs before and after a change of the list of live brokers, or of which of them are leaving.
type LiveMark struct {
	gen     uint64
	leaving int
}

// Away is a broker that went while this process led, and has not come back.
type Away struct {
	Broker  int32
	Epoch   epoch.Broker // of the registration that went
	At      Millis
	Leaving bool // it had asked to shut down
}

// TopicMemory is a topic with what is known of it besides.
type TopicMemory struct {
	cluster.Topic
	Marked bool         // its deletion was asked for
	Lost   []LostLeader // sorted by Number
	Bad    string       // why its znode cannot be understood: it is as it was before
	// Rescues are the partitions that unclean.recovery.strategy is at, sorted by Number.
	Rescues []RescueMemory
}

// RescueMemory is why a partition has no leader yet although its topic has a strategy for that.
type RescueMemory struct {
	Number int32
	// Until is when members of the ISR have had their time, 0 if they get none.
	Until Millis
	// Live are the replicas as they were measured last, and At is when; none if they were not yet.
	Live []recovery.Candidate
	At   Millis
	Why  string // empty: it is being measured, or about to get its leader
}

// LostLeader is a partition that lost its leader while this process led.
type LostLeader struct {
	Number int32
	Leader int32 // the one it had
	At     Millis
}

// lost is LostLeader as the machine keeps it.
type lost struct {
	leader int32
	at     Millis
}

// Remember copies what is not a topic's; its cost does not depend on the number of partitions.
func (m *Machine) Remember() Memory {
	out := Memory{
		ID: m.id, Fence: m.fence, Settings: m.set, Image: m.im.WithoutTopics(), UncleanDynamic: m.uncleanDynamic, Now: m.now,
		Registered: maps.Clone(m.registered), Live: m.Live(),
	}
	if bad := m.unreadable[scopeDefaults]; len(bad) > 0 {
		out.DefaultsBad = bad[0].Reason
	}
	for _, id := range slices.Sorted(maps.Keys(m.away)) {
		out.Away = append(out.Away, m.away[id])
	}
	return out
}

// Live returns the mark of the brokers as they are now.
func (m *Machine) Live() LiveMark {
	mark := LiveMark{gen: m.liveGen}
	for _, b := range m.im.Brokers() {
		if m.im.Leaving(b.ID) {
			mark.leaving++
		}
	}
	return mark
}

// TopicNames returns the names of all topics, in no order.
func (m *Machine) TopicNames() []string { return m.im.TopicNames() }

// RememberTopics copies topics, until they have limit partitions or more, and returns the names that are left. Names of
// topics that are gone are passed over.
func (m *Machine) RememberTopics(names []string, limit int) (topics []TopicMemory, left []string) {
	for n := 0; len(names) > 0 && n < limit; names = names[1:] {
		t, ok := m.im.CopyTopic(names[0])
		if !ok {
			continue
		}
		n += len(t.Partitions)
		topic := TopicMemory{Topic: t, Marked: m.queued(&t), Bad: m.badTopics[t.Name]}
		for i := range t.Partitions {
			if p := &t.Partitions[i]; p.Known && p.State.Leader == isr.NoLeader {
				if l, ok := m.lost[partition.ID{Topic: t.Name, Number: p.Number}]; ok {
					topic.Lost = append(topic.Lost, LostLeader{Number: p.Number, Leader: l.leader, At: l.at})
				}
				if r := m.rescues[partition.ID{Topic: t.Name, Number: p.Number}]; r != nil {
					topic.Rescues = append(topic.Rescues, RescueMemory{Number: p.Number, Until: r.until, Live: slices.Clone(r.live), At: r.at, Why: r.why})
				}
			}
		}
		topics = append(topics, topic)
	}
	return topics, names
}

// noteLeader remembers who led a partition that nobody leads any more.
func (m *Machine) noteLeader(id partition.ID, was, is int32) {
	switch {
	case is != isr.NoLeader:
		delete(m.lost, id)
		delete(m.leaderless, id)
	case was != isr.NoLeader:
		m.lost[id] = lost{leader: was, at: m.now}
	}
}

// Resume returns a machine that knows what mem says, holds the role, and has looked at every partition, with the plan of
// what it wants done. It talks to no broker: it has no ledgers. The image in mem becomes the machine's.
func Resume(mem Memory) (*Machine, Plan) {
	m := New()
	m.active, m.id, m.fence, m.set, m.im, m.uncleanDynamic = true, mem.ID, mem.Fence, mem.Settings, mem.Image, mem.UncleanDynamic
	m.reread, m.balance.next = math.MaxInt64, math.MaxInt64
	if mem.DefaultsBad != "" {
		m.unreadable[scopeDefaults] = []Bad{{scopeDefaults, mem.DefaultsBad}}
	}
	for _, t := range mem.Topics {
		if t.Marked {
			m.deleting[t.Name] = true
			m.deletions[t.Name] = &deletion{name: t.Name}
		}
		if t.Bad != "" {
			m.badTopics[t.Name] = t.Bad
		}
		m.im.PutTopic(t.Topic)
	}
	m.im.Each(func(_ *cluster.Topic, p *cluster.Partition) { m.dirty.Add(p.Slot()) })
	m.settle()
	return m, m.plan
}
