package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"baton/config"
	"baton/e2e/load"
	"baton/journal"
	"baton/metrics"
	"baton/node"
	"baton/partition"
	"baton/sim/history"
	"baton/simbroker"
	"baton/zkserver"
)

// Config of a run.
type Config struct {
	Seed uint64
	// Full also traces requests to brokers, Batons' logs and brokers' words.
	Full bool
}

const (
	// Hosts look like addresses, so that nobody asks a name server.
	zooKeeper = "10.0.0.100"
	client    = "10.0.0.200"

	firstBaton = 2000001
	topicName  = "t"
	partitions = 4
)

// world is everything in a run. All of it lives in one bubble.
type world struct {
	cfg     Config
	rng     *rand.Rand
	mix     mix
	trace   *trace
	net     *simbroker.Memory
	zk      *zkserver.Server
	history *history.History
	brokers []*machine
	batons  []*baton
	faults  []*zkserver.Fault
	cuts    map[[2]string]bool
	load    *load.Producer
	admin   *kgo.Client   // the operator's
	acked   int           // once the load has ended
	well    time.Duration // as in Result
	wg      sync.WaitGroup

	states   []written       // by Batons, in order; the history's lock guards it
	journals []*bytes.Buffer // of each life of a Baton

	mu         sync.Mutex
	forced     map[int64]bool // sessions that a fault has ended before their time
	violations []string       // of what only the world sees
	asked      asked
}

// robbed says whether a session was ended by a fault rather than by time: its lease could not know.
func (w *world) robbed(session int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.forced[session]
}

// rob ends a session before its time.
func (w *world) rob(session int64) {
	w.robbery(session)
	w.zk.Expire(session)
}

// robbery notes that a session is ended before its time.
func (w *world) robbery(session int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forced[session] = true
}

func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.violations) < 20 {
		w.violations = append(w.violations, fmt.Sprintf(format, args...))
	}
}

// machine is a broker with its fate.
type machine struct {
	b       *simbroker.Broker
	host    string
	up      bool
	paused  bool
	leaving bool // a Stop is under way
	mu      sync.Mutex
}

// baton is a process of ours; each life has an address of its own.
type baton struct {
	id     int32
	life   int
	node   *node.Node
	net    *processNetwork
	cancel context.CancelFunc
}

func (b *baton) host() string { return fmt.Sprintf("10.0.%d.%d", b.id-firstBaton+1, b.life) }

func brokerHost(id int) string { return fmt.Sprintf("10.0.0.%d", id) }

func newWorld(cfg Config) *world {
	w := &world{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0))}
	w.mix = newMix(w.rng)
	if cfg.Seed%2 == 0 {
		w.mix.rescues = "u*=longest" // other topics than the one that is written to
	}
	return w
}

// open makes the place of the world: a network with ZooKeeper in it.
func (w *world) open() error {
	w.trace, w.net, w.history = newTrace(), simbroker.NewMemory(), history.New()
	w.cuts, w.forced, w.asked = map[[2]string]bool{}, map[int64]bool{}, newAsked()
	w.history.DemandFence()
	if w.mix.rescues != "" {
		for _, topic := range others {
			for n := range int32(partitions + 3) {
				w.history.AllowUnclean(partition.ID{Topic: topic, Number: n}, true)
			}
		}
	}
	w.history.OnState = func(id partition.ID, s history.State) { w.states = append(w.states, written{id, s}) }
	w.net.Delay(w.cfg.Seed, w.mix.latency)
	w.trace.add("seed %d: %v", w.cfg.Seed, w.mix)
	zk, err := zkserver.New(zkserver.Options{TickTime: time.Second, OnTxn: func(x *zkserver.Txn) {
		w.trace.txn(x)
		w.history.Apply(x)
	}})
	if err != nil {
		return err
	}
	w.zk = zk
	l, err := w.net.Host(zooKeeper).Listen(":2181")
	if err != nil {
		return err
	}
	w.wg.Go(func() { _ = zk.Serve(l) })
	return nil
}

func (w *world) start(ctx context.Context) error {
	for id := 1; id <= w.mix.brokers; id++ {
		host := brokerHost(id)
		m := &machine{host: host, up: true}
		o := simbroker.Options{ID: int32(id), Network: w.net.Host(host), MinISR: w.mix.minISR, LagTime: 5 * time.Second, FlushEvery: 5 * time.Second,
			Listeners:      []simbroker.Listener{{Name: "PLAINTEXT", Addr: host + ":9092"}},
			RequestTimeout: 8 * time.Second, ShutdownTries: 2, ShutdownPause: time.Second,
			ZooKeeper: simbroker.ZooKeeper{Servers: []string{zooKeeper + ":2181"}, SessionTimeout: 4 * time.Second}}
		if w.cfg.Full {
			o.Logf = w.trace.add
		}
		if w.mix.elections {
			o.Election = func(simbroker.Elected) {}
		}
		m.b = simbroker.New(o)
		w.brokers = append(w.brokers, m)
		if err := m.b.Start(ctx); err != nil {
			return err
		}
	}
	for i := range w.mix.batons {
		time.Sleep(time.Duration(w.rng.Int64N(int64(100 * time.Millisecond)))) // else chance says who is first
		b := &baton{id: firstBaton + int32(i)}
		w.batons = append(w.batons, b)
		if err := w.startBaton(b); err != nil {
			return err
		}
	}
	if err := w.administer(); err != nil {
		return err
	}
	return w.createTopic(ctx)
}

