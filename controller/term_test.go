package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
)

var errTest = errors.New("for the test")

func stop(r *rig) { r.Stop(context.Background(), errTest, false) }

// call calls in the background; the answer is readable after synctest.Wait.
type answer struct {
	body  planner.ReplyBody
	err   error
	times int
}

func (r *rig) call(ctx context.Context, body planner.CallBody) *answer {
	a := &answer{}
	go func() {
		a.body, a.err = r.Call(ctx, body)
		a.times++
	}()
	return a
}

func ids(broker int32, e epoch.Broker) planner.AllocateProducerIDs {
	return planner.AllocateProducerIDs{Broker: broker, BrokerEpoch: e}
}

func TestLoadFailureEndsTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.store.load = func(context.Context) (*planner.Claimed, error) { return nil, epoch.ErrFenced }
		early := r.call(context.Background(), ids(1, 10))
		synctest.Wait()
		r.start(t)
		if err := r.ended(); !errors.Is(err, epoch.ErrFenced) {
			t.Errorf("Run returned %v", err)
		}
		if !errors.Is(early.err, ErrNotActive) || early.times != 1 {
			t.Errorf("a call that waited for the load: %+v", early)
		}
		if r.channels.closed == 0 || r.Open() {
			t.Error("the channels are not closed, or the gate is open")
		}
		if err := r.View(context.Background(), func(planner.View) {}); !errors.Is(err, ErrNotActive) {
			t.Errorf("view: %v", err)
		}
	})
}

func TestStopWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.store.load = func(ctx context.Context) (*planner.Claimed, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		r.start(t)
		r.Stop(context.Background(), errTest, true)
		if err := r.ended(); !errors.Is(err, errTest) {
			t.Errorf("Run returned %v, want the reason of the stop", err)
		}
	})
}

func TestCallsBeforeTheLoadAreAnsweredAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		loaded := make(chan struct{})
		r.store.load = func(context.Context) (*planner.Claimed, error) { <-loaded; return claimed(), nil }
		early := r.call(context.Background(), ids(1, 10))
		r.start(t)
		if early.times != 0 {
			t.Fatalf("answered before the load: %+v", early)
		}
		close(loaded)
		synctest.Wait()
		if b, ok := early.body.(planner.AllocateProducerIDsReply); !ok || b.Start != 7000 {
			t.Errorf("%+v", early)
		}
		stop(r)
	})
}

func TestACallerMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hold := make(chan struct{})
		r.store.commit = func(_ context.Context, w []planner.Write, done func([]planner.Result)) error {
			<-hold
			done(applied(w))
			return nil
		}
		r.start(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		a := r.call(ctx, ids(1, 10))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !errors.Is(a.err, context.DeadlineExceeded) {
			t.Errorf("%+v", a)
		}
		close(hold) // the answer comes to nobody
		synctest.Wait()
		if r.mu.Lock(); len(r.calls) != 0 {
			t.Errorf("%d calls are still known", len(r.calls))
		}
		r.mu.Unlock()
		stop(r)
	})
}

// At the end every call is answered once, whether it waited in the queue, in the
// machine, or came too late.
func TestEveryCallIsAnsweredAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.store.commit = func(ctx context.Context, _ []planner.Write, _ func([]planner.Result)) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		r.start(t)
		inMachine := r.call(context.Background(), ids(1, 10))
		synctest.Wait()
		busy, release := make(chan struct{}), make(chan struct{})
		go func() {
			_ = r.View(context.Background(), func(planner.View) { close(busy); <-release })
		}()
		<-busy
		inQueue := r.call(context.Background(), ids(2, 11))
		view := make(chan error, 1)
		go func() { view <- r.View(context.Background(), func(planner.View) {}) }()
		synctest.Wait()
		go stop(r)
		synctest.Wait()
		if r.Open() {
			t.Error("the gate is open while a stopped loop is still busy")
		}
		close(release)
		err := r.ended()
		if !errors.Is(err, errTest) {
			t.Errorf("Run returned %v", err)
		}
		for name, a := range map[string]*answer{"in the machine": inMachine, "in the queue": inQueue} {
			b, ok := a.body.(planner.AllocateProducerIDsReply)
			if a.times != 1 || (!errors.Is(a.err, ErrNotActive) && (!ok || b.Err != kerr.NotController)) {
				t.Errorf("a call %s: %+v", name, a)
			}
		}
		if err := <-view; !errors.Is(err, ErrNotActive) {
			t.Errorf("a view in the queue: %v", err)
		}
		if _, err := r.Call(context.Background(), ids(1, 10)); !errors.Is(err, ErrNotActive) {
			t.Errorf("a call that came too late: %v", err)
		}
	})
}

