package simbroker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"baton/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestReplicates(t *testing.T) {
	inWorld(t, func(w *world) {
		cl := w.client(kgo.ConsumeTopics("t"))
		defer cl.Close()
		if err := w.produce(cl, 5); err != nil {
			t.Fatal(err)
		}
		w.want(1, "end 5 high 5 isr [1 2 3]")
		time.Sleep(2 * time.Second)
		w.want(2, "end 5 high 5 isr []")
		w.want(3, "end 5 high 5 isr []")
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for got := 0; got < 5; {
			fs := cl.PollFetches(ctx)
			if err := fs.Err(); err != nil {
				t.Fatal(err)
			}
			got += fs.NumRecords()
		}
	})
}

// A follower that hangs leaves the ISR after the lag time, and acks=all goes on; when it
// is back it catches up and returns.
func TestFollowerLagsAndReturns(t *testing.T) {
	inWorld(t, func(w *world) {
		cl := w.client()
		defer cl.Close()
		w.net.Freeze("b1", "b3")
		if err := w.produce(cl, 3); err != nil {
			t.Fatal(err)
		}
		w.want(1, "end 3 high 3 isr [1 2]")
		w.net.Heal("b1", "b3")
		time.Sleep(5 * time.Second)
		w.want(1, "end 3 high 3 isr [1 2 3]")
		w.want(3, "end 3 high 3 isr []")
	})
}

// With fewer in-sync replicas than asked for, acks=all is refused before the append.
func TestMinISR(t *testing.T) {
	inWorld(t, func(w *world) {
		cl := w.client(kgo.RecordRetries(1), kgo.RetryTimeout(3*time.Second), kgo.RecordDeliveryTimeout(3*time.Second))
		defer cl.Close()
		w.kill(2)
		w.kill(3)
		w.elect(1, 1)
		time.Sleep(time.Second)
		if err := w.produce(cl, 1); err == nil {
			t.Fatal("acknowledged")
		}
		w.want(1, "end 0 high 0 isr [1]")
	})
}

// What the old leader alone had goes when it comes back as a follower (KIP-101); what
// was acknowledged stays.
func TestTruncatesByEpoch(t *testing.T) {
	inWorld(t, func(w *world) {
		cl := w.client()
		defer cl.Close()
		if err := w.produce(cl, 4); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		w.net.Cut("b1", "b2")
		w.net.Cut("b1", "b3")
		lone := w.client(kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
		if err := w.produce(lone, 7); err != nil {
			t.Fatal(err)
		}
		lone.Close()
		w.want(1, "end 11 high 4 isr [1 2 3]")
		w.kill(1)
		w.elect(2, 2, 3)
		if err := w.produce(cl, 2); err != nil {
			t.Fatal(err)
		}
		w.net.Heal("b1", "b2")
		w.net.Heal("b1", "b3")
		w.start(1)
		w.tellLive()
		w.tell()
		time.Sleep(5 * time.Second)
		w.want(1, "end 6 high 6 isr []")
		w.want(2, "end 6 high 6 isr [2 3 1]")
		for _, id := range []int32{1, 3} {
			if a, b := logOf(w, id), logOf(w, 2); a != b {
				t.Errorf("broker %d has %s, the leader %s", id, a, b)
			}
		}
	})
}

// logOf shows a log's batches with their epochs.
func logOf(w *world, id int32) string {
	p := w.procs[id]
	s, _ := ask(p, func() (s string) {
		for _, b := range p.parts[t0].log.batches {
			s += fmt.Sprintf("[%d-%d e%d %x]", b.base, b.last, b.epoch, b.raw[len(b.raw)-3:])
		}
		return s
	})
	return s
}

func TestMachineCrashLosesTail(t *testing.T) {
	inWorld(t, func(w *world) {
		cl := w.client(kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
		defer cl.Close()
		if err := w.produce(cl, 3); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond) // flushed, and half a second until the next time
		if err := w.produce(cl, 2); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.kill(1)
		w.disks[1].loseTails()
		if l, _ := w.disks[1].find(t0); l.end() != 3 {
			t.Errorf("the log ends at %d", l.end())
		}
	})
}

// TestAlterPartitionAnswers is the table of 08.3 for 3.3-3.9: how often the leader asks
// in the 20 s after the answer, and what it does with the follower.
func TestAlterPartitionAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		first  func(w *world, r *kmsg.AlterPartitionRequest) kmsg.Response
		asks   string
		isr    string
		frozen bool
	}{
		{"success", nil, "1", "[1 2 3]", false},
		{"top level: again after 50 ms", top(kerr.StaleBrokerEpoch.Code), "2", "[1 2 3]", false},
		{"NOT_CONTROLLER at the top: looked up again", top(kerr.NotController.Code), "2", "[1 2 3]", false},
		{"NOT_CONTROLLER for a partition", each(kerr.NotController.Code), "2", "[1 2 3]", false},
		{"hung up", func(*world, *kmsg.AlterPartitionRequest) kmsg.Response { return nil }, "2", "[1 2 3]", false},
		{"partition missing: again", func(_ *world, r *kmsg.AlterPartitionRequest) kmsg.Response {
			return respond[*kmsg.AlterPartitionResponse](r)
		}, "2", "[1 2 3]", false},
		{"unknown code: at once", each(kerr.UnknownServerError.Code), "2", "[1 2 3]", false},
		{"INELIGIBLE_REPLICA: reverted, asked again", each(kerr.IneligibleReplica.Code), "2", "[1 2 3]", false},
		{"OPERATION_NOT_ATTEMPTED: reverted, asked again", each(kerr.OperationNotAttempted.Code), "2", "[1 2 3]", false},
		{"UNKNOWN_TOPIC_OR_PARTITION: frozen", each(kerr.UnknownTopicOrPartition.Code), "1", "[1 2]", true},
		{"FENCED_LEADER_EPOCH: frozen", each(kerr.FencedLeaderEpoch.Code), "1", "[1 2]", true},
		{"INVALID_UPDATE_VERSION: frozen", each(kerr.InvalidUpdateVersion.Code), "1", "[1 2]", true},
		{"INVALID_REQUEST: frozen", each(kerr.InvalidRequest.Code), "1", "[1 2]", true},
		{"UNKNOWN_TOPIC_ID: frozen", each(kerr.UnknownTopicID.Code), "1", "[1 2]", true},
		{"NEW_LEADER_ELECTED: frozen", each(codeNewLeaderElected), "1", "[1 2]", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.set(func() {
					w.answer = func(req kmsg.Request) kmsg.Response {
						if r := req.(*kmsg.AlterPartitionRequest); len(w.asked) == 1 && c.first != nil {
							return c.first(w, r)
						}
						return w.grant(req)
					}
				})
				w.elect(1, 1, 2) // 3 is caught up and asks to join
				time.Sleep(20 * time.Second)
				w.want(1, "end 0 high 0 isr "+c.isr)
				if got := fmt.Sprint(w.requests()); got != c.asks {
					t.Errorf("asked %s times, want %s", got, c.asks)
				}
				if c.frozen {
					w.elect(1, 1, 2)
					time.Sleep(5 * time.Second)
					w.want(1, "end 0 high 0 isr [1 2 3]")
				}
			})
		})
	}
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func top(code int16) func(*world, *kmsg.AlterPartitionRequest) kmsg.Response {
	return func(_ *world, r *kmsg.AlterPartitionRequest) kmsg.Response {
		resp := respond[*kmsg.AlterPartitionResponse](r)
		resp.ErrorCode = code
		return resp
	}
}

