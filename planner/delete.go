package planner

import (
	"fmt"
	"slices"
	"strings"

	"baton/cluster"
	"baton/epoch"
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
)

// deletion is a topic that somebody wants deleted: it has a marker under
// /admin/delete_topics (05.5). What is to be done next is found out by pursue from what
// there is, so that a deletion that another controller has begun is gone on with like one
// of ours: the marker is confirmed; brokers are told that the topic is gone; the live ones
// delete their replicas; when no replica is left the znodes go, the marker last.
type deletion struct {
	name string
	// confirmed: the marker was there at a time when the topic was. A list of markers alone
	// may be older than a topic of the same name.
	confirmed bool
	write     uint64 // of the marker or of the znodes, under way; 0: none
	// marked: a list with the marker has come while that was under way. It may be of before, or the marker is a new one.
	marked bool
	retry  Millis // when to go on after a write that failed
	// open are the replicas whose logs may still be there.
	open map[replica]removalAsked
	// id and created are the topic's that is being deleted.
	id      cluster.TopicID
	created int64
	// emptied is when none was left.
	emptied Millis
	// until is how long the znodes stay for whoever has just been answered.
	until Millis
	// waits says what the deletion waits for that is not in our power, empty if nothing.
	waits string
}

type replica struct {
	id     partition.ID
	broker int32
}

// removalAsked is what became of asking a broker to delete a replica.
type removalAsked struct {
	epoch epoch.Broker // the incarnation that was asked, 0: none yet
	code  int16        // what it refused it with
	again Millis       // when it is asked again in spite of that
}

// removeAgain is how long a refused removal waits. The refusal of an offline log directory
// ends with the next incarnation of the broker, which is asked at once.
const removeAgain Millis = 30_000

func (m *Machine) look(name string) { m.lookAt[name] = struct{}{} }

// lookAtDeletions has every deletion pursued, before the step ends.
func (m *Machine) lookAtDeletions() {
	for name := range m.deletions {
		m.look(name)
	}
}

// setMarkers takes in the markers that there are. A deletion that brokers have been told
// of goes on without its marker, as Kafka's does.
func (m *Machine) setMarkers(names []string) {
	m.deleting = map[string]bool{}
	for _, name := range names {
		m.deleting[name] = true
		m.queueDeletion(name)
	}
	for name, d := range m.deletions {
		if t := m.im.Topic(name); !m.deleting[name] && d.write == 0 && (t == nil || !t.Deleting) {
			delete(m.deletions, name)
		}
	}
}

func (m *Machine) queueDeletion(name string) {
	m.deleting[name] = true
	d := m.deletions[name]
	if d == nil {
		d = &deletion{name: name}
		m.deletions[name] = d
	}
	d.marked = d.write != 0
	m.look(name)
}

// queued reports whether a topic is to be deleted, and is held until then. What is being
// reassigned of it ends with it, as with Kafka's controller: a tool that deletes a topic does
// not wait for logs to be copied that nobody will read.
func (m *Machine) queued(t *cluster.Topic) bool {
	return t.Deleting || m.deletions[t.Name] != nil && m.set.DeleteTopics
}

// settleDeletions pursues the deletions for which something may have changed.
func (m *Machine) settleDeletions() {
	for len(m.lookAt) > 0 {
		names := sortedNames(m.lookAt)
		clear(m.lookAt)
		for _, name := range names {
			if d := m.deletions[name]; d != nil {
				m.pursue(d)
			}
		}
	}
}

// pursue takes the next step of a deletion, if it can be taken now.
func (m *Machine) pursue(d *deletion) {
	t := m.im.Topic(d.name)
	if d.write != 0 || d.retry > m.now {
		return
	}
	switch {
	case m.badTopics[d.name] != "":
		// Which replicas there are is not known, or may have changed.
		m.waitFor(d, "its znode cannot be understood")
	case t == nil:
		m.dropMarker(d, false)
	case t.Deleting:
		m.removeReplicas(d, t)
	case !m.set.DeleteTopics:
		m.note(topicNote(d.name, "topic %s is not deleted: delete.topic.enable is false", d.name))
		m.dropMarker(d, true)
	case m.topicWrites[d.name] != 0:
		// Perhaps a reassignment begins; the outcome has us look again.
	case !d.confirmed:
		m.confirmMarker(d)
	default:
		m.bury(d, t)
	}
}

func topicNote(topic, format string, args ...any) Note {
	return Note{Kind: NoteTopic, Broker: -1, Partition: partition.ID{Topic: topic, Number: -1}, Text: fmt.Sprintf(format, args...)}
}

// waitFor notes what a deletion waits for, once.
func (m *Machine) waitFor(d *deletion, why string) {
	if d.waits != why && why != "" {
		m.note(topicNote(d.name, "deletion of topic %s waits: %s", d.name, why))
	}
	d.waits = why
}

