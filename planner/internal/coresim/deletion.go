package coresim

import (
	"slices"
	"strings"

	"baton/partition"
	"baton/planner"
)

// comesBack: topics of these names are created again and again, and go only by deletion.
func comesBack(name string) bool { return strings.HasPrefix(name, "del-") }

// commitDeletion applies a write of a deletion under the fence.
func (z *zookeeper) commitDeletion(r planner.Result, w planner.WriteBody) planner.Result {
	conflict := func(why string) planner.Result {
		r.Outcome, r.Reason = planner.Conflict, why
		return r
	}
	switch b := w.(type) {
	case planner.ConfirmMarker:
		if z.topics[b.Topic] == nil || !z.deleting[b.Topic] {
			z.s.mark("marker-refuted")
			return conflict("no marker")
		}
		z.doomed[b.Topic] = true
		for i := range z.topics[b.Topic].parts {
			z.s.damaged[partition.ID{Topic: b.Topic, Number: int32(i)}] = true //nolint:gosec // few
		}
	case planner.MarkTopic:
		if z.topics[b.Topic] == nil {
			return conflict("no topic")
		}
		z.tick()
		z.deleting[b.Topic] = true
		z.s.watchWork()
	case planner.DropMarker:
		if z.topics[b.Topic] != nil && !b.Known {
			return conflict("the topic exists")
		}
		z.tick()
		delete(z.deleting, b.Topic)
		z.s.watchWork()
	case planner.DeleteTopic:
		return z.deleteSlice(r, b)
	}
	return r
}

// deleteSlice removes one state at a time, so that roles change in the middle; the rest in
// the end.
func (z *zookeeper) deleteSlice(r planner.Result, b planner.DeleteTopic) planner.Result {
	t := z.topics[b.Name]
	switch {
	case t == nil:
		delete(z.deleting, b.Name)
		return r
	case t.version != b.Version:
		r.Outcome, r.Reason = planner.Conflict, "version"
		return r
	}
	z.tick()
	z.s.checkRemoved(b.Name, t)
	for i := range t.parts {
		if id := (partition.ID{Topic: b.Name, Number: int32(i)}); z.states[id] != nil { //nolint:gosec // few
			z.bury(id)
			r.More = true
			return r
		}
	}
	for i := range t.parts {
		id := partition.ID{Topic: b.Name, Number: int32(i)} //nolint:gosec // few
		delete(z.s.acked, id)
		delete(z.s.damaged, id)
		delete(z.s.ends, id)
		for _, baton := range z.s.batons {
			for _, r := range t.parts[i].Replicas {
				delete(baton.bounced, bounce{id, r})
			}
		}
	}
	delete(z.topics, b.Name)
	delete(z.deleting, b.Name)
	delete(z.doomed, b.Name)
	z.s.mark("deleted")
	z.s.trace("zk: topic %s is deleted", b.Name)
	z.s.watchTopics()
	z.s.watchWork()
	return r
}

// marker asks for a topic's deletion, by the znode or by the API, or takes that back
// before anybody has seen to it.
func (s *sim) marker() {
	names := slices.DeleteFunc(sortedKeys(s.zk.topics), func(n string) bool { return n == "t0" })
	if len(names) == 0 {
		return
	}
	name := pick(&s.r, names)
	b := pick(&s.r, s.batons)
	switch {
	case s.zk.deleting[name] && !s.zk.doomed[name] && s.r.chance(50):
		delete(s.zk.deleting, name)
	case b.up && s.r.chance(50):
		body := planner.DeleteTopics{Topics: []planner.DoomedTopic{{Name: name}}, Timeout: s.r.between(0, 5000)}
		s.callBaton(b, body, func(r planner.ReplyBody) {
			if a, ok := r.(planner.DeleteTopicsReply); ok && a.Topics[0].Err == nil {
				s.mark("deletion-answered")
			}
		})
		return
	case s.r.chance(10):
		s.zk.deleting["no-such-topic"] = true
	default:
		s.zk.deleting[name] = true
	}
	s.watchWork()
}

// checkRemoved: when the znodes of a topic begin to go, no broker has a log of it left, be
// it alive or not.
func (s *sim) checkRemoved(name string, t *topicNode) {
	for i, l := range t.parts {
		id := partition.ID{Topic: name, Number: int32(i)} //nolint:gosec // few
		for _, r := range l.Replicas {
			if r < firstBaton && s.broker(r).logs[id] != nil {
				s.failf("the znodes of %v go and broker %d still has its log", id, r)
			}
		}
	}
}

// checkGone: nobody is told that a topic is gone that is there and was not to be deleted.
func (s *sim) checkGone(b *baton, id partition.ID) {
	if int32(b.fence.Epoch) == s.zk.epoch && s.zk.replicas(id) != nil && !s.zk.doomed[id.Topic] {
		s.mark("gone-told-late") // of the topic before this one; what is there now is told after it
	}
}

// grow asks for more partitions of a topic.
func (s *sim) grow() {
	b := pick(&s.r, s.batons)
	names := sortedKeys(s.zk.topics)
	name := pick(&s.r, names)
	n := len(s.zk.topics[name].parts)
	if !b.up || n > 4 {
		return
	}
	body := planner.CreatePartitions{Topics: []planner.MorePartitions{{Name: name, Count: int32(n + 1)}}, Timeout: s.r.between(0, 3000)} //nolint:gosec // few
	s.callBaton(b, body, func(r planner.ReplyBody) {
		if a, ok := r.(planner.CreatePartitionsReply); ok && a.Topics[0].Err == nil {
			s.mark("grown")
		}
	})
}

// addPartition adds one as kafka-topics --zookeeper of old did, without asking.
func (s *sim) addPartition() {
	name := pick(&s.r, sortedKeys(s.zk.topics))
	t := s.zk.topics[name]
	if len(t.parts) > 4 {
		return
	}
	s.asked(partition.ID{Topic: name, Number: int32(len(t.parts))}, t.parts[0].Target()) //nolint:gosec // few
	t.parts = append(t.parts, partition.Assignment{Replicas: slices.Clone(t.parts[0].Target())})
	t.version++
	t.mzxid = s.zk.tick()
	if s.zk.doomed[name] {
		s.mark("added-while-deleted")
	}
	s.watchTopics()
}
