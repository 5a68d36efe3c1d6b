package planner

import (
	"fmt"
	"slices"

	"baton/cluster"
	"baton/epoch"
	"baton/partition"
)

func statePath(id partition.ID) string {
	return fmt.Sprintf("/brokers/topics/%s/partitions/%d/state", id.Topic, id.Number)
}

func partitionEpoch(version int32) epoch.Partition { return epoch.Partition(version) }

// topicsChanged takes in new topics, added partitions and rewritten assignments, and
// forgets topics that are gone.
func (m *Machine) topicsChanged(e TopicsChanged) {
	for _, name := range e.Gone {
		m.forgetTopic(name)
	}
	states := indexStates(e.States)
	for _, t := range e.Topics {
		m.intakeTopic(t, states)
		if topic := m.im.Topic(t.Name); topic != nil {
			m.repairTopic(topic)
		}
	}
}

// forgetTopic drops a topic and all that was still to be told of it: a topic of the
// same name that comes later is another one.
func (m *Machine) forgetTopic(name string) {
	t := m.im.Topic(name)
	delete(m.badTopics, name)
	delete(m.sameID, name)
	delete(m.unreadable, scopeConfig+name)
	delete(m.fresh, name)
	delete(m.topicWrites, name)
	delete(m.creating, name)
	delete(m.asked, name)
	delete(m.topicRetry, name)
	delete(m.stale, name)
	m.deletionForgotten(name)
	if t == nil {
		return
	}
	for i := range t.Partitions {
		id := partition.ID{Topic: name, Number: t.Partitions[i].Number}
		p := &t.Partitions[i]
		for _, l := range m.ledgers {
			l.forget(id, p.Slot())
		}
		delete(m.retry, id)
		delete(m.bump, id)
		delete(m.conflicts, id)
		delete(m.dismissals, id)
		m.dirtyGone[id] = struct{}{} // what was asked of its assignment is answered
		c := m.inflight.of(p)
		m.refuseWaiting(id, c)
		if c != nil {
			m.inflight.remove(c)
		}
		delete(m.reads, id)
		delete(m.refenced, id)
		delete(m.lost, id)
		delete(m.leaderless, id)
		m.forgetRescue(id)
		m.forgetOverruled(id)
	}
	for i := range t.Partitions {
		m.dirty.Remove(t.Partitions[i].Slot())
		m.dirtyFirst.Remove(t.Partitions[i].Slot())
	}
	m.im.RemoveTopic(name)
	for i := range t.Partitions {
		m.refuseElections(partition.ID{Topic: name, Number: t.Partitions[i].Number})
	}
	m.note(Note{Kind: NoteTopic, Broker: -1, Text: fmt.Sprintf("topic %s is gone", name), Partition: partition.ID{Topic: name, Number: -1}})
	m.idFree(t.ID)
}

// idTaken: a topic has the id of another one, as when a znode was copied. Leaders name
// partitions by the id, so that they would change the other topic's ISRs: until either is
// mended or gone, it is treated like one that cannot be understood.
func (m *Machine) idTaken(t TopicRead, other *cluster.Topic) {
	m.sameID[t.Name] = t
	why := "its topic id is that of topic " + other.Name
	if m.badTopics[t.Name] != why {
		m.badTopics[t.Name] = why
		m.bad("/brokers/topics/"+t.Name, why)
	}
}

// idFree takes in a topic that waited for the id of one that is gone. Which states it has
// shows when they are made.
func (m *Machine) idFree(id cluster.TopicID) {
	for _, name := range sortedNames(m.sameID) {
		if t := m.sameID[name]; t.ID == id {
			m.intakeTopic(t, nil)
			return // a second one waits for this one
		}
	}
}

// intakeTopic merges one topic znode into the image. A znode that cannot be
// understood leaves the last good image as it is.
func (m *Machine) intakeTopic(t TopicRead, states map[partition.ID]StateRead) {
	path := "/brokers/topics/" + t.Name
	delete(m.sameID, t.Name)
	if t.Bad != "" {
		if m.badTopics[t.Name] != t.Bad {
			m.badTopics[t.Name] = t.Bad
			m.bad(path, t.Bad)
		}
		return
	}
	if other := m.im.TopicByID(t.ID); other != nil && other.Name != t.Name {
		m.idTaken(t, other)
		return
	}
	delete(m.badTopics, t.Name)
	old := m.im.Topic(t.Name)
	if old != nil && !old.ID.IsZero() && !t.ID.IsZero() && old.ID != t.ID {
		m.forgetTopic(t.Name) // deleted and created again between two looks
		old = nil
	}
	if old == nil && m.isGrave(t) {
		return // read before it was deleted
	}
	if old != nil && old.Created == 0 {
		old.Created = t.Created
	}
	if old != nil && old.Deleting {
		m.intakeDeleting(old, t)
		return
	}
	if old != nil && old.Version >= t.Version {
		return
	}
	topic := cluster.Topic{Name: t.Name, ID: t.ID, Version: t.Version, Created: t.Created, Zxid: t.Zxid}
	if old != nil && t.Created == 0 {
		topic.Created = old.Created
	}
	if old != nil && topic.ID.IsZero() {
		topic.ID = old.ID
	}
	topic.Partitions = make([]cluster.Partition, 0, len(t.Partitions))
	for _, pr := range t.Partitions {
		topic.Partitions = append(topic.Partitions, m.intakePartition(t.Name, pr, old, states))
	}
	keepMissing(&topic, old)
	topic.Held = m.heldReason(&topic)
	m.im.PutTopic(topic)
	if old == nil || len(old.Partitions) != len(topic.Partitions) {
		m.note(Note{Kind: NoteTopic, Broker: -1, Partition: partition.ID{Topic: t.Name, Number: -1},
			Text: fmt.Sprintf("topic %s has %d partitions", t.Name, len(topic.Partitions))})
	}
	m.afterIntake(m.im.Topic(t.Name), old, t.FreshID)
}

