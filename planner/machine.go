package planner

import (
	"cmp"
	"math"
	"slices"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/quota"
)

// Machine is the controller's state between events. It is owned by one goroutine.
// The zero value is not usable; see New.
type Machine struct {
	active bool
	now    Millis
	id     int32
	fence  epoch.Fence
	set    Settings
	self   cluster.Broker
	im     *cluster.Image
	plan   Plan
	seq    uint64
	// shrinks are writes of the step that go behind all others; see propose.
	shrinks []Write

	// What the step is about, for its decisions: event, and what it was found to mean. cause
	// is made of both; overdue are the causes of partitions that have to wait for a decision.
	event   Event
	because []string
	cause   *Trigger
	overdue map[partition.ID]*Trigger
	// considered has room for what the next decisions considered.
	considered []partition.Considered

	// dirty partitions are looked at again before the step ends, or in one of the next if they are many; dirtyFirst before the others.
	dirty, dirtyFirst cluster.Slots
	sliced            bool   // they are many
	left              []left // those of dirty that were left by earlier steps
	// dirtyGone are those that are not there any more.
	dirtyGone map[partition.ID]struct{}
	// retry holds partitions whose write failed, until when.
	retry map[partition.ID]Millis
	// inflight is the one write under way for a partition; it is decided again after it.
	inflight flights
	// conflicts counts, in a row, writes that found another version.
	conflicts map[partition.ID]int
	// bump marks initialised partitions whose assignment was repaired or changed by a
	// reassignment: their leader must hear of it under a new epoch.
	bump map[partition.ID]partition.Strategy
	// writes finds what a Result belongs to, measurements what a Measured does.
	writes       map[uint64]func(Result)
	measurements map[uint64]*measurement

	// topicWrites is the SetTopic under way for a topic, by the write's Seq: a topic of the
	// same name that comes later must not take its outcome for its own.
	topicWrites map[string]uint64
	fresh       map[string]cluster.TopicID // ids for topics that have none
	creating    map[string]bool            // CreateTopic under way, and not gone since
	deleting    map[string]bool            // markers that were there last
	deletions   map[string]*deletion       // see delete.go
	lookAt      map[string]struct{}        // deletions to be pursued before the step ends
	graves      map[string]grave           // topics that were deleted a short while ago
	cleaning    *deletion                  // whose znodes are being removed
	badTopics   map[string]string
	sameID      map[string]TopicRead // topics left out because another one has their id
	unreadable  map[string][]Bad     // by scope
	// unclean holds topic configurations read for this step, asked those under way.
	unclean map[string]TopicConfigRead
	asked   map[string]bool

	// undecided are the partitions that are not told of at the end of the step: their states are about to change, perhaps.
	undecided *cluster.Slots
	liveGen   uint64 // grows with every change of the list of live brokers
	live      liveList
	bodies    []*body // what brokers were told last by UpdateMetadata, until it is outdated
	ledgers   map[int32]*ledger
	waiting   map[partition.ID][]*alterItem
	unread    []*alterItem // of partitions that cannot be read or fenced yet, answered with the next tick
	refenced  map[partition.ID]refence
	leavings  []*shutdownCall
	creates   []*createCall
	deletes   []*deleteCall
	grows     []*growCall
	// elections are those wanted by somebody; wanted finds those of a partition that wait to
	// be held, wantedCount is how many.
	elections   []*election
	wanted      map[partition.ID][]*election
	wantedCount int
	// preferredLeft is when a handled /admin/preferred_replica_election is deleted again.
	preferredLeft Millis
	balance       rebalance
	// uncleanDynamic is the cluster's dynamic default, nil if there is none.
	uncleanDynamic *bool
	blocks         map[uint64]struct{} // tokens of producer id calls under way
	scrams         map[uint64]*scramCall
	quotas         *quota.Limiter
	reread         Millis // when broken states are read again
	reads          map[partition.ID]*stateRead
	handled        []string // notifications that are still to be deleted

	// What reassign*.go keep: replicas to be deleted, requests that wait for their topic's
	// znode, when that one may be written again, and the legacy znode.
	dismissals map[partition.ID]*dismissal
	leftovers  map[int32]map[partition.ID]struct{} // by broker
	unheard    map[int32]map[partition.ID]struct{} // by broker that is away
	moves      map[string][]*moveItem
	moveCalls  []*moveCall
	topicRetry map[string]Millis
	stale      map[string]int32 // by topic: the version that a write found outdated
	legacy     legacy

	// What memory.go keeps: when brokers came and went, and who led what nobody leads.
	registered map[int32]Millis
	away       map[int32]Away
	lost       map[partition.ID]lost

	// What recover.go keeps: leaderless partitions whose replicas are measured, those that wait for it, when to look for more,
	// and how many measurements are under way.
	rescues    map[partition.ID]*rescue
	toMeasure  []partition.ID
	nextRescue Millis
	measuring  int
	// overruled are partitions by brokers that were in sync before an unclean election, and have not been back since.
	overruled map[int32]map[partition.ID]struct{}
	// leaderless is since when partitions have had no leader that had none at the claim.
	leaderless map[partition.ID]Millis
	claimedAt  Millis
}

