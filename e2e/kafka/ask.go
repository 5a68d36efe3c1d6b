package kafka

import (
	"bufio"
	"context"
	"errors"
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
	id := "story"
	out, err := wire.AppendRequest(nil, &id, 7, req)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(out); err != nil {
		return nil, err
	}
	frame, err := wire.ReadFrame(bufio.NewReader(conn), nil, wire.MaxFrame)
	if err != nil {
		return nil, err
	}
	correlation, body, err := wire.ParseResponseHeader(frame, req.Key(), req.GetVersion())
	if err == nil && correlation != 7 {
		err = errors.New("another request's answer")
	}
	if err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	return resp, resp.ReadFrom(body)
}
