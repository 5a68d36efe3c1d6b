package sample

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/recovery"
)

// Settings may change at any time.
type Settings struct {
	Interval  time.Duration // from the start of one round to that of the next; 0: nothing is sampled
	PerSecond int           // how many partitions are asked for in a second
	Listener  string        // on which brokers are asked
}

// Metrics hears how it goes; it must not block.
type Metrics interface {
	// Sampled counts partitions whose leader has answered, and those that it has not answered for.
	Sampled(answered, failed int)
	// Oldest is the age of the oldest sample of a log that is led, after each round.
	Oldest(time.Duration)
}

// Options are what a Sampler needs.
type Options struct {
	// View runs a function on the image; when it fails the term is over.
	View     func(context.Context, func(planner.View)) error
	Settings func() Settings
	Dial     func(ctx context.Context, addr string) (net.Conn, error)
	Metrics  Metrics
}

// Sampler is one term's. Its methods may be called from any goroutine.
type Sampler struct {
	o     Options
	book  *book
	round uint64

	wg    sync.WaitGroup // of the questions that are asked
	peers map[int32]*peer
}

// New returns a Sampler that asks nothing before Run.
func New(o Options) *Sampler {
	return &Sampler{o: o, book: newBook(), peers: map[int32]*peer{}}
}

const (
	// step is how often some partitions are asked for.
	step = 200 * time.Millisecond
	// slice is how many partitions are looked at while the controller's loop waits.
	slice = 2000
	// offPause is how long after it was off it is looked whether it still is.
	offPause = time.Second
)

// leader is one partition to be asked for.
type leader struct {
	id            partition.ID
	broker, epoch int32
	before        int32 // the epoch whose records' end is to be asked for, too, if there is one
	asks          bool
}

// Lost is the sample of the leader that a partition has lost, nil if there is none.
func (s *Sampler) Lost(id partition.ID) *recovery.Sample { return s.book.of(id) }

// Led are the logs of a topic's leaders, as far as they were asked for, by partition number.
func (s *Sampler) Led(topic string) map[int32]Led { return s.book.led(topic, time.Now()) }

// Moved hears of each state that ZooKeeper has acknowledged. It does not block.
func (s *Sampler) Moved(id partition.ID, from, to partition.State) {
	s.book.moved(id, from, to, time.Now())
}

// Run samples until ctx or the term ends.
func (s *Sampler) Run(ctx context.Context) {
	defer s.close()
	for {
		begun, set := time.Now(), s.o.Settings()
		wait := offPause
		if set.Interval > 0 {
			if !s.goRound(ctx) {
				return
			}
			wait = max(time.Until(begun.Add(set.Interval)), 0)
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// close waits for what is being asked, which ctx has ended.
func (s *Sampler) close() {
	s.wg.Wait()
	for _, p := range s.peers {
		p.close()
	}
	s.o.Metrics.Oldest(0)
}

// goRound asks for all partitions, some at a time; false: it is over.
func (s *Sampler) goRound(ctx context.Context) bool {
	s.round++
	r := round{number: s.round}
	if s.o.View(ctx, func(v planner.View) { r.topics = v.Image.TopicNames() }) != nil {
		return false
	}
	slices.Sort(r.topics) // the same order each time, or a partition's turn could come late and then early
	for {
		begun, set := time.Now(), s.o.Settings()
		for n := max(set.PerSecond/int(time.Second/step), 1); n > 0 && len(r.topics) > 0; n -= slice {
			some := batches{}
			if s.o.View(ctx, func(v planner.View) { s.choose(v, &r, some, min(n, slice), set.Listener) }) != nil {
				return false
			}
			s.ask(ctx, some)
		}
		if len(r.topics) == 0 {
			s.o.Metrics.Oldest(r.oldest)
			s.book.forget(r.number)
			s.dropPeers(r.number)
			return true
		}
		if !pause(ctx, time.Until(begun.Add(step))) {
			return false
		}
	}
}

// round is how far a round has come.
type round struct {
	number uint64
	topics []string // those left, the first one from its partition next on
	next   int
	oldest time.Duration // of the samples that it has come by
}

// batches are the partitions to ask for by broker.
type batches map[int32]*batch

type batch struct {
	addr string
	logs []leader
}

// choose takes the next partitions of a round. It runs on the controller's loop.
func (s *Sampler) choose(v planner.View, r *round, out batches, limit int, listener string) {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	now := s.book.since(time.Now())
	for ; limit > 0 && len(r.topics) > 0; limit-- {
		t := v.Image.Topic(r.topics[0])
		if t == nil || r.next >= len(t.Partitions) {
			r.topics, r.next = r.topics[1:], 0
			continue
		}
		p := &t.Partitions[r.next]
		if r.next++; r.next == 1 {
			s.book.see(t.Name, len(t.Partitions), r.number)
		}
		id := partition.ID{Topic: t.Name, Number: p.Number}
		m := s.book.find(id)
		if m == nil || !p.Known || p.State.Leader == isr.NoLeader {
			continue
		}
		if m.at != 0 {
			r.oldest = max(r.oldest, now-m.at)
		}
		b := v.Image.Broker(p.State.Leader)
		if b == nil {
			continue
		}
		if out[b.ID] == nil {
			out[b.ID] = &batch{}
			if e, ok := b.Endpoint(listener); ok {
				out[b.ID].addr = net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
			}
		}
		l := leader{id: id, broker: b.ID, epoch: int32(p.State.LeaderEpoch)}
		l.before, l.asks = m.next(l.broker, l.epoch)
		out[b.ID].logs = append(out[b.ID].logs, l)
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
