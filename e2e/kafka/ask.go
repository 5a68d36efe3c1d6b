package kafka

import (
	"bufio"
	"context"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/wire"
)

// Ask asks one node over a connection of its own, in exactly the request's version.
func Ask(ctx context.Context, addr string, req kmsg.Request) (kmsg.Response, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	return wire.Ask(conn, bufio.NewReader(conn), "story", 7, req)
}
