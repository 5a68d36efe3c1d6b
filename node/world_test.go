package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"baton/cluster"
	"baton/config"
	"baton/controller"
	"baton/epoch"
	"baton/metrics"
	"baton/partition"
	"baton/planner"
	"baton/zkstore"
)

// world is what ZooKeeper holds about the role, for nodes under test. It keeps to the
// conditions of zkstore's transactions.
type world struct {
	mu       sync.Mutex
	view     zkstore.RoleView
	changed  chan struct{}
	down     bool // no server answers
	sessions int64
	claims   int
	gaps     int            // how often nobody held
	during   func()         // runs once in the middle of the next claim
	fail     map[string]int // operation → how often it is still to fail
	load     func(context.Context) error
	loads    int
	asBroker []int32 // Batons in /brokers/ids
	looks    int     // for expired tokens
}

func newWorld() *world {
	return &world{changed: make(chan struct{}), fail: map[string]int{},
		view: zkstore.RoleView{Epoch: 5, EpochVersion: 5, Bad: map[string]string{}}}
}

var errTest = errors.New("for the test")

// change changes the world and tells everybody who watches.
func (w *world) change(f func(v *zkstore.RoleView)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.view.Controller
	f(&w.view)
	if before != nil && w.view.Controller == nil {
		w.gaps++
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *world) now() zkstore.RoleView {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.view
	v.Members, v.Bad = slices.Clone(v.Members), maps.Clone(v.Bad)
	return v
}

func (w *world) setDown(on bool) {
	w.mu.Lock()
	w.down = on
	w.mu.Unlock()
	w.change(func(*zkstore.RoleView) {})
}

// failing has an operation fail a number of times.
func (w *world) failing(op string, times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail[op] = times
}

// gapCount is how often /controller went away.
func (w *world) gapCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gaps
}

func (w *world) claimed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.claims
}

// brokerClaims has broker id hold at the next epoch.
func (w *world) brokerClaims(id int32) {
	w.change(func(v *zkstore.RoleView) {
		v.Controller = &zkstore.Registration{BrokerID: id, KRaftEpoch: -1, Owner: 77}
		v.Epoch, v.EpochVersion = v.Epoch+1, v.EpochVersion+1
	})
}

// fakeSession is one session with the world.
type fakeSession struct {
	w     *world
	id    int64
	done  chan struct{}
	once  sync.Once
	me    int32
	store chan error // ends the Run of stores
}

func (w *world) connect(ctx context.Context) (*fakeSession, error) {
	if err := w.reach(ctx, nil); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions++
	return &fakeSession{w: w, id: w.sessions, done: make(chan struct{}), store: make(chan error, 1)}, nil
}

