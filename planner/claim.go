package planner

import (
	"cmp"
	"fmt"
	"slices"

	"baton/cluster"
	"baton/partition"
)

// claim starts the role from what was read under it. Brokers hear the live list
// first, then their partitions, then everybody's state (02.4).
func (m *Machine) claim(c Claimed) {
	if m.active {
		m.failCalls() // claimed again without having lost the role in between
	}
	m.reset()
	m.active, m.id, m.fence, m.set, m.self = true, c.ID, c.Fence, c.Settings, c.Self
	m.im = cluster.NewImage(append([]int32{c.ID}, c.Batons...))
	m.reread, m.claimedAt = m.now+30_000, m.now
	m.balance.next = m.now + firstRebalance
	m.defaultsChanged(c.Defaults)
	m.enableFeatures()
	m.setMarkers(c.Deleting) // before the topics: those to be deleted are not led
	for _, b := range c.Brokers {
		if !m.im.IsBaton(b.ID) {
			m.im.PutBroker(b) // repairs choose among them
		}
	}
	m.im.SetUnread(c.BadIDs)
	states := indexStates(c.States)
	m.leaderlessAtClaim(c.States)
	eldest := slices.Clone(c.Topics)
	slices.SortStableFunc(eldest, func(a, b TopicRead) int { return cmp.Compare(a.Created, b.Created) }) // who keeps an id that two have
	for _, t := range eldest {
		m.intakeTopic(t, states)
	}
	m.im.Renumber()
	m.setUnreadable(scopeBrokers, c.BadBrokers)
	m.liveGen++
	for _, b := range c.Brokers {
		m.brokerUp(b)
	}
	clear(m.registered) // when these did nobody has seen
	m.repairAll()
	m.legacyRead(c.Reassigning)
	m.dirty, m.dirtyFirst = cluster.Slots{}, cluster.Slots{}
	m.im.Each(func(_ *cluster.Topic, p *cluster.Partition) { m.dirty.Add(p.Slot()) })
	m.note(Note{Kind: NoteBroker, Broker: -1, Text: fmt.Sprintf("claimed at %v: %d brokers, %d topics, %d partitions",
		c.Fence, len(c.Brokers), m.im.TopicCount(), m.im.PartitionCount())})
}

func indexStates(states []StateRead) map[partition.ID]StateRead {
	out := make(map[partition.ID]StateRead, len(states))
	for _, s := range states {
		out[s.ID] = s
	}
	return out
}
