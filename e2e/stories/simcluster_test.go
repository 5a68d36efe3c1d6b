package stories

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"baton/config"
	"baton/e2e/kafka"
	"baton/metrics"
	"baton/node"
	"baton/simbroker"
)

// TestBatonLeadsSimulatedBrokers: Baton's real node and three simulated brokers on a real
// ZooKeeper.
func TestBatonLeadsSimulatedBrokers(t *testing.T) {
	kafka.RequireJava(t)
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	zoo, err := kafka.StartZooKeeper(ctx, t, kafka.ZooKeeperOptions{})
	if err != nil {
		t.Fatal(err)
	}
	simulatedStory(ctx, t, zoo.Addrs())
}

// simulatedStory: brokers crash, lose their tails, are paused past their sessions, lose a
// log directory and stop in order; whatever was acknowledged to a franz-go producer is
// read back, once.
func simulatedStory(ctx context.Context, t *testing.T, servers []string) {
	s := &simulatedCluster{T: t, ctx: ctx}
	for id := int32(1); id <= 3; id++ {
		b := simbroker.New(simbroker.Options{ID: id, Disk: simbroker.NewDisk(2), LagTime: 4 * time.Second, MinISR: 2, Logf: s.logf,
			ZooKeeper: simbroker.ZooKeeper{Servers: servers, Chroot: "/simulated", SessionTimeout: 3 * time.Second}})
		s.brokers = append(s.brokers, b)
		s.must(b.Start(ctx))
		defer b.Close()
	}
	defer s.runBaton(strings.Join(servers, ",") + "/simulated")()
	s.connect()
	defer s.client.Close()
	s.createTopic()
	s.waitISR(3)

	s.more(50)
	s.crash()
	s.pause()
	s.failDir()
	s.stop()
	s.readAll()
	s.deletion()
}

// crash: a machine dies with what was not flushed.
func (s *simulatedCluster) crash() {
	s.Helper()
	b := s.leads()
	s.must(b.Crash(simbroker.CrashOptions{LoseTail: true}))
	s.waitLeaderNot(b.ID())
	s.more(50)
	s.must(b.Start(s.ctx))
	s.waitISR(3)
}

// pause: a process stands still until its session is over, and goes on.
func (s *simulatedCluster) pause() {
	s.Helper()
	b := s.leads()
	before := b.Epoch()
	s.must(b.Pause())
	s.waitLeaderNot(b.ID())
	s.more(50)
	s.must(b.Resume())
	s.waitISR(3)
	if after := b.Epoch(); after <= before {
		s.Errorf("epoch %d after the session had expired, %d before", after, before)
	}
}

// failDir: a log directory fails and is repaired.
func (s *simulatedCluster) failDir() {
	s.Helper()
	b := s.leads()
	s.must(b.FailDir(b.DirOf("orders", 0)))
	s.waitLeaderNot(b.ID())
	s.more(50)
	s.must(b.Crash(simbroker.CrashOptions{}))
	b.Disk().Repair()
	s.must(b.Start(s.ctx))
	s.waitISR(3)
}

// stop: a controlled shutdown.
func (s *simulatedCluster) stop() {
	s.Helper()
	b := s.leads()
	clean, err := b.Stop(s.ctx)
	s.must(err)
	if !clean {
		s.Error("the controlled shutdown was not clean")
	}
	s.waitLeaderNot(b.ID())
	s.more(50)
	s.must(b.Start(s.ctx))
	s.waitISR(3)
}

// deletion: with a broker away its topic is deleted from the others, from that one when it
// is back; the next topic of that name begins empty.
func (s *simulatedCluster) deletion() {
	s.Helper()
	away := s.leads()
	s.must(away.Crash(simbroker.CrashOptions{}))
	s.waitLeaderNot(away.ID())
	req := kmsg.NewPtrDeleteTopicsRequest()
	name := "orders"
	req.Topics, req.TopicNames, req.TimeoutMillis = []kmsg.DeleteTopicsRequestTopic{{Topic: &name}}, []string{name}, 30_000
	resp, err := req.RequestWith(s.ctx, s.client)
	s.must(err)
	s.must(kerr.ErrorForCode(resp.Topics[0].ErrorCode))
	gone := func(brokers ...*simbroker.Broker) {
		s.Helper()
		s.eventually("end of the logs", func() error {
			for _, b := range brokers {
				for n := range int32(simulatedPartitions) {
					if at := b.DirOf(name, n); at >= 0 {
						return fmt.Errorf("broker %d has partition %d", b.ID(), n)
					}
				}
			}
			return nil
		})
	}
	for _, b := range s.brokers {
		if b != away {
			gone(b)
		}
	}
	s.must(away.Start(s.ctx))
	gone(away)
	s.createTopicAgain()
	s.client.Close() // a producer sticks to the id of the topic that it knew
	s.seeds = nil
	s.connect()
	defer s.client.Close()
	s.waitISR(3)
	s.acked = 0
	s.more(10)
	s.readAll()
}

// createTopicAgain creates the topic once its namesake is gone.
func (s *simulatedCluster) createTopicAgain() {
	s.Helper()
	s.eventually("end of the deletion", func() error {
		req := kmsg.NewPtrCreateTopicsRequest()
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "orders", simulatedPartitions, 3
		req.Topics, req.TimeoutMillis = append(req.Topics, topic), 30_000
		resp, err := req.RequestWith(s.ctx, s.client)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
	})
}

