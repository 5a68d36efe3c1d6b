package planner

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
	"baton/topicconfig"

	"github.com/twmb/franz-go/pkg/kerr"
)

// createCall is a CreateTopics request under way. It is answered when every topic of
// it has failed, or has its leaders and the brokers know; at the deadline, with
// REQUEST_TIMED_OUT for those that have none yet.
type createCall struct {
	itemsCall
	mutations
	body    CreateTopics
	reply   CreateTopicsReply
	waiting map[int]bool // for the end of another topic of that name
	written map[int]Millis
}

func (m *Machine) createTopics(token uint64, c CreateTopics) {
	call := &createCall{itemsCall: m.itemsCall(token, c.Timeout), mutations: mutations{caller: c.Caller}, body: c, waiting: map[int]bool{}, written: map[int]Millis{}}
	call.reply.Topics = make([]NewTopicReply, len(c.Topics))
	room := int32(maxNewPartitions)
	likeIt := m.colliding()
	for i := range c.Topics {
		room -= m.create(call, i, room, likeIt)
	}
	m.creates = append(m.creates, call)
}

// create checks one topic and writes it. The answer to DeleteTopics comes before the topic's
// znodes are gone: who creates it anew at once waits for that, where Kafka's controller refuses.
// It returns how many partitions are made, of those that there is room for.
func (m *Machine) create(call *createCall, i int, room int32, likeIt func(string) string) int32 {
	t, r := call.body.Topics[i], &call.reply.Topics[i]
	r.Name = t.Name
	delete(call.waiting, i)
	delete(call.pending, i)
	parts, err := m.validateTopic(t, room, likeIt)
	if err != nil {
		r.Err, r.Message = err.code, err.text
		if err.code == kerr.TopicAlreadyExists && m.goesSoon(t.Name) && !call.body.ValidateOnly {
			call.waiting[i], call.pending[i] = true, true
		}
		return 0
	}
	if !call.body.ValidateOnly {
		err = m.charge(&call.mutations, len(parts))
	}
	if err != nil {
		r.Err, r.Message = err.code, err.text
		return 0
	}
	r.Err, r.Message = nil, ""
	r.Partitions, r.Factor = int32(len(parts)), int16(len(parts[0].Assignment.Replicas)) //nolint:gosec // no more than room
	if call.body.ValidateOnly {
		return r.Partitions
	}
	if m.set.TopicIDs {
		r.ID = t.ID
	}
	call.pending[i], m.creating[t.Name] = true, true
	m.write(CreateTopic{Name: t.Name, ID: r.ID, Partitions: parts, Configs: t.Configs}, func(w Result) { m.topicCreated(call, i, parts, w) })
	return r.Partitions
}

type refusal struct {
	code *kerr.Error
	text string
}

// maxRefusal bounds a refusal's text in bytes. It may quote a name or a list from the request,
// and a client reads no string of more than 32767.
const maxRefusal = 8_000

func refuse(code *kerr.Error, format string, args ...any) *refusal {
	return &refusal{code, bounded(fmt.Sprintf(format, args...))}
}

func bounded(text string) string {
	if len(text) > maxRefusal {
		text = strings.ToValidUTF8(text[:maxRefusal], "") + "…"
	}
	return text
}

// maxNewPartitions is how many partitions one request may make, so that a count that was
// mistyped does not take the memory of its lists. A topic's znode of 1 MB does not hold as many.
const maxNewPartitions = 200_000

func tooManyPartitions(n, room int32) *refusal {
	return refuse(kerr.InvalidPartitions, "%d partitions are too many: one request may make %d, and %d are left of them.", n, maxNewPartitions, room)
}

// colliding finds the topic that a name collides with, "" if there is none. It goes through all
// topics once, however many names it is asked about.
func (m *Machine) colliding() func(name string) string {
	var first map[string]string
	return func(name string) string {
		if first == nil {
			first = make(map[string]string, m.im.TopicCount())
			for _, t := range m.im.Topics() {
				if f := topicconfig.Folded(t.Name); first[f] == "" {
					first[f] = t.Name
				}
			}
		}
		return first[topicconfig.Folded(name)]
	}
}

