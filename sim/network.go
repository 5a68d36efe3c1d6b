package sim

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/simbroker"
	"baton/wire"
)

// processNetwork is a Baton's network. It can be stopped, as the network of a process is that is sent SIGSTOP: nothing
// that comes in is seen, and what goes out goes out when the process goes on, into a world that has moved. The clock and
// the process's own goroutines do go on; they see that nobody answers.
type processNetwork struct {
	simbroker.Network
	w    *world
	host string

	mu      sync.Mutex
	stopped chan struct{} // closed when the process goes on; nil while it runs
	steps   *stepper      // of a crash point; nil if nobody counts
}

func (n *processNetwork) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped == nil {
		n.stopped = make(chan struct{})
	}
}

func (n *processNetwork) goOn() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped != nil {
		close(n.stopped)
		n.stopped = nil
	}
}

// wait returns when the process runs, or when done ends.
func (n *processNetwork) wait(done <-chan struct{}) {
	for {
		n.mu.Lock()
		ch := n.stopped
		n.mu.Unlock()
		if ch == nil {
			return
		}
		select {
		case <-ch:
		case <-done:
			return
		}
	}
}

// Dial implements node.Network.
func (n *processNetwork) Dial(ctx context.Context, addr string) (net.Conn, error) {
	n.wait(ctx.Done())
	c, err := n.Network.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return &processConn{Conn: c, n: n, to: addr, done: make(chan struct{}), toBroker: !strings.HasPrefix(addr, zooKeeper)}, nil
}

// Listen implements node.Network.
func (n *processNetwork) Listen(addr string) (net.Listener, error) {
	l, err := n.Network.Listen(addr)
	if err != nil {
		return nil, err
	}
	return processListener{l, n}, nil
}

type processListener struct {
	net.Listener
	n *processNetwork
}

func (l processListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &processConn{Conn: c, n: l.n, done: make(chan struct{})}, nil
}

// processConn is a connection of a process. Requests to brokers are looked at when they are started.
type processConn struct {
	net.Conn
	n        *processNetwork
	to       string
	toBroker bool
	done     chan struct{}
	once     sync.Once
}

func (c *processConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.wait(c.done)
	return n, err
}

func (c *processConn) Write(b []byte) (int, error) {
	send := func() (int, error) {
		c.n.wait(c.done)
		return c.Conn.Write(b)
	}
	if !c.toBroker {
		return send()
	}
	h, ok := c.starts(b)
	c.n.mu.Lock()
	steps := c.n.steps
	c.n.mu.Unlock()
	if !ok || steps == nil {
		return send()
	}
	to, _, _ := strings.Cut(c.to, ":")
	n := 0
	err := steps.request(h, to, func() (err error) { n, err = send(); return err })
	return n, err
}

func (c *processConn) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.Conn.Close()
}

// starts judges a request to a broker, which is one write.
func (c *processConn) starts(b []byte) (h wire.RequestHeader, ok bool) {
	if len(b) < 12 || int(binary.BigEndian.Uint32(b)) != len(b)-4 {
		return h, false
	}
	w := c.n.w
	h, body, err := wire.ParseRequestHeader(b[4:])
	if err != nil {
		return h, false
	}
	if w.cfg.Full {
		w.trace.add("%s to %s: %s v%d #%d", c.n.host, c.to, kmsg.NameForKey(h.Key), h.Version, h.CorrelationID)
	}
	epoch, ok := controllerEpoch(h, body)
	if !ok {
		return h, true
	}
	if session, over := w.history.Claimer(epoch); over != "" && !w.robbed(session) {
		w.violate("%s starts %s v%d to %s with controller epoch %d at %v, but %s", c.n.host, kmsg.NameForKey(h.Key), h.Version, c.to, epoch,
			time.Since(w.trace.start), over)
	}
	return h, true
}

// controlRequests are those of the controller, with the versions from which they say whether it is of KRaft.
var controlRequests = map[int16]int16{wire.LeaderAndIsr: 7, wire.UpdateMetadata: 8, wire.StopReplica: 4}

// controllerEpoch is that of a control request, which begins with the controller's id and, in its last version, whether
// that one is of KRaft.
func controllerEpoch(h wire.RequestHeader, body []byte) (epoch int32, ok bool) {
	kraft, control := controlRequests[h.Key]
	at := 4
	if h.Version >= kraft {
		at++
	}
	if !control || len(body) < at+4 {
		return 0, false
	}
	return int32(binary.BigEndian.Uint32(body[at:])), true
}
