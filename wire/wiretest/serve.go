// Package wiretest has brokers for tests of what asks brokers.
package wiretest

import (
	"bufio"
	"encoding/binary"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/wire"
)

// Serve answers what comes over a connection until the other end, or answer, ends it. A request without a response is left
// unanswered. Requests may be such as Baton sends and does not serve.
func Serve(conn net.Conn, answer func(kmsg.Request) (resp kmsg.Response, open bool)) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		frame, err := wire.ReadFrame(in, nil, wire.MaxFrame)
		if err != nil {
			return
		}
		h, body, err := wire.ParseRequestHeader(frame)
		if err != nil {
			return
		}
		req := kmsg.RequestForKey(h.Key)
		req.SetVersion(h.Version)
		if req.ReadFrom(body) != nil {
			return
		}
		resp, open := answer(req)
		if !open {
			return
		}
		if resp == nil {
			continue
		}
		out := binary.BigEndian.AppendUint32(wire.BeginFrame(nil), uint32(h.CorrelationID))
		if _, err := conn.Write(wire.EndFrame(resp.AppendTo(out), 0)); err != nil {
			return
		}
	}
}
