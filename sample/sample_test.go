package sample

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/recovery"
	"baton/wire/wiretest"
)

// world is an image, and brokers that lead what it says.
type world struct {
	mu    sync.Mutex
	im    *cluster.Image
	ends  map[partition.ID]int64
	spans map[partition.ID][]recovery.Span // of the leader's log, the newest first
	told  map[partition.ID]int32           // the epoch that the broker knows
	hangs map[string]bool                  // brokers that take a question and do not answer
	dials map[string]int
	asked map[string]int // partitions, by broker
	conns []net.Conn
	over  bool

	answered, failed int
	oldest           time.Duration
}

func newWorld(brokers int) *world {
	w := &world{im: cluster.NewImage(nil), ends: map[partition.ID]int64{}, spans: map[partition.ID][]recovery.Span{}, told: map[partition.ID]int32{},
		hangs: map[string]bool{}, dials: map[string]int{}, asked: map[string]int{}}
	for id := range int32(brokers) {
		w.im.PutBroker(cluster.Broker{ID: id + 1, Epoch: 1, Endpoints: []cluster.Endpoint{{Listener: "IN", Host: fmt.Sprint("b", id+1), Port: 9}}})
	}
	return w
}

// topic puts a topic into the image; each partition has the leader and the leader epoch of state.
func (w *world) topic(name string, states ...isr.LeaderAndISR) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := cluster.Topic{Name: name}
	for i, s := range states {
		s.ISR = isr.Set{max(s.Leader, 1)}
		t.Partitions = append(t.Partitions, cluster.Partition{Number: int32(i), Assignment: partition.Assignment{Replicas: []int32{1, 2, 3}},
			State: partition.State{LeaderAndISR: s}, Known: true})
		w.told[partition.ID{Topic: name, Number: int32(i)}] = int32(s.LeaderEpoch)
	}
	w.im.PutTopic(t)
}

func led(by int32, in epoch.Leader) isr.LeaderAndISR {
	return isr.LeaderAndISR{Leader: by, LeaderEpoch: in}
}

func state(by int32, in epoch.Leader) partition.State {
	return partition.State{LeaderAndISR: led(by, in)}
}

func (w *world) view(ctx context.Context, f func(planner.View)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return errors.New("over")
	}
	f(planner.View{Image: w.im})
	return ctx.Err()
}

// Sampled implements Metrics.
func (w *world) Sampled(answered, failed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered, w.failed = w.answered+answered, w.failed+failed
}

// Oldest implements Metrics.
func (w *world) Oldest(age time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.oldest = age
}

func (w *world) dial(_ context.Context, addr string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials[addr]++
	w.conns = append(w.conns, theirs)
	go w.serve(addr, theirs)
	return ours, nil
}

func (w *world) serve(addr string, conn net.Conn) {
	wiretest.Serve(conn, func(req kmsg.Request) (kmsg.Response, bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		resp := w.answer(addr, req)
		if w.hangs[addr] {
			return nil, true
		}
		return resp, true
	})
}

func (w *world) code(id partition.ID, current int32) int16 {
	switch known := w.told[id]; {
	case current < known:
		return kerr.FencedLeaderEpoch.Code
	case current > known:
		return kerr.UnknownLeaderEpoch.Code
	}
	return 0
}

