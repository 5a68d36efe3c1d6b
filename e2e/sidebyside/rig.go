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

	"baton/e2e/kafka"
)

// rig is one contender in charge of one cluster of stubs.
type rig struct {
	*audience
	who       contender
	conn      *zk.Conn
	zooKeeper *kafka.ZooKeeper
	cluster   *kafka.Cluster
	process   process
	begun     int32 // how often all was set back
	report    func(result)
	size      string
}

// newRig seeds a cluster, starts the stubs, the real broker, and the contender, and returns when all was told once.
func newRig(ctx context.Context, env *kafka.Run, who contender, l layout, size string, report func(result)) (_ *rig, err error) {
	r := &rig{audience: &audience{layout: &l}, who: who, report: report, size: size}
	r.zooKeeper, err = kafka.StartZooKeeper(ctx, env, kafka.ZooKeeperOptions{HeapMB: 3072, Shipped: true, Tick: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	r.conn, _, err = zk.Connect(r.zooKeeper.Addrs(), 30*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		return nil, err
	}
	env.Cleanup(r.conn.Close)
	if err := l.seed(ctx, r.conn); err != nil {
		return nil, fmt.Errorf("seeding: %w", err)
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
	everything := r.everything(0)
	r.begin(0, everything)
	if err := r.startKafka(ctx, env); err != nil {
		return nil, err
	}
	before, err := r.controllerEpoch()
	if err != nil {
		return nil, err
	}
	if who.start != nil {
		if _, err := r.wait(ctx, everything); err != nil { // the broker's controller first has to be done
			return nil, fmt.Errorf("the broker's own controller: %w", err)
		}
		everything = r.everything(before)
		r.begin(0, everything)
		if r.process, err = who.start(ctx, env, r.cluster); err != nil {
			return nil, err
		}
	}
	sent, err := r.wait(ctx, everything)
	if err != nil {
		return nil, fmt.Errorf("the first claim: %w", err)
	}
	claimed, err := r.claimedAt()
	if err != nil {
		return nil, err
	}
	r.result("first claim", everything.last().Sub(claimed), usage{}, sent)
	return r, nil
}

// startKafka starts the real broker, which is the controller when it has started, as there is no other candidate.
func (r *rig) startKafka(ctx context.Context, env kafka.Env) (err error) {
	server := r.zooKeeper.Servers[0]
	port, err := strconv.Atoi(server.Addr()[strings.LastIndexByte(server.Addr(), ':')+1:])
	if err != nil {
		return err
	}
	o := kafka.Options{Brokers: 1, BrokerHeapMB: brokerHeapMB, Shipped: true, BrokerSession: 18 * time.Second, Overrides: map[string]string{},
		ExternalZooKeeper: &kafka.External{Port: port, DataDir: filepath.Dir(server.TxnLogDir())}}
	r.who.broker(&o)
	if r.cluster, err = kafka.New(ctx, env, o); err != nil {
		return err
	}
	b := r.cluster.Broker(1)
	r.process = process{b.ID(), b.PID(), b.Addr()}
	return nil
}

func (r *rig) controllerEpoch() (int32, error) {
	data, _, err := r.conn.Get("/controller_epoch")
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

func (r *rig) result(scenario string, took time.Duration, u usage, sent int64) {
	r.report(result{Contender: r.who.name, Size: r.size, Scenario: scenario, Seconds: took.Seconds(), ControllerCPU: u.controller.Seconds(),
		ZooKeeperCPU: u.zooKeeper.Seconds(), Requests: u.requests, Bytes: sent})
}

// timed runs a scenario: it begins with trigger and ends when the last stub has been told. Goals before the last one are
// milestones on the way.
func (r *rig) timed(ctx context.Context, name string, absent int32, trigger func() error, goals ...*goal) error {
	r.begin(absent, goals...)
	before, err := used(ctx, r.process.pid, r.zooKeeper)
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
	after, err := used(ctx, r.process.pid, r.zooKeeper)
	if err != nil {
		return err
	}
	if _, err := r.claimedAt(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, g := range goals[:len(goals)-1] {
		r.result(name+", "+g.name, g.last().Sub(begun), usage{}, 0)
	}
	g := goals[len(goals)-1]
	r.result(name+", first told", g.first.Sub(begun), usage{}, 0)
	r.result(name, g.last().Sub(begun), after.since(before), sent)
	return nil
}