// reach waits while no server answers, as zkstore does.
func (w *world) reach(ctx context.Context, s *fakeSession) error {
	for {
		w.mu.Lock()
		down, changed := w.down, w.changed
		w.mu.Unlock()
		var done chan struct{}
		if s != nil {
			done = s.done
		}
		select {
		case <-done:
			return zkstore.ErrSession
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if !down {
			return nil
		}
		select {
		case <-changed:
		case <-done:
		case <-ctx.Done():
		}
	}
}

// do runs an operation under the world's lock.
func (s *fakeSession) do(ctx context.Context, op string, f func(v *zkstore.RoleView) error) error {
	if err := s.w.reach(ctx, s); err != nil {
		return err
	}
	s.w.mu.Lock()
	failing := s.w.fail[op] > 0
	if failing {
		s.w.fail[op]--
	}
	s.w.mu.Unlock()
	if failing {
		return fmt.Errorf("%s: %w", op, errTest)
	}
	var err error
	s.w.change(func(v *zkstore.RoleView) { err = f(v) })
	return err
}

func (s *fakeSession) fenced(ctx context.Context, op string, f epoch.Fence, g func(v *zkstore.RoleView)) error {
	return s.do(ctx, op, func(v *zkstore.RoleView) error {
		if v.EpochVersion != f.Version {
			return epoch.ErrFenced
		}
		g(v)
		return nil
	})
}

// expire is what the servers do when they hear nothing of a session.
func (s *fakeSession) expire() {
	s.once.Do(func() {
		close(s.done)
		s.w.change(func(v *zkstore.RoleView) {
			if v.Controller != nil && v.Controller.Owner == s.id {
				v.Controller = nil
			}
			for i, m := range v.Members {
				if m.ID == s.me {
					v.Members = append(append([]zkstore.Member(nil), v.Members[:i]...), v.Members[i+1:]...)
					break
				}
			}
		})
	})
}

func (s *fakeSession) ID() int64              { return s.id }
func (s *fakeSession) Timeout() time.Duration { return 6 * time.Second }
func (s *fakeSession) Done() <-chan struct{}  { return s.done }
func (s *fakeSession) Close()                 { s.expire() }
func (s *fakeSession) Connected() bool        { return s.LeaseValid() }

func (s *fakeSession) LeaseValid() bool {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	select {
	case <-s.done:
		return false
	default:
		return !s.w.down
	}
}

func (s *fakeSession) EnsurePaths(ctx context.Context) error { return s.w.reach(ctx, s) }

func (s *fakeSession) Register(ctx context.Context, m zkstore.Member) error {
	s.me = m.ID
	return s.do(ctx, "register", func(v *zkstore.RoleView) error {
		v.Members = append(v.Members, m)
		return nil
	})
}

func (s *fakeSession) Follow(int) {}

func (s *fakeSession) Image() zkstore.ImageStatus { return zkstore.ImageStatus{} }

func (s *fakeSession) ReadBrokers(ctx context.Context) ([]cluster.Broker, []planner.Bad, error) {
	return nil, nil, s.w.reach(ctx, s)
}

func (s *fakeSession) ReadClusterID(ctx context.Context) (string, error) {
	return "c", s.w.reach(ctx, s)
}

func (s *fakeSession) ReadFacts(ctx context.Context, want zkstore.FactsWanted) (zkstore.Facts, error) {
	return zkstore.Facts{Topics: make([]zkstore.DecidingConfig, len(want.Topics)), States: make([]time.Time, len(want.States))}, s.w.reach(ctx, s)
}

func (s *fakeSession) ReadFeatures(ctx context.Context) (int32, bool, error) {
	return 3, true, s.w.reach(ctx, s)
}

func (s *fakeSession) WatchRole(ctx context.Context, callback func(zkstore.RoleView)) error {
	for {
		s.w.mu.Lock()
		changed := s.w.changed
		s.w.mu.Unlock()
		v, err := s.ReadRole(ctx)
		if err != nil {
			return err
		}
		callback(v)
		select {
		case <-changed:
		case <-s.done:
			return zkstore.ErrSession
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *fakeSession) ReadRole(ctx context.Context) (zkstore.RoleView, error) {
	if err := s.w.reach(ctx, s); err != nil {
		return zkstore.RoleView{}, err
	}
	s.w.mu.Lock()
	if s.w.fail["read"] > 0 {
		s.w.fail["read"]--
		s.w.mu.Unlock()
		return zkstore.RoleView{}, errTest
	}
	s.w.mu.Unlock()
	return s.w.now(), nil
}

func (s *fakeSession) Claim(ctx context.Context, c zkstore.Claim) (epoch.Fence, error) {
	s.w.mu.Lock()
	during := s.w.during
	s.w.during = nil
	s.w.mu.Unlock()
	if during != nil {
		during()
	}
	var fence epoch.Fence
	err := s.do(ctx, "claim", func(v *zkstore.RoleView) error {
		held := v.Controller
		if (held == nil) != (c.Replace == nil) || v.EpochVersion != c.EpochVersion || (held != nil && held.Owner != c.Replace.Owner) ||
			(c.Handover && v.Handover == nil) || (c.ClearHold && v.Hold == nil) {
			return zkstore.ErrTaken
		}
		s.w.claims++
		info := c.Info
		v.Epoch, v.EpochVersion = v.Epoch+1, v.EpochVersion+1
		v.Controller = &zkstore.Registration{BrokerID: c.ID, KRaftEpoch: -1, Owner: s.id, Baton: &info}
		if c.Handover {
			v.Handover = nil
		}
		if c.ClearHold {
			v.Hold = nil
		}
		fence = epoch.Fence{Epoch: epoch.Controller(v.Epoch), Version: v.EpochVersion}
		return nil
	})
	return fence, err
}

func (s *fakeSession) Release(ctx context.Context, f epoch.Fence) error {
	if v := s.w.now(); v.Controller == nil || v.Controller.Owner != s.id {
		return zkstore.ErrRoleLost
	}
	return s.fenced(ctx, "release", f, func(v *zkstore.RoleView) { v.Controller = nil })
}

func (s *fakeSession) PutHold(ctx context.Context, h zkstore.Hold) error {
	return s.do(ctx, "hold", func(v *zkstore.RoleView) error { v.Hold = &h; return nil })
}

func (s *fakeSession) PutHandover(ctx context.Context, h zkstore.Handover) error {
	return s.do(ctx, "handover", func(v *zkstore.RoleView) error { v.Handover = &h; return nil })
}

func (s *fakeSession) ClearHandover(ctx context.Context) error {
	return s.do(ctx, "clear handover", func(v *zkstore.RoleView) error { v.Handover = nil; return nil })
}

func (s *fakeSession) PutHandoverConsent(ctx context.Context, f epoch.Fence, h zkstore.Handover) error {
	return s.fenced(ctx, "consent", f, func(v *zkstore.RoleView) { v.Handover = &h })
}

func (s *fakeSession) OfferHandover(ctx context.Context, f epoch.Fence, h zkstore.Handover) error {
	return s.fenced(ctx, "offer", f, func(v *zkstore.RoleView) { v.Handover = &h })
}

func (s *fakeSession) RegisterBroker(ctx context.Context, f epoch.Fence, b cluster.Broker, _ zkstore.BatonInfo) error {
	return s.fenced(ctx, "register broker", f, func(*zkstore.RoleView) { s.w.asBroker = append(s.w.asBroker, b.ID) })
}

// ExpireTokens implements session; there are none.
func (s *fakeSession) ExpireTokens(context.Context, epoch.Fence, time.Time) (int, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.looks++
	return 0, nil
}

func (s *fakeSession) UnregisterBroker(ctx context.Context, id int32) error {
	return s.do(ctx, "unregister broker", func(v *zkstore.RoleView) error {
		if i := slices.Index(s.w.asBroker, id); i >= 0 {
			s.w.asBroker = slices.Delete(s.w.asBroker, i, i+1)
		}
		return nil
	})
}

func (s *fakeSession) Store(f epoch.Fence) controller.Store { return &fakeStore{s, f} }

// fakeStore is an empty cluster.
type fakeStore struct {
	s     *fakeSession
	fence epoch.Fence
}

func (f *fakeStore) Load(ctx context.Context) (*planner.Claimed, error) {
	f.s.w.mu.Lock()
	f.s.w.loads++
	load := f.s.w.load
	f.s.w.mu.Unlock()
	if load != nil {
		if err := load(ctx); err != nil {
			return nil, err
		}
	}
	return &planner.Claimed{Fence: f.fence}, f.s.w.reach(ctx, f.s)
}

func (f *fakeStore) Run(ctx context.Context, _ func(planner.Event)) error {
	select {
	case err := <-f.s.store:
		return err
	case <-f.s.done:
		return zkstore.ErrSession
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fakeStore) Commit(ctx context.Context, w []planner.Write, done func([]planner.Result)) error {
	if err := f.s.w.reach(ctx, f.s); err != nil {
		return err
	}
	var out []planner.Result
	for _, w := range w {
		out = append(out, planner.Result{Seq: w.Seq})
	}
	done(out)
	return nil
}

func (f *fakeStore) ReadStates(context.Context, []partition.ID) ([]planner.StateRead, error) {
	return nil, nil
}
func (f *fakeStore) WatchTopicConfig(string)           {}
func (f *fakeStore) RereadBrokers()                    {}
func (f *fakeStore) VerifyFence(context.Context) error { return nil }

// actor is a node under test.
type actor struct {
	*Node
	stop context.CancelFunc
	over chan struct{} // closed when it takes part no more

	mu   sync.Mutex
	last *fakeSession
}

func (a *actor) session() *fakeSession {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

func (a *actor) leads() bool { return a.current() != nil }

// join starts a node. At the test's end it is stopped.
func (w *world) join(t *testing.T, id int32, mode Mode, settings ...string) *actor {
	t.Helper()
	text := fmt.Sprintf("node.id=%d\nzookeeper.connect=zk:2181\nlisteners=PLAINTEXT://127.0.0.1:0\ncontroller.mode=%s\n%s\n", id, mode, strings.Join(settings, "\n"))
	c, _, err := config.Parse(strings.NewReader(text), "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.InstanceName = fmt.Sprint("baton-", id)
	set, err := metrics.New(prometheus.NewRegistry(), nil, metrics.Build{})
	if err != nil {
		t.Fatal(err)
	}
	a := &actor{over: make(chan struct{})}
	a.Node = New(c, Options{Log: zap.NewNop(), Metrics: set, Level: zap.NewAtomicLevel(),
		Load: func() (*config.Config, error) { return c, nil }})
	a.connect = func(ctx context.Context) (session, error) {
		s, err := w.connect(ctx)
		if err != nil {
			return nil, err
		}
		a.mu.Lock()
		a.last = s
		a.mu.Unlock()
		return s, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.stop = cancel
	go func() { defer close(a.over); a.takePart(ctx) }()
	t.Cleanup(func() { cancel(); <-a.over })
	return a
}
