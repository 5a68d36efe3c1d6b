package coresim

import (
	"slices"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// broker is a machine with its disk; its process comes and goes.
type broker struct {
	s       *sim
	id      int32
	port    int32
	proc    *process
	session int64
	logs    map[partition.ID]*plog
	version int16 // of AlterPartition
	old     bool  // writes the ISR itself
}

// process is one life of a broker. All of its memory ends with it, its disk does not.
type process struct {
	b          *broker
	alive      bool
	epoch      epoch.Broker // own czxid, 0 before the registration
	maxEpoch   epoch.Controller
	controller int32
	live       []int32
	cache      map[partition.ID]planner.PartitionState
	topicIDs   map[string]planner.TopicStates
	parts      map[partition.ID]*hosted
	asking     bool // one AlterPartition at a time
	changed    []partition.ID
	leaving    bool
}

// hosted is what a process remembers of one replica.
type hosted struct {
	epoch     epoch.Leader
	version   epoch.Partition
	by        epoch.Controller // of the state that it was told
	writing   bool             // the ISR, itself
	leader    int32
	isr       isr.Set
	replicas  []int32
	pending   isr.Set // asked for; its additions count for the high watermark already
	frozen    bool    // an error after which only a new leader epoch helps (08.3)
	leading   bool
	following bool
	truncated bool
	offline   bool // on a failed directory
	since     planner.Millis
	ends      map[int32]int            // log end of followers, as their fetches said
	fetched   map[int32]planner.Millis // when
	high      int
}

func (s *sim) broker(id int32) *broker { return s.brokers[id-1] }

// boot starts a process; it registers as soon as no older registration is in the way.
func (b *broker) boot() {
	s := b.s
	if b.proc != nil {
		return
	}
	p := &process{
		b: b, alive: true, controller: -1, cache: map[partition.ID]planner.PartitionState{},
		topicIDs: map[string]planner.TopicStates{}, parts: map[partition.ID]*hosted{},
	}
	b.proc = p
	b.session = s.zk.open()
	s.trace("broker %d starts", b.id)
	p.register()
}

// register retries until the znode of an earlier session is gone.
func (p *process) register() {
	s := p.b.s
	s.after(s.p.zk(s), func() {
		if !p.alive {
			return
		}
		czxid, ok := s.zk.register(p.b.id, p.b.session, p.b.port)
		if !ok {
			s.after(100, p.register)
			return
		}
		first := p.epoch == 0
		p.epoch = epoch.Broker(czxid)
		if first {
			p.loop()
		}
	})
}

// stop ends the process; graceful closes the session at once.
func (b *broker) stop(graceful bool) {
	s, p, session := b.s, b.proc, b.session
	if p == nil {
		return
	}
	s.trace("broker %d stops, gracefully: %v", b.id, graceful)
	p.alive = false
	b.proc = nil
	for _, t := range s.batons {
		for _, id := range sortedKeys(t.chans) {
			if t.chans[id].proc == p {
				t.chans[id].cut("broker stopped")
			}
		}
	}
	if graceful {
		s.zk.expire(session)
	} else {
		s.after(s.r.between(0, int(s.p.session)), func() { s.zk.expire(session) })
	}
}

// sessionEnds: the broker lives on and registers anew with its memory intact.
func (b *broker) sessionEnds() {
	if p := b.proc; p != nil && p.epoch != 0 {
		b.s.trace("broker %d loses its session", b.id)
		b.s.zk.expire(b.session)
		b.session = b.s.zk.open()
		p.register()
	}
}

// dirty loses what was not flushed: the tail of every log.
func (b *broker) dirty() {
	for _, id := range sortedIDs(b.logs) {
		l := b.logs[id]
		if n := b.s.r.n(4); n > 0 && len(l.recs) > 0 {
			l.recs = l.recs[:max(0, len(l.recs)-n)]
			// Outside the ISR it may lose what it likes (KIP-903), unless its leader writes it in
			// without asking anybody, or that was decided already.
			if z := b.s.zk.states[id]; z == nil || z.bad != "" || z.state.ISR.Has(b.id) || b.s.p.old > 0 || b.s.writing[bounce{id, b.id}] > 0 {
				b.s.damaged[id] = true
			} else {
				b.s.mark("outsider-lost-its-tail")
			}
		}
	}
}

// failDir takes some replicas offline and notifies the controller.
func (b *broker) failDir() {
	p, s := b.proc, b.s
	if p == nil || p.epoch == 0 {
		return
	}
	for _, id := range sortedIDs(p.parts) {
		if s.r.chance(40) {
			h := p.parts[id]
			h.offline, h.leading, h.following = true, false, false
			s.trace("broker %d: %v is on a failed directory", b.id, id)
		}
	}
	s.zk.notify(b.id)
}

// handle is 10.1: the checks of a whole request.
func (p *process) handle(r planner.Request) planner.BrokerReplied {
	s := p.b.s
	reply := planner.BrokerReplied{Broker: r.Broker, Conn: r.Conn, Seq: r.Seq}
	switch {
	case r.BrokerEpoch != epoch.Unknown && r.BrokerEpoch < p.epoch:
		reply.Code = 77
		s.mark("stale-broker-epoch")
	case r.ControllerEpoch < p.maxEpoch:
		reply.Code = 11
		s.mark("stale-controller-epoch")
	default:
		p.maxEpoch = r.ControllerEpoch
		switch r.Kind {
		case planner.LeaderAndISR:
			reply.Partitions = p.leaderAndISR(r)
		case planner.UpdateMetadata:
			p.updateMetadata(r)
		case planner.StopReplica:
			reply.Partitions = p.stopReplica(r)
		}
	}
	return reply
}

func (p *process) updateMetadata(r planner.Request) {
	p.controller = r.ControllerID
	p.live = p.live[:0]
	for _, l := range r.Live {
		p.live = append(p.live, l.ID)
	}
	for _, t := range r.Topics {
		p.topicIDs[t.Name] = planner.TopicStates{Name: t.Name, ID: t.ID}
		for _, ps := range t.Partitions {
			id := partition.ID{Topic: t.Name, Number: ps.Number}
			if ps.State.Leader == isr.LeaderGone {
				delete(p.cache, id)
				continue
			}
			p.cache[id] = ps
		}
	}
}

// leaderAndISR is 10.2 for 3.3 and later.
func (p *process) leaderAndISR(r planner.Request) []planner.PartitionCode {
	var out []planner.PartitionCode
	for _, t := range r.Topics {
		for _, ps := range t.Partitions {
			id := partition.ID{Topic: t.Name, Number: ps.Number}
			out = append(out, planner.PartitionCode{ID: id, Code: p.take(id, ps)})
		}
	}
	return out
}

func (p *process) take(id partition.ID, ps planner.PartitionState) int16 {
	s, me, h := p.b.s, p.b.id, p.parts[id]
	if h == nil {
		h = &hosted{epoch: -1, version: -1, leader: -1}
	}
	switch {
	case h.offline:
		return 56
	case ps.State.LeaderEpoch > h.epoch && !slices.Contains(ps.Assignment.Replicas, me):
		return 3
	case ps.State.LeaderEpoch <= h.epoch:
		return 11
	}
	p.parts[id] = h
	if ps.State.Leader == isr.NoLeader {
		h.replicas = ps.Assignment.Replicas
		p.open(id)
		return 0 // the log is open, and nothing of the state is taken (docs/measuring.md)
	}
	if ps.State.PartitionEpoch < h.version {
		return 0
	}
	h.replicas = ps.Assignment.Replicas
	h.by = ps.State.ControllerEpoch
	h.epoch, h.version, h.pending, h.frozen = ps.State.LeaderEpoch, ps.State.PartitionEpoch, nil, false
	p.open(id)
	switch {
	case ps.State.Leader == me:
		h.leader, h.isr, h.leading, h.following, h.since = me, ps.State.ISR, true, false, s.now
		h.ends, h.fetched, h.high = map[int32]int{}, map[int32]planner.Millis{}, 0
		s.checkNewLeader(p.b, id, h.epoch)
	case !slices.Contains(p.live, ps.State.Leader):
		// The state is not changed; the epoch is remembered all the same (10.2).
		h.leading = false
		s.mark("unknown-leader-ignored")
	default:
		h.leader, h.isr, h.leading, h.following, h.truncated = ps.State.Leader, ps.State.ISR, false, true, false
	}
	return 0
}

// open makes sure of a replica's log.
func (p *process) open(id partition.ID) {
	if p.b.logs[id] != nil {
		return
	}
	p.b.logs[id] = &plog{}
	if t := p.b.s.zk.topics[id.Topic]; t != nil {
		p.b.logs[id].czxid = t.czxid
	}
}

func (p *process) stopReplica(r planner.Request) []planner.PartitionCode {
	var out []planner.PartitionCode
	for _, t := range r.Topics {
		for _, ps := range t.Partitions {
			c := planner.PartitionCode{ID: partition.ID{Topic: t.Name, Number: ps.Number}}
			if h := p.parts[c.ID]; h != nil {
				switch {
				case h.offline:
					c.Code = 56
				case ps.State.LeaderEpoch < h.epoch && ps.State.LeaderEpoch != epoch.Deleting:
					c.Code = 74
				case r.Delete:
					delete(p.parts, c.ID)
					delete(p.b.logs, c.ID)
				default:
					h.leading, h.following = false, false
				}
			} else if r.Delete {
				delete(p.b.logs, c.ID) // what an earlier life left
			}
			out = append(out, c)
		}
	}
	return out
}

// loop is the broker's own work: fetching, the high watermark, ISR changes.
func (p *process) loop() {
	s := p.b.s
	s.after(s.r.between(180, 320), func() {
		if !p.alive {
			return
		}
		for _, id := range sortedIDs(p.parts) {
			switch h := p.parts[id]; {
			case h.following:
				p.fetch(id, h)
			case h.leading:
				p.advance(id, h)
			}
		}
		if p.b.old {
			p.writeISR()
		} else {
			p.askISR()
		}
		p.loop()
	})
}
