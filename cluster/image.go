package cluster

import (
	"cmp"
	"slices"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
)

// Image is everything the controller knows. Reads return values in a fixed order, so
// that no map order leaks into a decision.
type Image struct {
	brokers map[int32]*Broker
	leaving map[int32]bool // in a controlled shutdown; ends when the registration does
	batons  map[int32]bool // every id that was ever a Baton's
	unread  map[int32]bool // registered, never understood; see partition.Unread
	sorted  []*Broker      // the registered ones by id; a new list with each change
	topics  map[string]*Topic
	byName  []*Topic // sorted; nil when a change has outdated it
	ids     map[TopicID]string
	places  []place          // by slot
	free    Slots            // of places
	hosted  map[int32]*Slots // by broker: partitions with a replica there
	view    int64            // counts incarnations that came into the image
	learned map[int32]int64  // by broker: the view that its incarnation made
}

// place is where the partition of a slot is.
type place struct {
	topic *Topic // nil: the slot is free
	index int32
}

// NewImage returns an empty image that knows the ids that belong to Batons.
func NewImage(batons []int32) *Image {
	im := &Image{
		brokers: map[int32]*Broker{}, leaving: map[int32]bool{}, unread: map[int32]bool{}, batons: map[int32]bool{},
		topics: map[string]*Topic{}, ids: map[TopicID]string{}, hosted: map[int32]*Slots{},
		learned: map[int32]int64{},
	}
	for _, id := range batons {
		im.batons[id] = true
	}
	return im
}

// View grows with every incarnation of a broker that comes in; see Partition.Decided.
func (im *Image) View() int64 { return im.view }

// LearnedAfter reports whether the broker's incarnation came in after the image had that
// View.
func (im *Image) LearnedAfter(view int64, id int32) bool { return im.learned[id] > view }

// AddBaton remembers an id as a Baton's: it is never given a replica.
func (im *Image) AddBaton(id int32) { im.batons[id] = true }

// IsBaton reports whether the id belongs or ever belonged to a Baton.
func (im *Image) IsBaton(id int32) bool { return im.batons[id] }

