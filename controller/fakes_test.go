package controller

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

const self = 2_000_001

// fakeStore answers as a test wants; what is nil succeeds at once.
type fakeStore struct {
	load   func(context.Context) (*planner.Claimed, error)
	commit func(context.Context, []planner.Write, func([]planner.Result)) error
	verify func(context.Context) error
	watch  chan error          // ends Run
	sink   func(planner.Event) // Run's; read it after synctest.Wait

	mu     sync.Mutex
	writes []planner.Write
	states func(ids []partition.ID) ([]planner.StateRead, error)
	reread int
}

func (f *fakeStore) Load(ctx context.Context) (*planner.Claimed, error) {
	if f.load != nil {
		return f.load(ctx)
	}
	return claimed(), nil
}

func (f *fakeStore) Run(ctx context.Context, sink func(planner.Event)) error {
	f.sink = sink
	select {
	case err := <-f.watch:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fakeStore) Commit(ctx context.Context, writes []planner.Write, done func([]planner.Result)) error {
	f.mu.Lock()
	f.writes = append(f.writes, writes...)
	f.mu.Unlock()
	if f.commit != nil {
		return f.commit(ctx, writes, done)
	}
	done(applied(writes))
	return nil
}

func (f *fakeStore) committed() []planner.Write {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

func (f *fakeStore) ReadStates(_ context.Context, ids []partition.ID) ([]planner.StateRead, error) {
	if f.states != nil {
		return f.states(ids)
	}
	return nil, errors.New("not expected")
}

func (f *fakeStore) WatchTopicConfig(topic string) { f.sink(planner.TopicConfigRead{Topic: topic}) }

func (f *fakeStore) RereadBrokers() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reread++
}

func (f *fakeStore) VerifyFence(ctx context.Context) error {
	if f.verify != nil {
		return f.verify(ctx)
	}
	return nil
}

// applied is the outcome of writes that all went well.
func applied(writes []planner.Write) []planner.Result {
	var out []planner.Result
	for _, w := range writes {
		r := planner.Result{Seq: w.Seq, Outcome: planner.Applied}
		switch b := w.Body.(type) {
		case planner.SetState:
			r.Version = int32(b.State.PartitionEpoch) + 1
		case planner.NextProducerIDs:
			r.Start, r.Length = 7000, 1000
		}
		out = append(out, r)
	}
	return out
}

// fakeChannels keeps what was sent and complains about use after Close.
type fakeChannels struct {
	t    *testing.T
	gate func() bool

	mu      sync.Mutex
	changes []planner.ChannelChange
	sent    []planner.Request
	closed  int
}

func (f *fakeChannels) Apply(c []planner.ChannelChange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed > 0 {
		f.t.Error("Apply after Close")
	}
	f.changes = append(f.changes, c...)
}

func (f *fakeChannels) Send(r planner.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed > 0 {
		f.t.Error("Send after Close")
	}
	f.sent = append(f.sent, r)
}

func (f *fakeChannels) Close() {
	if f.gate() {
		f.t.Error("the gate is open while the channels close")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
}

func (f *fakeChannels) last() planner.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sent) == 0 {
		return planner.Request{}
	}
	return f.sent[len(f.sent)-1]
}

// fakeObserver counts.
type fakeObserver struct {
	mu     sync.Mutex
	notes  []planner.Note
	events map[string]int
	stats  int

	decided []*planner.Decision
	learned []planner.Learned

	measured []measured
	timed    []Phases
}

func (f *fakeObserver) Note(_ epoch.Fence, n planner.Note) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes = append(f.notes, n)
}

func (f *fakeObserver) Event(name string, _, _ time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.events == nil {
		f.events = map[string]int{}
	}
	f.events[name]++
}

func (f *fakeObserver) QueueSize(int)                        {}
func (f *fakeObserver) Sending(epoch.Fence, planner.Request) {}

