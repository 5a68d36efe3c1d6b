// Package measure asks live brokers what the logs of their replicas hold, above the high watermark too, and whether they lead or
// not. It only reads, and needs nobody's consent: each release of Kafka from 2.4 on answers (docs/measuring.md).
//
//   - ListOffsets with replica id -2 (the debugging consumer) is served by replicas that do not lead, and not bounded by the high
//     watermark: -1 is the log's end, -2 its start.
//   - Fetch with replica id -3 (a log directory's future replica, which reads from its own broker) likewise: the header of the
//     batch at the end has the leader epoch it was written in.
//
// A broker answers for a replica whose log it has opened, which takes a LeaderAndIsr since its start, and for a topic in its
// cache, which takes an UpdateMetadata. Until then the replica is silent.
package measure

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"baton/partition"
	"baton/recovery"
)

// Wanted is what to ask one broker.
type Wanted struct {
	Broker int32
	Addr   string
	// Logs are the partitions, each with the leader epoch above which no record of it can be.
	Logs []Partition
}

// Partition is one log.
type Partition struct {
	ID    partition.ID
	Epoch int32
}

// Measured is a replica's log, or why it is not known.
type Measured struct {
	Log    *recovery.Log
	Silent string // empty if Log is set
}

// Measurer asks.
type Measurer struct {
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Timeout is for all that one broker is asked; 0 means 5 s.
	Timeout time.Duration
}

func (m Measurer) timeout() time.Duration {
	if m.Timeout == 0 {
		return defaultTimeout
	}
	return m.Timeout
}

const (
	defaultTimeout = 5 * time.Second
	// atOnce is how many brokers are asked at a time.
	atOnce = 16
	// perRequest is how many partitions a request asks for.
	perRequest = 500
)

// Measure asks all brokers at once, some at a time. Every log that is wanted has an entry, in the order of wanted.
func (m Measurer) Measure(ctx context.Context, wanted []Wanted) [][]Measured {
	out := make([][]Measured, len(wanted))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, w := range wanted {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i] = m.broker(ctx, w)
		})
	}
	wg.Wait()
	return out
}

// broker asks one over a connection of its own. What it has answered before it failed counts.
func (m Measurer) broker(ctx context.Context, w Wanted) []Measured {
	timeout := m.timeout()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out := make([]Measured, 0, len(w.Logs))
	c, err := m.open(ctx, w.Addr)
	if err == nil {
		defer c.close()
	}
	for logs := range slices.Chunk(w.Logs, perRequest) {
		s := newSheet(logs)
		if err == nil {
			err = s.fill(c)
		}
		why := err
		if ctx.Err() != nil {
			why = fmt.Errorf("no answer within %s", timeout)
		}
		out = append(out, s.results(why)...)
	}
	return out
}
