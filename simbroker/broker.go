package simbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"baton/partition"
)

// Listener is a name with the address to listen on; port 0 picks a port, which a
// restarted broker keeps. Everything is PLAINTEXT.
type Listener struct{ Name, Addr string }

// Options describe a broker. Zero values are Kafka's defaults unless said otherwise.
type Options struct {
	ID          int32
	Listeners   []Listener // PLAINTEXT://127.0.0.1:0
	InterBroker string     // name of the inter-broker listener; the first
	Rack        string
	Network     Network // TCP
	Disk        *Disk   // one empty directory
	ZooKeeper   ZooKeeper

	MinISR         int               // min.insync.replicas, where the topic does not say: 1
	Configs        map[string]string // what DescribeConfigs says beside defaults
	LagTime        time.Duration     // replica.lag.time.max.ms: 30 s
	FetchWait      time.Duration     // replica.fetch.wait.max.ms: 500 ms
	FetchBackoff   time.Duration     // replica.fetch.backoff.ms: 1 s
	RequestTimeout time.Duration     // to the controller and to leaders: 30 s
	FlushEvery     time.Duration     // how much a machine's crash loses at most: 1 s
	ShutdownTries  int               // controlled.shutdown.max.retries: 3
	ShutdownPause  time.Duration     // controlled.shutdown.retry.backoff.ms: 5 s

	// Election makes the broker race for /controller as a real one does; the hook hears
	// when it wins and loses. It never controls anything. It must not block.
	Election func(Elected)
	Logf     func(format string, args ...any)
}

// ZooKeeper says where the ensemble is.
type ZooKeeper struct {
	Servers        []string
	Chroot         string
	SessionTimeout time.Duration // 18 s
	// Dialer defaults to the broker's Network.
	Dialer func(network, addr string, timeout time.Duration) (net.Conn, error)
}

func orElse[T comparable](v *T, or T) {
	if *v == *new(T) {
		*v = or
	}
}

func (o *Options) complete() {
	if len(o.Listeners) == 0 {
		o.Listeners = []Listener{{"PLAINTEXT", "127.0.0.1:0"}}
	}
	o.Listeners = slices.Clone(o.Listeners)
	orElse(&o.InterBroker, o.Listeners[0].Name)
	if o.Network == nil {
		o.Network = TCP{}
	}
	if o.Disk == nil {
		o.Disk = NewDisk(1)
	}
	orElse(&o.ZooKeeper.SessionTimeout, 18*time.Second)
	if o.ZooKeeper.Dialer == nil {
		o.ZooKeeper.Dialer = ZooKeeperDialer(o.Network)
	}
	orElse(&o.MinISR, 1)
	orElse(&o.LagTime, 30*time.Second)
	orElse(&o.FetchWait, 500*time.Millisecond)
	orElse(&o.FetchBackoff, time.Second)
	orElse(&o.RequestTimeout, 30*time.Second)
	orElse(&o.FlushEvery, time.Second)
	orElse(&o.ShutdownTries, 3)
	orElse(&o.ShutdownPause, 5*time.Second)
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
}

// Broker is a machine with a disk; Start gives it a process. Its methods may be called
// from any goroutine.
type Broker struct {
	opts Options

	mu       sync.Mutex
	proc     *process
	starting bool
}

// New returns a broker that does not run yet.
func New(o Options) *Broker {
	o.complete()
	return &Broker{opts: o}
}

// ErrRunning and ErrStopped: the broker has, or has not, a process.
var (
	ErrRunning = errors.New("simbroker: running already")
	ErrStopped = errors.New("simbroker: not running")
)

