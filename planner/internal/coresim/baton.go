package coresim

import (
	"strings"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// baton is one process: a session, a machine, and a model of the shell around it.
type baton struct {
	s       *sim
	id      int32
	active  bool // controller.mode
	up      bool
	session int64
	mach    *planner.Machine
	life    int // grows with every crash
	gen     int // grows with every change of role
	leading bool
	loading bool
	fence   epoch.Fence
	chans   map[int32]*channel
	writing map[partition.ID]uint64
	brokers watcher
	topics  watcher
	bounced map[bounce]bool
	configs map[string]bool // topics whose configuration is watched
	idle    bool            // the last step had no effects
	// evidence is what was measured last, by partition.
	evidence map[partition.ID]*evidence
}

// watcher keeps at most one reader under way; news during a read starts another one.
type watcher struct{ busy, again bool }

func (b *baton) boot() {
	b.up, b.mach, b.session = true, planner.New(), b.s.zk.open()
	b.drop()
	b.campaign()
	b.tick()
}

func (b *baton) tick() {
	life := b.life
	b.s.after(500, func() {
		if b.up && b.life == life {
			b.step(planner.Tick{})
			b.campaign()
			b.tick()
		}
	})
}

// crash is kill -9; the session lives on for a while.
func (b *baton) crash() {
	s, session := b.s, b.session
	s.trace("baton %d crashes", b.id)
	b.drop()
	b.up, b.leading, b.loading = false, false, false
	b.life++
	for _, t := range sortedKeys(s.calls) {
		if c := s.calls[t]; c.baton == b {
			delete(s.calls, t)
			s.after(s.p.net(s), func() { c.answer(nil) })
		}
	}
	s.after(s.p.session, func() { s.zk.expire(session) })
	s.after(s.r.between(100, 4000), func() { b.boot() })
}

// sessionEnds: the ensemble expires the session; the process hears of it later, as a zombie.
func (b *baton) sessionEnds(heardAfter planner.Millis) {
	s, life, session := b.s, b.life, b.session
	s.trace("baton %d: session expires, it hears of it in %d ms", b.id, heardAfter)
	s.zk.expire(session)
	s.after(heardAfter, func() {
		if b.life == life && b.session == session {
			b.lose("session expired")
			b.session = s.zk.open()
		}
	})
}

// step runs the machine and carries out its plan.
func (b *baton) step(ev planner.Event) {
	s := b.s
	if s.tracing {
		s.trace("baton %d <- %s", b.id, describeEvent(ev))
	}
	if s.bugs.IgnoreLapse {
		b.ignoreLapse()
	}
	before := b.incarnations()
	plan := b.mach.Step(s.now, ev)
	b.noteBounces(ev, before)
	b.idle = len(plan.Writes)+len(plan.Reads)+len(plan.Requests)+len(plan.Measures)+len(plan.Replies)+len(plan.Channels) == 0
	if s.tracing {
		s.tracePlan(b, plan)
	}
	for _, r := range plan.Replies {
		s.deliver(b, r)
	}
	if plan.Resign != "" {
		if strings.HasPrefix(plan.Resign, "about to") {
			s.failf("baton %d resigns: %s", b.id, plan.Resign)
		}
		s.mark("resigned")
		b.lose(plan.Resign)
		return
	}
	if !b.mach.Active() {
		return
	}
	for _, c := range plan.Channels {
		b.channel(c)
	}
	for _, w := range plan.Writes {
		b.write(w)
	}
	for _, r := range plan.Reads {
		b.read(r)
	}
	for _, r := range plan.Requests {
		b.send(r)
	}
	for _, q := range plan.Measures {
		b.measure(q)
	}
	if plan.Again {
		b.later(func() { b.step(planner.Continue{}) })
	}
	if plan.RereadBrokers {
		b.kickBrokers()
	}
	if plan.Reclaim {
		s.mark("reclaim")
		b.reclaim()
	}
}

// incarnations is what the machine knows of registrations.
func (b *baton) incarnations() map[int32]epoch.Broker {
	out := map[int32]epoch.Broker{}
	for _, br := range b.mach.View().Image.Brokers() {
		out[br.ID] = br.Epoch
	}
	return out
}

// noteBounces remembers members that restarted before this machine's eyes: none may be
// in an ISR that it decides from now on, unless alone or with nobody left to lead.
func (b *baton) noteBounces(ev planner.Event, before map[int32]epoch.Broker) {
	if _, ok := ev.(planner.BrokersChanged); !ok || !b.mach.Active() {
		return
	}
	im := b.mach.View().Image
	for _, br := range im.Brokers() {
		if old, ok := before[br.ID]; !ok || old == br.Epoch {
			continue
		}
		b.s.mark("bounce-seen")
		for _, id := range im.PartitionsOn(br.ID) {
			n := b.s.zk.states[id] // a removal may be on its way to the image
			if p := im.Partition(id); p.Known && p.State.ISR.Has(br.ID) && n != nil && n.state.ISR.Has(br.ID) {
				b.bounced[bounce{id, br.ID}] = true
			}
		}
	}
}

// checkBounced judges a decision against the restarts seen before it.
func (b *baton) checkBounced(st planner.SetState) {
	for _, m := range b.s.zk.hosts(st.ID) {
		key := bounce{st.ID, m}
		if b.bounced[key] && st.State.Leader != isr.NoLeader && st.State.ISR.Has(m) && len(st.State.ISR) > 1 {
			b.s.failf("baton %d decides %v although %d has restarted", b.id, st.State, m)
		}
		delete(b.bounced, key)
	}
}

type bounce struct {
	id     partition.ID
	broker int32
}

// ignoreLapse plants a bug: every decision looks as if it had known all registrations.
func (b *baton) ignoreLapse() {
	b.mach.View().Image.Each(func(_ *cluster.Topic, p *cluster.Partition) { forgetSeen(p) })
}

// lose ends the role: nothing is sent any more, and /controller is given back if it is ours.
func (b *baton) lose(reason string) {
	if !b.leading && !b.loading {
		return
	}
	s := b.s
	s.trace("baton %d loses the role: %s", b.id, reason)
	b.drop()
	s.zk.release(b.session, b.fence.Version)
	if b.leading {
		b.leading = false
		b.step(planner.RoleLost{Reason: reason})
	}
	b.loading = false
}

// drop closes what belongs to the role.
func (b *baton) drop() {
	b.gen++
	for _, id := range sortedKeys(b.chans) {
		b.chans[id].closed = true
	}
	b.chans, b.writing = map[int32]*channel{}, map[partition.ID]uint64{}
	b.brokers, b.topics, b.bounced = watcher{}, watcher{}, map[bounce]bool{}
	b.configs, b.evidence = map[string]bool{}, map[partition.ID]*evidence{}
}

// reclaim verifies the fence; if it holds although a broker knows a higher epoch, it
// claims again.
func (b *baton) reclaim() {
	gen := b.gen
	b.s.after(b.s.p.zk(b.s), func() {
		if b.gen == gen {
			b.lose("a broker knows a higher controller epoch")
		}
	})
}

// campaign claims when nobody holds, or when a broker holds and this Baton is active.
func (b *baton) campaign() {
	s, z := b.s, b.s.zk
	if !b.up || b.leading || b.loading {
		return
	}
	h := z.holder
	if h != nil && (h.baton || !b.active) {
		return
	}
	var saw int64
	if h != nil {
		saw = h.czxid
	}
	version, life, gen := z.epochVer, b.life, b.gen
	s.after(s.p.zk(s), func() {
		if b.life != life || b.gen != gen || b.leading || b.loading {
			return
		}
		fence, ok := z.claim(b.id, b.session, true, version, saw)
		if !ok {
			return
		}
		s.checkClaim(b, fence)
		b.gen++
		b.fence, b.loading = fence, true
		b.load()
	})
}

// load reads everything under the claim, not at one moment, and starts the role.
func (b *baton) load() {
	s, z := b.s, b.s.zk
	c := planner.Claimed{
		ID: b.id, Fence: b.fence, Settings: s.p.settings,
		Self: cluster.Broker{ID: b.id}, Batons: s.batonIDs(), Deleting: sortedKeys(z.deleting), Reassigning: z.readLegacy(),
	}
	b.brokers.busy, b.topics.busy = true, true
	b.listBrokers(func(good []cluster.Broker, bad []planner.Bad, _ []int32) {
		c.Brokers, c.BadBrokers = good, bad
		b.later(func() {
			for _, name := range sortedKeys(z.topics) {
				t, states := z.topicRead(name)
				c.Topics, c.States = append(c.Topics, t), append(c.States, states...)
			}
			b.later(func() {
				b.loading, b.leading = false, true
				s.mark("claimed")
				c.Defaults.Unclean = z.defaultUnclean
				b.step(c)
				b.reportPreferred()
				b.brokers.busy, b.topics.busy = false, false
				if b.leading && b.brokers.again {
					b.kickBrokers()
				}
				if b.leading && b.topics.again {
					b.kickTopics()
				}
				if b.leading {
					b.kickISR()
				}
			})
		})
	})
}

// later continues in this role after a ZooKeeper round trip.
func (b *baton) later(do func()) {
	gen := b.gen
	b.s.after(b.s.p.zk(b.s), func() {
		if b.gen == gen {
			do()
		}
	})
}

// listBrokers reads the list, then each registration; brokers restart in between.
func (b *baton) listBrokers(then func([]cluster.Broker, []planner.Bad, []int32)) {
	ids := sortedKeys(b.s.zk.brokers)
	var good []cluster.Broker
	var bad []planner.Bad
	var badIDs []int32
	var next func(i int)
	next = func(i int) {
		if i == len(ids) {
			then(good, bad, badIDs)
			return
		}
		b.later(func() {
			if n := b.s.zk.brokers[ids[i]]; n != nil && n.bad {
				bad, badIDs = append(bad, planner.Bad{Path: "/brokers/ids", Reason: "garbage"}), append(badIDs, ids[i])
			} else if n != nil {
				good = append(good, cluster.Broker{ID: ids[i], Epoch: epoch.Broker(n.czxid), Endpoints: []cluster.Endpoint{{Listener: "A", Port: n.port}}})
			}
			next(i + 1)
		})
	}
	b.later(func() { next(0) })
}

func (b *baton) kickBrokers() {
	if b.brokers.busy {
		b.brokers.again = true
		return
	}
	b.brokers = watcher{busy: true}
	b.listBrokers(func(good []cluster.Broker, bad []planner.Bad, ids []int32) {
		b.brokers.busy = false
		if b.s.bugs.HideBounce {
			b.hideBounces(good)
		}
		b.step(planner.BrokersChanged{Brokers: good, Bad: bad, BadIDs: ids})
		if b.leading && b.brokers.again {
			b.kickBrokers()
		}
	})
}

// hideBounces plants a bug: the czxid of the first look is reported for ever.
func (b *baton) hideBounces(list []cluster.Broker) {
	for i := range list {
		if old := b.mach.View().Image.Broker(list[i].ID); old != nil {
			list[i].Epoch = old.Epoch
		}
	}
}

func (b *baton) kickTopics() {
	if b.topics.busy {
		b.topics.again = true
		return
	}
	b.topics = watcher{busy: true}
	b.later(func() {
		var ev planner.TopicsChanged
		for _, name := range sortedKeys(b.s.zk.topics) {
			t, states := b.s.zk.topicRead(name)
			ev.Topics, ev.States = append(ev.Topics, t), append(ev.States, states...)
		}
		for _, t := range b.mach.View().Image.Topics() {
			if b.s.zk.topics[t.Name] == nil {
				ev.Gone = append(ev.Gone, t.Name)
			}
		}
		b.later(func() {
			b.topics.busy = false
			b.step(ev)
			if b.leading && b.topics.again {
				b.kickTopics()
			}
		})
	})
}
