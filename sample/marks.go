package sample

import (
	"fmt"
	"math"
	"sync"
	"time"

	"baton/isr"
	"baton/partition"
	"baton/recovery"
)

// known is how many of a log's last leader epochs are kept.
const known = 3

// mark is what was seen of a leader's log. Times are since the book was begun.
type mark struct {
	end    int64
	at     time.Duration // when the end was asked for; 0: it is not known
	lost   time.Duration // when the partition lost this leader; 0: it has not
	pace   pace          // whoever led
	leader int32
	epoch  int32 // of the leader, or, if it is lost, that in which it was
	// The history is that of recovery.Sample: n epochs, of which the last one's start is not known if it is Open.
	n      int8
	epochs [known]int32
	starts [known]int64
}

// marks of a topic, by partition number.
type marks struct {
	of    []mark
	round uint64 // in which the topic was there
}

// book keeps the marks.
type book struct {
	mu     sync.Mutex
	begun  time.Time
	topics map[string]*marks
}

func newBook() *book { return &book{begun: time.Now().Add(-1), topics: map[string]*marks{}} }

func (b *book) since(t time.Time) time.Duration { return t.Sub(b.begun) }

// find returns a partition's mark, nil if there is none.
func (b *book) find(id partition.ID) *mark {
	t := b.topics[id.Topic]
	if t == nil || id.Number < 0 || int(id.Number) >= len(t.of) {
		return nil
	}
	return &t.of[id.Number]
}

// see notes that a topic is there, with so many partitions.
func (b *book) see(topic string, partitions int, round uint64) {
	t := b.topics[topic]
	if t == nil {
		t = &marks{}
		b.topics[topic] = t
	}
	t.round = round
	for len(t.of) < partitions {
		t.of = append(t.of, mark{leader: isr.NoLeader})
	}
}

// forget drops topics that were not there in a round.
func (b *book) forget(round uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, t := range b.topics {
		if t.round != round {
			delete(b.topics, name)
		}
	}
}

// next is the leader epoch whose records' end is to be asked for of a leader, ok is false if nothing is. The start of an epoch is
// the end of those before it.
func (m *mark) next(leader, epoch int32) (before int32, ok bool) {
	if m.leader != leader || m.n == 0 || m.epochs[0] != epoch {
		return epoch - 1, epoch > 0
	}
	last := m.n - 1
	return m.epochs[last] - 1, m.starts[last] == recovery.Open && m.epochs[last] > 0
}

// sampled takes in where a leader's log ended, when it was asked at a time.
func (b *book) sampled(l leader, end int64, asked time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, at := b.find(l.id), b.since(asked)
	if m == nil || m.leader == l.broker && m.epoch > l.epoch || m.lost != 0 && at > m.lost {
		return // of an earlier leadership than what is known by now
	}
	if m.leader == l.broker && m.epoch == l.epoch && m.at != 0 && at > m.at {
		m.pace.grew(end-m.end, at-m.at)
	}
	if m.leader != l.broker {
		m.n = 0
	}
	m.leader, m.epoch, m.end, m.at = l.broker, l.epoch, end, at
}

// learned takes in where the records of epochs up to l.before end, and which is the newest of these, -1 if there is none.
func (b *book) learned(l leader, newest int32, end int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.find(l.id)
	if m == nil || m.leader != l.broker || m.epoch != l.epoch {
		return
	}
	if before, ok := m.next(l.broker, l.epoch); !ok || before != l.before {
		return // it was asked for twice
	}
	if m.n == 0 || m.epochs[0] != l.epoch {
		m.n, m.epochs[0] = 1, l.epoch
	}
	m.starts[m.n-1] = max(end, 0)
	if newest >= 0 && newest < m.epochs[m.n-1] && end > 0 && m.n < known {
		m.epochs[m.n], m.starts[m.n] = newest, recovery.Open
		m.n++
	}
}

// moved takes in a state that ZooKeeper has acknowledged.
func (b *book) moved(id partition.ID, from, to partition.State, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.find(id)
	if m == nil {
		return
	}
	same := m.leader == from.Leader && m.epoch == int32(from.LeaderEpoch)
	switch {
	case from.Leader == isr.NoLeader && to.Leader == isr.NoLeader:
	case from.Leader != isr.NoLeader && to.Leader == isr.NoLeader && same && m.at != 0:
		m.lost = b.since(now)
	case from.Leader == to.Leader && same:
		m.epoch = int32(to.LeaderEpoch)
	default:
		*m = mark{pace: m.pace, leader: isr.NoLeader}
	}
}

// of is the sample of a leader that a partition has lost, nil if there is none.
func (b *book) of(id partition.ID) *recovery.Sample {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.find(id)
	if m == nil || m.lost == 0 {
		return nil
	}
	age := max(m.lost-m.at, time.Millisecond)
	s := &recovery.Sample{End: m.end, Most: recovery.Open, AgeMS: age.Milliseconds(), Epoch: m.epoch}
	if fastest, seconds, ok := m.pace.over(age); ok {
		s.Most = m.end + int64(math.Ceil(fastest*age.Seconds()))
		s.PaceMS = int64(math.Round(seconds * 1000))
	}
	for i := range m.n {
		s.History = append(s.History, recovery.Span{Epoch: m.epochs[i], Start: m.starts[i]})
	}
	return s
}

// Led is where a leader's log ended when it was asked for last.
type Led struct {
	Leader int32
	End    int64
	Age    time.Duration
}

func (l Led) String() string {
	return fmt.Sprintf("the log of leader %d ended at %d, %.1f s ago", l.Leader, l.End, l.Age.Seconds())
}

func (b *book) led(topic string, now time.Time) map[int32]Led {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[int32]Led{}
	if t := b.topics[topic]; t != nil {
		for n := range t.of {
			if m := &t.of[n]; m.at != 0 && m.lost == 0 {
				out[int32(n)] = Led{m.leader, m.end, b.since(now) - m.at}
			}
		}
	}
	return out
}
