package planner

import (
	"fmt"
	"slices"

	"baton/cluster"
	"baton/isr"
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
)

// After an unclean election the replicas that were in sync have records that nobody else has, perhaps. When one of them comes
// back it drops them as soon as it is told whom to follow. So it is told that last: first it hears of the partition by
// UpdateMetadata, then it is to open its log by a LeaderAndIsr that names no leader, which brokers answer without taking the state
// or cutting the log (docs/measuring.md); then the log is compared with the new leader's; and only then it follows. What it lost is
// known exactly then. All that is bounded in time, and holds up nothing else that this broker or others are told.

// heldBack is a partition of which a broker that has returned is not told whom to follow yet.
type heldBack struct {
	opened bool   // its log is open, and being measured
	until  Millis // it is told then, whatever is known; 0 while nothing can be told anyway
}

// Returned is what became of the log of a replica that was in sync before an unclean election, and is back.
type Returned struct {
	Measured bool
	Lost     int64 // offsets that the leader does not have, if Measured
	Text     string
}

// overrule remembers who was in sync when somebody else was elected.
func (m *Machine) overrule(c *change) {
	if c.strategy != partition.Unclean || m.set.MeasureReturned <= 0 {
		return
	}
	for _, b := range c.from.ISR {
		if c.next.ISR.Has(b) {
			continue
		}
		if m.overruled[b] == nil {
			m.overruled[b] = map[partition.ID]struct{}{}
		}
		m.overruled[b][c.id] = struct{}{}
		if l := m.ledgers[b]; l != nil { // it has come back while the election was being written
			m.holdBack(b, l)
		}
	}
}

// holdBack keeps what a broker was overruled in from being told for now.
func (m *Machine) holdBack(broker int32, l *ledger) {
	for id := range m.overruled[broker] {
		if p := m.im.Partition(id); p == nil || !slices.Contains(p.Told().Replicas, broker) {
			m.acquit(broker, id)
		} else if l.held[id] == nil {
			l.held[id] = &heldBack{}
		}
	}
	m.timeHeld(l)
}

// timeHeld begins the time of what is held back, if the broker can be told anything.
func (m *Machine) timeHeld(l *ledger) {
	for _, h := range l.held {
		if l.up && h.until == 0 {
			h.until = m.now + m.set.MeasureReturned
		}
	}
}

// holds reports whether a broker is not to be told of a partition yet. One that leads again keeps all it has.
func (m *Machine) holds(broker int32, l *ledger, id partition.ID, p *cluster.Partition) bool {
	if l.held[id] == nil {
		return false
	}
	if p.State.Leader == broker {
		m.notMeasured(broker, l, id, "it leads again")
		return false
	}
	return true
}

// openable are the partitions that a broker is held back from, knows of, and has not opened the log of.
func (m *Machine) openable(broker int32, l *ledger) []partition.ID {
	var ids []partition.ID
	for _, id := range sorted(l.held) {
		p, h := m.im.Partition(id), l.held[id]
		if p == nil || !slices.Contains(p.Told().Replicas, broker) {
			delete(l.held, id)
			m.acquit(broker, id)
			continue
		}
		if l.um.Has(p.Slot()) || h.opened || m.inflight.of(p) != nil || m.im.Broker(p.State.Leader) == nil || l.removals[id] != nil || m.im.Topic(id.Topic).Held != "" {
			continue
		}
		if p.Broken != "" || !m.holds(broker, l, id, p) {
			continue // not the leader of a partition that cannot be read: it would be told that nobody leads
		}
		ids = append(ids, id)
	}
	return limited(m, ids)
}

// openLogs is a LeaderAndIsr that names no leader.
func (m *Machine) openLogs(b *cluster.Broker, l *ledger, ids []partition.ID) Request {
	r := m.request(LeaderAndISR, b, l)
	for _, id := range ids {
		p := m.im.Partition(id)
		state := p.State
		state.Leader = isr.NoLeader
		r.add(m.im.Topic(id.Topic), PartitionState{Number: id.Number, State: state, Assignment: p.Told()})
	}
	l.out.named, l.out.opens = r.Topics, true
	return r
}

