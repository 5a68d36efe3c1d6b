// Package load writes numbered messages to a cluster and checks that it kept every one that it acknowledged.
package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Target is a partition that messages are written to.
type Target struct {
	Topic     string
	Partition int32
}

// Partitions are the targets 0…n-1 of a topic.
func Partitions(topic string, n int) []Target {
	var all []Target
	for p := range n {
		all = append(all, Target{topic, int32(p)})
	}
	return all
}

// Options of a producer.
type Options struct {
	Seeds   []string
	Targets []Target
	Rate    int // messages a second over all targets, 500
	Size    int // bytes of a value, 100
	// Client adds options to the producing client.
	Client []kgo.Opt
}

// Producer writes to its targets in turn until stopped, with acks=all and idempotence. The client retries without
// limit, so an error that gets here is one the cluster should not have given.
type Producer struct {
	id     uint64
	client *kgo.Client
	o      Options
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once

	mu      sync.Mutex
	sent    map[Target]uint64
	acked   map[Target]map[uint64]int64 // sequence number -> offset
	last    time.Time                   // of the last acknowledgement
	longest time.Duration               // between two acknowledgements
	errs    []error
	errors  int
	changed chan struct{} // closed and replaced at every acknowledgement and error
}

// Start begins to write.
func Start(o Options) (*Producer, error) {
	if o.Rate == 0 {
		o.Rate = 500
	}
	o.Size = max(o.Size, valueHead)
	p := &Producer{
		id: rand.Uint64(), o: o, stop: make(chan struct{}), done: make(chan struct{}),
		sent: map[Target]uint64{}, acked: map[Target]map[uint64]int64{}, changed: make(chan struct{}),
	}
	for _, t := range o.Targets {
		p.acked[t] = map[uint64]int64{}
	}
	opts := append([]kgo.Opt{
		kgo.SeedBrokers(o.Seeds...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.StopProducerOnDataLossDetected(), // otherwise the client hides it from us
		kgo.AlwaysRetryEOF(),                 // it takes a broker that stops just now for one that wants SASL
		kgo.UnknownTopicRetries(-1),
		kgo.ProduceRequestTimeout(10 * time.Second),
		kgo.RetryTimeout(5 * time.Minute),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.MaxBufferedRecords(10_000),
	}, o.Client...)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	p.client = client
	go p.run()
	return p, nil
}

// run paces itself by the clock rather than by a sleep for each message, so that a stall is made up for.
func (p *Producer) run() {
	defer close(p.done)
	if !p.identify() {
		return
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	n := 0
	for {
		select {
		case <-p.stop:
			return
		case now := <-tick.C:
			due := int(now.Sub(start).Seconds() * float64(p.o.Rate))
			for ; n < due; n++ {
				select {
				case <-p.stop:
					return
				default:
					p.produce(p.o.Targets[n%len(p.o.Targets)])
				}
			}
		}
	}
}

// identify gets the producer id before anything is written; false if the producer was stopped meanwhile. The client holds
// a lock while it asks, and whoever waits for a lock stops the fake time of testing/synctest.
func (p *Producer) identify() bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-p.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	for ctx.Err() == nil {
		if _, _, err := p.client.ProducerID(ctx); err == nil {
			return true
		}
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return false
}

const valueHead = 16 // producer id, sequence number

func (p *Producer) produce(t Target) {
	p.mu.Lock()
	seq := p.sent[t]
	p.sent[t]++
	p.mu.Unlock()
	value := make([]byte, p.o.Size)
	binary.BigEndian.PutUint64(value, p.id)
	binary.BigEndian.PutUint64(value[8:], seq)
	r := &kgo.Record{Topic: t.Topic, Partition: t.Partition, Key: []byte(strconv.FormatUint(seq, 10)), Value: value}
	p.client.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil {
			p.fail(fmt.Errorf("message %d to %s-%d: %w", seq, t.Topic, t.Partition, err))
		} else {
			p.acked[t][seq] = r.Offset
			now := time.Now()
			if !p.last.IsZero() {
				p.longest = max(p.longest, now.Sub(p.last))
			}
			p.last = now
		}
		close(p.changed)
		p.changed = make(chan struct{})
	})
}

// fail counts an error; the first few are kept, a broken cluster gives thousands of the same.
func (p *Producer) fail(err error) {
	p.errors++
	if len(p.errs) < 5 {
		p.errs = append(p.errs, err)
	}
}

// Acked is the number of acknowledged messages so far.
func (p *Producer) Acked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ackedLocked()
}

func (p *Producer) ackedLocked() int {
	n := 0
	for _, a := range p.acked {
		n += len(a)
	}
	return n
}

// Errors is the number of messages that the application was told are lost.
func (p *Producer) Errors() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errors
}

// WaitMore waits until each target has n more acknowledged messages than now, or a message has failed.
func (p *Producer) WaitMore(ctx context.Context, n int) error {
	return p.waitMore(ctx, n, func(Target) bool { return true })
}

// WaitMoreOf is WaitMore for one target.
func (p *Producer) WaitMoreOf(ctx context.Context, target Target, n int) error {
	return p.waitMore(ctx, n, func(t Target) bool { return t == target })
}

func (p *Producer) waitMore(ctx context.Context, n int, which func(Target) bool) error {
	p.mu.Lock()
	goal := map[Target]int{}
	for t, a := range p.acked {
		if which(t) {
			goal[t] = len(a) + n
		}
	}
	for {
		missing := ""
		for t, g := range goal {
			if have := len(p.acked[t]); have < g {
				missing = fmt.Sprintf("%s-%d has %d of %d acknowledgements", t.Topic, t.Partition, have, g)
			}
		}
		changed, failed := p.changed, errors.Join(p.errs...)
		p.mu.Unlock()
		if missing == "" || failed != nil {
			return failed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the producer: %w: %s", ctx.Err(), missing)
		}
		p.mu.Lock()
	}
}

// Stop ends the writing and waits until everything sent is acknowledged or has failed.
func (p *Producer) Stop(ctx context.Context) (Written, error) {
	p.once.Do(func() { close(p.stop) })
	select {
	case <-p.done:
	case <-ctx.Done(): // the buffer is full and nothing is acknowledged
		p.client.Close()
		return p.written(), fmt.Errorf("stop the producer: %w", ctx.Err())
	}
	err := p.client.Flush(ctx)
	p.client.Close()
	if err != nil {
		err = fmt.Errorf("flush what was sent: %w", err)
	}
	return p.written(), err
}

func (p *Producer) written() Written {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := Written{Producer: p.id, Acked: map[Target]map[uint64]int64{}, Errors: p.errors, FirstErrors: p.errs,
		LongestGap: p.longest}
	for t, a := range p.acked {
		w.Sent += int(p.sent[t])
		w.Acked[t] = make(map[uint64]int64, len(a))
		for seq, offset := range a {
			w.Acked[t][seq] = offset
		}
	}
	return w
}

// Written is what a producer did.
type Written struct {
	Producer    uint64
	Sent        int
	Acked       map[Target]map[uint64]int64 // sequence number -> offset
	Errors      int
	FirstErrors []error
	LongestGap  time.Duration // the longest time without any acknowledgement between two
}

// Count of acknowledged messages.
func (w Written) Count() int {
	n := 0
	for _, a := range w.Acked {
		n += len(a)
	}
	return n
}

func (w Written) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sent, %d acknowledged, %d errors, longest pause %s", w.Sent, w.Count(), w.Errors,
		w.LongestGap.Round(time.Millisecond))
	for _, err := range w.FirstErrors {
		fmt.Fprintf(&b, "\n  %v", err)
	}
	return b.String()
}
