package node

import (
	"context"
	"net"
	"strconv"
	"time"

	"baton/check"
	"baton/planner"
)

// Network is where a node listens and whom it can reach. Simulations give a node one that
// can be cut, or that is not made of sockets.
type Network interface {
	Listen(addr string) (net.Listener, error)
	// Dial must end when its context does.
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

type tcp struct{}

func (tcp) Listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

func (tcp) Dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 15 * time.Second}
	return d.DialContext(ctx, "tcp", addr)
}

// prober asks brokers over the node's network.
func (n *Node) prober(timeout time.Duration) check.Prober {
	return check.Prober{Timeout: timeout, Dial: n.network.Dial}
}

// dialZooKeeper is what the ZooKeeper library dials with: it has no context of ours.
func (n *Node) dialZooKeeper(_, addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return n.network.Dial(ctx, addr)
}

// port of a bound address; 0 if it has none.
func port(a net.Addr) (int, bool) {
	if a == nil {
		return 0, false
	}
	_, text, err := net.SplitHostPort(a.String())
	if err != nil {
		return 0, false
	}
	p, err := strconv.Atoi(text)
	return p, err == nil
}

// note shows a note to whoever runs the node.
func (n *Node) note(epoch int32, note planner.Note) {
	if n.notes != nil {
		n.notes(epoch, note)
	}
}
