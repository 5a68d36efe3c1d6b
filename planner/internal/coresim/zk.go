package coresim

import (
	"cmp"
	"slices"

	"baton/cluster"
	"baton/epoch"
	"baton/partition"
	"baton/planner"
)

// zookeeper is the model of the ensemble: linearizable, with versions, zxids,
// ephemeral nodes and sessions. Its calls are instantaneous; the caller models time.
type zookeeper struct {
	s        *sim
	zxid     int64
	sessions map[int64]bool
	holder   *holderNode
	epoch    int32
	epochVer int32
	brokers  map[int32]*brokerNode
	topics   map[string]*topicNode
	states   map[partition.ID]*stateNode
	graves   map[partition.ID][]*stateNode // of topics that are gone; only those that were deleted as Kafka does come back
	unclean  map[string]bool               // topic configurations that set unclean.leader.election.enable
	deleting map[string]bool
	removed  map[string]bool // topics that somebody removed with ZooKeeper's shell, or that left a log behind
	doomed   map[string]bool // whose marker was confirmed
	// defaultUnclean is the cluster's dynamic default; revoked are topics whose permission has
	// just ended, until when decisions made before may come in.
	defaultUnclean *bool
	revoked        map[string]planner.Millis
	preferred      *planner.PreferredRequested
	dirs           []notification
	notified       int
	block          int64
	pausedTo       planner.Millis // the quorum is gone until then
	legacy         *legacyNode
	isrs           []isrNotification
}

type holderNode struct {
	id    int32
	owner int64
	baton bool
	czxid int64
}

type brokerNode struct {
	czxid int64
	owner int64
	port  int32
	bad   bool
}

type topicNode struct {
	czxid   int64
	mzxid   int64 // of the last rewrite, 0 if there was none
	version int32
	id      cluster.TopicID
	parts   []partition.Assignment
}

type stateNode struct {
	state   partition.State
	version int32
	mzxid   int64
	bad     string
	history map[int32]partition.State
}

type notification struct {
	path   string
	broker int32
}

func newZooKeeper(s *sim) *zookeeper {
	return &zookeeper{
		s: s, zxid: 100, sessions: map[int64]bool{}, brokers: map[int32]*brokerNode{}, topics: map[string]*topicNode{},
		states: map[partition.ID]*stateNode{}, graves: map[partition.ID][]*stateNode{}, unclean: map[string]bool{}, revoked: map[string]planner.Millis{},
		deleting: map[string]bool{}, doomed: map[string]bool{}, removed: map[string]bool{},
	}
}

func (z *zookeeper) tick() int64 { z.zxid++; return z.zxid }

func (z *zookeeper) open() int64 {
	id := z.tick()
	z.sessions[id] = true
	return id
}

// expire ends a session and removes what it owns.
func (z *zookeeper) expire(session int64) {
	if !z.sessions[session] {
		return
	}
	delete(z.sessions, session)
	z.tick()
	if z.holder != nil && z.holder.owner == session {
		z.holder = nil
		z.s.trace("zk: /controller is gone with its session")
		z.s.watchController()
	}
	gone := false
	for _, id := range sortedKeys(z.brokers) {
		if z.brokers[id].owner == session {
			delete(z.brokers, id)
			gone = true
			z.s.trace("zk: /brokers/ids/%d is gone", id)
		}
	}
	if gone {
		z.s.watchBrokers()
	}
}

// register creates /brokers/ids/<id>.
func (z *zookeeper) register(id int32, session int64, port int32) (int64, bool) {
	if z.brokers[id] != nil || !z.sessions[session] {
		return 0, false
	}
	n := &brokerNode{czxid: z.tick(), owner: session, port: port}
	z.brokers[id] = n
	z.s.trace("zk: /brokers/ids/%d czxid %d", id, n.czxid)
	z.s.watchBrokers()
	return n.czxid, true
}

// claim is the multi of a claim: epoch + 1 and /controller replaced, if it still is what
// the claimant saw.
func (z *zookeeper) claim(id int32, session int64, baton bool, sawVersion int32, sawHolder int64) (epoch.Fence, bool) {
	var holder int64
	if z.holder != nil {
		holder = z.holder.czxid
	}
	if !z.sessions[session] || z.epochVer != sawVersion || holder != sawHolder {
		return epoch.Fence{}, false
	}
	z.epoch++
	z.epochVer++
	z.holder = &holderNode{id: id, owner: session, baton: baton, czxid: z.tick()}
	z.s.trace("zk: %d claims epoch %d", id, z.epoch)
	z.s.watchController()
	return epoch.Fence{Epoch: epoch.Controller(z.epoch), Version: z.epochVer}, true
}

