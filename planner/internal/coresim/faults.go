package coresim

import (
	"baton/epoch"
	"baton/partition"
	"baton/planner"
)

const healTime = 75_000

// params are chosen by the seed: most runs have only some kinds of faults, so that
// each can do its harm undisturbed (swarm testing).
type params struct {
	settings   planner.Settings
	chaos      planner.Millis
	session    planner.Millis
	slowZK     int // percent of slow round trips
	slowNet    int
	lostWrites int
	lostAcks   int
	frameLost  int // of a thousand
	frameHeld  int
	replyLost  int
	callLost   int
	fetchFails int
	dirtyLogs  bool
	pace       planner.Millis
	kinds      []func(*sim)
	brokers    int
	batons     int
	partitions int
	lags       bool // followers fall behind now and then
	old        int  // percent of brokers that write the ISR themselves
}

func some(r *rng, max int) int {
	if r.chance(50) {
		return 0
	}
	return 1 + r.n(max)
}

func chooseParams(r *rng) params {
	p := params{
		chaos: r.between(8_000, 25_000), session: r.between(800, 3000), slowZK: some(r, 20), slowNet: some(r, 20),
		lostWrites: some(r, 10), lostAcks: some(r, 15), frameLost: some(r, 60), frameHeld: some(r, 30), replyLost: some(r, 60),
		callLost: some(r, 20), fetchFails: some(r, 40), dirtyLogs: r.chance(20), pace: r.between(100, 1500),
		brokers: 3 + r.n(2), batons: 1 + r.n(3), partitions: 1 + r.n(3),
	}
	p.settings = planner.Settings{
		UncleanElection: r.chance(15), Partitions: 1, Factor: 2, TopicIDs: r.chance(80), LeaderRecovery: r.chance(70),
		MaxPerRequest: some(r, 3), MaxDecided: some(r, 3), RetryAfter: 200, ToldWait: 500, DeleteTopics: true, MeasureReturned: 1000,
		AutoRebalance: r.chance(50), RebalanceEvery: r.between(1000, 8000), RebalancePercent: 10 * r.n(4),
	}
	if r.chance(35) {
		p.old = 50
		if r.chance(60) {
			p.old = 100
		}
		p.settings.TopicIDs, p.settings.LeaderRecovery, p.settings.LeadersWriteISR = false, false, true
	}
	for _, k := range allFaults {
		if r.chance(45) {
			p.kinds = append(p.kinds, k)
		}
	}
	if len(p.kinds) == 0 {
		p.kinds = allFaults
	}
	return p
}

func (p *params) zk(s *sim) planner.Millis {
	if s.zk.pausedTo > s.now {
		return s.zk.pausedTo - s.now + s.r.between(1, 50)
	}
	if !s.healed && s.r.chance(p.slowZK) {
		return s.r.between(50, 600)
	}
	return s.r.between(1, 8)
}

func (p *params) net(s *sim) planner.Millis {
	if !s.healed && s.r.chance(p.slowNet) {
		return s.r.between(50, 600)
	}
	return s.r.between(1, 10)
}

// allFaults in a fixed order.
var allFaults = []func(*sim){
	func(s *sim) { // a Baton's session expires; it acts as a zombie for a while
		if b := pick(&s.r, s.batons); b.up {
			b.sessionEnds(s.r.between(0, 3000))
		}
	},
	func(s *sim) {
		if b := pick(&s.r, s.batons); b.up {
			b.crash()
		}
	},
	func(s *sim) { pick(&s.r, s.brokers).die(s.r.between(200, 5000)) },
	func(s *sim) { // a quick bounce, within any other step
		b := pick(&s.r, s.brokers)
		if b.proc != nil {
			b.stop(true)
			b.boot()
		}
	},
	func(s *sim) { pick(&s.r, s.brokers).sessionEnds() },
	func(s *sim) { pick(&s.r, s.brokers).shutdown(3) },
	func(s *sim) { // connections break
		for _, id := range sortedKeys(pick(&s.r, s.batons).chans) {
			for _, b := range s.batons {
				if ch := b.chans[id]; ch != nil && s.r.chance(50) {
					ch.cut("network")
				}
			}
		}
	},
	func(s *sim) { s.zk.pausedTo = s.now + s.r.between(100, 3000) },
	func(s *sim) { s.externalWriter() },
	func(s *sim) { s.badState() },
	func(s *sim) { pick(&s.r, s.brokers).failDir() },
	func(s *sim) { s.rivalClaims() },
	func(s *sim) { s.autoCreate() },
	func(s *sim) { s.clientCall() },
	func(s *sim) { s.preferredZnode() },
	func(s *sim) { s.toggleUnclean() },
	func(s *sim) { s.badBroker() },
	func(s *sim) { s.marker() },
	func(s *sim) { s.reassignCall() },
	func(s *sim) { s.reassignLegacy() },
	func(s *sim) { s.grow() },
	func(s *sim) { s.addPartition() },
	func(s *sim) { // a topic is removed
		if name := pick(&s.r, sortedKeys(s.zk.topics)); name[0] != 't' && !comesBack(name) {
			s.zk.remove(name)
			s.mark("removed")
		}
	},
	func(s *sim) { // all at once
		for _, b := range s.brokers {
			b.die(s.r.between(100, 2000))
		}
	},
}