// Batons returns every id known as a Baton's, sorted.
func (im *Image) Batons() []int32 {
	out := make([]int32, 0, len(im.batons))
	for id := range im.batons {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// Brokers returns the registered brokers by id, Batons left out. Nobody changes the list.
func (im *Image) Brokers() []*Broker { return im.sorted }

func (im *Image) sortBrokers() {
	im.sorted = make([]*Broker, 0, len(im.brokers))
	for _, b := range im.brokers {
		im.sorted = append(im.sorted, b)
	}
	slices.SortFunc(im.sorted, func(a, b *Broker) int { return cmp.Compare(a.ID, b.ID) })
}

// Broker returns a registered broker, nil if there is none of that id.
func (im *Image) Broker(id int32) *Broker { return im.brokers[id] }

// BrokerCount returns the number of registered brokers.
func (im *Image) BrokerCount() int { return len(im.brokers) }

// Leaving reports whether the broker has asked to shut down.
func (im *Image) Leaving(id int32) bool { return im.leaving[id] }

// SetLeaving marks a registered broker as shutting down; it stays so until it is gone.
func (im *Image) SetLeaving(id int32) {
	if im.brokers[id] != nil {
		im.leaving[id] = true
	}
}

// PutBroker adds or replaces a registration. A new czxid is a new incarnation: it is
// not leaving and no directory of it is known to have failed.
func (im *Image) PutBroker(b Broker) {
	if old := im.brokers[b.ID]; old == nil || old.Epoch != b.Epoch {
		im.forgetIncarnation(b.ID)
		im.view++
		im.learned[b.ID] = im.view
	}
	im.brokers[b.ID] = &b
	im.sortBrokers()
}

// SetUnread replaces the ids whose registrations cannot be understood; those of them
// that were understood before stay as they were. It returns the ids that are no longer
// there and those that are new.
func (im *Image) SetUnread(ids []int32) (changed []int32) {
	now := map[int32]bool{}
	for _, id := range ids {
		if im.brokers[id] == nil && !im.batons[id] {
			now[id] = true
			if !im.unread[id] {
				changed = append(changed, id)
			}
		}
	}
	for id := range im.unread {
		if !now[id] {
			changed = append(changed, id)
		}
	}
	im.unread = now
	slices.Sort(changed)
	return changed
}

// RemoveBroker forgets a registration that is gone.
func (im *Image) RemoveBroker(id int32) {
	im.forgetIncarnation(id)
	delete(im.brokers, id)
	im.sortBrokers()
}

func (im *Image) forgetIncarnation(id int32) {
	delete(im.leaving, id)
	for slot := range im.HostedBy(id).All() {
		if _, p := im.At(slot); slices.Contains(p.Dirs, id) {
			p.Dirs = slices.DeleteFunc(slices.Clone(p.Dirs), func(d int32) bool { return d == id })
		}
	}
}

// Topics returns all topics by name. Nobody changes the list.
func (im *Image) Topics() []*Topic {
	if im.byName == nil {
		im.byName = make([]*Topic, 0, len(im.topics))
		for _, t := range im.topics {
			im.byName = append(im.byName, t)
		}
		slices.SortFunc(im.byName, func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
	}
	return im.byName
}

// Topic returns a topic by name, nil if unknown.
func (im *Image) Topic(name string) *Topic { return im.topics[name] }

// TopicByID returns a topic by its id, nil if unknown.
func (im *Image) TopicByID(id TopicID) *Topic { return im.topics[im.ids[id]] }

// TopicCount returns the number of topics.
func (im *Image) TopicCount() int { return len(im.topics) }

// PutTopic adds or replaces a topic with all its partitions, and its entries in the
// indexes. Partitions must be sorted by Number, in a list of its own; those that were there keep their slots.
func (im *Image) PutTopic(t Topic) {
	old := im.topics[t.Name]
	if old != nil {
		im.unindex(old)
	}
	im.topics[t.Name], im.byName = &t, nil
	if !t.ID.IsZero() {
		im.ids[t.ID] = t.Name
	}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if before := old.partition(p.Number); before != nil {
			p.slot, before.slot = before.slot, noSlot
		} else {
			p.slot = im.takeSlot()
		}
		im.places[p.slot] = place{&t, int32(i)} //nolint:gosec // far below
		p.hosts = p.Told().Replicas
		if p.Assignment.Settled(p.State.LeaderAndISR) {
			p.hosts = p.Assignment.Replicas // until the removed ones are gone from the znode too
		}
		im.index(p.slot, p.hosts)
	}
	im.freeSlots(old)
}

// RemoveTopic forgets a topic; unknown names are ignored.
func (im *Image) RemoveTopic(name string) {
	t := im.topics[name]
	if t == nil {
		return
	}
	im.unindex(t)
	im.freeSlots(t)
	delete(im.topics, name)
	im.byName = nil
}

func (im *Image) unindex(t *Topic) {
	for i := range t.Partitions {
		for _, b := range t.Partitions[i].hosts {
			im.hosted[b].Remove(t.Partitions[i].slot)
		}
	}
	if im.ids[t.ID] == t.Name {
		delete(im.ids, t.ID)
	}
}

func (im *Image) index(slot int32, replicas []int32) {
	for _, b := range replicas {
		s := im.hosted[b]
		if s == nil {
			s = &Slots{}
			im.hosted[b] = s
		}
		s.Add(slot)
	}
}

// noSlot is the slot of a partition that has handed it on.
const noSlot int32 = -1

// takeSlot returns the lowest free slot.
func (im *Image) takeSlot() int32 {
	if im.free.Len() == 0 {
		im.places = append(im.places, place{})
		return int32(len(im.places) - 1) //nolint:gosec // far below
	}
	slot := im.free.first()
	im.free.Remove(slot)
	return slot
}
func (im *Image) freeSlots(t *Topic) {
	if t == nil {
		return
	}
	for i := range t.Partitions {
		if slot := t.Partitions[i].slot; slot != noSlot {
			im.places[slot] = place{}
			im.free.Add(slot)
		}
	}
}

// Renumber gives all partitions new slots, in order of topic and number, so that what goes through slots goes through topics in
// order. Nobody may remember a slot from before.
func (im *Image) Renumber() {
	im.free, im.hosted = Slots{}, map[int32]*Slots{}
	im.places = slices.Grow(im.places[:0], len(im.places))
	for _, t := range im.Topics() {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			p.slot = im.takeSlot()
			im.places[p.slot] = place{t, int32(i)} //nolint:gosec // far below
			im.index(p.slot, p.hosts)
		}
	}
}

// At returns the partition that has a slot, and its topic; nil if none has.
func (im *Image) At(slot int32) (*Topic, *Partition) {
	at := im.places[slot]
	if at.topic == nil {
		return nil, nil
	}
	return at.topic, &at.topic.Partitions[at.index]
}

// ID returns the name of the partition that has a slot.
func (im *Image) ID(slot int32) partition.ID {
	t, p := im.At(slot)
	return partition.ID{Topic: t.Name, Number: p.Number}
}

// Rehost adds to the index who has become a host by a partition's new state: a member of the ISR that the assignment does not name
// any more, because it was taken in while the assignment changed. Its return matters as that of any other.
func (im *Image) Rehost(id partition.ID) {
	p := im.Partition(id)
	for _, b := range p.Told().Replicas {
		if !slices.Contains(p.hosts, b) {
			p.hosts = append(p.hosts[:len(p.hosts):len(p.hosts)], b)
			im.index(p.slot, []int32{b})
		}
	}
}

// Partition returns a partition for reading and for changing its state; nil if
// unknown. Changing its assignment needs PutTopic, which keeps the index.
func (im *Image) Partition(id partition.ID) *Partition {
	t := im.topics[id.Topic]
	if t == nil {
		return nil
	}
	return t.Partition(id.Number)
}

func (t *Topic) partition(n int32) *Partition {
	if t == nil {
		return nil
	}
	return t.Partition(n)
}

// Partition returns the topic's partition of that number, nil if there is none.
func (t *Topic) Partition(n int32) *Partition {
	if n >= 0 && int(n) < len(t.Partitions) && t.Partitions[n].Number == n {
		return &t.Partitions[n]
	}
	i, ok := slices.BinarySearchFunc(t.Partitions, n, func(p Partition, n int32) int { return cmp.Compare(p.Number, n) })
	if !ok {
		return nil
	}
	return &t.Partitions[i]
}

// PartitionCount returns the number of partitions of all topics.
func (im *Image) PartitionCount() int { return len(im.places) - im.free.Len() }

// PartitionsOn returns the partitions that have a replica on a broker, sorted: assigned
// ones, and members of the ISR that the assignment does not name.
func (im *Image) PartitionsOn(broker int32) []partition.ID {
	hosted := im.HostedBy(broker)
	out := make([]partition.ID, 0, hosted.Len())
	for slot := range hosted.All() {
		out = append(out, im.ID(slot))
	}
	slices.SortFunc(out, partition.Compare)
	return out
}

// HostedBy returns the same as slots. Nobody changes the set, and it changes with the image.
func (im *Image) HostedBy(broker int32) *Slots {
	if s := im.hosted[broker]; s != nil {
		return s
	}
	return &Slots{}
}

// Each calls f for every partition in order of topic and number.
func (im *Image) Each(f func(*Topic, *Partition)) {
	for _, t := range im.Topics() {
		for i := range t.Partitions {
			f(t, &t.Partitions[i])
		}
	}
}

// Standing returns what broker id means for partition p; see partition.Standing.
func (im *Image) Standing(p *Partition, id int32) partition.Standing {
	b := im.brokers[id]
	switch {
	case b == nil && im.unread[id]:
		return partition.Unread
	case b == nil || slices.Contains(p.Dirs, id):
		return partition.Offline
	case im.leaving[id]:
		return partition.Leaving
	case im.learned[id] > p.Decided, p.Seen != 0 && b.Epoch > epoch.Broker(p.Seen), slices.Contains(p.Lapsed, id):
		return partition.Lapsed
	}
	return partition.Alive
}

// Adopt takes in a state that was read from ZooKeeper. Members whose restart we know of
// and that this state neither removes nor decides about anew stay lapsed. So do all of a
// state that could not be read for a while: it may be one of ours, decided before they did.
func (im *Image) Adopt(p *Partition, s partition.State, zxid int64) {
	var lapsed []int32
	if p.Known && (s.LeaderEpoch == p.State.LeaderEpoch || p.Broken != "") {
		lapsed = p.State.ISR.Filter(func(id int32) bool { return s.ISR.Has(id) && im.Standing(p, id) == partition.Lapsed })
	}
	if slices.Equal(s.ISR, p.Assignment.Replicas) {
		s.ISR = p.Assignment.Replicas // of nearly all partitions, for good
	}
	p.Known, p.State, p.Seen, p.Decided, p.Lapsed = true, s, zxid, im.view, lapsed
}

// EligibleForISR reports whether a leader may add the broker to the ISR: registered,
// not leaving, directory fine (KAFKA-14140).
func (im *Image) EligibleForISR(p *Partition, id int32) bool {
	s := im.Standing(p, id)
	return s == partition.Alive || s == partition.Lapsed
}

// OfflineReplicas returns the assigned replicas that cannot serve, in assignment
// order, as UpdateMetadata v4+ reports them. A leaving broker counts, as in Kafka.
func (im *Image) OfflineReplicas(p *Partition) []int32 {
	out := []int32{}
	for _, id := range p.Told().Replicas {
		if s := im.Standing(p, id); s != partition.Alive && s != partition.Lapsed {
			out = append(out, id)
		}
	}
	return out
}

// HasLeader reports whether a registered broker leads p.
func (im *Image) HasLeader(p *Partition) bool {
	return p.Known && p.State.Leader != isr.NoLeader && im.brokers[p.State.Leader] != nil
}

// Candidates returns the brokers that may be given a replica, by id: those registered,
// and those known only because they host replicas. Batons are never among them.
func (im *Image) Candidates() []int32 {
	var out []int32
	for id := range im.brokers {
		out = append(out, id)
	}
	for id, parts := range im.hosted {
		if im.brokers[id] == nil && !im.batons[id] && parts.Len() > 0 {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
