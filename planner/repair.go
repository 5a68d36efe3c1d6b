package planner

import (
	"fmt"
	"hash/fnv"
	"slices"

	"baton/cluster"
	"baton/partition"
)

func (m *Machine) namesBaton(replicas []int32) bool {
	return slices.ContainsFunc(replicas, m.im.IsBaton)
}

// repairTopic replaces Batons in an assignment by real brokers. Brokers that create a
// topic by themselves choose from the live brokers they were told, Baton among them
// (10.8 H1); no replica may ever stay there. Partitions are initialised only after the
// repaired assignment is acknowledged; those that a broker's controller had initialised
// already keep leader and ISR and get a new leader epoch.
func (m *Machine) repairTopic(t *cluster.Topic) {
	if t.Held != "" || m.topicWrites[t.Name] != 0 {
		return
	}
	id, missing := t.ID, t.ID.IsZero() && !m.fresh[t.Name].IsZero()
	if missing {
		id = m.fresh[t.Name] // one write for a missing id and a repair
	}
	fixed := assignments(t)
	if slices.ContainsFunc(t.Partitions, func(p cluster.Partition) bool { return m.namesBaton(p.Assignment.Replicas) }) {
		parts, ok := m.assignAnew(t)
		if !ok {
			parts, ok = repair(fixed, m.im)
		}
		if ok {
			fixed = parts
			m.note(Note{Kind: NoteTopic, Broker: -1, Partition: partition.ID{Topic: t.Name, Number: -1},
				Text: fmt.Sprintf("topic %s was assigned to a Baton, repairing", t.Name)})
		} else if !missing {
			return // nobody to repair with; the next registration tries again
		}
	} else if !missing {
		return
	}
	m.rewriteTopic(t, id, fixed, func(Result) {})
}

// repairAll repairs every topic that names a Baton or lacks its id; called whenever that
// may have become possible.
func (m *Machine) repairAll() {
	for _, name := range sortedNames(m.fresh) {
		m.repairTopic(m.im.Topic(name))
	}
	for _, b := range m.im.Batons() {
		last := ""
		for _, id := range m.im.PartitionsOn(b) {
			if id.Topic != last {
				last = id.Topic
				m.repairTopic(m.im.Topic(last))
			}
		}
	}
}

// sortedNames returns the keys of a map by name, so that no map order leaks into a plan.
func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// rewriteTopic writes a topic znode on condition of the version in the image; then is
// called with the outcome.
func (m *Machine) rewriteTopic(t *cluster.Topic, id cluster.TopicID, parts []PartitionRead, then func(Result)) {
	name, version := t.Name, t.Version
	var seq uint64
	seq = m.write(SetTopic{Name: name, Version: version, ID: id, Partitions: parts}, func(r Result) {
		if m.topicWrites[name] != seq {
			then(Result{Outcome: Failed, Reason: "the topic has gone"}) // and perhaps come back, meanwhile
			return
		}
		delete(m.topicWrites, name)
		if t := m.im.Topic(name); t != nil && t.Version <= version {
			m.topicRewritten(t, id, parts, r)
		}
		then(r)
		m.topicSettled(name)
	})
	m.topicWrites[name] = seq
}

// topicSettled goes on with what waited for a write of a topic znode.
func (m *Machine) topicSettled(name string) {
	m.touchTopic(name)
	m.look(name)
	if t := m.im.Topic(name); t != nil {
		for i := range t.Partitions {
			m.wakeWaiting(partition.ID{Topic: name, Number: t.Partitions[i].Number})
		}
	}
}

func (m *Machine) topicRewritten(t *cluster.Topic, id cluster.TopicID, parts []PartitionRead, r Result) {
	if r.Outcome != Applied {
		// The topic's own watch brings what is there now; a broker's registration tries again too.
		m.note(Note{Kind: NoteWriteFailed, Broker: -1, Partition: partition.ID{Topic: t.Name, Number: -1},
			Text: fmt.Sprintf("topic %s was not rewritten: %s", t.Name, r.Reason)})
		return
	}
	if t.Deleting {
		t.Version = r.Version
		return
	}
	next := *t
	next.ID, next.Version = id, r.Version
	next.Partitions = slices.Clone(t.Partitions)
	for _, pr := range parts {
		p := next.Partition(pr.Number)
		if p != nil && !p.Assignment.Equal(pr.Assignment) {
			before := *p
			p.Assignment = pr.Assignment
			m.assignmentChanged(partition.ID{Topic: t.Name, Number: pr.Number}, &before, p)
		}
	}
	delete(m.fresh, t.Name)
	named := t.ID != next.ID
	m.im.PutTopic(next)
	m.rehold(m.im.Topic(t.Name))
	for i := range next.Partitions {
		p := &next.Partitions[i]
		pid := partition.ID{Topic: t.Name, Number: p.Number}
		if named && p.Known {
			m.announceLeadership(pid, p) // a log without an id takes it from the same epoch
		}
	}
}