func (s *sim) chaosLoop() {
	s.after(s.r.between(1, int(s.p.pace)), func() {
		if s.healed {
			return
		}
		pick(&s.r, s.p.kinds)(s)
		if s.r.chance(30) {
			s.releaseHeld()
		}
		s.chaosLoop()
	})
}

// die is kill -9 and a return.
func (b *broker) die(back planner.Millis) {
	if b.proc == nil {
		return
	}
	b.stop(b.s.r.chance(30))
	if b.s.p.dirtyLogs {
		b.dirty()
	}
	b.s.after(back, b.boot)
}

// externalWriter rewrites a state with the content it has: a new version.
func (s *sim) externalWriter() {
	id := pick(&s.r, sortedIDs(s.zk.states))
	if n := s.zk.states[id]; n.bad == "" {
		s.zk.put(id, n.state)
		s.trace("zk: %v rewritten from outside, version %d", id, n.version)
	}
}

func (s *sim) badState() {
	id := pick(&s.r, sortedIDs(s.zk.states))
	n := s.zk.states[id]
	n.version++
	n.mzxid = s.zk.tick()
	n.bad = "garbage"
	s.trace("zk: %v becomes garbage, version %d", id, n.version)
	s.after(s.r.between(1000, 10_000), func() { s.mend(id) })
}

func (s *sim) mend(id partition.ID) {
	if n := s.zk.states[id]; n != nil && n.bad != "" {
		s.zk.put(id, n.state)
		s.trace("zk: %v mended, version %d", id, n.version)
	}
}

func (s *sim) badBroker() {
	id := pick(&s.r, s.brokers).id
	if n := s.zk.brokers[id]; n != nil {
		n.bad = !n.bad
		s.trace("zk: /brokers/ids/%d garbage: %v", id, n.bad)
		s.watchBrokers()
	}
}

// rivalClaims lets a broker's controller win, if nobody holds or by luck; it may make
// one decision of its own.
func (s *sim) rivalClaims() {
	b := pick(&s.r, s.brokers)
	if b.proc == nil || b.proc.epoch == 0 || s.zk.holder != nil && !s.r.chance(20) {
		return
	}
	if s.zk.holder != nil {
		s.zk.holder = nil // somebody deleted it by hand
		s.watchController()
	}
	fence, ok := s.zk.claim(b.id, b.session, false, s.zk.epochVer, 0)
	if !ok {
		return
	}
	s.mark("rival")
	if s.r.chance(60) {
		id := pick(&s.r, sortedIDs(s.zk.states))
		if n := s.zk.states[id]; n.bad == "" {
			st := n.state
			st.LeaderEpoch++
			st.ControllerEpoch = fence.Epoch
			s.zk.put(id, st)
		}
	}
	if s.r.chance(60) {
		s.rivalReassigns(fence)
	}
	if p := b.proc; s.r.chance(50) {
		p.maxEpoch = max(p.maxEpoch, fence.Epoch)
		p.controller = b.id
	}
}

// autoCreate is a broker creating a topic from the live brokers it was told, Baton
// among them; a rival may have initialised it.
func (s *sim) autoCreate() {
	name := pick(&s.r, []string{"auto-a", "auto-b"})
	if s.zk.topics[name] != nil || s.zk.buried(name) {
		return
	}
	pool := s.batonIDs()[:1]
	for _, b := range s.brokers {
		pool = append(pool, b.id)
	}
	t := &topicNode{}
	for range 1 + s.r.n(2) {
		var list []int32
		for _, i := range s.r.shuffled(len(pool))[:2] {
			list = append(list, pool[i])
		}
		t.parts = append(t.parts, partition.Assignment{Replicas: list})
	}
	if s.r.chance(60) {
		t.id = s.freshID()
	}
	s.zk.topics[name] = t
	t.czxid = s.zk.tick()
	s.mark("auto-created")
	s.trace("zk: topic %s created by a broker: %v", name, t.parts)
	if s.r.chance(25) {
		s.initialiseByRival(name, t)
	}
	s.watchTopics()
}

func (s *sim) initialiseByRival(name string, t *topicNode) {
	for i, l := range t.parts {
		var st partition.State
		st.Leader = -1
		for _, b := range l.Replicas {
			if s.zk.brokers[b] != nil {
				if st.Leader == -1 {
					st.Leader = b
				}
				st.ISR = append(st.ISR, b)
			}
		}
		st.ControllerEpoch = epoch.Controller(max(0, s.zk.epoch-1))
		if st.Leader != -1 {
			s.zk.put(partition.ID{Topic: name, Number: int32(i)}, st)
		}
	}
}