func (w *world) answer(addr string, req kmsg.Request) kmsg.Response {
	switch r := req.(type) {
	case *kmsg.ListOffsetsRequest:
		resp := r.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, t := range r.Topics {
			out := kmsg.NewListOffsetsResponseTopic()
			out.Topic = t.Topic
			for _, p := range t.Partitions {
				w.asked[addr]++
				id := partition.ID{Topic: t.Topic, Number: p.Partition}
				a := kmsg.NewListOffsetsResponseTopicPartition()
				a.Partition, a.Offset, a.ErrorCode = p.Partition, w.ends[id], w.code(id, p.CurrentLeaderEpoch)
				out.Partitions = append(out.Partitions, a)
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp
	case *kmsg.OffsetForLeaderEpochRequest:
		resp := r.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		for _, t := range r.Topics {
			out := kmsg.NewOffsetForLeaderEpochResponseTopic()
			out.Topic = t.Topic
			for _, p := range t.Partitions {
				id := partition.ID{Topic: t.Topic, Number: p.Partition}
				a := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
				a.Partition, a.ErrorCode = p.Partition, w.code(id, p.CurrentLeaderEpoch)
				a.LeaderEpoch, a.EndOffset = w.epochEnd(id, p.LeaderEpoch)
				out.Partitions = append(out.Partitions, a)
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp
	}
	return nil
}

// epochEnd answers as brokers do: the newest epoch up to the one asked for, and where the next one begins.
func (w *world) epochEnd(id partition.ID, asked int32) (int32, int64) {
	end := w.ends[id]
	for _, s := range w.spans[id] {
		if s.Epoch <= asked {
			return s.Epoch, end
		}
		end = s.Start
	}
	if len(w.spans[id]) == 0 {
		return -1, -1
	}
	return asked, end
}

// sampling runs f beside a Sampler.
func (w *world) sampling(t *testing.T, set Settings, f func(s *Sampler)) {
	t.Helper()
	set.Listener = "IN"
	s := New(Options{View: w.view, Settings: func() Settings { return set }, Dial: w.dial, Metrics: w})
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { defer close(over); s.Run(ctx) }()
	synctest.Wait()
	f(s)
	stop()
	<-over
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

var one = partition.ID{Topic: "t", Number: 0}

const often = 5 * time.Second

// TestALostLeader: a leader writes ten records a second, and is lost two seconds after the last sample.
func TestALostLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3)
		w.topic("t", led(1, 7))
		w.ends[one], w.spans[one] = 100, []recovery.Span{{Epoch: 7, Start: 90}, {Epoch: 4, Start: 50}, {Epoch: 3, Start: 20}, {Epoch: 0, Start: 0}}
		w.sampling(t, Settings{often, 1000, ""}, func(s *Sampler) {
			if got := s.Led("t")[0]; got != (Led{1, 100, 0}) {
				t.Errorf("after the first round: %v", got)
			}
			if s.Lost(one) != nil {
				t.Error("a leader that is there has a lost one's sample")
			}
			w.set(func() { w.ends[one] = 150 })
			time.Sleep(often)
			synctest.Wait()
			w.set(func() { w.ends[one] = 160 })
			time.Sleep(often)
			synctest.Wait()
			time.Sleep(2 * time.Second)
			s.Moved(one, state(1, 7), state(-1, 8))
			want := recovery.Sample{End: 160, Most: 180, PaceMS: 10_000, AgeMS: 2000, Epoch: 7, History: []recovery.Span{{Epoch: 7, Start: 90}, {Epoch: 4, Start: 50}, {Epoch: 3, Start: 20}}}
			if got := s.Lost(one); got == nil || fmt.Sprint(*got) != fmt.Sprint(want) {
				t.Errorf("%+v, want %+v", got, want)
			}
			if got := s.Led("t"); len(got) > 0 {
				t.Errorf("a lost leader leads: %v", got)
			}
			w.topic("t", led(-1, 8))
			time.Sleep(10 * often)
			if got := s.Lost(one); got == nil || got.AgeMS != 2000 {
				t.Errorf("some time later: %+v", got)
			}
			s.Moved(one, state(-1, 8), state(2, 9))
			if got := s.Lost(one); got != nil {
				t.Errorf("after an election: %+v", got)
			}
		})
		if w.dials["b1:9"] != 1 || w.failed != 0 || w.answered != 3 {
			t.Errorf("%d connections, %d answered, %d failed", w.dials["b1:9"], w.answered, w.failed)
		}
	})
}

// TestTheLossOfAnIdleLeaderIsExact: what it wrote long ago says nothing of the last seconds, and they say nothing of more than a third
// of their own time.
func TestTheLossOfAnIdleLeaderIsExact(t *testing.T) {
	for _, c := range []struct {
		idle, gap time.Duration
		atMost    int64
	}{
		{0, 2 * time.Second, 7000},
		{10 * time.Second, 4 * time.Second, 9000}, // in a spell with what was written
		{20 * time.Second, 4 * time.Second, 5000},
		{20 * time.Second, 24 * time.Second, recovery.Open},
		{85 * time.Second, 24 * time.Second, 5000},
		{3 * time.Hour, 45 * time.Second, 5000},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(3)
			w.topic("t", led(1, 7))
			w.sampling(t, Settings{often, 1000, ""}, func(s *Sampler) {
				time.Sleep(2*often - time.Second)
				w.set(func() { w.ends[one] = 5000 })
				time.Sleep(time.Second + c.idle)
				synctest.Wait()
				w.set(func() { w.over = true }) // nothing is sampled any more
				time.Sleep(c.gap)
				s.Moved(one, state(1, 7), state(-1, 8))
				got := s.Lost(one)
				if got.End != 5000 || got.Most != c.atMost || got.AgeMS != c.gap.Milliseconds() {
					t.Errorf("idle for %v: %+v, want at most %d", c.idle, got, c.atMost)
				}
				if got.Most != recovery.Open && got.PaceMS < watched*got.AgeMS {
					t.Errorf("watched for too short: %+v", got)
				}
			})
		})
	}
}

