package coresim

import (
	"baton/epoch"
	"baton/planner"
)

// openCall is a request to a Baton that must get exactly one answer.
type openCall struct {
	baton  *baton
	since  planner.Millis
	answer func(planner.ReplyBody) // nil: connection lost
}

// call sends a broker's request to the controller it knows of.
func (s *sim) call(p *process, body planner.CallBody, answer func(planner.ReplyBody)) {
	target := p.controller
	once := func(r planner.ReplyBody) { s.after(s.p.net(s), func() { answer(r) }) }
	s.after(s.p.net(s), func() {
		for _, b := range s.batons {
			if b.id == target && b.up && p.alive {
				s.callBaton(b, body, once)
				return
			}
		}
		s.after(300, func() { once(nil) })
	})
}

func (s *sim) callBaton(b *baton, body planner.CallBody, answer func(planner.ReplyBody)) {
	s.token++
	s.calls[s.token] = &openCall{b, s.now, answer}
	b.step(planner.Call{Token: s.token, Body: body})
}

// deliver takes a reply to its caller; now and then it gets lost on the way.
func (s *sim) deliver(b *baton, r planner.Reply) {
	c := s.calls[r.Token]
	if c == nil || c.baton != b {
		s.failf("baton %d answers call %d, which is not open", b.id, r.Token)
		return
	}
	if s.bugs.DropCalls && s.r.chance(10) {
		return
	}
	delete(s.calls, r.Token)
	if !s.healed && s.r.chance(s.p.callLost) {
		s.mark("call-answer-lost")
		s.after(800, func() { c.answer(nil) })
		return
	}
	c.answer(r.Body)
}

// shutdown asks the controller to move what the broker leads, and stops then or after
// three attempts; it comes back later.
func (b *broker) shutdown(attempts int) {
	s, p := b.s, b.proc
	if p == nil || p.epoch == 0 {
		return
	}
	p.leaving = true
	body := planner.ControlledShutdown{Broker: b.id, BrokerEpoch: p.epoch}
	if s.r.chance(20) {
		body.BrokerEpoch = epoch.Unknown
	}
	s.call(p, body, func(r planner.ReplyBody) {
		if !p.alive {
			return
		}
		answer, ok := r.(planner.ControlledShutdownReply)
		if ok && answer.Err == nil && len(answer.Remaining) == 0 {
			s.mark("controlled-shutdown")
			s.checkLeft(p)
		} else if attempts > 1 {
			s.after(500, func() {
				if p.alive {
					b.shutdown(attempts - 1)
				}
			})
			return
		}
		b.stop(true)
		s.after(s.r.between(50, 3000), b.boot)
	})
}

// client calls: new topics and blocks of producer ids.
func (s *sim) clientCall() {
	b := pick(&s.r, s.batons)
	if !b.up {
		return
	}
	if s.r.chance(50) {
		br := pick(&s.r, s.brokers)
		if p := br.proc; p != nil {
			s.callBaton(b, planner.AllocateProducerIDs{Broker: br.id, BrokerEpoch: p.epoch}, s.checkBlock)
		}
		return
	}
	if s.r.chance(50) {
		s.electLeaders(b)
		return
	}
	name := pick(&s.r, []string{"new-a", "new-b", "new-c", "del-a", "del-b"})
	t := planner.NewTopic{Name: name, Partitions: int32(1 + s.r.n(2)), Factor: int16(1 + s.r.n(3)), ID: s.freshID(), Seed: s.r.next()}
	body := planner.CreateTopics{Topics: []planner.NewTopic{t}, Timeout: s.r.between(0, 3000), ValidateOnly: s.r.chance(10)}
	s.callBaton(b, body, func(r planner.ReplyBody) {
		if a, ok := r.(planner.CreateTopicsReply); ok && a.Topics[0].Err == nil {
			s.mark("created")
			if !body.ValidateOnly {
				s.checkCreated(name)
			}
		}
	})
}
