package node

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"baton/admin"
	"baton/cluster"
	"baton/controller"
	"baton/planner"
	"baton/zkstore"
)

const a1, b2 = 2_000_001, 2_000_002

func quiet(string) {}

// inWorld runs a test with fake time in a world where, unless broker is 0, that one
// holds.
func inWorld(t *testing.T, broker int32, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		if broker != 0 {
			w.brokerClaims(broker)
		}
		f(t, w)
	})
}

func holds(w *world, id int32) bool {
	c := w.now().Controller
	return c != nil && c.BrokerID == id
}

func TestClaiming(t *testing.T) {
	for name, c := range map[string]struct {
		broker int32
		mode   Mode
		claims int
	}{
		"a standby claims when nobody holds": {0, Standby, 1},
		"a standby leaves a broker alone":    {1, Standby, 0},
		"an active one takes over":           {1, Active, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, c.broker, func(t *testing.T, w *world) {
				a := w.join(t, a1, c.mode)
				time.Sleep(10 * time.Second)
				if w.claimed() != c.claims || a.leads() != (c.claims > 0) {
					t.Errorf("%d claims, leads: %v", w.claimed(), a.leads())
				}
				if ready, why := a.Ready(); !ready {
					t.Error(why)
				}
			})
		})
	}
}

func TestTwoActiveOnesLeaveEachOtherAlone(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		a, b := w.join(t, a1, Active), w.join(t, b2, Active)
		time.Sleep(time.Minute)
		if w.claimed() != 1 || a.leads() == b.leads() {
			t.Errorf("%d claims; %v, %v", w.claimed(), a.leads(), b.leads())
		}
	})
}

func TestAnExpiredSessionMakesAStandby(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Standby)
		time.Sleep(time.Second)
		term := a.current()
		if term == nil {
			t.Fatal("does not lead")
		}
		s := a.session()
		w.mu.Lock()
		w.during = func() { t.Error("the dead session claimed") }
		w.mu.Unlock()
		s.expire()
		w.mu.Lock()
		w.during = nil
		w.mu.Unlock()
		w.brokerClaims(1)
		time.Sleep(5 * time.Second)
		if a.leads() || !holds(w, 1) || a.session() == s {
			t.Errorf("leads: %v", a.leads())
		}
		select {
		case <-term.Done():
		default:
			t.Error("the term goes on")
		}
		if term.Open() {
			t.Error("the gate is open")
		}
	})
}

// KAFKA-8532: the session ends while a write waits for ZooKeeper. Kafka's event thread waits
// for the answer, the expiry for the event thread, and the broker neither leads nor resigns.
func TestASessionThatEndsWhileAWriteWaits(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Standby)
		time.Sleep(time.Second)
		term := a.current()
		answered := make(chan planner.ReplyBody, 1)
		w.setDown(true)
		go func() {
			b, _ := term.Call(context.Background(), planner.AlterScram{Deletions: []planner.ScramDeletion{{User: "u", Mechanism: 1}}})
			answered <- b
		}()
		synctest.Wait()
		a.session().expire()
		if b, ok := (<-answered).(planner.AlterScramReply); !ok || b.Users[0].Err != kerr.NotController {
			t.Errorf("answered %+v", b)
		}
		<-term.Done()
		w.setDown(false)
		time.Sleep(10 * time.Second)
		if next := a.current(); next == nil || next == term {
			t.Error("never claimed again")
		}
	})
}

// KAFKA-13407: a claim is applied, but the claimant hears that it was not, and the znode names a controller that does
// nothing for as long as its session lives. Kafka's leaves it at that, for the znode names itself.
func TestNoGhostController(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.during = func() {
			w.change(func(v *zkstore.RoleView) {
				owner := w.sessions
				v.Epoch, v.EpochVersion = v.Epoch+1, v.EpochVersion+1
				v.Controller = &zkstore.Registration{BrokerID: a1, KRaftEpoch: -1, Owner: owner, Baton: &zkstore.BatonInfo{Name: v.Members[0].Name}}
			})
		}
		a := w.join(t, a1, Active)
		time.Sleep(10 * time.Second)
		if !a.leads() || !holds(w, a1) {
			t.Errorf("it holds: %v, it leads: %v", holds(w, a1), a.leads())
		}
	})
}