// TestATimeWithoutALeaderIsNotWatched: nothing was seen of the log then, whoever leads after it.
func TestATimeWithoutALeaderIsNotWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3)
		w.topic("t", led(1, 7))
		w.sampling(t, Settings{often, 1000, ""}, func(s *Sampler) {
			time.Sleep(2*often + time.Second)
			s.Moved(one, state(1, 7), state(-1, 8))
			w.topic("t", led(-1, 8))
			time.Sleep(time.Hour)
			s.Moved(one, state(-1, 8), state(2, 9))
			w.topic("t", led(2, 9))
			time.Sleep(2 * often)
			w.set(func() { w.over = true })
			time.Sleep(often - time.Second)
			s.Moved(one, state(2, 9), state(-1, 10))
			if got := s.Lost(one); got == nil || got.PaceMS != 15_000 {
				t.Errorf("%+v, want 15 s: 10 of the one leader, 5 of the other", got)
			}
		})
	})
}

// TestWhoseSampleItIs: leader epochs that grow because the ISR shrinks are one leader's, another leader's log is another.
func TestWhoseSampleItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3)
		w.topic("t", led(1, 7), led(1, 7), led(1, 7), led(1, 7))
		id := func(n int32) partition.ID { return partition.ID{Topic: "t", Number: n} }
		w.sampling(t, Settings{often, 1000, ""}, func(s *Sampler) {
			s.Moved(id(0), state(1, 7), state(1, 8)) // a follower died
			s.Moved(id(0), state(1, 8), state(1, 9))
			s.Moved(id(0), state(1, 9), state(-1, 10))
			s.Moved(id(1), state(1, 7), state(2, 8))
			s.Moved(id(1), state(2, 8), state(-1, 9))
			s.Moved(id(2), state(1, 9), state(-1, 10)) // two elections that were not heard of
			s.Moved(id(3), state(1, 7), state(-1, 8))
			s.Moved(id(3), state(-1, 8), state(-1, 9))
			s.Moved(partition.ID{Topic: "new"}, state(-1, 0), state(1, 0))
			for n, want := range []bool{true, false, false, true} {
				if got := s.Lost(id(int32(n))); (got != nil) != want {
					t.Errorf("%d: %+v", n, got)
				}
			}
			if got := s.Lost(id(0)); got != nil && got.Epoch != 9 {
				t.Errorf("its last epoch is %d", got.Epoch)
			}
			w.topic("other", led(1, 0))
			w.set(func() { w.im.RemoveTopic("t") })
			time.Sleep(2 * often)
			synctest.Wait()
			if got := s.Led("t"); len(got) > 0 {
				t.Errorf("a topic that is gone is remembered: %v", got)
			}
			if len(s.Led("other")) != 1 {
				t.Error("a new topic is not sampled")
			}
		})
	})
}

// TestOneSampleSaysNothingOfThePace: and one that was asked for in an epoch that the broker does not know is none.
func TestOneSampleSaysNothingOfThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3)
		w.topic("t", led(1, 7), led(1, 7))
		other := partition.ID{Topic: "t", Number: 1}
		w.told[other] = 6
		w.sampling(t, Settings{often, 1000, ""}, func(s *Sampler) {
			s.Moved(one, state(1, 7), state(-1, 8))
			s.Moved(other, state(1, 7), state(-1, 8))
			if got := s.Lost(one); got == nil || got.Most != recovery.Open {
				t.Errorf("%+v", got)
			}
			if got := s.Lost(other); got != nil {
				t.Errorf("a sample of nothing: %+v", got)
			}
		})
		if w.answered != 1 || w.failed != 1 {
			t.Errorf("%d answered, %d failed", w.answered, w.failed)
		}
	})
}

