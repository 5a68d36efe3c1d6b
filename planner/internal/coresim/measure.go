package coresim

import (
	"baton/planner"
	"baton/recovery"
)

// measure asks brokers for their logs as a Baton does: a process answers for a replica that it was told of since its start.
// Now and then no answer comes at all.
func (b *baton) measure(q planner.Measure) {
	s := b.s
	if !s.healed && s.r.n(1000) < s.p.replyLost {
		s.mark("measurement-lost")
		return
	}
	gen := b.gen
	s.after(s.p.net(s), func() {
		ev := planner.Measured{Token: q.Token}
		for _, a := range q.Asks {
			for _, l := range a.Logs {
				got := s.broker(a.Broker.ID).measured(l)
				if l.Leader != nil && got.Log != nil {
					s.mark("returned-log-compared")
					got.Parted = got.Log.End
				}
				ev.Logs = append(ev.Logs, got)
			}
		}
		s.after(s.p.net(s), func() {
			if b.gen == gen {
				b.step(ev)
			}
		})
	})
}

// measured is what one replica has.
func (b *broker) measured(l planner.AskedLog) planner.MeasuredLog {
	out := planner.MeasuredLog{Broker: b.id, ID: l.ID, Silent: "it has not opened the log"}
	if b.proc == nil {
		out.Silent = "nobody is there"
		return out
	}
	if h := b.proc.parts[l.ID]; h == nil || h.offline || b.logs[l.ID] == nil {
		return out
	}
	log := recovery.Log{End: int64(len(b.logs[l.ID].recs)), Last: recovery.Exactly(recovery.NoEpoch)}
	if log.End > 0 {
		log.Last = recovery.Exactly(int32(b.logs[l.ID].recs[log.End-1].epoch))
	}
	out.Log, out.Silent = &log, ""
	return out
}