// validateTopic checks one new topic in Kafka's order (05.7) and returns its assignment, of no
// more partitions than there is room for.
func (m *Machine) validateTopic(t NewTopic, room int32, likeIt func(string) string) ([]PartitionRead, *refusal) {
	if t.Name == "__cluster_metadata" {
		return nil, refuse(kerr.InvalidRequest, "Creation of internal topic %s is prohibited.", t.Name)
	}
	if old := m.im.Topic(t.Name); old != nil && !old.Deleting || m.badTopics[t.Name] != "" {
		return nil, refuse(kerr.TopicAlreadyExists, "Topic '%s' already exists.", t.Name)
	}
	if t.Assignment != nil && (t.Partitions != -1 || t.Factor != -1) {
		return nil, refuse(kerr.InvalidRequest, "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time.")
	}
	parts, err := m.assignment(t, room)
	if err != nil {
		return nil, err
	}
	if err := topicconfig.ValidName(t.Name); err != nil {
		return nil, refuse(kerr.InvalidTopicException, "%s", err)
	}
	if m.deletions[t.Name] != nil { // also one whose marker was taken away in the middle
		return nil, refuse(kerr.TopicAlreadyExists, "Topic '%s' is marked for deletion.", t.Name)
	}
	if other := likeIt(t.Name); other != "" {
		return nil, refuse(kerr.InvalidTopicException, "Topic '%s' collides with existing topics: %s", t.Name, other)
	}
	configs := map[string]*string{}
	for _, c := range t.Configs {
		configs[c.Name] = c.Value
	}
	if err := topicconfig.Validate(configs, m.set.Inherited); err != nil {
		return nil, refuse(kerr.InvalidConfig, "%s", err)
	}
	return parts, nil
}

func (m *Machine) assignment(t NewTopic, room int32) ([]PartitionRead, *refusal) {
	if t.Assignment != nil {
		return m.manualAssignment(t)
	}
	n, factor := t.Partitions, t.Factor
	if n == -1 {
		n = m.set.Partitions
	}
	if factor == -1 {
		factor = m.set.Factor
	}
	if n > room {
		return nil, tooManyPartitions(n, room)
	}
	lists, err := partition.Assign(m.places(), n, factor, t.Seed)
	switch {
	case errors.Is(err, partition.ErrPartitions):
		return nil, refuse(kerr.InvalidPartitions, "%s", err)
	case err != nil:
		return nil, refuse(kerr.InvalidReplicationFactor, "%s", err)
	}
	return numbered(lists), nil
}

// places are the live brokers as replica assignment sees them.
func (m *Machine) places() []partition.Place {
	var places []partition.Place
	for _, b := range m.im.Brokers() {
		places = append(places, partition.Place{ID: b.ID, Rack: b.Rack, HasRack: b.HasRack})
	}
	return places
}

// numbered makes partitions of replica lists, from 0.
func numbered(lists [][]int32) []PartitionRead {
	parts := make([]PartitionRead, len(lists))
	for i, l := range lists {
		parts[i] = PartitionRead{Number: int32(i), Assignment: partition.Assignment{Replicas: l}} //nolint:gosec // far below
	}
	return parts
}

// scalaMap shows an assignment as Kafka's messages do.
func scalaMap(numbers []int32, assignment map[int32][]int32) string {
	pairs := make([]string, 0, len(numbers))
	for _, n := range numbers {
		pairs = append(pairs, fmt.Sprintf("%d -> %s", n, scala("ArrayBuffer", assignment[n])))
	}
	return "HashMap(" + strings.Join(pairs, ", ") + ")"
}