func TestDrainFinishesWhatIsInFlightAndBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hold := make(chan struct{})
		r.store.commit = func(_ context.Context, w []planner.Write, done func([]planner.Result)) error {
			<-hold
			done(applied(w))
			return nil
		}
		r.start(t)
		first := r.call(context.Background(), ids(1, 10))
		synctest.Wait()
		stopped := make(chan struct{})
		go func() { defer close(stopped); r.Stop(context.Background(), errTest, true) }()
		synctest.Wait()
		if !r.Open() {
			t.Error("the gate closed before the writes in flight were finished")
		}
		late := r.call(context.Background(), ids(2, 11))
		synctest.Wait()
		close(hold)
		<-stopped
		synctest.Wait()
		if n := len(r.store.committed()); n != 1 {
			t.Errorf("%d writes were begun, want only the one in flight", n)
		}
		if first.times != 1 || late.times != 1 {
			t.Errorf("answers: %+v, %+v", first, late)
		}
		if b, ok := late.body.(planner.AllocateProducerIDsReply); late.err == nil && (!ok || b.Err == nil) {
			t.Errorf("the late call got %+v", late)
		}
	})
}

func TestDrainGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.store.commit = func(ctx context.Context, _ []planner.Write, _ func([]planner.Result)) error {
			<-ctx.Done() // ZooKeeper is away
			return context.Cause(ctx)
		}
		r.start(t)
		r.call(context.Background(), ids(1, 10))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		r.Stop(ctx, errTest, true)
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestAConflictComesBackAndIsDecidedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		n := 0
		r.store.commit = func(_ context.Context, w []planner.Write, done func([]planner.Result)) error {
			if n++; n == 1 {
				done([]planner.Result{{Seq: w[0].Seq, Outcome: planner.Conflict, Found: state(1, 3, 7, 1, 2)}})
				return nil
			}
			done(applied(w))
			return nil
		}
		r.start(t)
		brokers := claimed().Brokers
		r.store.sink(planner.BrokersChanged{Brokers: brokers[1:]}) // broker 1 is gone
		synctest.Wait()
		writes := r.store.committed()
		if len(writes) != 2 {
			t.Fatalf("writes: %+v", writes)
		}
		second := writes[1].Body.(planner.SetState).State
		if second.PartitionEpoch != 7 || second.Leader != 2 || !second.ISR.Equal(isr.Set{2}) {
			t.Errorf("decided again: %v", second)
		}
		stop(r)
	})
}

func TestAFencedCommitEndsTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.store.commit = func(context.Context, []planner.Write, func([]planner.Result)) error { return epoch.ErrFenced }
		r.start(t)
		r.up(2, 11, 1)
		a := r.call(context.Background(), ids(1, 10))
		if err := r.ended(); !errors.Is(err, epoch.ErrFenced) {
			t.Errorf("Run returned %v", err)
		}
		if a.times != 1 || r.Open() {
			t.Errorf("%+v, gate open: %v", a, r.Open())
		}
		sent := len(r.channels.sent)
		r.up(1, 10, 2)                   // the event of a channel that was just closing
		r.Push(planner.Committed{})      // and of a write that was acknowledged after the end
		r.Push(planner.BrokersChanged{}) //
		if time.Sleep(time.Second); len(r.channels.sent) != sent {
			t.Error("something was sent after the end")
		}
	})
}

