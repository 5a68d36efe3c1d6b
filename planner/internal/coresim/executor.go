package coresim

import (
	"slices"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// write takes one write to ZooKeeper. What may happen to it: it is applied and
// answered, late or in another order than others; applied and the answer lost, so that
// the outcome is read back; lost before; refused because the role is lost.
func (b *baton) write(w planner.Write) {
	s, life, gen := b.s, b.life, b.gen
	id, isState := stateOf(w)
	var members isr.Set
	if isState {
		if other, busy := b.writing[id]; busy {
			s.failf("baton %d has writes %d and %d in flight for %v", b.id, other, w.Seq, id)
		}
		b.writing[id] = w.Seq
		if st, ok := w.Body.(planner.SetState); ok {
			b.checkBounced(st)
			s.checkRescue(b, st)
			members = st.State.ISR
		}
		s.onItsWay(id, members, 1)
		s.breakWrite(&w)
	}
	if s.bugs.TellEarly {
		b.tellEarly(w)
	}
	if st, ok := w.Body.(planner.SetTopic); ok {
		s.checkEnd(b, st)
	}
	session, fence := b.session, b.fence
	done := func(r planner.Result) {
		if b.life != life {
			return
		}
		if b.gen == gen && isState {
			delete(b.writing, id)
		}
		b.step(planner.Committed{Results: []planner.Result{r}})
	}
	fate := s.r.n(100)
	s.after(s.p.zk(s), func() {
		s.onItsWay(id, members, -1)
		if fate < s.p.lostWrites && !s.healed {
			s.after(s.p.zk(s), func() { done(planner.Result{Seq: w.Seq, Outcome: planner.Failed, Reason: "never sent"}) })
			return
		}
		r, fenced := s.zk.commit(session, fence, w)
		s.trace("zk: write %d of baton %d: outcome %d fenced %v", w.Seq, b.id, r.Outcome, fenced)
		switch st, ok := w.Body.(planner.SetState); {
		case r.Outcome == planner.Conflict:
			s.mark("conflict")
		case r.Outcome == planner.Applied && ok: // decided before a restart that was seen meanwhile
			for _, m := range s.zk.hosts(id) {
				if !st.State.ISR.Has(m) {
					delete(b.bounced, bounce{id, m})
				}
			}
		}
		s.after(s.p.zk(s), func() {
			switch {
			case fenced:
				if b.life == life && b.gen == gen {
					s.mark("fenced")
					b.lose("fenced")
					b.renew(session)
				}
			case fate < s.p.lostWrites+s.p.lostAcks && !s.healed && isState:
				s.mark("ack-lost")
				if s.bugs.ForgetLost {
					done(planner.Result{Seq: w.Seq, Outcome: planner.Failed, Reason: "connection lost"})
					return
				}
				s.after(s.p.zk(s), func() { done(b.resolve(w)) })
			default:
				done(r)
			}
		})
	})
}

// onItsWay counts the members of ISRs that are on their way to ZooKeeper.
func (s *sim) onItsWay(id partition.ID, members isr.Set, by int) {
	for _, m := range members {
		s.writing[bounce{id, m}] += by
	}
}

// renew replaces a session that turned out to be dead.
func (b *baton) renew(session int64) {
	if b.session == session && !b.s.zk.sessions[session] {
		b.session = b.s.zk.open()
	}
}

// resolve reads back; now and then what we wrote ourselves comes back as a conflict.
func (b *baton) resolve(w planner.Write) planner.Result {
	r := b.s.zk.resolve(w)
	if id, ok := stateOf(w); ok && r.Outcome == planner.Applied && b.s.r.chance(30) {
		r.Outcome, r.Found, r.Version = planner.Conflict, b.s.zk.read(id), 0
		b.s.mark("own-write-as-conflict")
	}
	return r
}

// breakWrite plants the bug of a leader from outside the ISR.
func (s *sim) breakWrite(w *planner.Write) {
	if b, ok := w.Body.(planner.SetState); ok && s.bugs.LeaderOutside && len(b.State.ISR) > 0 {
		for _, r := range s.zk.replicas(b.ID) {
			if !b.State.ISR.Has(r) {
				b.State.Leader = r
				w.Body = b
				return
			}
		}
	}
}

// tellEarly plants the bug of telling what was only just attempted.
func (b *baton) tellEarly(w planner.Write) {
	st, ok := w.Body.(planner.SetState)
	if !ok {
		return
	}
	next := st.State
	next.PartitionEpoch++
	for _, r := range b.s.zk.replicas(st.ID) {
		if ch := b.chans[r]; ch != nil && ch.up {
			b.send(planner.Request{
				Kind: planner.LeaderAndISR, Broker: r, BrokerEpoch: ch.epoch, Conn: ch.conn, ControllerID: b.id, ControllerEpoch: b.fence.Epoch,
				Topics: []planner.TopicStates{{Name: st.ID.Topic, Partitions: []planner.PartitionState{{
					Number: st.ID.Number, State: next, Assignment: partition.Assignment{Replicas: b.s.zk.replicas(st.ID)},
				}}}},
			})
		}
	}
}

func stateOf(w planner.Write) (partition.ID, bool) {
	switch b := w.Body.(type) {
	case planner.SetState:
		return b.ID, true
	case planner.CreateState:
		return b.ID, true
	}
	return partition.ID{}, false
}

func (z *zookeeper) replicas(id partition.ID) []int32 {
	t := z.topics[id.Topic]
	if t == nil || int(id.Number) >= len(t.parts) {
		return nil
	}
	return t.parts[id.Number].Replicas
}

// hosts are the replicas, and members of the ISR that are none any more.
func (z *zookeeper) hosts(id partition.ID) []int32 {
	out := slices.Clone(z.replicas(id))
	if n := z.states[id]; n != nil {
		for _, st := range n.history {
			for _, m := range st.ISR {
				if !slices.Contains(out, m) {
					out = append(out, m)
				}
			}
		}
	}
	return out
}

func (b *baton) read(r planner.Read) {
	s := b.s
	b.later(func() {
		if r.TopicConfig != "" {
			b.configs[r.TopicConfig] = true
			b.step(s.zk.topicConfig(r.TopicConfig)) // zkstore delivers in the order of its reads
			return
		}
		var ev planner.Refreshed
		for _, id := range r.States {
			ev.States = append(ev.States, s.zk.read(id))
		}
		b.later(func() { b.step(ev) })
	})
}

// channel is Baton's side of the connection to one broker. It connects again by itself
// until it is closed.
type channel struct {
	b      *baton
	broker int32
	epoch  epoch.Broker
	conn   uint64
	proc   *process
	up     bool
	closed bool
}

func (b *baton) channel(c planner.ChannelChange) {
	if old := b.chans[c.Broker.ID]; old != nil {
		old.closed = true
		delete(b.chans, c.Broker.ID)
		if old.up && !c.Close {
			b.later(func() { b.step(planner.ChannelDown{Broker: old.broker, Conn: old.conn, Reason: "replaced"}) })
		}
	}
	if !c.Close {
		ch := &channel{b: b, broker: c.Broker.ID, epoch: c.Broker.Epoch}
		b.chans[c.Broker.ID] = ch
		ch.connect()
	}
}

func (ch *channel) connect() {
	s := ch.b.s
	s.after(s.p.net(s), func() {
		if ch.closed {
			return
		}
		p := s.broker(ch.broker).proc
		if p == nil || p.epoch == 0 {
			s.after(200, ch.connect)
			return
		}
		s.conns++
		ch.conn, ch.proc, ch.up = s.conns, p, true
		ch.b.step(planner.ChannelUp{Broker: ch.broker, Epoch: ch.epoch, Conn: ch.conn})
	})
}

// cut breaks the connection; both ends notice later.
func (ch *channel) cut(reason string) {
	if !ch.up || ch.closed {
		return
	}
	s, conn := ch.b.s, ch.conn
	ch.up = false
	s.after(s.p.net(s), func() {
		if !ch.closed {
			ch.b.step(planner.ChannelDown{Broker: ch.broker, Conn: conn, Reason: reason})
			ch.connect()
		}
	})
}

// heldFrame is a request that a proxy or a buffer kept while its sender lost the role.
type heldFrame struct {
	broker int32
	r      planner.Request
}

// send hands a request to the network.
func (b *baton) send(r planner.Request) {
	s, ch := b.s, b.chans[r.Broker]
	s.checkRequest(b, r)
	if ch == nil || !ch.up || ch.conn != r.Conn {
		return // the connection is gone already; its ChannelDown is on its way
	}
	fate := s.r.n(1000)
	if s.healed {
		fate = 999
	}
	blind := s.bugs.ToldBlindly
	s.after(s.p.net(s), func() {
		p := ch.proc
		switch {
		case !ch.up || ch.closed || ch.conn != r.Conn: // lost with its connection
		case !p.alive:
			ch.cut("reset")
		case fate < s.p.frameLost:
			s.trace("net: %v to %d lost", r.Kind, r.Broker)
			if blind {
				b.step(planner.BrokerReplied{Broker: r.Broker, Conn: r.Conn, Seq: r.Seq, Partitions: allFine(r)})
				return
			}
			ch.cut("lost before")
		case fate < s.p.frameLost+s.p.frameHeld:
			s.trace("net: %v of epoch %d to %d held", r.Kind, r.ControllerEpoch, r.Broker)
			s.held = append(s.held, heldFrame{r.Broker, r})
			ch.cut("held")
		default:
			reply := p.handle(r)
			if fate < s.p.frameLost+s.p.frameHeld+s.p.replyLost {
				s.trace("net: answer of %d to %v lost", r.Broker, r.Kind)
				ch.cut("lost after")
				return
			}
			s.after(s.p.net(s), func() {
				if ch.up && !ch.closed && ch.conn == r.Conn {
					b.step(reply)
				}
			})
		}
	})
}

func allFine(r planner.Request) []planner.PartitionCode {
	var out []planner.PartitionCode
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			out = append(out, planner.PartitionCode{ID: partition.ID{Topic: t.Name, Number: p.Number}})
		}
	}
	return out
}

// releaseHeld lets frames of ended roles through.
func (s *sim) releaseHeld() {
	var keep []heldFrame
	for _, h := range s.held {
		if int32(h.r.ControllerEpoch) >= s.zk.epoch {
			keep = append(keep, h)
			continue
		}
		if p := s.broker(h.broker).proc; p != nil && p.epoch != 0 {
			reply := p.handle(h.r)
			s.trace("net: held %v of epoch %d reaches %d: code %d", h.r.Kind, h.r.ControllerEpoch, h.broker, reply.Code)
			s.mark("zombie-frame")
		}
	}
	s.held = keep
}