// A claim that was under way when the hold was written must not last.
func TestAHoldWrittenDuringAClaimIsObeyed(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		w.during = func() { w.change(func(v *zkstore.RoleView) { v.Hold = &zkstore.Hold{Who: "x"} }) }
		a := w.join(t, a1, Active)
		time.Sleep(5 * time.Second)
		if w.claimed() != 1 || w.now().Controller != nil || a.leads() {
			t.Errorf("%d claims, %+v", w.claimed(), w.now().Controller)
		}
	})
}

func TestAClaimUnderWayDoesNotSurviveAHandback(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		a := w.join(t, a1, Standby)
		time.Sleep(time.Second)
		answer := make(chan struct{})
		w.mu.Lock()
		w.during = func() { <-answer }
		w.mu.Unlock()
		w.change(func(v *zkstore.RoleView) { v.Controller = nil })
		synctest.Wait() // the claim is under way
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		go func() { time.Sleep(time.Second); close(answer) }()
		_, err := a.Handback(ctx, admin.Request{Who: "x"}, quiet)
		time.Sleep(time.Second)
		if w.now().Controller != nil || a.leads() {
			t.Errorf("it holds after the handback (%v)", err)
		}
	})
}

func TestHandbackThenTakeover(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		go func() { time.Sleep(time.Second); w.brokerClaims(1) }()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		var said []string
		out, err := a.Handback(ctx, admin.Request{Who: "x"}, func(s string) { said = append(said, s) })
		// There is no broker to ask whether it names the holder.
		if out.Broker != 1 || out.Epoch != 8 || admin.KindOf(err) != admin.KindOf(admin.Partly("")) {
			t.Errorf("%+v, %v", out, err)
		}
		if got := strings.Join(said, "; "); !strings.Contains(got, "writes in flight finished") || !strings.Contains(got, "broker 1 claimed at epoch 8 (ours was 7)") {
			t.Error(got)
		}
		a.stop()
		<-a.over
		again := w.join(t, a1, Active) // a hold outlives restarts
		time.Sleep(5 * time.Second)
		if !holds(w, 1) {
			t.Fatal("the hold was not obeyed")
		}
		said = nil
		if err := again.Takeover(context.Background(), admin.Request{Who: "x"}, func(s string) { said = append(said, s) }); err != nil {
			t.Error(err)
		}
		if got := strings.Join(said, "; "); !strings.Contains(got, "leading at epoch 9") || !again.leads() {
			t.Error(got)
		}
	})
}

// The process that is asked to take over gets the role, although another active one
// waits for the end of the same hold.
func TestTakeoverOverAHoldIsNotRaced(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		b := w.join(t, b2, Active)
		time.Sleep(time.Second)
		go func() { time.Sleep(time.Second); w.brokerClaims(1) }()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := a.Handback(ctx, admin.Request{Who: "x"}, quiet); admin.KindOf(err) != admin.KindOf(admin.Partly("")) {
			t.Fatal(err) // there is no broker to ask whether it names the holder
		}
		if err := b.Takeover(context.Background(), admin.Request{Who: "x"}, quiet); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Second)
		if !b.leads() || a.leads() || w.now().Hold != nil {
			t.Errorf("%+v", w.now())
		}
	})
}

// Deleting /controller failed: the session lives on, so nobody could lead.
func TestAFailedReleaseIsTriedAgain(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		w.failing("release", 3)
		if _, err := a.Handback(context.Background(), admin.Request{Who: "x"}, quiet); !errors.Is(err, errTest) {
			t.Errorf("%v", err)
		}
		time.Sleep(5 * time.Second)
		if w.now().Controller != nil || a.leads() || w.claimed() != 1 {
			t.Errorf("%+v, %d claims", w.now().Controller, w.claimed())
		}
	})
}

func TestASessionThatEndsDuringAHandback(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		w.setDown(true)
		go func() { time.Sleep(time.Second); a.session().expire(); w.setDown(false); w.brokerClaims(1) }()
		_, err := a.Handback(context.Background(), admin.Request{Who: "x"}, quiet)
		if err == nil {
			t.Error("no error, although the hold was not written")
		}
		time.Sleep(5 * time.Second)
		if n := a.currentSession(); n == nil {
			t.Error("no new session")
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.busy {
			t.Error("busy for ever")
		}
	})
}

