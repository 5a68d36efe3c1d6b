package simbroker

import (
	"context"
	"net"
	"time"
)

// Network is where a broker listens and whom it can reach.
type Network interface {
	Listen(addr string) (net.Listener, error)
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// TCP is the real network.
type TCP struct{}

// Listen implements Network.
func (TCP) Listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

// Dial implements Network.
func (TCP) Dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second} // socket.connection.setup.timeout.ms
	return d.DialContext(ctx, "tcp", addr)
}