// Kafka's controller leaves some of these to their time-outs, answers others with
// UNKNOWN_SERVER_ERROR, and does not resign for each (12.1).
func TestAFencedWriteIsAnsweredAndEndsTheTerm(t *testing.T) {
	id := partition.ID{Topic: "t"}
	for name, c := range map[string]struct {
		body planner.CallBody
		want *kerr.Error
	}{
		"AlterPartition": {planner.AlterPartition{Version: 1, Broker: 1, BrokerEpoch: 10, Items: []planner.AlterItem{
			{Topic: "t", Request: isr.AlterRequest{LeaderEpoch: 3, ISR: isr.Set{1}}}}}, kerr.NotController},
		"ControlledShutdown":  {planner.ControlledShutdown{Broker: 1, BrokerEpoch: 10}, kerr.StaleControllerEpoch},
		"AllocateProducerIds": {ids(1, 10), kerr.NotController},
		"CreateTopics":        {planner.CreateTopics{Timeout: 1000, Topics: []planner.NewTopic{{Name: "n", Partitions: 1, Factor: 1}}}, kerr.NotController},
		"AlterPartitionReassignments": {planner.AlterReassignments{Timeout: 1000, Items: []planner.Reassignment{
			{ID: id, Replicas: []int32{2, 1}}}}, kerr.NotController},
		"AlterUserScramCredentials": {planner.AlterScram{Deletions: []planner.ScramDeletion{{User: "u", Mechanism: 1}}}, kerr.NotController},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.store.commit = func(context.Context, []planner.Write, func([]planner.Result)) error { return epoch.ErrFenced }
				r.start(t)
				a := r.call(context.Background(), c.body)
				if err := r.ended(); !errors.Is(err, epoch.ErrFenced) {
					t.Fatalf("Run returned %v", err)
				}
				if text := fmt.Sprintf("%+v", a.body); a.err != nil || a.times != 1 || !strings.Contains(text, c.want.Message) {
					t.Errorf("answered %d times: %s, %v", a.times, text, a.err)
				}
			})
		})
	}
}

func TestTheWatchEndsTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(t)
		r.store.watch <- errTest
		if err := r.ended(); !errors.Is(err, errTest) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestReclaim(t *testing.T) {
	for name, c := range map[string]struct{ verify, want error }{
		"the fence holds":       {nil, ErrReclaim},
		"somebody else claimed": {epoch.ErrFenced, epoch.ErrFenced},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.store.verify = func(context.Context) error { return c.verify }
				r.start(t)
				r.up(1, 10, 1)
				q := r.channels.last()
				r.Push(planner.BrokerReplied{Broker: 1, Conn: 1, Seq: q.Seq, Kind: q.Kind, Code: kerr.StaleControllerEpoch.Code})
				if err := r.ended(); !errors.Is(err, c.want) {
					t.Errorf("Run returned %v", err)
				}
			})
		})
	}
}

func TestABrokenInvariantResigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		future := state(1, 3, 0, 1, 2)
		future.State.ControllerEpoch = 9 // somebody with a newer claim was here
		r.store.load = func(context.Context) (*planner.Claimed, error) {
			c := claimed()
			c.States = []planner.StateRead{future}
			return c, nil
		}
		r.start(t)
		if err := r.ended(); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
		if len(r.store.committed()) != 0 || len(r.channels.changes) != 0 {
			t.Error("a term that resigns wrote or connected")
		}
	})
}

func TestAStaleBrokerEpochReadsTheBrokersAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(t)
		r.up(1, 10, 1)
		q := r.channels.last()
		r.Push(planner.BrokerReplied{Broker: 1, Conn: 1, Seq: q.Seq, Kind: q.Kind, Code: kerr.StaleBrokerEpoch.Code})
		synctest.Wait()
		if r.store.reread != 1 {
			t.Errorf("asked %d times", r.store.reread)
		}
		stop(r)
	})
}

func TestReadsComeBackAsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.store.states = func(ids []partition.ID) ([]planner.StateRead, error) {
			return []planner.StateRead{state(1, 3, 9, 1)}, nil
		}
		r.start(t)
		// The sender knows version 9, we know 0: read before answering.
		a := r.call(context.Background(), planner.AlterPartition{Broker: 1, BrokerEpoch: 10, Version: 1, Items: []planner.AlterItem{
			{Topic: "t", Request: isr.AlterRequest{LeaderEpoch: 3, PartitionEpoch: 9, ISR: isr.Set{1, 2}}}}})
		synctest.Wait()
		b, ok := a.body.(planner.AlterPartitionReply)
		if !ok || len(b.Items) != 1 || b.Items[0].Err != nil || b.Items[0].State.PartitionEpoch != 10 {
			t.Errorf("%+v", a)
		}
		stop(r)
	})
}

func TestTicksAndStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(t)
		time.Sleep(10*time.Second + 100*time.Millisecond)
		synctest.Wait()
		if n := r.observer.count("Tick"); n != 40 {
			t.Errorf("%d ticks in 10 s", n)
		}
		if n := r.observer.stats; n < 9 || n > 11 {
			t.Errorf("stats %d times in 10 s", n)
		}
		if since := time.Since(r.Progress()); since > time.Second {
			t.Errorf("no progress for %v", since)
		}
		stop(r)
	})
}

func TestViewSeesTheImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(t)
		brokers := 0
		err := r.View(context.Background(), func(v planner.View) { brokers = v.Image.BrokerCount() })
		if err != nil || brokers != 2 {
			t.Errorf("%d brokers, %v", brokers, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.View(ctx, func(planner.View) {}); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		stop(r)
		stop(r) // twice is as good as once
		if r.channels.closed == 0 {
			t.Error("the channels are open")
		}
	})
}

// What a view fills belongs to its caller again once View has returned.
func TestAViewThatWasGivenUpNeverRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(t)
		busy, release := make(chan struct{}), make(chan struct{})
		go func() {
			_ = r.View(context.Background(), func(planner.View) { close(busy); <-release })
		}()
		<-busy
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		ran := false
		if err := r.View(ctx, func(planner.View) { ran = true }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		close(release)
		synctest.Wait()
		if ran {
			t.Error("it ran after View had returned")
		}
		stop(r)
	})
}

// Commits run next to each other: one that hangs does not hold up those after it.
func TestAHangingCommitDoesNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hold := make(chan struct{})
		n := 0
		r.store.commit = func(_ context.Context, w []planner.Write, done func([]planner.Result)) error {
			r.store.mu.Lock()
			n++
			first := n == 1
			r.store.mu.Unlock()
			if first {
				<-hold
			}
			done(applied(w))
			return nil
		}
		r.start(t)
		slow := r.call(context.Background(), ids(1, 10))
		synctest.Wait()
		quick := r.call(context.Background(), ids(2, 11))
		synctest.Wait()
		if slow.times != 0 || quick.times != 1 {
			t.Errorf("slow %+v, quick %+v", slow, quick)
		}
		close(hold)
		synctest.Wait()
		if slow.times != 1 {
			t.Errorf("slow: %+v", slow)
		}
		stop(r)
	})
}

// While ZooKeeper is busy with as many storms as may be under way, a leader's ISR change is written and answered.
func TestAnISRChangeDoesNotWaitForStorms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hold := make(chan struct{})
		r.store.commit = func(_ context.Context, w []planner.Write, done func([]planner.Result)) error {
			if w[0].Class == planner.Storm {
				<-hold
			}
			done(applied(w))
			return nil
		}
		r.start(t)
		var storms []*answer
		for range writers + 1 {
			storms = append(storms, r.call(context.Background(), ids(1, 10)))
			synctest.Wait()
		}
		alter := r.call(context.Background(), planner.AlterPartition{Broker: 1, BrokerEpoch: 10, Items: []planner.AlterItem{{Topic: "t",
			Request: isr.AlterRequest{LeaderEpoch: 3, ISR: isr.Set{1}}}}})
		synctest.Wait()
		if reply, ok := alter.body.(planner.AlterPartitionReply); !ok || reply.Err != nil || reply.Items[0].Err != nil {
			t.Errorf("alter %+v", alter)
		}
		for _, a := range storms {
			if a.times != 0 {
				t.Error("a storm is over")
			}
		}
		close(hold)
		synctest.Wait()
		stop(r)
	})
}

// What is remembered goes slice by slice, and belongs to the caller.
func TestRemember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(t)
		mem, torn, err := r.Remember(context.Background(), nil)
		if err != nil || torn || len(mem.Topics) == 0 || mem.Image.BrokerCount() != 2 || mem.Image.TopicCount() != 0 {
			t.Errorf("%+v, torn %v, %v", mem, torn, err)
		}
		name := mem.Topics[0].Name
		mem, _, err = r.Remember(context.Background(), []string{"none", name, name})
		if err != nil || len(mem.Topics) != 1 || mem.Topics[0].Name != name {
			t.Errorf("%+v, %v", mem.Topics, err)
		}
		stop(r)
		if _, _, err := r.Remember(context.Background(), nil); !errors.Is(err, ErrNotActive) {
			t.Errorf("after the end: %v", err)
		}
	})
}
