package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// options are what the scenarios are played on.
type options struct {
	partitions int
	brokers    int
	zooKeepers int
	storm      int // partitions that are created at once
	scenarios  []string
	// alone leaves out the idle broker beside Baton, which would need more memory than Baton.
	alone bool
	// compared says whether somebody else plays the same, so that the outcomes have to be kept.
	compared bool
}

func (o *options) size() string {
	size := fmt.Sprintf("%d on %d", o.partitions, o.brokers)
	if o.zooKeepers > 1 {
		size += fmt.Sprintf(", %d ZooKeepers", o.zooKeepers)
	}
	return size
}

// rig is one contender in charge of one cluster of stubs.
type rig struct {
	*audience
	options
	env       *kafka.Run
	who       *contender
	conn      *zk.Conn
	zooKeeper *kafka.ZooKeeper
	cluster   *kafka.Cluster
	process   process
	begun     int32 // how often all was set back
	dirty     bool  // whether partitions are not as they began
	report    func(result)
}

// newRig seeds a cluster, starts the stubs, the real broker, and the contender, and returns when all was told once.
func newRig(ctx context.Context, env *kafka.Run, who *contender, o options, report func(result)) (_ *rig, err error) {
	l := newLayout(o.partitions, o.brokers)
	r := &rig{audience: &audience{layout: l}, options: o, env: env, who: who, report: report}
	heap := 3072 + o.partitions/250 // ZooKeeper's, in MB
	r.zooKeeper, err = kafka.StartZooKeeper(ctx, env, kafka.ZooKeeperOptions{Servers: o.zooKeepers, HeapMB: heap, Shipped: true, Tick: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	r.conn, _, err = zk.Connect(r.zooKeeper.Addrs(), 30*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		return nil, err
	}
	env.Cleanup(r.conn.Close)
	if o.alone {
		// The broker only says how Baton is configured.
		if err := r.startKafka(ctx); err != nil {
			return nil, err
		}
		if err := r.cluster.Broker(1).Kill(); err != nil {
			return nil, err
		}
		if err := r.cluster.Broker(1).WaitGone(ctx); err != nil {
			return nil, err
		}
	}
	if err := createParents(r.conn); err != nil {
		return nil, err
	}
	for _, id := range l.brokers {
		s, err := newStub(id, r.zooKeeper.Addrs())
		if err != nil {
			return nil, err
		}
		r.stubs = append(r.stubs, s)
		env.Cleanup(func() { _ = s.close() })
		if err := s.register(); err != nil {
			return nil, fmt.Errorf("registering stub %d: %w", id, err)
		}
	}
	// States are newer than registrations, or those in sync would count as having restarted since.
	if err := l.seed(ctx, r.conn); err != nil {
		return nil, fmt.Errorf("seeding: %w", err)
	}
	return r, r.firstClaim(ctx)
}

func (r *rig) firstClaim(ctx context.Context) error {
	before, err := r.controllerEpoch()
	if err != nil {
		return err
	}
	everything := r.everything(before)
	r.begin(nil, everything)
	if !r.alone {
		if err := r.startKafka(ctx); err != nil {
			return err
		}
	}
	if r.who.baton {
		if !r.alone { // the broker's controller first has to be done
			if _, err := r.wait(ctx, everything); err != nil {
				return fmt.Errorf("the broker's own controller: %w", err)
			}
		}
		if before, err = r.controllerEpoch(); err != nil {
			return err
		}
		everything = r.everything(before)
		r.begin(nil, everything)
		if r.process, err = startBaton(ctx, r.env, r.cluster, batonproc.FirstID); err != nil {
			return err
		}
	}
	sent, err := r.wait(ctx, everything)
	if err != nil {
		return fmt.Errorf("the first claim: %w", err)
	}
	claimed, err := r.claimedAt()
	if err != nil {
		return err
	}
	r.report(result{Scenario: "first claim", Seconds: everything.last().Sub(claimed).Seconds(), Bytes: sent, Affected: r.partitions})
	return nil
}

// startKafka starts the real broker, which is the controller when it has started, as there is no other candidate.
func (r *rig) startKafka(ctx context.Context) (err error) {
	server := r.zooKeeper.Servers[0]
	port, err := strconv.Atoi(server.Addr()[strings.LastIndexByte(server.Addr(), ':')+1:])
	if err != nil {
		return err
	}
	o := kafka.Options{Brokers: 1, BrokerHeapMB: brokerHeapMB, Shipped: true, BrokerSession: 18 * time.Second, Overrides: map[string]string{},
		ExternalZooKeeper: &kafka.External{Port: port, DataDir: filepath.Dir(server.TxnLogDir())}}
	r.who.broker(&o)
	if r.cluster, err = kafka.New(ctx, r.env, o); err != nil {
		return err
	}
	r.process = brokerProcess(r.cluster.Broker(1))
	return nil
}

// controllerEpoch is 0 before the first claim.
func (r *rig) controllerEpoch() (int32, error) {
	data, _, err := r.conn.Get("/controller_epoch")
	if err == zk.ErrNoNode {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("/controller_epoch: %w", err)
	}
	n, err := strconv.ParseInt(string(data), 10, 32)
	return int32(n), err
}

// claimedAt is when the holder of the role became it, after having made sure that it is the contender.
func (r *rig) claimedAt() (time.Time, error) {
	data, stat, err := r.conn.Get("/controller")
	if err != nil {
		return time.Time{}, fmt.Errorf("/controller: %w", err)
	}
	var c struct{ BrokerID int }
	if err := json.Unmarshal(data, &c); err != nil {
		return time.Time{}, fmt.Errorf("/controller: %w", err)
	}
	if c.BrokerID != r.process.id {
		return time.Time{}, fmt.Errorf("%d is the controller, and not %s, which is %d", c.BrokerID, r.who.name, r.process.id)
	}
	return time.UnixMilli(stat.Ctime), nil
}

// everything is what a new controller has to tell: of all replicas, and of all partitions.
func (r *rig) everything(before int32) *goal {
	return &goal{name: "everything",
		needs: func(broker int32, i int) (bool, bool) { return r.layout.has(i, broker), true },
		met:   func(_ int, h *heard) bool { return h.controller > before }}
}

// timed runs a scenario: it begins with trigger and ends when the last stub has been told. Goals before the last one are
// milestones on the way. Affected is how many partitions it is about.
func (r *rig) timed(ctx context.Context, name string, affected int, absent []*stub, trigger func() error, goals ...*goal) error {
	r.begin(absent, goals...)
	before, err := used(ctx, r.process, r.zooKeeper)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := trigger(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	sent, err := r.wait(ctx, goals...)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := r.claimedAt(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	u, err := before.since(ctx)
	if err != nil {
		return err
	}
	for _, g := range goals[:len(goals)-1] {
		r.report(result{Scenario: name + ", " + g.name, Seconds: g.last().Sub(begun).Seconds()})
	}
	g := goals[len(goals)-1]
	r.report(result{Scenario: name + ", first told", Seconds: goals[0].first.Sub(begun).Seconds()})
	u.Scenario, u.Seconds, u.Bytes, u.Affected = name, g.last().Sub(begun).Seconds(), sent, affected
	r.report(u)
	return nil
}
