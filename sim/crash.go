package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/partition"
)

// Crash points: one operation, and one blow to the Baton that carries it out, at one of its steps. A step is a write to
// ZooKeeper or a control request to a broker. Whoever leads afterwards has to end what was begun.

// Point is where in an operation the blow falls.
type Point struct {
	Operation string
	Blow      Blow
	Step      int // from 1; 0: none falls, and the steps are counted
}

func (p Point) String() string { return fmt.Sprintf("%s/%s/%d", p.Operation, p.Blow, p.Step) }

// ParsePoint reads what String writes.
func ParsePoint(s string) (p Point, err error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 || operations[parts[0]] == nil || !slices.Contains(Blows(), Blow(parts[1])) {
		return p, fmt.Errorf("no crash point: %q", s)
	}
	p = Point{Operation: parts[0], Blow: Blow(parts[1])}
	p.Step, err = strconv.Atoi(parts[2])
	return p, err
}

// operation is something that an operator asks for.
type operation struct {
	// before makes the world in which it is asked for.
	before func(context.Context, *world) error
	// ask asks for it once. It is called until begun says that it is begun.
	ask   func(context.Context, *world)
	begun func(*world) bool
	// ends are the replicas in the end, where they are others than before.
	ends map[partition.ID][]int32
}

var (
	t0      = partition.ID{Topic: topicName}
	t1      = partition.ID{Topic: topicName, Number: 1}
	doomed  = others[0]
	before  = [][]int32{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}, {1, 2, 3}} // of the topic that is written to
	crashed = mix{brokers: 4, batons: 2, minISR: 1, latency: 3 * time.Millisecond, lists: before}
)

// Operations names them all.
func Operations() []string {
	return []string{"create", "partitions", "delete", "delete-away", "add", "remove", "replace", "two", "reorder", "cancel", "override", "away", "preferred"}
}

var operations = map[string]*operation{
	"create": {
		ask:   func(ctx context.Context, w *world) { w.create(ctx, doomed, before[:2]) },
		begun: func(w *world) bool { return w.history.Topic(doomed) != 0 },
	},
	"partitions": {
		ask: func(ctx context.Context, w *world) {
			w.addPartition(ctx, topicName, w.history.Partitions(), []int32{4, 2, 3})
		},
		begun: func(w *world) bool { return len(w.history.Partitions()) > partitions },
	},
	"delete": {before: doom, ask: bury, begun: buried},
	// A broker with replicas of the topic is away, and comes back later.
	"delete-away": {
		before: func(ctx context.Context, w *world) error {
			if err := doom(ctx, w); err != nil {
				return err
			}
			w.crash(w.brokers[2], false)
			w.expireBroker(w.brokers[2])
			return w.until(ctx, func() bool { return len(w.history.Brokers()) == 3 })
		},
		ask: bury, begun: buried,
	},
	"add":     move(nil, partition.ID{}, t0, 1, 2, 3, 4),
	"remove":  move(nil, partition.ID{}, t0, 1, 2),
	"replace": move(nil, partition.ID{}, t0, 4, 2, 3), // the leader moves
	"two":     move(nil, t1, t0, 4, 3),                // of one topic, in one request
	"reorder": move(nil, partition.ID{}, t0, 3, 2, 1),
	// Broker 4 cannot reach the leader, so that what it is to join is in progress.
	"cancel": {
		before: begin,
		ask:    func(ctx context.Context, w *world) { w.reassignTo(ctx, nil, t0) },
		begun:  func(w *world) bool { return !w.moves(t0) },
	},
	"override": move(begin, partition.ID{}, t0, 2, 3),
	// A replica is removed whose broker is away, and comes back later.
	"away": move(func(ctx context.Context, w *world) error {
		w.crash(w.brokers[2], false)
		w.expireBroker(w.brokers[2])
		return w.until(ctx, func() bool { return len(w.history.Brokers()) == 3 })
	}, partition.ID{}, t0, 1, 4),
	"preferred": {
		before: func(ctx context.Context, w *world) error {
			w.crash(w.brokers[0], false)
			w.expireBroker(w.brokers[0])
			w.revive(ctx, w.brokers[0])
			return w.until(ctx, func() bool {
				p, _ := w.history.Partition(t0)
				return p.State.Leader != 1 && len(p.State.ISR) == 3
			})
		},
		ask: func(ctx context.Context, w *world) { w.elect(ctx, t0, 0) },
		begun: func(w *world) bool {
			p, _ := w.history.Partition(t0)
			return p.State.Leader == 1
		},
	},
}

