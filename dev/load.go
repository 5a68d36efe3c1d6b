package dev

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/load"
	"baton/partition"
)

// ledger has two replicas only, so that two deaths are enough to make its ISR one dead broker.
var ledger = partition.ID{Topic: "ledger"}

// topicNames of the others.
func (w *World) topicNames() (names []string) {
	for i := range w.o.Topics {
		switch i {
		case 0:
			names = append(names, "orders")
		case 1:
			names = append(names, "payments")
		default:
			names = append(names, fmt.Sprintf("topic-%d", i+1))
		}
	}
	return names
}

// client is one that knows nothing yet.
func (w *World) client() (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(w.Seeds()...), kgo.MetadataMinAge(100*time.Millisecond))
}

// CreateTopics asks the controller, which the client finds in the brokers' metadata, and waits until all is led.
func (w *World) CreateTopics(ctx context.Context) error {
	client, err := w.client()
	if err != nil {
		return err
	}
	defer client.Close()
	factor := int16(min(3, w.o.Brokers))
	want := 1
	for _, name := range w.topicNames() {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, int32(w.o.Partitions), factor
		if err := w.createTopic(ctx, client, t); err != nil {
			return err
		}
		want += w.o.Partitions
	}
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = ledger.Topic, -1, -1
	t.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Replicas: []int32{2, 3}}}
	if err := w.createTopic(ctx, client, t); err != nil {
		return err
	}
	err = w.await(ctx, "leaders", func() bool {
		all, _ := w.Unled()
		return len(all) == 0 && len(w.history.Partitions()) == want
	})
	w.elections.chapter()
	return err
}

func (w *World) createTopic(ctx context.Context, client *kgo.Client, topic kmsg.CreateTopicsRequestTopic) (err error) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 30_000
	try := func() error {
		resp, err := req.RequestWith(ctx, client)
		if err != nil {
			return err
		}
		t := resp.Topics[0]
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			if t.ErrorMessage != nil {
				return fmt.Errorf("%w: %s", err, *t.ErrorMessage)
			}
			return err
		}
		return nil
	}
	// The brokers may not have been told yet who the controller is.
	waited := w.await(ctx, "topic "+topic.Topic, func() bool { err = try(); return err == nil })
	return errors.Join(waited, err)
}

// producer is the built-in load: acks=all, as fast as Options.Rate.
type producer struct {
	w *World
	p *load.Producer
}

// Produce starts the load on all partitions.
func (w *World) Produce() error {
	var targets []load.Target
	for _, p := range w.history.Partitions() {
		targets = append(targets, load.Target{Topic: p.ID.Topic, Partition: p.ID.Number})
	}
	p, err := load.Start(load.Options{Seeds: w.Seeds(), Targets: targets, Rate: w.o.Rate,
		// A partition may be without a leader for as long as a person likes: that is not the producer's to judge.
		Client: []kgo.Opt{kgo.MetadataMaxAge(2 * time.Second), kgo.RetryTimeout(24 * time.Hour), kgo.MaxBufferedRecords(1_000_000),
			kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond })}})
	if err != nil {
		return err
	}
	w.load = &producer{w, p}
	return nil
}

func (p *producer) abandon() {
	if p.p != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = p.p.Stop(ctx)
	}
}

// Acked counts what was acknowledged.
func (w *World) Acked() (acked, failed int) {
	if w.load == nil || w.load.p == nil {
		return 0, 0
	}
	return w.load.p.Acked(), w.load.p.Errors()
}

// Progress waits for more acknowledgements of the partitions named, or of all, and tells.
func (w *World) Progress(ctx context.Context, only ...partition.ID) error {
	if w.load == nil || w.load.p == nil {
		return nil
	}
	const more = 20
	start, _ := w.Acked()
	var err error
	ctx, cancel := context.WithTimeout(ctx, w.o.Patience)
	defer cancel()
	if len(only) == 0 {
		err = w.load.p.WaitMore(ctx, more)
	} else {
		for _, id := range only {
			err = errors.Join(err, w.load.p.WaitMoreOf(ctx, load.Target{Topic: id.Topic, Partition: id.Number}, more))
		}
	}
	acked, failed := w.Acked()
	if err == nil {
		w.out.Say("%d messages acknowledged (%d more), %d errors", acked, acked-start, failed)
	}
	return err
}
