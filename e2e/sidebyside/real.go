package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

func realSize(partitions int) string { return fmt.Sprintf("%d on 3 real brokers", partitions) }

// realCluster is three brokers with what clients write to, and Batons beside them or not.
type realCluster struct {
	*kafka.Cluster
	topics []string
	client *kgo.Client
	report func(result)
	count  int
}

// realRound times what a client sees: from the kill -9 of a broker, or of the controller, until each partition has acknowledged a
// message that was sent after it, to all replicas in sync (acks=all), with the time-outs that Kafka has by default.
func realRound(ctx context.Context, env *kafka.Run, who *contender, partitions int, report func(result)) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	o := kafka.Options{Brokers: 3, BrokerHeapMB: brokerHeapMB, Shipped: true, BrokerSession: 18 * time.Second,
		Overrides: map[string]string{"replica.lag.time.max.ms": "30000"}}
	who.broker(&o)
	cluster, err := kafka.New(ctx, env, o)
	if err != nil {
		return err
	}
	r := &realCluster{Cluster: cluster, report: report, count: partitions}
	var batons [2]*batonproc.Baton
	if who.baton {
		for i := range batons {
			if batons[i], err = batonproc.New(ctx, env, batonproc.Options{Cluster: cluster, ID: batonproc.FirstID + i}); err != nil {
				return err
			}
			if i == 0 {
				err = batons[i].WaitActive(ctx)
			} else {
				err = batons[i].WaitStandby(ctx)
			}
			if err != nil {
				return err
			}
		}
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	defer r.client.Close()

	// Without Baton one of the brokers is the controller: it is the second to be killed.
	first, second := cluster.Broker(3), cluster.Broker(1)
	if !who.baton {
		held, err := cluster.WaitController(ctx, nil)
		if err != nil {
			return err
		}
		second = cluster.Broker(held.BrokerID)
		if first == second {
			first = cluster.Broker(1)
		}
	}
	if err := r.killed(ctx, "broker killed", first, first.Kill); err != nil {
		return err
	}
	if err := first.Restart(ctx); err != nil {
		return err
	}
	if err := r.WaitISRFull(ctx, r.topics...); err != nil {
		return err
	}
	if !who.baton {
		return r.killed(ctx, "controller and a broker killed", second, second.Kill)
	}
	if err := r.killed(ctx, "controller killed, no broker", nil, batons[0].Kill); err != nil {
		return err
	}
	if err := batons[1].WaitActive(ctx); err != nil {
		return err
	}
	if err := batons[0].Start(); err != nil {
		return err
	}
	if err := batons[0].WaitStandby(ctx); err != nil {
		return err
	}
	return r.killed(ctx, "controller and a broker killed", second, func() error { return errors.Join(batons[1].Kill(), second.Kill()) })
}

// prepare creates the topics and the client.
func (r *realCluster) prepare(ctx context.Context) (err error) {
	for n := range r.count / perTopic {
		r.topics = append(r.topics, fmt.Sprintf("real-%d", n))
		if err := r.CreateTopic(ctx, r.topics[n], perTopic, factor); err != nil {
			return err
		}
	}
	if err := r.WaitISRFull(ctx, r.topics...); err != nil {
		return err
	}
	r.client, err = kgo.NewClient(kgo.SeedBrokers(r.Seeds()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.AlwaysRetryEOF(), kgo.UnknownTopicRetries(-1), kgo.ProduceRequestTimeout(time.Minute), kgo.RetryTimeout(5*time.Minute),
		kgo.ProducerLinger(10*time.Millisecond), // or each partition makes a request of its own
		kgo.MetadataMinAge(50*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	return err
}

// written sends a message to each partition and returns when each was acknowledged, the last one last.
func (r *realCluster) written(ctx context.Context) ([]time.Time, error) {
	var mu sync.Mutex
	var at []time.Time
	var failed error
	var wg sync.WaitGroup
	for _, topic := range r.topics {
		for p := range int32(perTopic) {
			wg.Add(1)
			r.client.Produce(ctx, &kgo.Record{Topic: topic, Partition: p, Value: []byte("x")}, func(_ *kgo.Record, err error) {
				defer wg.Done()
				mu.Lock()
				defer mu.Unlock()
				at, failed = append(at, time.Now()), errors.Join(failed, err)
			})
		}
	}
	wg.Wait()
	slices.SortFunc(at, time.Time.Compare)
	return at, failed
}

// killed times one kill. How long ZooKeeper takes to notice is told apart, where a broker is killed: both controllers depend on it.
func (r *realCluster) killed(ctx context.Context, name string, broker *kafka.Broker, kill func() error) error {
	asked := time.Now()
	before, err := r.written(ctx) // with everybody alive; the client knows all leaders then
	if err != nil {
		return err
	}
	r.report(result{Scenario: name + ", the same before", Seconds: before[len(before)-1].Sub(asked).Seconds()})
	begun := time.Now()
	if err := kill(); err != nil {
		return err
	}
	var gone time.Time
	var missed error
	var wg sync.WaitGroup
	if broker != nil {
		wg.Go(func() {
			missed = broker.WaitGone(ctx)
			gone = time.Now()
		})
	}
	at, err := r.written(ctx)
	wg.Wait()
	if err = errors.Join(err, missed); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	last := at[len(at)-1]
	if broker != nil {
		r.report(result{Scenario: name + ", session ended", Seconds: gone.Sub(begun).Seconds()})
		r.report(result{Scenario: name + ", last partition after that", Seconds: last.Sub(gone).Seconds()})
	}
	r.report(result{Scenario: name + ", half of the partitions", Seconds: at[len(at)/2].Sub(begun).Seconds()})
	r.report(result{Scenario: name, Seconds: last.Sub(begun).Seconds(), Affected: r.count})
	return nil
}