// Start listens, connects to ZooKeeper and registers, and returns when that is done. A
// registration of an earlier life that has not expired yet is waited for.
func (b *Broker) Start(ctx context.Context) error {
	b.mu.Lock()
	if b.proc != nil || b.starting {
		b.mu.Unlock()
		return ErrRunning
	}
	b.starting = true
	p := newProcess(b.opts)
	b.mu.Unlock()
	err := p.start(ctx)
	if err != nil {
		p.kill()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.starting = false
	if err != nil {
		return fmt.Errorf("broker %d: %w", b.opts.ID, err)
	}
	b.proc, b.opts.Listeners = p, p.opts.Listeners
	return nil
}

func (b *Broker) running() (*process, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.proc == nil {
		return nil, ErrStopped
	}
	return b.proc, nil
}

// kill ends a process without a word to anybody.
func (b *Broker) kill(p *process) {
	p.kill()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.proc == p {
		b.proc = nil
	}
}

// Stop is SIGTERM: a controlled shutdown, and the end of the ZooKeeper session whether
// the controller let it go or not. clean says which.
func (b *Broker) Stop(ctx context.Context) (clean bool, err error) {
	p, err := b.running()
	if err != nil {
		return false, err
	}
	clean = p.controlledShutdown(ctx)
	p.flushAll()
	p.closeZooKeeper()
	b.kill(p)
	return clean, nil
}

// Close ends the process at once, its ZooKeeper session included. Closing a broker that
// does not run does nothing.
func (b *Broker) Close() {
	p, err := b.running()
	if err != nil {
		return
	}
	p.gate.open()
	p.closeZooKeeper()
	b.kill(p)
}

// Crash ends the process; its ZooKeeper session stays until it expires.
func (b *Broker) Crash(o CrashOptions) error {
	p, err := b.running()
	if err != nil {
		return err
	}
	b.kill(p)
	if o.LoseTail {
		b.opts.Disk.loseTails()
	}
	return nil
}

// CrashOptions say what else goes with the process.
type CrashOptions struct {
	// LoseTail: the machine goes too, and what was not flushed is lost.
	LoseTail bool
}

// Pause is SIGSTOP: nothing moves until Resume, and the ZooKeeper session may expire. Of
// the other methods only Resume, Crash and Close return meanwhile.
func (b *Broker) Pause() error {
	p, err := b.running()
	if err == nil {
		p.gate.close()
	}
	return err
}

// Resume is SIGCONT.
func (b *Broker) Resume() error {
	p, err := b.running()
	if err == nil {
		p.gate.open()
	}
	return err
}

// FailDir makes a log directory fail. With the last one the broker halts, as Kafka does.
func (b *Broker) FailDir(i int) error {
	p, err := b.running()
	if err != nil {
		return err
	}
	if i < 0 || i >= len(b.opts.Disk.dirs) {
		return fmt.Errorf("no log directory %d", i)
	}
	halted, ok := ask(p, func() bool { return p.failDir(b.opts.Disk.dirs[i]) })
	if !ok {
		return ErrStopped
	}
	if halted {
		b.kill(p)
	}
	return nil
}

// DirOf returns the number of the log directory that holds a partition, -1 if none does.
func (b *Broker) DirOf(topic string, number int32) int {
	p, err := b.running()
	if err != nil {
		return -1
	}
	at, ok := ask(p, func() int {
		for i, dir := range p.opts.Disk.dirs {
			if dir.logs[partition.ID{Topic: topic, Number: number}] != nil {
				return i
			}
		}
		return -1
	})
	if !ok {
		return -1
	}
	return at
}

// ID returns the broker's id.
func (b *Broker) ID() int32 { return b.opts.ID }

// Disk returns the disk, for another Broker to start from once this one has ended.
func (b *Broker) Disk() *Disk { return b.opts.Disk }

// Addr returns where a listener can be dialled, "" before the first Start.
func (b *Broker) Addr(listener string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.opts.Listeners {
		if l.Name == listener {
			return l.Addr
		}
	}
	return ""
}

// Epoch returns the broker epoch, the czxid of the registration; 0 without one.
func (b *Broker) Epoch() int64 {
	p, err := b.running()
	if err != nil {
		return 0
	}
	e, _ := ask(p, func() int64 { return p.epoch })
	return e
}

func hostPort(addr string) (string, int32) {
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return host, int32(n)
}
