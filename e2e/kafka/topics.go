package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopic creates a topic through the controller and waits until every partition has all its replicas in sync.
func (c *Cluster) CreateTopic(ctx context.Context, topic string, partitions, replicas int, configs ...string) error {
	req := kmsg.NewCreateTopicsRequestTopic()
	req.Topic, req.NumPartitions, req.ReplicationFactor = topic, int32(partitions), int16(replicas)
	for i := 0; i+1 < len(configs); i += 2 {
		cfg := kmsg.NewCreateTopicsRequestTopicConfig()
		cfg.Name, cfg.Value = configs[i], &configs[i+1]
		req.Configs = append(req.Configs, cfg)
	}
	return c.createTopic(ctx, req)
}

// CreateTopicOn creates a topic whose partition i lives on the brokers assignment[i], the first one preferred.
func (c *Cluster) CreateTopicOn(ctx context.Context, topic string, assignment ...[]int32) error {
	req := kmsg.NewCreateTopicsRequestTopic()
	req.Topic, req.NumPartitions, req.ReplicationFactor = topic, -1, -1
	for i, replicas := range assignment {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = int32(i), replicas
		req.ReplicaAssignment = append(req.ReplicaAssignment, a)
	}
	return c.createTopic(ctx, req)
}

func (c *Cluster) createTopic(ctx context.Context, topic kmsg.CreateTopicsRequestTopic) error {
	ctx, cancel := deadline(ctx, time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...), kgo.AlwaysRetryEOF())
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 30_000
	req.Topics = []kmsg.CreateTopicsRequestTopic{topic}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic.Topic, err)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			message := ""
			if t.ErrorMessage != nil {
				message = *t.ErrorMessage
			}
			return fmt.Errorf("create topic %s: %w: %s", t.Topic, err, message)
		}
	}
	return c.WaitISRFull(ctx, topic.Topic)
}