// TestBoundedPace: so many a second, in order, topics large and small; a broker that hangs holds up nobody else.
func TestBoundedPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3)
		for n := range 30 {
			var states []isr.LeaderAndISR
			for i := range 1 + 40*(n%3) {
				states = append(states, led(int32(1+i%3), 1))
			}
			w.topic(fmt.Sprint("t", n), states...)
		}
		total := w.im.PartitionCount() // 1230
		w.hangs["b3:9"] = true
		w.sampling(t, Settings{often, 100, ""}, func(*Sampler) {
			for range 20 {
				before := w.sum()
				time.Sleep(time.Second)
				synctest.Wait()
				if n := w.sum() - before; n > 100 {
					t.Errorf("%d asked for in a second", n)
				}
			}
			w.set(func() {
				if w.asked["b1:9"] < total/3 || w.asked["b2:9"] < total/3 || w.dials["b1:9"] != 1 {
					t.Errorf("of %d partitions %v were asked for over %v", total, w.asked, w.dials)
				}
				if w.failed == 0 || w.answered < w.asked["b1:9"]+w.asked["b2:9"] {
					t.Errorf("%d answered, %d failed of %v", w.answered, w.failed, w.asked)
				}
				w.hangs["b3:9"] = false
			})
			time.Sleep(time.Minute)
			w.set(func() { w.failed = 0 })
			time.Sleep(time.Minute)
			synctest.Wait()
			w.set(func() {
				if w.failed != 0 || w.oldest > 15*time.Second {
					t.Errorf("%d failed a minute after it answers again, the oldest is %v", w.failed, w.oldest)
				}
			})
		})
		if w.oldest != 0 {
			t.Errorf("an age of %s when the term is over", w.oldest)
		}
	})
}

func (w *world) sum() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.asked {
		n += k
	}
	return n
}

// TestConnectionsThatEnd: a broker closes one that was idle, comes back elsewhere, is gone.
func TestConnectionsThatEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3)
		w.topic("t", led(1, 7))
		w.sampling(t, Settings{often, 1000, ""}, func(*Sampler) {
			w.set(func() { _ = w.conns[0].Close() })
			time.Sleep(often + time.Second)
			w.set(func() {
				if w.dials["b1:9"] != 2 || w.failed != 0 {
					t.Errorf("%d connections, %d failed", w.dials["b1:9"], w.failed)
				}
				w.im.PutBroker(cluster.Broker{ID: 1, Epoch: 2, Endpoints: []cluster.Endpoint{{Listener: "IN", Host: "new", Port: 9}}})
			})
			time.Sleep(often)
			w.set(func() {
				if w.dials["new:9"] != 1 || w.failed != 0 {
					t.Errorf("%v, %d failed", w.dials, w.failed)
				}
				w.im.PutBroker(cluster.Broker{ID: 1, Epoch: 3})
			})
			time.Sleep(often)
			w.set(func() {
				if w.failed != 1 {
					t.Errorf("%d failed without a listener", w.failed)
				}
				w.im.RemoveBroker(1)
			})
			time.Sleep(often)
		})
	})
}

// TestSwitchedOffAndOn, and the end of a term.
func TestSwitchedOffAndOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1)
		w.topic("t", led(1, 7))
		var mu sync.Mutex
		set := Settings{0, 1000, "IN"}
		s := New(Options{View: w.view, Dial: w.dial, Metrics: w, Settings: func() Settings {
			mu.Lock()
			defer mu.Unlock()
			return set
		}})
		over := make(chan struct{})
		go func() { defer close(over); s.Run(t.Context()) }()
		time.Sleep(time.Minute)
		if n := w.sum(); n != 0 {
			t.Errorf("%d asked for while it is off", n)
		}
		mu.Lock()
		set.Interval = often
		mu.Unlock()
		time.Sleep(2 * time.Second)
		if n := w.sum(); n != 1 {
			t.Errorf("%d asked for since it is on", n)
		}
		w.set(func() { w.over = true })
		<-over
		_ = w.conns[0].Close()
	})
}

// BenchmarkChoose is what the controller's loop waits for: 2000 of 100,000 partitions on ten brokers.
func BenchmarkChoose(b *testing.B) {
	w := newWorld(10)
	var states []isr.LeaderAndISR
	for i := range 10 {
		states = append(states, led(int32(1+i), 3))
	}
	for n := range 10_000 {
		w.topic(fmt.Sprint("t", n), states...)
	}
	s := New(Options{})
	v := planner.View{Image: w.im}
	r := round{}
	b.ReportAllocs()
	for b.Loop() {
		if len(r.topics) == 0 {
			r = round{topics: w.im.TopicNames()}
		}
		s.choose(v, &r, batches{}, slice, "IN")
	}
}
