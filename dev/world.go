package dev

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"baton/partition"
	"baton/sim/history"
)

// Options say how large the world is. Zero values are the defaults.
type Options struct {
	Brokers    int // 3
	Topics     int // 2
	Partitions int // of each topic: 6
	Rate       int // messages a second of the built-in producer: 500

	// Patience is how long the world waits for what must come before it calls that a failure: 45 s.
	Patience time.Duration

	// Session is zookeeper.session.timeout.ms of simulated brokers, and of the Batons beside them: 3 s. What is killed is noticed
	// after it, and so is what a busy machine has held up for as long.
	Session time.Duration

	// NoSamples: where leaders' logs end is not noted, so that what is said of a loss is the same each time.
	NoSamples bool

	// Cluster brings up ZooKeeper and brokers: simulated ones if nil.
	Cluster func(context.Context, Site) (*Cluster, error)
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
	if o.Session <= 0 {
		o.Session = 3 * time.Second
	}
	if o.Cluster == nil {
		o.Cluster = simulated
	}
	return o
}

const zooKeeperHost = "zookeeper"

// World is the cluster. Its methods are called by one goroutine, the story's or the prompt's.
type World struct {
	o       Options
	out     *Screen
	net     *Net
	cluster *Cluster
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

// Start brings up ZooKeeper, the brokers and two Batons, and waits until they lead, or stand by where a broker holds the
// role.
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
	w.wg.Go(w.narrate)
	w.cluster, err = w.o.Cluster(ctx, Site{w.o, w.net, w.history.Apply, w.history.LeadersWriteISR})
	if err != nil {
		return err
	}
	if !w.cluster.OwnController {
		w.history.DemandFence()
	}
	for _, b := range w.cluster.Brokers {
		w.brokers = append(w.brokers, &broker{Broker: b})
	}
	w.out.Say("%s, at %s", w.cluster.Text, join(w.Seeds()))
	for i := range 2 {
		b := &baton{id: firstBaton + int32(i)}
		w.batons = append(w.batons, b)
		if err := w.startBaton(b); err != nil {
			return err
		}
		if i == 0 && !w.cluster.OwnController {
			if err := w.await(ctx, "Baton to claim", w.held); err != nil {
				return err
			}
		}
	}
	return w.await(ctx, "the Batons", func() bool { return w.batons[0].member() && w.batons[1].member() })
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
	for _, b := range w.batons {
		b.abandon(w.net) // in order would be to hand over, to nobody
	}
	if w.cluster != nil {
		w.cluster.Close()
	}
	close(w.stopped)
	w.wg.Wait()
}

// Seeds are where clients begin.
func (w *World) Seeds() (out []string) {
	for _, b := range w.brokers {
		out = append(out, b.Addr())
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
	i := slices.IndexFunc(w.brokers, func(b *broker) bool { return b.ID() == id })
	if i < 0 {
		return nil, fmt.Errorf("no broker %d: there are 1 to %d", id, len(w.brokers))
	}
	return w.brokers[i], nil
}

// name of who may hold the role.
func name(id int32) string {
	if id >= firstBaton {
		return fmt.Sprint("Baton ", id)
	}
	return fmt.Sprint("broker ", id)
}

func brokerHost(id int32) string { return fmt.Sprint("broker ", id) }

var errNoActive = errors.New("no Baton holds the role")