// A term that ends by a fault gives the role up, and whoever cannot lead does not claim
// again and again.
func TestFaultsBackOff(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		w.load = func(context.Context) error { return errTest }
		a := w.join(t, a1, Active)
		time.Sleep(10*time.Second + 50*time.Millisecond)
		if n := w.claimed(); n < 3 || n > 6 { // after 0.5, 1, 2, 4 s
			t.Errorf("%d claims in 10 s", n)
		}
		if w.now().Controller != nil {
			t.Error("it holds without leading")
		}
		w.mu.Lock()
		w.load = nil
		w.mu.Unlock()
		time.Sleep(time.Minute)
		if !a.leads() {
			t.Error("does not lead after the cure")
		}
	})
}

func TestReclaimBacksOffAndKeepsTheZnode(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		gaps, before := w.gapCount(), w.claimed()
		a.session().store <- controller.ErrReclaim
		synctest.Wait()
		if w.claimed() != before {
			t.Error("claimed again at once")
		}
		time.Sleep(2 * time.Second)
		if w.claimed() != before+1 || w.gapCount() != gaps || !a.leads() {
			t.Errorf("%d claims, %d gaps, leads: %v", w.claimed()-before, w.gapCount()-gaps, a.leads())
		}
	})
}

// Claiming again is refused when it would be unsafe: then a broker must be able to claim.
func TestARefusedReclaimGivesTheRoleUp(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		w.change(func(v *zkstore.RoleView) { v.Bad["/baton/handover"] = "x" })
		time.Sleep(time.Second)
		if !a.leads() {
			t.Fatal("what cannot be read ended a term")
		}
		a.session().store <- controller.ErrReclaim
		time.Sleep(2 * time.Second)
		if w.now().Controller != nil {
			t.Error("it holds without leading")
		}
	})
}

func TestZooKeeperAwayAndBack(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Standby)
		time.Sleep(time.Second)
		term := a.current()
		w.setDown(true)
		time.Sleep(time.Minute)
		if a.leads() {
			t.Error("acts without a valid lease")
		}
		if ready, _ := a.Ready(); ready {
			t.Error("ready without a valid lease")
		}
		w.setDown(false)
		time.Sleep(time.Second)
		if a.current() != term || w.claimed() != 1 {
			t.Errorf("another term, %d claims", w.claimed())
		}
	})
}

func TestAStopEnds(t *testing.T) {
	for name, before := range map[string]func(*world){
		"while leading":          func(*world) {},
		"with ZooKeeper away":    func(w *world) { w.setDown(true) },
		"when the release fails": func(w *world) { w.failing("release", 1000) },
		"with a member that never takes": func(w *world) {
			w.change(func(v *zkstore.RoleView) { v.Members = append(v.Members, zkstore.Member{ID: 9}) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 0, func(t *testing.T, w *world) {
				a := w.join(t, a1, Standby)
				time.Sleep(time.Second)
				before(w)
				begun := time.Now()
				a.stop()
				<-a.over
				if took := time.Since(begun); took > 15*time.Second || w.now().Controller != nil {
					t.Errorf("took %v, %+v", took, w.now().Controller)
				}
			})
		})
	}
}

func TestAStopDoesNotWaitForAClaimOrALoad(t *testing.T) {
	t.Run("claim", func(t *testing.T) {
		inWorld(t, 0, func(t *testing.T, w *world) {
			w.during = func() { w.setDown(true) }
			a := w.join(t, a1, Standby)
			time.Sleep(time.Minute)
			a.stop()
			begun := time.Now()
			<-a.over
			if took := time.Since(begun); took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	})
	t.Run("load", func(t *testing.T) {
		inWorld(t, 0, func(t *testing.T, w *world) {
			w.load = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
			a := w.join(t, a1, Standby)
			time.Sleep(time.Minute)
			a.stop()
			begun := time.Now()
			<-a.over
			if took := time.Since(begun); took > time.Second || w.now().Controller != nil {
				t.Errorf("took %v, %+v", took, w.now().Controller)
			}
		})
	})
}

func TestAPlannedStopHandsOverWithoutAGap(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		b := w.join(t, b2, Standby)
		time.Sleep(time.Second)
		term := a.current()
		a.stop()
		<-a.over
		time.Sleep(time.Second)
		if !b.leads() || w.gapCount() != 0 || w.now().Handover != nil {
			t.Errorf("b leads: %v, %d gaps, handover %+v", b.leads(), w.gapCount(), w.now().Handover)
		}
		if term.Open() {
			t.Error("the gate of the one that stopped is open")
		}
	})
}