// intakePartition builds one partition from its new assignment and what was known or
// read of its state.
func (m *Machine) intakePartition(topic string, pr PartitionRead, old *cluster.Topic, states map[partition.ID]StateRead) cluster.Partition {
	id := partition.ID{Topic: topic, Number: pr.Number}
	p := cluster.Partition{Number: pr.Number}
	if old != nil {
		if q := old.Partition(pr.Number); q != nil {
			p = *q
		}
	}
	p.Assignment = pr.Assignment
	if s, ok := states[id]; ok && !p.Known {
		switch {
		case s.Bad != "":
			p.Broken = s.Bad
			m.bad(statePath(id), s.Bad)
		case s.Exists:
			m.im.Adopt(&p, s.State, s.Zxid)
			p.Broken = ""
			if s.State.ControllerEpoch > m.fence.Epoch {
				m.plan.Resign = fmt.Sprintf("%s was written by controller epoch %d, ours is %d", statePath(id), s.State.ControllerEpoch, m.fence.Epoch)
			}
		}
	}
	return p
}

// keepMissing keeps partitions that a rewritten znode no longer names: Kafka has no
// way to remove one, so that is an accident, and their leaders go on leading.
func keepMissing(topic *cluster.Topic, old *cluster.Topic) {
	if old == nil {
		return
	}
	for _, p := range old.Partitions {
		if topic.Partition(p.Number) == nil {
			topic.Partitions = append(topic.Partitions, p)
			slices.SortFunc(topic.Partitions, func(a, b cluster.Partition) int { return int(a.Number - b.Number) })
		}
	}
}

// afterIntake has every partition looked at and tells brokers of those that already
// had a state, and of replicas that are new in an assignment.
func (m *Machine) afterIntake(t, old *cluster.Topic, fresh cluster.TopicID) {
	delete(m.fresh, t.Name)
	if t.ID.IsZero() && m.set.TopicIDs {
		m.fresh[t.Name] = fresh
		m.repairTopic(t)
	}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		id := partition.ID{Topic: t.Name, Number: p.Number}
		m.touch(id)
		if !p.Known {
			continue
		}
		var before *cluster.Partition
		if old != nil {
			before = old.Partition(p.Number)
		}
		switch {
		case before == nil || !before.Known:
			m.unsure(id, p)
			m.announceLeadership(id, p)
		case !before.Assignment.Equal(p.Assignment):
			m.assignmentChanged(id, before, p)
		}
	}
}

// workChanged queues the topics that somebody wants deleted, and starts what
// /admin/reassign_partitions asks for.
func (m *Machine) workChanged(e WorkChanged) {
	m.setUnreadable(scopeWork, e.Bad)
	m.setMarkers(e.Deleting)
	m.legacyRead(e.Reassigning)
	for _, t := range m.im.Topics() {
		m.rehold(t)
	}
	m.lookAtDeletions()
}

// rehold holds a topic, or leads it again, after something that decides about it changed.
func (m *Machine) rehold(t *cluster.Topic) {
	if t == nil || m.heldReason(t) == t.Held {
		return
	}
	t.Held = m.heldReason(t)
	if t.Held == "" {
		m.note(topicNote(t.Name, "topic %s is led again", t.Name))
	}
	for i := range t.Partitions {
		id := partition.ID{Topic: t.Name, Number: t.Partitions[i].Number}
		m.touch(id)
		if t.Held == "" && t.Partitions[i].Known {
			m.announceLeadership(id, &t.Partitions[i])
		}
	}
}

// heldReason says why a topic is not led any more: a deletion that may begin.
func (m *Machine) heldReason(t *cluster.Topic) string {
	switch {
	case t.Deleting:
		return "it is being deleted"
	case m.queued(t):
		return "its deletion was asked for"
	}
	return ""
}

func assignments(t *cluster.Topic) []PartitionRead {
	out := make([]PartitionRead, len(t.Partitions))
	for i, p := range t.Partitions {
		out[i] = PartitionRead{Number: p.Number, Assignment: p.Assignment}
	}
	return out
}