const simulatedPartitions = 4

type simulatedCluster struct {
	*testing.T
	ctx     context.Context
	brokers []*simbroker.Broker
	client  *kgo.Client
	seeds   []string

	mu     sync.Mutex
	closed bool
	acked  int
}

// logf: brokers may have a last word after the test.
func (s *simulatedCluster) logf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.Logf(format, args...)
	}
}

func (s *simulatedCluster) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// runBaton starts a node and returns how to stop it.
func (s *simulatedCluster) runBaton(zooKeeper string) (stop func()) {
	s.Helper()
	text := fmt.Sprintf("node.id=2000001\nzookeeper.connect=%s\nlisteners=PLAINTEXT://127.0.0.1:0\ncontroller.mode=active\n"+
		"min.insync.replicas=2\nzookeeper.session.timeout.ms=6000\n", zooKeeper)
	cfg, warnings, err := config.Parse(strings.NewReader(text), "simulated.properties", nil)
	s.must(err)
	for _, w := range warnings {
		s.Log(w)
	}
	set, err := metrics.New(prometheus.NewRegistry(), nil, metrics.Build{})
	s.must(err)
	n := node.New(cfg, node.Options{Log: zap.NewNop(), Metrics: set, Level: zap.NewAtomicLevel()})
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		cancel()
		if err := <-done; err != nil {
			s.Error(err)
		}
	}
}

func (s *simulatedCluster) connect() {
	s.Helper()
	for _, b := range s.brokers {
		s.seeds = append(s.seeds, b.Addr("PLAINTEXT"))
	}
	var err error
	s.client, err = kgo.NewClient(kgo.SeedBrokers(s.seeds...), kgo.DefaultProduceTopic("orders"), kgo.MetadataMinAge(200*time.Millisecond),
		kgo.ProduceRequestTimeout(10*time.Second))
	s.must(err)
}

// createTopic asks the controller, which clients find in the brokers' metadata.
func (s *simulatedCluster) createTopic() {
	s.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "orders", simulatedPartitions, 3
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 30_000
	s.eventually("the topic", func() error {
		resp, err := req.RequestWith(s.ctx, s.client)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return err
		}
		return nil
	})
}

func (s *simulatedCluster) eventually(what string, f func() error) {
	s.Helper()
	var err error
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	s.Fatalf("no %s: %v", what, err)
}

// partitions asks one broker after the other for the topic's metadata.
func (s *simulatedCluster) partitions() ([]kmsg.MetadataResponseTopicPartition, error) {
	req := kmsg.NewPtrMetadataRequest()
	name := "orders"
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
	resp, err := req.RequestWith(s.ctx, s.client)
	if err != nil {
		return nil, err
	}
	if n := len(resp.Topics); n != 1 || len(resp.Topics[0].Partitions) != simulatedPartitions {
		return nil, fmt.Errorf("%d topics in the metadata, or too few partitions", n)
	}
	return resp.Topics[0].Partitions, nil
}

func (s *simulatedCluster) each(what string, f func(p kmsg.MetadataResponseTopicPartition) error) {
	s.Helper()
	s.eventually(what, func() error {
		ps, err := s.partitions()
		if err != nil {
			return err
		}
		for _, p := range ps {
			if err := f(p); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *simulatedCluster) waitISR(n int) {
	s.Helper()
	s.each("full ISR", func(p kmsg.MetadataResponseTopicPartition) error {
		if len(p.ISR) != n || p.Leader < 0 {
			return fmt.Errorf("partition %d: leader %d, isr %v", p.Partition, p.Leader, p.ISR)
		}
		return nil
	})
}

func (s *simulatedCluster) waitLeaderNot(id int32) {
	s.Helper()
	s.each("other leader", func(p kmsg.MetadataResponseTopicPartition) error {
		if p.Leader == id && p.Partition == 0 || p.Leader < 0 {
			return fmt.Errorf("partition %d: leader %d", p.Partition, p.Leader)
		}
		return nil
	})
}

// leads is the broker that leads the first partition.
func (s *simulatedCluster) leads() *simbroker.Broker {
	s.Helper()
	var id int32
	s.each("leader", func(p kmsg.MetadataResponseTopicPartition) error {
		if p.Partition == 0 {
			id = p.Leader
		}
		return nil
	})
	return s.brokers[id-1]
}

// more produces with acks=all; every record has to be acknowledged.
func (s *simulatedCluster) more(n int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Minute)
	defer cancel()
	for range n {
		r := &kgo.Record{Value: fmt.Append(nil, s.acked)}
		s.must(s.client.ProduceSync(ctx, r).FirstErr())
		s.acked++
	}
}

// readAll reads the topic from its beginning: everything acknowledged is there, once.
func (s *simulatedCluster) readAll() {
	s.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.seeds...), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	s.must(err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	seen := map[string]int{}
	for len(seen) < s.acked {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			s.Fatalf("%d of %d records: %v", len(seen), s.acked, fetches.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
	}
	for value, times := range seen {
		if times != 1 {
			s.Errorf("record %s is there %d times", value, times)
		}
	}
	s.Logf("%d records acknowledged, all read back", s.acked)
}
