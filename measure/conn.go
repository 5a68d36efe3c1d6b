package measure

import (
	"bufio"
	"context"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/wire"
)

// conn asks one question after the other.
type conn struct {
	net    net.Conn
	in     *bufio.Reader
	stop   func() bool
	number int32
}

func (m Measurer) open(ctx context.Context, addr string) (*conn, error) {
	nc, err := m.Dial(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	// Closing the connection is what ends a read that a stuck broker holds up.
	return &conn{net: nc, in: bufio.NewReader(nc), stop: context.AfterFunc(ctx, func() { _ = nc.Close() })}, nil
}

func (c *conn) close() {
	c.stop()
	_ = c.net.Close()
}

func (c *conn) ask(req kmsg.Request) (kmsg.Response, error) {
	c.number++
	resp, err := wire.Ask(c.net, c.in, "baton", c.number, req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kmsg.NameForKey(req.Key()), err)
	}
	return resp, nil
}