// manualAssignment checks what Kafka checks, and that no replica goes to a Baton.
func (m *Machine) manualAssignment(t NewTopic) ([]PartitionRead, *refusal) {
	if len(t.Assignment) == 0 {
		return nil, refuse(kerr.InvalidReplicaAssignment, "The manual assignment is empty.")
	}
	parts := make([]PartitionRead, 0, len(t.Assignment))
	numbers := make([]int32, 0, len(t.Assignment))
	for n := range t.Assignment {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers) // the same request gets the same refusal
	for _, n := range numbers {
		replicas := t.Assignment[n]
		set := isr.Set(replicas)
		switch {
		case len(replicas) == 0:
			return nil, refuse(kerr.InvalidReplicaAssignment, "Partition %d has no replicas.", n)
		case !set.Distinct():
			return nil, refuse(kerr.InvalidReplicaAssignment, "Duplicate replica assignment found: %s", scalaMap(numbers, t.Assignment))
		case m.namesBaton(replicas):
			return nil, refuse(kerr.InvalidReplicaAssignment, "Partition %d is assigned to %v, of which one is a controller that hosts no replicas.", n, replicas)
		case set[0] < 0 || slices.Min(replicas) < 0:
			return nil, refuse(kerr.InvalidReplicaAssignment, "Partition %d has a negative broker id: %v", n, replicas)
		}
		parts = append(parts, PartitionRead{Number: n, Assignment: partition.Assignment{Replicas: replicas}})
	}
	for i, p := range parts {
		if int(p.Number) != i {
			return nil, refuse(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
		if len(p.Assignment.Replicas) != len(parts[0].Assignment.Replicas) {
			return nil, refuse(kerr.InvalidReplicaAssignment, "All partitions should have the same number of replicas")
		}
	}
	return parts, nil
}

// topicCreated takes in the outcome of writing a new topic; its partitions are
// initialised like any other's.
func (m *Machine) topicCreated(call *createCall, i int, parts []PartitionRead, w Result) {
	r := &call.reply.Topics[i]
	switch w.Outcome {
	case Applied:
		call.written[i] = m.now
		if !m.creating[r.Name] {
			return // gone again before we heard that it was created
		}
		delete(m.creating, r.Name)
		m.intakeTopic(TopicRead{Name: r.Name, Version: w.Version, ID: r.ID, Partitions: parts}, nil)
		return
	case Conflict:
		r.Err, r.Message = kerr.TopicAlreadyExists, fmt.Sprintf("Topic '%s' already exists.", r.Name)
	case Failed:
		r.Err, r.Message = kerr.UnknownServerError, w.Reason
		m.note(Note{Kind: NoteWriteFailed, Broker: -1, Partition: partition.ID{Topic: r.Name, Number: -1}, Text: "creating topic " + r.Name + ": " + w.Reason})
	}
	delete(call.pending, i)
}

func (m *Machine) settleCreates() {
	if len(m.creates) == 0 {
		return
	}
	likeIt := m.colliding()
	m.creates = slices.DeleteFunc(m.creates, func(c *createCall) bool {
		for _, i := range sortedIndexes(c.waiting) {
			if !m.goesSoon(c.body.Topics[i].Name) {
				m.create(c, i, maxNewPartitions, likeIt)
			}
		}
		if !c.over(m.now, func(i int) bool {
			at, ok := c.written[i]
			return ok && m.topicReady(c.reply.Topics[i].Name, at)
		}) {
			return false
		}
		for i := range c.pending {
			r := &c.reply.Topics[i]
			if c.waiting[i] {
				continue // it has its refusal
			}
			if _, ok := c.written[i]; !ok || c.body.Timeout <= 0 || !m.topicLed(r.Name) {
				r.Err = kerr.RequestTimedOut // Kafka says nothing more
			}
		}
		c.reply.Throttle = c.throttle(m.now)
		m.reply(c.token, c.reply)
		return true
	})
}

// topicLed reports whether every partition has a leader in ZooKeeper.
func (m *Machine) topicLed(name string) bool {
	t := m.im.Topic(name)
	return t != nil && !slices.ContainsFunc(t.Partitions, func(p cluster.Partition) bool { return !m.im.HasLeader(&p) })
}

// topicReady: led, and told to all brokers that listen; sick ones are waited for only
// so long, as the creator cannot do anything about them.
func (m *Machine) topicReady(name string, written Millis) bool {
	if !m.topicLed(name) {
		return false
	}
	if m.now-written >= m.set.ToldWait {
		return true
	}
	t := m.im.Topic(name)
	for i := range t.Partitions {
		if !m.allKnowOf(&t.Partitions[i]) {
			return false
		}
	}
	return true
}