// New returns a machine that holds no role; a Claimed event starts it.
func New() *Machine {
	m := &Machine{}
	m.reset()
	return m
}

func (m *Machine) reset() {
	plan, seq := m.plan, m.seq // Results of an earlier role must never be taken for this one's
	*m = Machine{
		plan: plan, seq: seq, now: m.now, event: m.event, im: cluster.NewImage(nil),
		dirtyGone: map[partition.ID]struct{}{}, retry: map[partition.ID]Millis{}, overdue: map[partition.ID]*Trigger{},
		conflicts: map[partition.ID]int{}, bump: map[partition.ID]partition.Strategy{},
		writes: map[uint64]func(Result){}, measurements: map[uint64]*measurement{}, topicWrites: map[string]uint64{}, fresh: map[string]cluster.TopicID{}, creating: map[string]bool{},
		deleting: map[string]bool{}, deletions: map[string]*deletion{}, lookAt: map[string]struct{}{}, graves: map[string]grave{},
		wanted: map[partition.ID][]*election{}, badTopics: map[string]string{}, sameID: map[string]TopicRead{}, unreadable: map[string][]Bad{},
		unclean: map[string]TopicConfigRead{}, asked: map[string]bool{},
		ledgers: map[int32]*ledger{}, waiting: map[partition.ID][]*alterItem{}, refenced: map[partition.ID]refence{},
		blocks: map[uint64]struct{}{}, scrams: map[uint64]*scramCall{}, quotas: quota.New(), reads: map[partition.ID]*stateRead{},
		dismissals: map[partition.ID]*dismissal{}, leftovers: map[int32]map[partition.ID]struct{}{}, unheard: map[int32]map[partition.ID]struct{}{stranger: {}}, moves: map[string][]*moveItem{}, topicRetry: map[string]Millis{}, stale: map[string]int32{},
		registered: map[int32]Millis{}, away: map[int32]Away{}, lost: map[partition.ID]lost{},
		rescues: map[partition.ID]*rescue{}, nextRescue: never, overruled: map[int32]map[partition.ID]struct{}{}, leaderless: map[partition.ID]Millis{},
	}
}

// Active reports whether the machine holds the role.
func (m *Machine) Active() bool { return m.active }

// View is for readers on the goroutine that steps the machine.
func (m *Machine) View() View {
	v := View{ControllerID: m.id, Fence: m.fence, Self: m.self, Image: m.im}
	if m.active {
		v.Self = m.selfEntry() // clients hear from us what they hear from brokers, the rack included
	}
	return v
}

// Step takes one event at a time now and returns what to do about it. now never goes
// back.
func (m *Machine) Step(now Millis, ev Event) Plan {
	m.now = now
	m.plan = Plan{}
	m.event, m.because, m.cause = ev, m.because[:0], nil
	switch ev.(type) {
	case ChannelUp, BrokerReplied, Continue: // change nothing that brokers are told, or say so
	default:
		m.bodies = nil
	}
	if c, ok := ev.(Claimed); ok {
		m.claim(c)
	} else if m.active {
		m.handle(ev)
	} else if c, ok := ev.(Call); ok {
		m.reply(c.Token, notController(c.Body))
	}
	if m.active && m.plan.Resign == "" {
		m.settle()
	}
	return m.plan
}

