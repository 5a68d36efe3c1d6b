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
	mutations
	body   DeleteTopics
	reply  DeleteTopicsReply
	marked map[int]bool // whose markers are written
	gone   map[int]Millis
}

// deleteTopics marks topics for deletion, with Kafka's checks in their order (05.7).
// Several requests may wait for the same topic.
func (m *Machine) deleteTopics(token uint64, c DeleteTopics) {
	call := &deleteCall{itemsCall: m.itemsCall(token, c.Timeout), mutations: mutations{caller: c.Caller}, body: c, marked: map[int]bool{}, gone: map[int]Millis{}}
	charged := map[string]*refusal{} // a topic that is named twice is paid for once
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
		if _, ok := charged[t.Name]; !ok {
			charged[t.Name] = m.charge(&call.mutations, len(t.Partitions))
		}
		if err := charged[t.Name]; err != nil {
			r.Err = err.code
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
		for i := range c.marked {
			if d := m.deletions[c.reply.Topics[i].Name]; d != nil {
				d.until = m.now + afterAnswer
			}
		}
		c.reply.Throttle = c.throttle(m.now)
		m.reply(c.token, c.reply)
		return true
	})
}

// topicVanished: the deletion has begun and the brokers that listen have forgotten the topic,
// which is Kafka's moment (05.7); sick ones are waited for only so long. Logs and znodes go
// after it.
func (m *Machine) topicVanished(c *deleteCall, i int) bool {
	name := c.reply.Topics[i].Name
	if t := m.im.Topic(name); m.deletions[name] != nil && (t == nil || !t.Deleting) {
		return false
	}
	if _, seen := c.gone[i]; !seen {
		c.gone[i] = m.now
	}
	return m.toldGone(name) || m.now-c.gone[i] >= m.set.ToldWait
}

// goesSoon reports whether a topic is being deleted and nothing is known that this waits for.
func (m *Machine) goesSoon(name string) bool {
	d := m.deletions[name]
	return d != nil && d.waits == ""
}
