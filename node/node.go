package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"baton/config"
	"baton/controller"
	"baton/internal/version"
	"baton/journal"
	"baton/metrics"
	"baton/partition"
	"baton/planner"
	"baton/sample"
	"baton/server"
	"baton/statelog"
	"baton/zkstore"
)

// Node is a Baton process. Run starts it.
type Node struct {
	cfg     atomic.Pointer[config.Config]
	log     *zap.Logger
	metrics *metrics.Set
	states  *statelog.Writer // nil: no state-change log
	journal *journal.Journal // nil: none is kept
	adminAt string           // where other Batons reach our admin endpoints, empty if nowhere
	load    func() (*config.Config, error)
	network Network
	notes   func(int32, planner.Note) // nil: nobody listens
	level   zap.AtomicLevel
	started time.Time

	badSaid map[string]string // by path; the campaign's own
	version string
	connect func(context.Context) (session, error)

	server  *server.Server
	dir     *directory
	wake    chan struct{} // one slot: something to look at again
	acting  chan struct{} // one slot: the campaign is acting on the role view
	stopped chan struct{} // closed when Run takes part no more

	reloading sync.Mutex // one reload at a time, by signal or by command

	mu       sync.Mutex
	session  session
	view     zkstore.RoleView
	viewSeen bool
	changed  chan struct{} // closed and replaced with every new view and term
	term     *controller.Term
	asBroker *registration             // of the term
	samples  *sample.Sampler           // of the term, or of the last one
	remarks  map[partition.ID][]string // under the term, about replicas' logs
	check    *crossCheck               // of the term, or of the last one
	cleared  *zkstore.Hold             // by the term's claim
	force    bool                      // an operator asked for a takeover
	busy     bool                      // a handback or a stop is under way: no claims
	notUntil time.Time                 // no claim before, after a term that ended badly
	failures int
	reason   string // why we do not lead
	alarms   []alarm
}

type alarm struct {
	when time.Time
	text string
}

// Options are what a Node needs beside its configuration.
type Options struct {
	Log     *zap.Logger
	Metrics *metrics.Set
	States  *statelog.Writer
	Journal *journal.Journal // the Node runs it
	// Load reads the configuration again, for Reload.
	Load  func() (*config.Config, error)
	Level zap.AtomicLevel
	// Network is TCP if not given.
	Network Network
	// Notes hears what a term notes, with its controller epoch; it must not block.
	Notes func(epoch int32, n planner.Note)
}

// New returns a node that does nothing yet.
func New(cfg *config.Config, o Options) *Node {
	n := &Node{log: o.Log, metrics: o.Metrics, states: o.States, journal: o.Journal, load: o.Load, level: o.Level, started: time.Now(),
		wake: make(chan struct{}, 1), acting: make(chan struct{}, 1), stopped: make(chan struct{}), changed: make(chan struct{}),
		version: version.Get().Version, check: newCrossCheck(nil), reason: "not connected to ZooKeeper yet"}
	n.cfg.Store(cfg)
	n.network, n.notes = o.Network, o.Notes
	if n.network == nil {
		n.network = tcp{}
	}
	n.connect = n.connectZooKeeper
	n.dir = newDirectory(n)
	n.server = server.New(n.serverConfig(), endpointController{n}, n.dir)
	return n
}

// Run serves the endpoint and takes part in the campaign until ctx ends; then it hands
// the role over, if it has it, and returns.
func (n *Node) Run(ctx context.Context) error {
	for _, l := range n.config().Unservable() {
		n.log.Warn("listener cannot be served yet: TLS and SASL are not built", zap.Stringer("listener", l))
	}
	if err := n.server.Listen(); err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	served := make(chan error, 1)
	go func() { served <- n.server.Serve(serving) }()
	journalled := make(chan struct{})
	go func() { n.journal.Run(serving); close(journalled) }()
	copied := make(chan struct{})
	go func() { n.copyJournals(serving); close(copied) }()
	n.takePart(ctx)
	stop()
	<-journalled
	<-copied
	return <-served
}

// takePart lives one session after another until ctx ends.
func (n *Node) takePart(ctx context.Context) {
	defer close(n.stopped)
	for ctx.Err() == nil {
		if err := n.runSession(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("no ZooKeeper session", zap.Error(err))
			n.setReason(err.Error())
			pause(ctx, time.Second)
		}
	}
}

func (n *Node) config() *config.Config { return n.cfg.Load() }

// id is Baton's own id, as it stands among brokers' ids.
func (n *Node) id() int32 { return int32(n.config().NodeID) }

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (n *Node) nudge() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *Node) setReason(why string) (changed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	changed = n.reason != why
	n.reason = why
	return changed
}

func (n *Node) alarm(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alarms = append(n.alarms, alarm{time.Now(), text})
	if len(n.alarms) > 100 {
		n.alarms = n.alarms[len(n.alarms)-100:]
	}
}

// current returns the term that leads now, nil if there is none or its lease is in doubt:
// then nothing may be answered from its image.
func (n *Node) current() *controller.Term {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.term == nil || !n.term.Open() || n.session == nil || !n.session.LeaseValid() {
		return nil
	}
	return n.term
}
