package server_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"baton/planner"
	"baton/server/servertest"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestFranzGo(t *testing.T) {
	r := newRig(t, 2, nil)
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.Addr(listener).String()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "by-franz", NumPartitions: 3, ReplicationFactor: 2}}
	created, err := create.RequestWith(ctx, cl)
	if err != nil || len(created.Topics) != 1 || created.Topics[0].ErrorCode != 0 || created.Topics[0].NumPartitions != 3 {
		t.Fatalf("create: %+v %v", created, err)
	}
	// Every node is asked, Baton among them, and none may fail.
	for _, shard := range cl.RequestSharded(ctx, kmsg.NewPtrListGroupsRequest()) {
		if shard.Err != nil {
			t.Errorf("list groups of node %d: %v", shard.Meta.NodeID, shard.Err)
		}
	}
	configs := kmsg.NewPtrDescribeConfigsRequest()
	configs.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "2000000"}}
	described, err := configs.RequestWith(ctx, cl)
	if err != nil || len(described.Resources) != 1 || len(described.Resources[0].Configs) != 1 {
		t.Errorf("describe Baton: %+v %v", described, err)
	}
	deleting := kmsg.NewPtrDeleteTopicsRequest()
	deleting.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: ptr("by-franz")}}
	deleted, err := deleting.RequestWith(ctx, cl)
	if err != nil || deleted.Topics[0].ErrorCode != 0 || *deleted.Topics[0].Topic != "by-franz" {
		t.Errorf("delete: %+v %v", deleted, err)
	}
}

func TestSaramaAdmin(t *testing.T) {
	for _, version := range []sarama.KafkaVersion{sarama.V0_11_0_0, sarama.V2_4_0_0, sarama.V3_6_0_0} {
		t.Run(version.String(), func(t *testing.T) {
			r := newRig(t, 2, nil)
			cfg := sarama.NewConfig()
			cfg.Version = version
			admin, err := sarama.NewClusterAdmin([]string{r.Addr(listener).String()}, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = admin.Close() }()
			if err := admin.CreateTopic("by-sarama", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false); err != nil {
				t.Errorf("create: %v", err)
			}
			nodes, controller, err := admin.DescribeCluster()
			if err != nil || controller != servertest.BatonID || len(nodes) != 3 {
				t.Errorf("describe cluster: %d nodes, controller %d, %v", len(nodes), controller, err)
			}
			meta, err := admin.DescribeTopics([]string{"by-sarama"})
			if err != nil || len(meta) != 1 || len(meta[0].Partitions) != 2 || meta[0].Partitions[0].Leader != 1 {
				t.Errorf("describe: %+v %v", meta, err)
			}
			results, err := admin.ElectLeaders(sarama.PreferredElection, map[string][]int32{"by-sarama": {0, 1}})
			if err != nil || !errors.Is(results["by-sarama"][0].ErrorCode, sarama.KError(84)) || !errors.Is(results["by-sarama"][1].ErrorCode, sarama.ErrNoError) {
				t.Errorf("elections: %+v %v", results, err)
			}
			if _, err := admin.ListConsumerGroups(); err != nil {
				t.Errorf("list groups: %v", err)
			}
			if err := admin.CreatePartitions("by-sarama", 5, nil, false); err != nil && version.IsAtLeast(sarama.V1_0_0_0) {
				t.Errorf("grow: %v", err)
			}
			if err := admin.DeleteTopic("by-sarama"); err != nil {
				t.Errorf("delete: %v", err)
			}
			if err := admin.CreateTopic("by-sarama", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, true); err != nil {
				t.Errorf("validate: %v", err)
			}
			if !slices.ContainsFunc(r.ctl.Calls(), func(b planner.CallBody) bool {
				c, ok := b.(planner.CreateTopics)
				return ok && c.Topics[0].Name == "by-sarama"
			}) {
				t.Error("the controller was not asked")
			}
		})
	}
}