func (m *Machine) handle(ev Event) {
	switch e := ev.(type) {
	case RoleLost:
		m.loseRole(e.Reason)
	case BrokersChanged:
		m.brokersChanged(e)
	case TopicsChanged:
		m.topicsChanged(e)
	case WorkChanged:
		m.workChanged(e)
	case BatonsChanged:
		m.setUnreadable(scopeBatons, e.Bad)
		for _, id := range e.IDs {
			m.im.AddBaton(id)
		}
	case LogDirFailed:
		m.logDirFailed(e)
	case ISRChanged:
		m.isrChanged(e)
	case SettingsChanged:
		before := m.set.FeatureVersion
		if m.set = e.Settings; m.set.FeatureVersion != before {
			m.enableFeatures()
		}
		m.touchLeaderless()
	case Committed:
		for _, r := range e.Results {
			m.committed(r)
		}
	case Refreshed:
		for _, s := range e.States {
			m.refreshed(s)
		}
	case TopicConfigRead:
		m.topicConfigRead(e)
	case DefaultsChanged:
		m.defaultsChanged(e)
	case QuotasChanged:
		m.quotasChanged(e)
	case PreferredRequested:
		m.preferredRequested(e)
	case Continue: // what settle does
	case ChannelUp:
		m.channelUp(e)
	case ChannelDown:
		m.channelDown(e)
	case BrokerReplied:
		m.brokerReplied(e)
	case Measured:
		m.measured(e)
	case Tick:
		m.tick()
	case Call:
		m.call(e)
	}
}

// settle turns everything the event touched into writes, then into requests.
func (m *Machine) settle() {
	m.rebalanceStep()
	m.feedElections()
	looked := m.takeDirty()
	for _, d := range looked {
		m.decide(d.id)
	}
	m.forgetLeft()
	m.measureQueued()
	m.reassignTopics(looked)
	if !m.sliced {
		clear(m.unclean)
	}
	m.settleDeletions()
	m.settleCalls()
	m.moreElections()
	m.plan.Writes = append(m.plan.Writes, m.shrinks...)
	m.shrinks = nil
	m.tell()
}

// looked is a partition that is looked at.
type looked struct {
	id   partition.ID
	slot int32 // notThere if it is gone
}

const notThere int32 = -1

// maxDecided is how many partitions are decided about in one step: some milliseconds, for which an ISR change may have to wait.
const maxDecided = 2_000

// takeDirty returns the partitions to look at in this step, by topic and number. A claim looks at all: there is nothing that could wait.
func (m *Machine) takeDirty() []looked {
	most := math.MaxInt
	if _, claims := m.event.(Claimed); m.event != nil && !claims {
		most = cmp.Or(m.set.MaxDecided, maxDecided)
	}
	for id := range m.dirtyGone {
		if p := m.im.Partition(id); p != nil { // another one of that name came in the same step
			m.dirty.Add(p.Slot())
			delete(m.dirtyGone, id)
		}
	}
	var now cluster.Slots
	for _, from := range []*cluster.Slots{&m.dirtyFirst, &m.dirty} {
		for slot := range from.AllBut(&now) {
			if now.Len() >= most {
				break
			}
			now.Add(slot)
		}
	}
	m.dirtyFirst.RemoveAll(&now)
	m.dirty.RemoveAll(&now)
	out := m.byName(&now)
	for id := range m.dirtyGone {
		out = append(out, looked{id: id, slot: notThere})
	}
	if len(m.dirtyGone) > 0 {
		slices.SortFunc(out, compareLooked)
		clear(m.dirtyGone)
	}
	if len(out) > 0 {
		m.bodies = nil // what waited for a look may be told
	}
	if m.sliced = m.dirty.Len() > 0; m.sliced {
		m.keepCauses()
		m.plan.Again = true
	}
	return out
}

