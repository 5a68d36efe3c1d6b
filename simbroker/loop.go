package simbroker

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"baton/partition"
)

// process is one life of a broker. The fields below the line belong to the loop's
// goroutine; everything else posts to it and never waits for others inside.
type process struct {
	opts *Options
	gate gate
	ctx  context.Context // ends with the process
	end  context.CancelFunc
	wg   sync.WaitGroup

	tasks   chan func()
	zk      *session
	alters  *controllerChannel
	forward *controllerChannel

	// ----
	epoch           int64 // own czxid
	controllerEpoch int32 // highest seen (10.1); a new process starts from 0
	clusterID       string
	cache           cache
	parts           map[partition.ID]*replica
	fetchers        map[int32]*fetcher
	waiting         map[partition.ID]map[*fetchWait]struct{}
	isr             alterQueue
	pids            producerIDs
	minISR          map[string]int  // of topics that say
	reading         map[string]bool // topics whose configuration is being read
	stopping        bool
}

func newProcess(o Options) *process {
	o.Listeners = slices.Clone(o.Listeners)
	p := &process{
		opts: &o, tasks: make(chan func()), cache: newCache(), parts: map[partition.ID]*replica{},
		fetchers: map[int32]*fetcher{}, waiting: map[partition.ID]map[*fetchWait]struct{}{},
		isr: alterQueue{items: map[partition.ID]*alterItem{}}, minISR: map[string]int{}, reading: map[string]bool{},
	}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.alters, p.forward = newControllerChannel(p), newControllerChannel(p)
	return p
}

// spawn runs f on a goroutine that kill waits for.
func (p *process) spawn(f func()) { p.wg.Go(f) }

func (p *process) start(ctx context.Context) error {
	p.spawn(p.loop)
	if err := p.openZooKeeper(); err != nil {
		return err
	}
	accept, err := p.listen()
	if err != nil {
		return err
	}
	p.run()
	// Kafka enables the processing of requests once the broker is registered, so that none is judged by a broker epoch
	// that is not known yet. Whoever connects before waits.
	if err := p.join(ctx); err != nil {
		return err
	}
	accept()
	return nil
}

// run starts everything that works without ZooKeeper, but for taking connections.
func (p *process) run() {
	p.spawn(p.alters.run)
	p.spawn(p.forward.run)
	p.spawn(func() { p.tick(p.opts.LagTime/2, p.shrinkISRs) })
	p.spawn(func() { p.tick(p.opts.FlushEvery, p.flush) })
}

// loop is the one goroutine that owns the state.
func (p *process) loop() {
	for {
		select {
		case f := <-p.tasks:
			if !p.gate.wait(p.ctx.Done()) {
				return
			}
			f()
		case <-p.ctx.Done():
			return
		}
	}
}

// post hands f to the loop; false if the process has ended. Never call it on the loop.
func (p *process) post(f func()) bool {
	select {
	case p.tasks <- f:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// ask runs f on the loop and returns its result; false if the process has ended.
func ask[T any](p *process, f func() T) (T, bool) {
	out := make(chan T, 1)
	if p.post(func() { out <- f() }) {
		select {
		case v := <-out:
			return v, true
		case <-p.ctx.Done():
		}
	}
	return *new(T), false
}

// after runs f on the loop later.
func (p *process) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() { p.post(f) })
}

func (p *process) tick(every time.Duration, f func()) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			p.post(f)
		case <-p.ctx.Done():
			return
		}
	}
}

// sleep returns false if the process ended meanwhile.
func (p *process) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// kill ends the process and waits for its goroutines.
func (p *process) kill() {
	p.end()
	p.abandonZooKeeper()
	p.wg.Wait()
}

func (p *process) logf(format string, args ...any) {
	p.opts.Logf("broker %d: "+format, append([]any{p.opts.ID}, args...)...)
}

// dial opens a connection that ends with the process and stands still while it is
// paused.
func (p *process) dial(addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.opts.RequestTimeout)
	defer cancel()
	if !p.gate.wait(ctx.Done()) {
		return nil, ctx.Err()
	}
	c, err := p.opts.Network.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return p.guard(c), nil
}

// guard ties a connection to the process.
func (p *process) guard(c net.Conn) *gated {
	g := &gated{Conn: c, p: p}
	g.stop = context.AfterFunc(p.ctx, func() { _ = c.Close() })
	return g
}

// gated is a connection of a process that can be paused.
type gated struct {
	net.Conn
	p    *process
	stop func() bool
}

func (g *gated) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if !g.p.gate.wait(g.p.ctx.Done()) {
		return 0, net.ErrClosed
	}
	return n, err
}

// Write: a process that has ended says nothing more, not even good-bye to ZooKeeper,
// although its connections are closed a moment later only.
func (g *gated) Write(b []byte) (int, error) {
	if g.p.ctx.Err() != nil || !g.p.gate.wait(g.p.ctx.Done()) {
		return 0, net.ErrClosed
	}
	return g.Conn.Write(b)
}

func (g *gated) Close() error {
	g.stop()
	return g.Conn.Close()
}

// gate holds a process that is paused.
type gate struct {
	mu     sync.Mutex
	paused chan struct{} // nil while open; closed by open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.paused == nil {
		g.paused = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.paused != nil {
		close(g.paused)
		g.paused = nil
	}
}

// wait returns when the gate is open, or false when done ends first.
func (g *gate) wait(done <-chan struct{}) bool {
	for {
		g.mu.Lock()
		ch := g.paused
		g.mu.Unlock()
		if ch == nil {
			return true
		}
		select {
		case <-ch:
		case <-done:
			return false
		}
	}
}