// release deletes /controller under the fence.
func (z *zookeeper) release(session int64, version int32) {
	if z.sessions[session] && z.epochVer == version && z.holder != nil && z.holder.owner == session {
		z.tick()
		z.holder = nil
		z.s.watchController()
	}
}

func (z *zookeeper) read(id partition.ID) planner.StateRead {
	n := z.states[id]
	if n == nil {
		return planner.StateRead{ID: id}
	}
	if n.bad != "" {
		return planner.StateRead{ID: id, Exists: true, Bad: n.bad, Zxid: n.mzxid}
	}
	st := n.state
	st.PartitionEpoch = epoch.Partition(n.version)
	return planner.StateRead{ID: id, Exists: true, State: st, Zxid: n.mzxid}
}

// put stores a state; ver is the version it gets.
func (z *zookeeper) put(id partition.ID, st partition.State) int32 {
	n := z.states[id]
	if n == nil {
		n = &stateNode{version: -1, history: map[int32]partition.State{}}
		z.states[id] = n
	}
	n.version++
	n.state, n.bad, n.mzxid = st, "", z.tick()
	n.state.PartitionEpoch = epoch.Partition(n.version)
	n.history[n.version] = n.state
	return n.version
}

// commit applies one write of a Baton. fenced means that nothing was done because the
// session is gone or /controller_epoch has moved.
func (z *zookeeper) commit(session int64, fence epoch.Fence, w planner.Write) (r planner.Result, fenced bool) {
	r.Seq = w.Seq
	if !z.s.bugs.Unfenced && (!z.sessions[session] || z.epochVer != fence.Version) {
		return r, true
	}
	switch b := w.Body.(type) {
	case planner.SetState:
		n := z.states[b.ID]
		if n == nil || n.version != int32(b.State.PartitionEpoch) {
			r.Outcome, r.Found = planner.Conflict, z.read(b.ID)
			return r, false
		}
		z.s.checkWrite(fence, b.ID, n.state, b.State)
		r.Version = z.put(b.ID, b.State)
	case planner.CreateState:
		if z.topics[b.ID.Topic] == nil {
			r.Outcome, r.Reason, r.Gone = planner.Failed, "no such topic", true
			return r, false
		}
		if z.states[b.ID] != nil {
			r.Outcome, r.Found = planner.Conflict, z.read(b.ID)
			return r, false
		}
		z.s.checkCreate(fence, b.ID, b.State)
		r.Version = z.put(b.ID, b.State)
	case planner.SetTopic:
		n := z.topics[b.Name]
		if n == nil || n.version != b.Version {
			z.s.mark("topic-conflict")
			r.Outcome, r.Reason = planner.Conflict, "version"
			return r, false
		}
		n.version++
		for _, p := range b.Partitions[min(len(n.parts), len(b.Partitions)):] {
			z.s.asked(partition.ID{Topic: b.Name, Number: p.Number}, p.Assignment.Replicas)
		}
		n.id, n.parts = b.ID, assignments(b.Partitions)
		r.Version, n.mzxid = n.version, z.tick()
		z.s.watchTopics()
	case planner.CreateTopic:
		if z.topics[b.Name] != nil || z.buried(b.Name) {
			r.Outcome = planner.Conflict
			return r, false
		}
		z.topics[b.Name] = &topicNode{czxid: z.tick(), id: b.ID, parts: assignments(b.Partitions)}
		z.s.watchTopics()
	case planner.NextProducerIDs:
		r.Start, r.Length = z.block, 1000
		z.block += 1000
		z.tick()
	case planner.SetLegacyReassignments:
		var ok bool
		if r.Version, ok = z.shrinkLegacy(b); !ok {
			r.Outcome = planner.Conflict
		}
	case planner.ConfirmMarker, planner.MarkTopic, planner.DropMarker, planner.DeleteTopic:
		return z.commitDeletion(r, b), false
	case planner.DeleteNotifications:
		if slices.Contains(b.Paths, preferredPath) {
			z.preferred = nil
			z.s.mark("preferred-znode")
			z.s.watchPreferred()
		}
		z.dirs = slices.DeleteFunc(z.dirs, func(n notification) bool { return slices.Contains(b.Paths, n.path) })
		z.isrs = slices.DeleteFunc(z.isrs, func(n isrNotification) bool { return slices.Contains(b.Paths, n.path) })
		z.tick()
	}
	return r, false
}

