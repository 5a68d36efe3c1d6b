package planner

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// deleteCall is a DeleteTopics request under way. It is answered when every topic of it
// has failed or is gone for the brokers; at the deadline, with REQUEST_TIMED_OUT for those
// that are not.
type deleteCall struct {
	itemsCall
	body   DeleteTopics
	reply  DeleteTopicsReply
	marked map[int]bool // whose markers are written
	gone   map[int]Millis
}

// deleteTopics marks topics for deletion, with Kafka's checks in their order (05.7).
// Several requests may wait for the same topic.
func (m *Machine) deleteTopics(token uint64, c DeleteTopics) {
	call := &deleteCall{itemsCall: m.itemsCall(token, c.Timeout), body: c, marked: map[int]bool{}, gone: map[int]Millis{}}
	call.reply.Topics = make([]DeletedTopic, len(c.Topics))
	for i, want := range c.Topics {
		r := &call.reply.Topics[i]
		r.Name, r.ID = want.Name, want.ID
		if !m.set.DeleteTopics {
			r.Err = kerr.TopicDeletionDisabled
			continue
		}
		t := m.im.Topic(want.Name)
		if !want.ID.IsZero() {
			if t = m.im.TopicByID(want.ID); t == nil {
				r.Err = kerr.UnknownTopicID
				continue
			}
			r.Name = t.Name
		}
		if t == nil || t.Deleting {
			r.Err = kerr.UnknownTopicOrPartition // brokers do not know it any more, either
			continue
		}
		call.pending[i] = true
		m.write(MarkTopic{Topic: t.Name}, func(w Result) { m.topicMarked(call, i, w) })
	}
	m.deletes = append(m.deletes, call)
}

func (m *Machine) topicMarked(call *deleteCall, i int, w Result) {
	r := &call.reply.Topics[i]
	switch w.Outcome {
	case Applied:
		call.marked[i] = true
		m.queueDeletion(r.Name)
		m.rehold(m.im.Topic(r.Name))
		return
	case Conflict:
		r.Err = kerr.UnknownTopicOrPartition
	case Failed:
		r.Err = kerr.UnknownServerError
		m.note(Note{Kind: NoteWriteFailed, Broker: -1, Partition: topicNote(r.Name, "").Partition, Text: "marking topic " + r.Name + " for deletion: " + w.Reason})
	}
	delete(call.pending, i)
}

func (m *Machine) settleDeletes() {
	m.deletes = slices.DeleteFunc(m.deletes, func(c *deleteCall) bool {
		if !c.over(m.now, func(i int) bool { return c.marked[i] && m.topicVanished(c, i) }) {
			return false
		}
		for i := range c.pending {
			c.reply.Topics[i].Err = kerr.RequestTimedOut
		}
		m.reply(c.token, c.reply)
		return true
	})
}

// topicVanished: the topic's znodes are gone, or its deletion only waits for what may take
// for ever (Kafka's does not wait for that either), and the brokers that listen have
// forgotten the topic; sick ones are waited for only so long.
func (m *Machine) topicVanished(c *deleteCall, i int) bool {
	name := c.reply.Topics[i].Name
	t := m.im.Topic(name)
	if d := m.deletions[name]; d != nil && (t == nil || !t.Deleting || d.waits == "" || m.removing(d)) {
		return false
	}
	if _, seen := c.gone[i]; !seen {
		c.gone[i] = m.now
	}
	return m.toldGone(name) || m.now-c.gone[i] >= m.set.ToldWait
}

// removing reports whether a broker is about to answer for a replica of the topic.
func (m *Machine) removing(d *deletion) bool {
	for r, asked := range d.open {
		if l := m.ledgers[r.broker]; l != nil && l.up && asked.code == 0 {
			return true
		}
	}
	return false
}