func (f *fakeObserver) Planned(_ epoch.Fence, decided []*planner.Decision, learned []planner.Learned) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decided, f.learned = append(f.decided, decided...), append(f.learned, learned...)
}

func (f *fakeObserver) Answered(epoch.Fence, planner.BrokerReplied) {}

func (f *fakeObserver) Timed(_ epoch.Fence, p Phases) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timed = append(f.timed, p)
}

func (f *fakeObserver) Stats(planner.Stats) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats++
}

func (f *fakeObserver) count(event string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events[event]
}

func (f *fakeObserver) Measured(q planner.Measure, logs []planner.MeasuredLog, _ time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.measured = append(f.measured, measured{q, logs})
}

// measured is what a fakeObserver has heard of one measurement.
type measured struct {
	planner.Measure
	logs []planner.MeasuredLog
}

func (f *fakeObserver) measurements() []measured {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.measured)
}

// fakeMeasurer answers as a test wants, and remembers how many it had to answer at once.
type fakeMeasurer struct {
	answer func(context.Context, planner.Measure) []planner.MeasuredLog

	mu        sync.Mutex
	now, most int
}

// underWay is how many questions are being answered, and how many were at once.
func (f *fakeMeasurer) underWay() (now, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now, f.most
}

func (f *fakeMeasurer) Measure(ctx context.Context, q planner.Measure) []planner.MeasuredLog {
	f.mu.Lock()
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.now--
	}()
	return f.answer(ctx, q)
}

// claimed is a cluster of brokers 1 and 2 with the topic t, whose one partition broker 1
// leads.
func claimed() *planner.Claimed {
	return &planner.Claimed{
		ID: self, Fence: epoch.Fence{Epoch: 5, Version: 5}, Settings: planner.Settings{RetryAfter: 500},
		Brokers: []cluster.Broker{{ID: 1, Epoch: 10}, {ID: 2, Epoch: 11}},
		Topics: []planner.TopicRead{{Name: "t", Partitions: []planner.PartitionRead{
			{Number: 0, Assignment: partition.Assignment{Replicas: []int32{1, 2}}}}}},
		States: []planner.StateRead{state(1, 3, 0, 1, 2)},
	}
}

func state(leader int32, leaderEpoch epoch.Leader, version epoch.Partition, members ...int32) planner.StateRead {
	return planner.StateRead{ID: partition.ID{Topic: "t"}, Exists: true, Zxid: 20, State: partition.State{ControllerEpoch: 4,
		LeaderAndISR: isr.LeaderAndISR{Leader: leader, LeaderEpoch: leaderEpoch, ISR: members, PartitionEpoch: version}}}
}

// rig is a term with fakes around it.
type rig struct {
	*Term
	store    *fakeStore
	channels *fakeChannels
	observer *fakeObserver
	measurer *fakeMeasurer
	err      error // what Run returned, after Done
}

func newRig(t *testing.T) *rig {
	r := &rig{store: &fakeStore{watch: make(chan error, 1)}, observer: &fakeObserver{}, measurer: &fakeMeasurer{}}
	r.Term = NewTerm(epoch.Fence{Epoch: 5, Version: 5}, r.store, r.observer)
	r.channels = &fakeChannels{t: t, gate: r.Open}
	r.SetChannels(r.channels)
	r.SetMeasurer(r.measurer)
	return r
}

// start runs the term; at the test's end it is stopped, and synctest complains about
// every goroutine that is left.
func (r *rig) start(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { r.err = r.Run(ctx, func(*planner.Claimed) {}) }()
	t.Cleanup(cancel)
	synctest.Wait()
}

// ended waits for the term's end and returns why.
func (r *rig) ended() error {
	<-r.Done()
	synctest.Wait()
	return r.err
}

func (r *rig) up(broker int32, e epoch.Broker, conn uint64) {
	r.Push(planner.ChannelUp{Broker: broker, Epoch: e, Conn: conn})
	synctest.Wait()
}