// logsOpened has the logs measured that a broker has opened.
func (m *Machine) logsOpened(e BrokerReplied, l *ledger, out *outstanding) {
	codes := make(map[partition.ID]int16, len(e.Partitions))
	for _, p := range e.Partitions {
		codes[p.ID] = p.Code
	}
	ask := Ask{Broker: *m.im.Broker(e.Broker)}
	for id := range partitionsOf(out.named) {
		p, h := m.im.Partition(id), l.held[id]
		if p == nil || h == nil {
			continue
		}
		code, answered := codes[id]
		leader := m.im.Broker(p.State.Leader)
		switch {
		case !answered:
			m.notMeasured(e.Broker, l, id, "it does not say whether it has opened the log")
		case code != 0:
			m.notMeasured(e.Broker, l, id, "it has not opened the log: "+kerr.TypedErrorForCode(code).Error())
		case leader == nil: // told again once somebody leads
		default:
			h.opened = true
			ask.Logs = append(ask.Logs, AskedLog{ID: id, Epoch: p.State.LeaderEpoch, Leader: leader})
		}
	}
	if len(ask.Logs) == 0 {
		return
	}
	within := Millis(1)
	for _, l := range l.held {
		within = max(within, l.until-m.now)
	}
	m.measure([]Ask{ask}, within, func(logs []MeasuredLog) {
		if m.ledgers[e.Broker] != l {
			return // it is away again, with what it has
		}
		for _, got := range logs {
			if l.held[got.ID] != nil {
				m.compared(l, got)
			}
		}
	})
}

// compared says what a returned replica has that the leader has not.
func (m *Machine) compared(l *ledger, got MeasuredLog) {
	if got.Log == nil {
		m.notMeasured(got.Broker, l, got.ID, got.Silent)
		return
	}
	lost := max(got.Log.End-got.Parted, 0)
	text := fmt.Sprintf("nothing is lost, its log ends at %d", got.Log.End)
	if lost > 0 {
		text = fmt.Sprintf("%d records are lost, offsets %d to %d", lost, got.Parted, got.Log.End-1)
	}
	m.returned(got.Broker, l, got.ID, text, Returned{Measured: true, Lost: lost})
}

func (m *Machine) notMeasured(broker int32, l *ledger, id partition.ID, why string) {
	m.returned(broker, l, id, "what is lost was not measured: "+why, Returned{})
}

func (m *Machine) returned(broker int32, l *ledger, id partition.ID, text string, r Returned) {
	delete(l.held, id)
	m.acquit(broker, id)
	r.Text = fmt.Sprintf("replica %d is back, in whose place another was elected that was not in sync: %s", broker, text)
	m.note(Note{Kind: NoteReturned, Partition: id, Broker: broker, Returned: &r, Text: fmt.Sprintf("%v: %s", id, r.Text)})
}

// acquit forgets that a broker was overruled.
func (m *Machine) acquit(broker int32, id partition.ID) {
	if delete(m.overruled[broker], id); len(m.overruled[broker]) == 0 {
		delete(m.overruled, broker)
	}
}

// releaseHeld has brokers told what was held back for long enough.
func (m *Machine) releaseHeld() {
	for _, b := range m.im.Brokers() {
		l := m.ledgers[b.ID]
		if l == nil || len(l.held) == 0 {
			continue
		}
		for _, id := range sorted(l.held) {
			if h := l.held[id]; h.until != 0 && m.now >= h.until {
				m.notMeasured(b.ID, l, id, fmt.Sprintf("no answer within %d ms", m.set.MeasureReturned))
			}
		}
	}
}

// forgetOverruled drops what is remembered of a partition that is gone.
func (m *Machine) forgetOverruled(id partition.ID) {
	for b := range m.overruled {
		m.acquit(b, id)
	}
}