// forWrite starts a write of a deletion; then hears the outcome unless the deletion is
// another one by then.
func (m *Machine) forWrite(d *deletion, body WriteBody, then func(Result)) {
	d.write = m.write(body, func(r Result) {
		d.write = 0
		if m.cleaning == d {
			m.cleaning = nil
		}
		if m.deletions[d.name] != d {
			return
		}
		if r.Outcome != Applied {
			d.retry = m.now + m.set.RetryAfter
		}
		then(r)
		m.look(d.name)
	})
}

// dropMarker removes a marker that means nothing: of a topic that does not exist or, if
// the topic is known, because topics may not be deleted.
func (m *Machine) dropMarker(d *deletion, known bool) {
	m.forWrite(d, DropMarker{Topic: d.name, Known: known}, func(r Result) {
		if r.Outcome == Applied { // else the topic exists, and is about to be reported
			delete(m.deletions, d.name)
			delete(m.deleting, d.name)
			if d.marked {
				m.queueDeletion(d.name)
			}
		}
	})
}

func (m *Machine) confirmMarker(d *deletion) {
	m.forWrite(d, ConfirmMarker{Topic: d.name}, func(r Result) {
		switch r.Outcome {
		case Applied:
			d.confirmed, d.retry = true, 0
		case Conflict: // taken back, or the topic is gone: both are reported, and a marker that the topic has left is dropped then
			delete(m.deletions, d.name)
			m.rehold(m.im.Topic(d.name))
		case Failed:
			m.note(Note{Kind: NoteWriteFailed, Broker: -1, Partition: partition.ID{Topic: d.name, Number: -1}, Text: "deletion of topic " + d.name + ": " + r.Reason})
		}
	})
}

// bury begins a deletion: nothing more is decided about the topic, all brokers hear that
// it is gone, and all its replicas are to go.
func (m *Machine) bury(d *deletion, t *cluster.Topic) {
	t.Deleting = true
	t.Held = m.heldReason(t)
	m.bodies = nil
	d.waits, d.open = "", map[replica]removalAsked{}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		id := partition.ID{Topic: t.Name, Number: p.Number}
		for _, l := range m.ledgers {
			l.forget(id, p.Slot())
			l.gone[id] = struct{}{}
		}
		m.goneUnheard(id)
		delete(m.retry, id)
		delete(m.bump, id)
		delete(m.conflicts, id)
		m.dropDismissals(id)
		m.refuseWaiting(id, nil)
		for _, b := range p.Assignment.Replicas {
			if !m.im.IsBaton(b) {
				d.open[replica{id, b}] = removalAsked{}
			}
		}
	}
	m.note(topicNote(t.Name, "topic %s is being deleted: %d replicas", t.Name, len(d.open)))
	m.look(d.name)
}

// removeReplicas asks every live broker that has not been asked, and cleans up when no
// replica is left. Brokers that are not there keep their logs until they return.
func (m *Machine) removeReplicas(d *deletion, t *cluster.Topic) {
	absent := map[int32]bool{}
	refused, first := 0, ""
	for i := range t.Partitions {
		id := partition.ID{Topic: t.Name, Number: t.Partitions[i].Number}
		for _, b := range t.Partitions[i].Assignment.Replicas {
			r := replica{id, b}
			asked, open := d.open[r]
			l := m.ledgers[b]
			switch {
			case !open:
			case l == nil:
				absent[b] = true
			case asked.epoch != l.epoch || asked.code != 0 && asked.again <= m.now:
				m.askRemoval(d, r, l.epoch)
			case asked.code != 0:
				if refused++; refused == 1 {
					first = fmt.Sprintf("broker %d answered %s for %v", b, kerr.TypedErrorForCode(asked.code).Message, id)
				}
			}
		}
	}
	var why []string
	if len(absent) > 0 {
		why = append(why, fmt.Sprintf("for brokers %v, which are not there", sortedBrokers(absent)))
	}
	if refused > 0 {
		why = append(why, fmt.Sprintf("%d replicas were refused, %s", refused, first))
	}
	m.waitFor(d, strings.Join(why, "; "))
	if len(d.open) > 0 {
		return
	}
	if d.emptied == 0 {
		d.emptied = m.now
	}
	// Once the znodes are gone, the next controller knows of nothing to be told. A sick
	// broker is waited for only so long.
	if m.toldGone(d.name) || m.now-d.emptied >= m.set.ToldWait {
		m.clean(d, t)
	}
}

func (m *Machine) askRemoval(d *deletion, r replica, e epoch.Broker) {
	d.open[r] = removalAsked{epoch: e}
	m.stopAndDelete(r.broker, r.id, epoch.Deleting, func(code int16) {
		if m.deletions[d.name] != d || d.open[r].epoch != e {
			return
		}
		if code == 0 {
			delete(d.open, r)
		} else {
			d.open[r] = removalAsked{epoch: e, code: code, again: m.now + removeAgain}
		}
		m.look(d.name)
	})
}

// afterAnswer is how long the znodes of a topic stay after DeleteTopics was answered. Kafka's controller takes about that long
// to remove logs, and programs have come to rely on it: the scripts that write partitions into ZooKeeper themselves, Kafka's
// own among them, fail in mid-write where a topic is gone as soon as its deletion is said to have begun.
const afterAnswer Millis = 100