func each(code int16) func(*world, *kmsg.AlterPartitionRequest) kmsg.Response {
	return func(w *world, r *kmsg.AlterPartitionRequest) kmsg.Response { return w.alterAnswer(r, code) }
}

// Ids come from the controller's blocks; without one the client is told to wait.
func TestProducerIDs(t *testing.T) {
	inWorld(t, func(w *world) {
		var next int64
		w.set(func() {
			w.answer = func(req kmsg.Request) kmsg.Response {
				resp := respond[*kmsg.AllocateProducerIDsResponse](req)
				resp.ProducerIDStart, resp.ProducerIDLen = next, 10
				next += 10
				return resp
			}
		})
		p := w.procs[2]
		one := func() (int64, int16) {
			resp, _ := ask(p, func() *kmsg.InitProducerIDResponse {
				return initProducerID(p, nil, kmsg.NewPtrInitProducerIDRequest()).(*kmsg.InitProducerIDResponse)
			})
			synctest.Wait()
			return resp.ProducerID, resp.ErrorCode
		}
		if _, code := one(); code != kerr.CoordinatorLoadInProgress.Code {
			t.Errorf("without a block: %d", code)
		}
		for want := range int64(25) {
			if id, code := one(); id != want || code != 0 {
				t.Errorf("id %d code %d, want %d", id, code, want)
			}
		}
	})
}

// The controller is asked three times, five seconds apart.
func TestControlledShutdown(t *testing.T) {
	inWorld(t, func(w *world) {
		w.set(func() {
			w.answer = func(req kmsg.Request) kmsg.Response {
				resp := respond[*kmsg.ControlledShutdownResponse](req)
				if len(w.asked) < 3 {
					p := kmsg.NewControlledShutdownResponsePartitionsRemaining()
					p.Topic = "t"
					resp.PartitionsRemaining = append(resp.PartitionsRemaining, p)
				}
				return resp
			}
		})
		begun := time.Now()
		if !w.procs[1].controlledShutdown(context.Background()) {
			t.Error("not let go")
		}
		if took := time.Since(begun); took != 10*time.Second || w.requests() != 3 {
			t.Errorf("%d tries in %s", w.requests(), took)
		}
		w.set(func() { w.answer = func(kmsg.Request) kmsg.Response { return nil } })
		if w.procs[2].controlledShutdown(context.Background()) {
			t.Error("clean without an answer")
		}
	})
}

func TestPause(t *testing.T) {
	inWorld(t, func(w *world) {
		w.procs[1].gate.close()
		c, err := w.net.Host("client").Dial(context.Background(), "b1:9092")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		frame, _ := wire.AppendRequest(nil, nil, 1, kmsg.NewPtrApiVersionsRequest())
		answered := make(chan time.Time, 1)
		go func() {
			_, _ = c.Write(frame)
			if _, err := wire.ReadFrame(c, nil, wire.MaxFrame); err == nil {
				answered <- time.Now()
			}
			close(answered)
		}()
		time.Sleep(10 * time.Second)
		resumed := time.Now()
		w.procs[1].gate.open()
		if at, ok := <-answered; !ok || at.Before(resumed) {
			t.Error("answered while paused, or never")
		}
	})
}

func TestMemoryNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		ln, err := m.Host("a").Listen(":0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		m.Cut("a", "b")
		if _, err := m.Host("b").Dial(ctx, ln.Addr().String()); !errors.Is(err, errRefused) {
			t.Errorf("cut: %v", err)
		}
		m.Heal("b", "a")
		m.Freeze("b", "a")
		if _, err := m.Host("b").Dial(ctx, ln.Addr().String()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("frozen: %v", err)
		}
		_ = ln.Close()
		if _, err := m.Host("c").Dial(context.Background(), ln.Addr().String()); !errors.Is(err, errRefused) {
			t.Errorf("closed: %v", err)
		}
	})
}
