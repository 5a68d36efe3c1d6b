package server

import (
	"context"
	"time"

	"baton/planner"
	"baton/quota"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Quotas on controller_mutation_rate (KIP-599). Who is over its quota is told for how long, and
// nothing more is read from its connection for that time, as brokers do: clients older than the
// field know nothing of it, and newer ones may not care. Topics of requests from a certain version
// on are refused; older clients would take that for a failure.

// anonymous is the principal of whoever comes over a listener that asks for none.
const anonymous = "ANONYMOUS"

// caller is who made a request, whose versions are strict from one on.
func (h header) caller(strictFrom int16) planner.Caller {
	return planner.Caller{Client: quota.Client{User: anonymous, ID: h.clientID}, Strict: h.version >= strictFrom}
}

// neverStrict is for what is created by the way, which is charged, and never held back.
const neverStrict = 1<<15 - 1

// throttled is what the client of an answer has to wait.
func throttled(resp kmsg.Response) time.Duration {
	var ms int32
	switch t := resp.(type) {
	case *kmsg.CreateTopicsResponse:
		ms = t.ThrottleMillis
	case *kmsg.DeleteTopicsResponse:
		ms = t.ThrottleMillis
	case *kmsg.CreatePartitionsResponse:
		ms = t.ThrottleMillis
	}
	return time.Duration(ms) * time.Millisecond
}

// mute lets nothing in for some time, at most for as long as a connection may be idle.
func (c *conn) mute(ctx context.Context, key int16, wait time.Duration) {
	if wait <= 0 {
		return
	}
	c.cfg.Metrics.Throttled(key)
	select {
	case <-time.After(min(wait, c.cfg.IdleTimeout)):
	case <-ctx.Done():
	}
}