func TestHandover(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		b := w.join(t, b2, Standby)
		time.Sleep(time.Second)
		if err := b.Handover(context.Background(), admin.AnyMember, admin.Request{}, quiet); err != nil { // asked for by the successor
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if !b.leads() || a.leads() || w.gapCount() != 0 {
			t.Errorf("a leads: %v, b leads: %v, %d gaps", a.leads(), b.leads(), w.gapCount())
		}
		if err := b.Handover(context.Background(), a1, admin.Request{}, quiet); err != nil { // by the holder
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if b.leads() || !a.leads() || w.gapCount() != 0 {
			t.Errorf("a leads: %v, b leads: %v, %d gaps", a.leads(), b.leads(), w.gapCount())
		}
	})
}

func TestAHandoverToAMemberThatNeverClaims(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		w.change(func(v *zkstore.RoleView) { v.Members = append(v.Members, zkstore.Member{ID: 9}) })
		time.Sleep(time.Second)
		term := a.current()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := a.Handover(ctx, 9, admin.Request{}, quiet); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if a.current() != term || w.now().Handover != nil {
			t.Errorf("the handover is still there: %+v", w.now().Handover)
		}
	})
}

func TestCommandsEndWithTheProcess(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		ended := make(chan error, 1)
		go func() {
			_, err := a.Handback(context.Background(), admin.Request{}, quiet) // no broker will ever claim
			ended <- err
		}()
		time.Sleep(time.Second)
		a.stop()
		if err := <-ended; err == nil {
			t.Error("no error")
		}
	})
}

func TestARoleThatCannotBeReadIsReadAgain(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.failing("read", 3)
		a := w.join(t, a1, Active)
		time.Sleep(1500 * time.Millisecond)
		if w.claimed() != 0 {
			t.Error("claimed without knowing the role")
		}
		if why := a.why(); !strings.Contains(why, "cannot be read") {
			t.Error(why)
		}
		time.Sleep(10 * time.Second)
		if !a.leads() {
			t.Error("never read it again")
		}
	})
}

func TestStatusOfAStuckLoop(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		free := make(chan struct{})
		go func() { _ = a.current().View(context.Background(), func(planner.View) { <-free }) }()
		synctest.Wait()
		st, err := a.Status(context.Background())
		if err != nil || st.Instance.Ready || !strings.Contains(st.Instance.Why, "does not answer") || st.Instance.Role != admin.RoleActive {
			t.Errorf("%+v, %v", st.Instance, err)
		}
		time.Sleep(2 * stuck)
		if a.Alive() {
			t.Error("alive")
		}
		close(free)
		time.Sleep(time.Second)
		if st, err := a.Status(context.Background()); err != nil || !st.Instance.Ready || st.Counts == nil || !a.Alive() {
			t.Errorf("%+v, %v", st.Instance, err)
		}
	})
}

func TestTheDirectoryDoesNotQueueUpItsReaders(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		a := w.join(t, a1, Standby)
		time.Sleep(time.Second)
		a.dir.list()
		w.setDown(true)
		time.Sleep(2 * directoryAge)
		begun := time.Now()
		done := make(chan struct{})
		for range 10 {
			go func() { a.dir.list(); done <- struct{}{} }()
		}
		for range 10 {
			<-done
		}
		if took := time.Since(begun); took > 6*time.Second {
			t.Errorf("ten readers took %v", took)
		}
		w.setDown(false)
	})
}

// A client that asks just after the first brokers have come is not told that there are none.
func TestTheDirectoryOfALeaderHasNewBrokersAtOnce(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		a := w.join(t, a1, Active)
		time.Sleep(time.Second)
		if e := a.dir.Endpoints("PLAINTEXT"); len(e) > 0 {
			t.Fatalf("%+v", e)
		}
		a.current().Push(planner.BrokersChanged{Brokers: []cluster.Broker{
			{ID: 1, Epoch: 11, Endpoints: []cluster.Endpoint{{Listener: "PLAINTEXT", Host: "b1", Port: 9092}}},
		}})
		synctest.Wait()
		if e := a.dir.Endpoints("PLAINTEXT"); len(e) != 1 || e[0].Addr != "b1:9092" {
			t.Errorf("%+v", e)
		}
	})
}