// clean removes the znodes, one slice at a time and of one topic at a time: what the death
// of a broker makes us write must not wait behind ten thousand partitions.
func (m *Machine) clean(d *deletion, t *cluster.Topic) {
	if m.cleaning != nil && m.cleaning != d || m.topicWrites[t.Name] != 0 || m.now < d.until {
		return
	}
	for i := range t.Partitions {
		if m.inflight.of(&t.Partitions[i]) != nil {
			return // its outcome has us look again
		}
	}
	m.cleaning, d.id, d.created = d, t.ID, t.Created
	m.forWrite(d, DeleteTopic{Name: d.name, Version: t.Version}, func(r Result) {
		switch {
		case r.Outcome == Applied && r.More:
			// The next slice, as soon as this is settled.
		case r.Outcome == Applied:
			m.deletionDone(d)
			m.lookAtDeletions() // the next topic may wait for its turn
		default:
			m.note(Note{Kind: NoteWriteFailed, Broker: -1, Partition: partition.ID{Topic: d.name, Number: -1}, Text: "deleting topic " + d.name + ": " + r.Reason})
		}
	})
}

// grave is a topic that was deleted a short while ago.
type grave struct {
	id      cluster.TopicID
	created int64
	until   Millis
}

// graveKept is for how long a topic that was read before its deletion may still be
// reported after it, at the most.
const graveKept Millis = 60_000

// isGrave reports whether what was read is a topic that has been deleted since: to take it
// in would have brokers make its logs anew.
func (m *Machine) isGrave(t TopicRead) bool {
	g, ok := m.graves[t.Name]
	return ok && (!t.ID.IsZero() && t.ID == g.id || t.Created != 0 && t.Created <= g.created)
}

func (m *Machine) forgetGraves() {
	for name, g := range m.graves {
		if g.until <= m.now {
			delete(m.graves, name)
		}
	}
}

func (m *Machine) deletionDone(d *deletion) {
	m.graves[d.name] = grave{d.id, d.created, m.now + graveKept}
	delete(m.deletions, d.name)
	delete(m.deleting, d.name)
	if t := m.im.Topic(d.name); t != nil && t.Deleting {
		m.forgetTopic(d.name)
	} else {
		m.rehold(t) // the next of that name is there already, and was held until now
	}
	m.note(topicNote(d.name, "topic %s is deleted", d.name))
}

// deletionForgotten: the topic's znode is gone, or is another topic's, and not by our last
// slice: the marker, if there is one, speaks of what is there now.
func (m *Machine) deletionForgotten(name string) {
	d := m.deletions[name]
	if d != nil && m.cleaning == d { // the outcome is on its way
		d.confirmed = false
		return
	}
	delete(m.deletions, name)
	if m.deleting[name] {
		m.queueDeletion(name)
	}
}

// intakeDeleting takes the place of intakeTopic while a topic is on its way out. Partitions
// that were added meanwhile are taken back, as Kafka does (05.3); nothing else that is
// written to the znode matters any more.
func (m *Machine) intakeDeleting(old *cluster.Topic, t TopicRead) {
	if t.Version <= old.Version {
		return
	}
	old.Version = t.Version
	added := slices.ContainsFunc(t.Partitions, func(p PartitionRead) bool { return old.Partition(p.Number) == nil })
	if added && m.topicWrites[t.Name] == 0 && m.cleaning != m.deletions[t.Name] {
		m.note(topicNote(t.Name, "topic %s is being deleted: the partitions added to it are taken back", t.Name))
		m.rewriteTopic(old, old.ID, assignments(old), func(Result) {})
	}
	m.look(t.Name)
}

// countDeletions fills what Kafka's gauges say of deletions.
func (m *Machine) countDeletions(st *Stats) {
	for _, name := range sortedNames(m.deletions) {
		d, t := m.deletions[name], m.im.Topic(name)
		if t == nil && m.badTopics[name] == "" {
			continue // a marker of nothing
		}
		st.TopicsToDelete++
		text := name + ": to be deleted"
		if t != nil && t.Deleting {
			text = fmt.Sprintf("%s: being deleted, %d replicas left", name, len(d.open))
			st.ReplicasToDelete += len(d.open)
		} else if t != nil {
			for i := range t.Partitions {
				st.ReplicasToDelete += len(t.Partitions[i].Assignment.Replicas)
			}
		}
		if d.waits != "" {
			st.TopicsIneligible++
			text += ", waits: " + d.waits
		}
		silent := map[int32]bool{}
		for r, asked := range d.open {
			if m.ledgers[r.broker] == nil || asked.code != 0 {
				st.ReplicasIneligible++
			} else {
				silent[r.broker] = true
			}
		}
		if len(silent) > 0 {
			text += fmt.Sprintf(", brokers %v have yet to answer", sortedBrokers(silent))
		}
		st.Deleting = append(st.Deleting, text)
	}
}