// move is a reassignment of one partition, or with it of another, to the same replicas.
func move(before func(context.Context, *world) error, other, id partition.ID, target ...int32) *operation {
	ids, ends := []partition.ID{id}, map[partition.ID][]int32{id: target}
	if other != (partition.ID{}) {
		ids, ends[other] = append(ids, other), target
	}
	return &operation{
		before: before,
		ask:    func(ctx context.Context, w *world) { w.reassignTo(ctx, target, ids...) },
		begun: func(w *world) bool {
			return !slices.ContainsFunc(ids, func(id partition.ID) bool {
				p, _ := w.history.Partition(id)
				stay := slices.DeleteFunc(slices.Clone(p.Replicas), func(b int32) bool { return slices.Contains(p.Removing, b) })
				return !slices.Equal(target, stay)
			})
		},
		ends: ends,
	}
}

func doom(ctx context.Context, w *world) error {
	w.create(ctx, doomed, before[:2])
	return w.until(ctx, func() bool { return w.unwell() == nil && w.history.Topic(doomed) != 0 })
}

func bury(ctx context.Context, w *world) { w.delete(ctx, doomed) }

func buried(w *world) bool { return w.history.Topic(doomed) == 0 || w.history.Doomed(doomed) }

// begin starts a reassignment that cannot end as long as the network is cut.
func begin(ctx context.Context, w *world) error {
	w.cuts[[2]string{brokerHost(4), brokerHost(1)}] = true
	w.net.Cut(brokerHost(4), brokerHost(1))
	w.reassignTo(ctx, []int32{1, 2, 4}, t0)
	return w.until(ctx, func() bool { return w.moves(t0) })
}

// moves says whether a partition is being reassigned.
func (w *world) moves(id partition.ID) bool {
	p, _ := w.history.Partition(id)
	return len(p.Adding)+len(p.Removing) > 0
}

// until waits for something that has to come in a healthy world.
func (w *world) until(ctx context.Context, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for !ok() {
		if ctx.Err() != nil {
			return fmt.Errorf("before the operation: %v", w.unwell())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// RunPoint lives one operation with one blow. steps are those that were taken, each in a few words, and struck says whether
// the blow fell. It has to be called in a bubble of testing/synctest.
func RunPoint(cfg Config, at Point) (r Result, steps []string, struck bool) {
	m := crashed
	m.elections = at.Blow == HandBack && at.Step > 0
	w := &world{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0)), mix: m}
	s := &stepper{w: w, at: at.Step, blow: at.Blow}
	r = w.run(func(ctx context.Context) error { return w.suffer(ctx, operations[at.Operation], s) })
	return r, s.taken, s.struck
}

// away is for how long an operation goes on before all that was broken for it is mended.
const away = 8 * time.Second

func (w *world) suffer(ctx context.Context, o *operation, s *stepper) error {
	if err := w.until(ctx, func() bool { return w.unwell() == nil }); err != nil {
		return err
	}
	if o.before != nil {
		if err := o.before(ctx, w); err != nil {
			return err
		}
	}
	time.Sleep(time.Second)
	w.mu.Lock()
	for id, target := range o.ends {
		w.asked.ends[id] = [][]int32{target}
	}
	w.mu.Unlock()
	s.arm()
	w.wg.Go(func() {
		for ctx.Err() == nil && !o.begun(w) {
			o.ask(ctx, w)
			time.Sleep(time.Second)
		}
	})
	time.Sleep(away)
	s.bury()
	w.heal(ctx)
	if err := w.settle(ctx); err != nil {
		return err
	}
	if !o.begun(w) {
		return fmt.Errorf("the operation was never begun")
	}
	return nil
}