// byName returns partitions by topic and number. As a claim numbers slots in that order, there is little to sort.
func (m *Machine) byName(slots *cluster.Slots) []looked {
	out := make([]looked, 0, slots.Len())
	for slot := range slots.All() {
		out = append(out, looked{id: m.im.ID(slot), slot: slot})
	}
	slices.SortFunc(out, compareLooked)
	return out
}

func compareLooked(a, b looked) int { return partition.Compare(a.id, b.id) }

func (m *Machine) touch(id partition.ID) {
	if p := m.im.Partition(id); p != nil {
		m.dirty.Add(p.Slot())
	} else {
		m.dirtyGone[id] = struct{}{}
	}
}

// touchAllOn has the partitions looked at that a broker hosts, first those that it leads.
func (m *Machine) touchAllOn(broker int32) {
	hosted := m.im.HostedBy(broker)
	m.dirty.AddAll(hosted)
	for slot := range hosted.All() {
		if _, p := m.im.At(slot); p.Known && p.State.Leader == broker {
			m.dirtyFirst.Add(slot)
		}
	}
}

// touchLeaderless has every partition that nobody leads looked at again.
func (m *Machine) touchLeaderless() {
	m.im.Each(func(_ *cluster.Topic, p *cluster.Partition) {
		if !p.Known || p.State.Leader == isr.NoLeader {
			m.dirty.Add(p.Slot())
		}
	})
}

// write queues one write; then is called with its result.
func (m *Machine) write(body WriteBody, then func(Result)) uint64 {
	w := m.newWrite(body, then)
	m.plan.Writes = append(m.plan.Writes, w)
	return w.Seq
}

func (m *Machine) newWrite(body WriteBody, then func(Result)) Write {
	m.seq++
	m.writes[m.seq] = then
	return Write{Seq: m.seq, Body: body}
}

func (m *Machine) committed(r Result) {
	then := m.writes[r.Seq]
	if then == nil {
		return // of an earlier role
	}
	delete(m.writes, r.Seq)
	then(r)
}

func (m *Machine) reply(token uint64, body ReplyBody) {
	m.plan.Replies = append(m.plan.Replies, Reply{Token: token, Body: body})
}

func (m *Machine) note(n Note) { m.plan.Notes = append(m.plan.Notes, n) }

func (m *Machine) bad(path, reason string) {
	m.note(Note{Kind: NoteBad, Text: path + ": " + reason, Broker: -1})
}

// loseRole answers what is open and forgets everything: the next claim reads it anew.
func (m *Machine) loseRole(reason string) {
	m.failCalls()
	replies := m.plan.Replies
	m.reset()
	m.plan = Plan{Replies: replies, Notes: []Note{{Kind: NoteAlarm, Text: "role lost: " + reason, Broker: -1}}}
}

// tick lets time pass: failed writes, back-offs and deadlines.
func (m *Machine) tick() {
	for id, at := range m.retry {
		if at <= m.now {
			delete(m.retry, id)
			m.touch(id)
		}
	}
	m.repairAll()
	m.rebalanceTick()
	m.electionsTick()
	m.giveUpMeasures()
	m.rescueTick()
	m.releaseHeld()
	m.reassignTick()
	m.lookAtDeletions()
	m.forgetGraves()
	paths := m.handled
	m.handled = nil
	m.deleteNotifications(paths)
	m.dispelDoubts()
	m.forgetProved()
	m.forgetRefenced()
	m.answerLater()
	if m.now >= m.reread {
		m.reread = m.now + 30_000
		m.rereadBroken()
		m.rereadConfigs()
	}
}

// rereadBroken asks again for states that could not be understood: somebody may have
// mended them.
func (m *Machine) rereadBroken() {
	var ids []partition.ID
	m.im.Each(func(t *cluster.Topic, p *cluster.Partition) {
		id := partition.ID{Topic: t.Name, Number: p.Number}
		if p.Broken != "" && m.reads[id] == nil { // ZooKeeper may be away for long
			ids = append(ids, id)
		}
	})
	m.readStates(ids)
}
