package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"baton/partition"
	"baton/sim/history"
	"baton/simbroker"
	"baton/zkserver"
)

// Options say how large the world is. Zero values are the defaults.
type Options struct {
	Brokers    int // 3
	Topics     int // 2
	Partitions int // of each topic: 6
	Rate       int // messages a second of the built-in producer: 500

	// Patience is how long the world waits for what must come before it calls that a failure: 45 s.
	Patience time.Duration
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		v   *int
		def int
	}{{&o.Brokers, 3}, {&o.Topics, 2}, {&o.Partitions, 6}, {&o.Rate, 500}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if o.Patience <= 0 {
		o.Patience = 45 * time.Second
	}
	return o
}

// Times are those of a cluster in a hurry: a person is waiting. Sessions last long enough for a busy machine.
const (
	tick          = 200 * time.Millisecond
	brokerSession = 3 * time.Second
	batonSession  = 3 * time.Second
	replicaLag    = 4 * time.Second
)

const zooKeeperHost = "zookeeper"

// World is the cluster. Its methods are called by one goroutine, the story's or the prompt's.
type World struct {
	o       Options
	out     *Screen
	net     *Net
	zk      *zkserver.Server
	zkAddr  string
	history *history.History
	brokers []*broker
	batons  []*baton
	load    *producer
	unclean map[partition.ID]bool // an unclean election was asked for

	elections *elections
	events    chan history.Event
	stopped   chan struct{}
	wg        sync.WaitGroup
}

// Start brings up ZooKeeper, the brokers and two Batons, and waits until they lead.
func Start(ctx context.Context, o Options, out *Screen) (*World, error) {
	w := &World{o: o.withDefaults(), out: out, net: NewNet(), history: history.New(), elections: newElections(out), unclean: map[partition.ID]bool{},
		events: make(chan history.Event, 4096), stopped: make(chan struct{})}
	w.history.OnEvent = func(e history.Event) {
		select {
		case w.events <- e:
		default: // a line that nobody would have read
		}
	}
	if err := w.start(ctx); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *World) start(ctx context.Context) (err error) {
	if w.zk, err = zkserver.New(zkserver.Options{TickTime: tick, OnTxn: w.history.Apply}); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.zkAddr = l.Addr().String()
	w.net.Own(zooKeeperHost, w.zkAddr)
	w.wg.Go(func() { _ = w.zk.Serve(l) })
	w.out.Say("embedded ZooKeeper on %s", w.zkAddr)
	w.wg.Go(w.narrate)
	for id := int32(1); int(id) <= w.o.Brokers; id++ {
		b := w.newBroker(id)
		w.brokers = append(w.brokers, b)
		if err := b.sim.Start(ctx); err != nil {
			return err
		}
	}
	w.out.Say("%d simulated brokers: %s", len(w.brokers), join(w.Seeds()))
	for i := range 2 {
		b := &baton{id: firstBaton + int32(i)}
		w.batons = append(w.batons, b)
		if err := w.startBaton(b); err != nil {
			return err
		}
		if i == 0 {
			if err := w.await(ctx, "Baton to claim", w.held); err != nil {
				return err
			}
		}
	}
	return w.await(ctx, "the standby", func() bool { return w.batons[1].member() })
}

// held: a Baton holds the role.
func (w *World) held() bool { return w.active() != nil }

// narrate tells what ZooKeeper's transactions say.
func (w *World) narrate() {
	for {
		select {
		case <-w.stopped:
			return
		case e := <-w.events:
			switch e.Kind {
			case history.Registered:
				w.out.Detail(plain, "ZooKeeper: broker %d is registered", e.Broker)
			case history.Gone:
				w.out.Detail(yellow, "ZooKeeper: the registration of broker %d is gone", e.Broker)
			case history.Claimed:
				w.out.Detail(cyan, "%s claims /controller, controller epoch %d", name(e.Broker), e.Epoch)
			case history.Released:
				w.out.Detail(yellow, "ZooKeeper: /controller of %s is gone", name(e.Broker))
			}
		}
	}
}

// Close ends everything.
func (w *World) Close() {
	if w.load != nil {
		w.load.abandon()
	}
	var wg sync.WaitGroup
	for _, b := range w.batons {
		b.abandon(w.net) // in order would be to hand over, to nobody
	}
	for _, b := range w.brokers {
		_ = b.sim.Resume() // a paused one would not end
		wg.Go(b.sim.Close)
	}
	if w.zk != nil {
		wg.Go(func() { _ = w.zk.Close() })
	}
	close(w.stopped)
	wg.Wait()
	w.wg.Wait()
}

// Seeds are where clients begin.
func (w *World) Seeds() (out []string) {
	for _, b := range w.brokers {
		out = append(out, b.sim.Addr(listener))
	}
	return out
}

// await waits until f is true. It looks now and then, not after each of ZooKeeper's transactions: with 10,000 partitions
// that would cost more than all the rest.
func (w *World) await(ctx context.Context, what string, f func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, w.o.Patience)
	defer cancel()
	now := time.NewTicker(50 * time.Millisecond)
	defer now.Stop()
	for {
		if f() {
			return nil
		}
		select {
		case <-now.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}

func (w *World) broker(id int32) (*broker, error) {
	i := slices.IndexFunc(w.brokers, func(b *broker) bool { return b.sim.ID() == id })
	if i < 0 {
		return nil, fmt.Errorf("no broker %d: there are 1 to %d", id, len(w.brokers))
	}
	return w.brokers[i], nil
}

func (w *World) newBroker(id int32) *broker {
	b := &broker{}
	b.sim = simbroker.New(simbroker.Options{ID: id, Network: w.net.Host(brokerHost(id)), LagTime: replicaLag,
		FetchWait: 200 * time.Millisecond, FetchBackoff: 200 * time.Millisecond, RequestTimeout: 10 * time.Second,
		ZooKeeper: simbroker.ZooKeeper{Servers: []string{w.zkAddr}, SessionTimeout: brokerSession}})
	return b
}

const listener = "PLAINTEXT"

// name of who may hold the role.
func name(id int32) string {
	if id >= firstBaton {
		return fmt.Sprint("Baton ", id)
	}
	return fmt.Sprint("broker ", id)
}

func brokerHost(id int32) string { return fmt.Sprint("broker ", id) }

var errNoActive = errors.New("no Baton holds the role")