// mode: in some runs both are active, which takes the role from brokers but not from each other.
func (w *world) mode(b *baton) string {
	if b.id == firstBaton || w.mix.twoActives {
		return "active"
	}
	return "standby"
}

func (w *world) startBaton(b *baton) error {
	b.life++
	text := fmt.Sprintf("node.id=%d\nzookeeper.connect=%s:2181\nlisteners=PLAINTEXT://%s:9092\ncontroller.mode=%s\nzookeeper.session.timeout.ms=4000\n"+
		"instance.name=sim-%d\nadmin.listener=\nadmin.socket=\nmin.insync.replicas=%d\nrequest.timeout.ms=8000\n",
		b.id, zooKeeper, b.host(), w.mode(b), b.id, w.mix.minISR)
	if w.mix.rescues != "" {
		text += "unclean.recovery.wait.minutes=1\nunclean.recovery.strategy.topics=" + w.mix.rescues + "\n"
	}
	cfg, _, err := config.Parse(strings.NewReader(text), "sim", nil)
	if err != nil {
		return err
	}
	set, err := metrics.New(prometheus.NewRegistry(), nil, metrics.Build{})
	if err != nil {
		return err
	}
	log := zap.NewNop()
	if w.cfg.Full {
		log = traceLogger(w.trace, b.host())
	}
	b.net = &processNetwork{Network: w.net.Host(b.host()), w: w, host: b.host()}
	records := &bytes.Buffer{} // the journal's own until the node has ended
	w.journals = append(w.journals, records)
	n := node.New(cfg, node.Options{Log: log, Metrics: set, Level: zap.NewAtomicLevel(), Network: b.net,
		Journal: journal.New(journal.Options{Sink: records, Baton: b.id, Log: log, Metrics: set.Journal()})})
	ctx, cancel := context.WithCancel(context.Background())
	w.wg.Go(func() {
		if err := n.Run(ctx); err != nil {
			w.trace.add("%s: %v", b.host(), err)
		}
	})
	b.node, b.cancel = n, cancel
	return nil
}

func (w *world) seeds() (out []string) {
	for _, m := range w.brokers {
		out = append(out, m.host+":9092")
	}
	return out
}

func (w *world) clientOptions() []kgo.Opt {
	network := w.net.Host(client)
	return []kgo.Opt{
		kgo.SeedBrokers(w.seeds()...), kgo.MetadataMinAge(200 * time.Millisecond), kgo.MetadataMaxAge(5 * time.Second),
		kgo.Dialer(func(ctx context.Context, _, addr string) (net.Conn, error) { return network.Dial(ctx, addr) }),
		kgo.AlwaysRetryEOF(), // a broker that dies looks like one that wants SASL
		kgo.RetryBackoffFn(func(int) time.Duration { return 250 * time.Millisecond }),
	}
}

func (w *world) createTopic(ctx context.Context) error {
	var lists [][]int32 // ours, because Baton's own begin with a random broker
	factor := 2 + w.rng.IntN(2)
	for n := range int32(partitions) {
		var list []int32
		for _, i := range w.rng.Perm(len(w.brokers))[:factor] {
			list = append(list, w.brokers[i].b.ID())
		}
		if w.mix.lists != nil {
			list = w.mix.lists[n]
		}
		lists = append(lists, list)
		w.mayEnd(partition.ID{Topic: topicName, Number: n}, list)
	}
	req := createRequest(topicName, lists)
	var err error
	for range 100 {
		var resp *kmsg.CreateTopicsResponse
		if resp, err = req.RequestWith(ctx, w.admin); err == nil {
			err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		}
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
			return nil
		}
		time.Sleep(250 * time.Millisecond)
	}
	return fmt.Errorf("creating the topic: %w", err)
}

// produce starts the load and waits until it flows: the client has its producer id then, for good.
func (w *world) produce(ctx context.Context, to []load.Target) (err error) {
	w.load, err = load.Start(load.Options{Seeds: w.seeds(), Targets: to, Rate: 8, Size: 20,
		Client: append(w.clientOptions(), kgo.RetryTimeout(time.Hour), kgo.ProduceRequestTimeout(5*time.Second))})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return w.load.WaitMore(ctx, 1)
}

// close ends everything that is left; it returns when the bubble is empty but for the network.
func (w *world) close() {
	w.zk.Thaw()
	w.healHosts()
	w.goOn()
	if w.admin != nil {
		w.admin.Close()
	}
	for _, b := range w.batons {
		if b.node != nil {
			b.cancel()
		}
	}
	for _, m := range w.brokers {
		_ = m.b.Resume()
		w.wg.Go(m.b.Close)
	}
	time.Sleep(30 * time.Second) // of fake time: a stop waits for a handover, and for ZooKeeper
	_ = w.zk.Close()
	w.wg.Wait()
	for _, m := range w.brokers {
		m.b.Close() // one that had just started
	}
}
