package zkstore

import (
	"strings"
	"time"

	"baton/partition"
	"baton/planner"
)

// image is what a standby knows of topics and partition states, and which of it may be outdated. It does no I/O: events mark,
// what is marked is taken and asked for, answers are merged in the order of the questions. All of one image comes over one
// connection, with a watch on everything that was set before the first read; so what is not marked is as the server had it
// when it sent its last frame.
type image struct {
	topics     map[string]*topicImage
	partitions int
	waiting    map[partition.ID]bool // marked and not taken yet
	names      marks                 // of topics: IDs of number topicItself
	states     marks
	refused    map[partition.ID]bool // may not be read: their changes are not reported either
	listed     bool
	whole      bool // everything has been read at least once
}

// marks are what has to be read, in the order of the marks.
type marks struct {
	queue  []partition.ID
	marked int // ever
	read   int // of these, as answers come in order
	goal   int // when so many are read, the image is proven
}

func (m *marks) waits() int { return len(m.queue) }

// topicItself is the number by which a mark means the topic's znode.
const topicItself = -1

type topicImage struct {
	node   node // without the content
	read   planner.TopicRead
	states []stateImage // of read.Partitions, one by one
}

type stateImage struct {
	state       partition.State
	mzxid, time int64 // mzxid 0: there is none; mtime, ms
	bad         string
}

func newImage() *image {
	return &image{topics: map[string]*topicImage{}, waiting: map[partition.ID]bool{}, refused: map[partition.ID]bool{}}
}

// list takes in the names of the topics there are; the watch was set before they were read.
func (m *image) list(names []string) {
	m.listed = true
	for _, name := range names {
		m.mark(partition.ID{Topic: name, Number: topicItself})
	}
	m.whole = m.clean()
}

// event marks what a change at a path has outdated. A partition that is not known is none of it: its topic is marked, or will
// be, and has its states read when it is.
func (m *image) event(path string) {
	rest, ok := strings.CutPrefix(path, pathTopics+"/")
	if !ok {
		return
	}
	name, rest, below := strings.Cut(rest, "/")
	if !below {
		m.mark(partition.ID{Topic: name, Number: topicItself})
		return
	}
	rest, ok = strings.CutPrefix(rest, "partitions/")
	number, ok2 := strings.CutSuffix(rest, "/state")
	if n, ok3 := parseID(number); ok && ok2 && ok3 && m.state(partition.ID{Topic: name, Number: n}) != nil {
		m.mark(partition.ID{Topic: m.topics[name].read.Name, Number: n})
	}
}

func (m *image) marksOf(id partition.ID) *marks {
	if id.Number == topicItself {
		return &m.names
	}
	return &m.states
}

func (m *image) mark(id partition.ID) {
	if m.waiting[id] {
		return
	}
	m.waiting[id] = true
	of := m.marksOf(id)
	of.queue = append(of.queue, id)
	of.marked++
}

// take returns what to read next: topics before states, as they say which states there are. full: there would have been more.
func (m *image) take() (ids []partition.ID, full bool) {
	from, most := &m.states, readsOfBatch
	if m.names.waits() > 0 {
		from, most = &m.names, topicsOfBatch
	}
	n := min(from.waits(), most)
	ids, from.queue = from.queue[:n:n], from.queue[n:]
	if len(from.queue) == 0 {
		from.queue = nil
	}
	for _, id := range ids {
		delete(m.waiting, id)
	}
	return ids, n == most
}

// clean: nothing is marked, nor asked for.
func (m *image) clean() bool {
	return m.listed && m.names.read == m.names.marked && m.states.read == m.states.marked
}

// merge takes in the answer to a question that take has returned.
func (m *image) merge(id partition.ID, n node, err error) {
	of := m.marksOf(id)
	towards := of.read < of.goal
	of.read++
	delete(m.refused, id)
	if err != nil {
		m.refused[id] = true
	}
	if id.Number == topicItself {
		m.topic(id.Topic, n, err)
		if towards {
			m.states.goal = m.states.marked // the states it has are part of what is to be proven
		}
	} else if at := m.state(id); at != nil && (err != nil || !n.exists || n.stat.Mzxid >= at.mzxid) {
		r := stateRead(id, n, err)
		*at = stateImage{state: r.State, mzxid: n.stat.Mzxid, time: n.stat.Mtime, bad: r.Bad}
	}
	m.whole = m.whole || m.clean()
}

func (m *image) topic(name string, n node, err error) {
	old := m.topics[name]
	if old != nil && err == nil && n.exists && n.stat.Mzxid < old.node.stat.Mzxid {
		return
	}
	if old != nil {
		m.partitions -= len(old.states)
		delete(m.topics, name)
	}
	if err == nil && !n.exists {
		return
	}
	t := &topicImage{}
	t.read, t.node = topicRead(name, n, err)
	t.node.data = nil
	t.states = make([]stateImage, len(t.read.Partitions))
	m.topics[name] = t
	m.partitions += len(t.states)
	var had []planner.PartitionRead
	if old != nil && old.node.stat.Czxid == t.node.stat.Czxid {
		had = old.read.Partitions
	}
	at := 0
	for i, p := range t.read.Partitions {
		for at < len(had) && had[at].Number < p.Number {
			at++
		}
		if at < len(had) && had[at].Number == p.Number {
			t.states[i] = old.states[at]
			continue
		}
		m.mark(partition.ID{Topic: name, Number: p.Number})
	}
}

// state is where a partition's state is kept, nil if its topic does not have it.
func (m *image) state(id partition.ID) *stateImage {
	t := m.topics[id.Topic]
	if t == nil {
		return nil
	}
	if i := int(id.Number); i < len(t.read.Partitions) && t.read.Partitions[i].Number == id.Number {
		return &t.states[i]
	}
	for i, p := range t.read.Partitions { // a topic with gaps
		if p.Number == id.Number {
			return &t.states[i]
		}
	}
	return nil
}

// demand notes that the server has said all up to the moment that is to be proven: what is marked now must be read, and what
// it would not have reported.
func (m *image) demand() {
	for id := range m.refused {
		m.mark(id)
	}
	m.names.goal, m.states.goal = m.names.marked, m.states.marked
}

// proven: what demand has noted is read.
func (m *image) proven() bool { return m.names.read >= m.names.goal && m.states.read >= m.states.goal }

// reads are the topics as if they had been read now.
func (m *image) reads() ([]planner.TopicRead, []node) {
	names := make([]string, 0, len(m.topics))
	for name := range m.topics {
		names = append(names, name)
	}
	sortNames(names)
	reads, nodes := make([]planner.TopicRead, len(names)), make([]node, len(names))
	for i, name := range names {
		reads[i], nodes[i] = m.topics[name].read, m.topics[name].node
	}
	return reads, nodes
}

// readStates are states as if they had been read at a time; the result has the order of ids.
func (m *image) readStates(ids []partition.ID, now time.Time) []planner.StateRead {
	out := make([]planner.StateRead, len(ids))
	for i, id := range ids {
		out[i].ID = id
		if at := m.state(id); at != nil && (at.mzxid != 0 || at.bad != "") {
			out[i] = planner.StateRead{ID: id, Exists: true, State: at.state, Zxid: at.mzxid, Bad: at.bad}
			if at.mzxid != 0 {
				out[i].Age = stateAge(at.time, now)
			}
		}
	}
	return out
}

// stateAge is how long ago a state was written, by the clocks of ZooKeeper and of this process.
func stateAge(mtime int64, now time.Time) planner.Millis {
	return planner.Millis(max(0, now.Sub(time.UnixMilli(mtime)).Milliseconds()))
}