func (m *Machine) touchTopic(name string) {
	if t := m.im.Topic(name); t != nil {
		for i := range t.Partitions {
			m.touch(partition.ID{Topic: name, Number: t.Partitions[i].Number})
		}
	}
}

// assignAnew assigns a topic that is all new as it would have been without Batons: who made it
// counted them among the brokers and their racks, so without them alone it would be uneven. ok is
// false where there is something to keep, or too few brokers.
func (m *Machine) assignAnew(t *cluster.Topic) (parts []PartitionRead, ok bool) {
	factor := len(t.Partitions[0].Assignment.Replicas)
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if p.Known || p.Broken != "" || p.Number != int32(i) || p.Assignment.Reassigning() || len(p.Assignment.Replicas) != factor { //nolint:gosec // few
			return nil, false
		}
	}
	places := slices.DeleteFunc(m.places(), func(b partition.Place) bool { return m.im.Leaving(b.ID) })
	start := fnv.New64a()
	_, _ = start.Write([]byte(t.Name))                                                             // never fails
	lists, err := partition.Assign(places, int32(len(t.Partitions)), int16(factor), start.Sum64()) //nolint:gosec // few
	if err != nil {
		return nil, false
	}
	return numbered(lists), true
}

// repair returns the assignment with every Baton replaced by a real broker: alive ones
// first, then brokers that are known only by the replicas they host; racks the
// partition does not use yet before others; then the least loaded by this topic. With
// nobody left the replica is dropped. ok is false if a partition would end up empty.
func repair(parts []PartitionRead, im *cluster.Image) (out []PartitionRead, ok bool) {
	load := map[int32]int{}
	for _, p := range parts {
		for i, b := range p.Assignment.Replicas {
			load[b] += weight(i)
		}
	}
	pool := im.Candidates()
	for _, p := range parts {
		var fixed []int32
		for i, b := range p.Assignment.Replicas {
			if !im.IsBaton(b) {
				fixed = append(fixed, b)
				continue
			}
			taken := append(slices.Clone(fixed), p.Assignment.Replicas[i:]...)
			if c, found := pick(pool, taken, load, im); found {
				load[c] += weight(i)
				fixed = append(fixed, c)
			}
		}
		if len(fixed) == 0 {
			return nil, false
		}
		a := p.Assignment
		a.Adding = replaced(a.Adding, a.Replicas, fixed, im)
		a.Removing = slices.DeleteFunc(slices.Clone(a.Removing), im.IsBaton)
		a.Replicas = fixed
		out = append(out, PartitionRead{Number: p.Number, Assignment: a})
	}
	return out, true
}

// replaced keeps of the adding replicas the brokers, and adds those that came into the
// assignment for a Baton among them.
func replaced(adding, before, after []int32, im *cluster.Image) []int32 {
	out := slices.DeleteFunc(slices.Clone(adding), im.IsBaton)
	if len(out) == len(adding) {
		return adding
	}
	for _, b := range after {
		if !slices.Contains(before, b) {
			out = append(out, b)
		}
	}
	return out
}

// weight makes a preferred leader count more than a follower, so that leaders spread.
func weight(position int) int {
	if position == 0 {
		return 1000
	}
	return 1
}

func pick(pool, taken []int32, load map[int32]int, im *cluster.Image) (int32, bool) {
	best, found := int32(0), false
	var bestKey [3]int
	for _, c := range pool {
		if slices.Contains(taken, c) {
			continue
		}
		key := [3]int{}
		b := im.Broker(c)
		if b == nil || im.Leaving(c) {
			key[0] = 1
		}
		if b != nil && b.HasRack && slices.ContainsFunc(taken, func(t int32) bool {
			o := im.Broker(t)
			return o != nil && o.HasRack && o.Rack == b.Rack
		}) {
			key[1] = 1
		}
		key[2] = load[c]
		if !found || slices.Compare(key[:], bestKey[:]) < 0 {
			best, bestKey, found = c, key, true
		}
	}
	return best, found
}