// resolve reads back what became of a write whose answer was lost, as zkstore does.
func (z *zookeeper) resolve(w planner.Write) planner.Result {
	r := planner.Result{Seq: w.Seq}
	switch b := w.Body.(type) {
	case planner.SetState:
		return z.resolveState(r, b.ID, b.State, int32(b.State.PartitionEpoch))
	case planner.CreateState:
		return z.resolveState(r, b.ID, b.State, -1)
	case planner.SetTopic:
		if n := z.topics[b.Name]; n == nil || n.version != b.Version+1 || n.id != b.ID || !slices.EqualFunc(n.parts, assignments(b.Partitions), partition.Assignment.Equal) {
			r.Outcome, r.Reason = planner.Conflict, "version"
		} else {
			r.Version = n.version
		}
	case planner.CreateTopic:
		if n := z.topics[b.Name]; n == nil || n.id != b.ID {
			r.Outcome = planner.Conflict
		} else {
			r.Version = n.version
		}
	default:
		r.Outcome, r.Reason = planner.Failed, "connection lost"
	}
	return r
}

func (z *zookeeper) resolveState(r planner.Result, id partition.ID, want partition.State, before int32) planner.Result {
	n := z.states[id]
	switch {
	case n == nil && before < 0 || n != nil && n.bad == "" && n.version == before:
		r.Outcome, r.Reason = planner.Failed, "connection lost, not applied"
	case n != nil && n.bad == "" && n.version == before+1 && n.state.SameContent(want.LeaderAndISR) && n.state.ControllerEpoch == want.ControllerEpoch:
		r.Version = n.version
	default:
		r.Outcome, r.Found = planner.Conflict, z.read(id)
	}
	return r
}

// remove deletes a topic, as somebody with ZooKeeper's shell does.
func (z *zookeeper) remove(name string) {
	z.tick()
	for i := range z.topics[name].parts {
		id := partition.ID{Topic: name, Number: int32(i)} //nolint:gosec // few
		z.bury(id)
	}
	delete(z.topics, name)
	delete(z.doomed, name)
	z.removed[name] = true
	z.s.trace("zk: topic %s is gone", name)
	z.s.watchTopics()
}

func (z *zookeeper) bury(id partition.ID) {
	if n := z.states[id]; n != nil {
		z.graves[id] = append(z.graves[id], n)
		delete(z.states, id)
	}
}

// buried reports whether a name may not come back: somebody removed the topic, or a replica,
// and nobody its logs.
func (z *zookeeper) buried(name string) bool {
	return z.removed[name]
}

func assignments(parts []planner.PartitionRead) []partition.Assignment {
	out := make([]partition.Assignment, len(parts))
	for i, p := range parts {
		out[i] = cloned(p.Assignment)
	}
	return out
}

func cloned(a partition.Assignment) partition.Assignment {
	return partition.Assignment{Replicas: slices.Clone(a.Replicas), Adding: slices.Clone(a.Adding), Removing: slices.Clone(a.Removing)}
}

// topicRead returns a topic znode and the states that exist under it.
func (z *zookeeper) topicRead(name string) (planner.TopicRead, []planner.StateRead) {
	n := z.topics[name]
	t := planner.TopicRead{Name: name, Version: n.version, Created: n.czxid, Zxid: max(n.czxid, n.mzxid), ID: n.id, FreshID: z.s.freshID()}
	var states []planner.StateRead
	for i, l := range n.parts {
		num := int32(i)
		t.Partitions = append(t.Partitions, planner.PartitionRead{Number: num, Assignment: cloned(l)})
		if sr := z.read(partition.ID{Topic: name, Number: num}); sr.Exists {
			states = append(states, sr)
		}
	}
	return t, states
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func sortedIDs[V any](m map[partition.ID]V) []partition.ID {
	out := make([]partition.ID, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, partition.Compare)
	return out
}
