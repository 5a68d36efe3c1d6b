package servertest

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Request builds a request that brings out a shape's response.
func Request(key, version int16, shape Shape) kmsg.Request {
	n := map[Shape]int{Full: 3, Null: 2, Long: 150, Errors: 2, Standby: 2}[shape]
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	b := builder{n: n, shape: shape, version: version}
	switch r := req.(type) {
	case *kmsg.MetadataRequest:
		b.metadata(r)
	case *kmsg.LeaderAndISRRequest:
		b.leaderAndISR(r)
	case *kmsg.StopReplicaRequest:
		b.stopReplica(r)
	case *kmsg.ControlledShutdownRequest:
		r.BrokerID, r.BrokerEpoch = 1, 100
		if shape == Empty {
			r.BrokerID = 77
		}
	case *kmsg.FindCoordinatorRequest:
		r.CoordinatorKey, r.CoordinatorKeys = "group", []string{}
		for i := range n {
			r.CoordinatorKeys = append(r.CoordinatorKeys, fmt.Sprintf("group-%d", i))
		}
		if shape == Null && version > 0 {
			r.CoordinatorType = 1
		}
		if shape == Errors && version > 0 {
			r.CoordinatorType = 2
		}
	case *kmsg.ApiVersionsRequest:
		r.ClientSoftwareName, r.ClientSoftwareVersion = "samples", "1.0"
		if shape == Errors {
			r.ClientSoftwareName = "-not-valid-"
		}
	case *kmsg.CreateTopicsRequest:
		b.createTopics(r)
	case *kmsg.DescribeConfigsRequest:
		b.describeConfigs(r)
	case *kmsg.AlterPartitionRequest:
		b.alterPartition(r)
	default:
		b.refused(req)
	}
	return req
}

type builder struct {
	n       int
	shape   Shape
	version int16
}

func (b builder) name(i int) string { return TopicName(i, b.shape) }

func (b builder) metadata(r *kmsg.MetadataRequest) {
	r.IncludeClusterAuthorizedOperations, r.IncludeTopicAuthorizedOperations = b.shape == Full, b.shape == Full
	r.Topics = []kmsg.MetadataRequestTopic{}
	switch b.shape {
	case Null, Long:
		if b.version > 0 {
			r.Topics = nil
		}
		return
	case Errors:
		unknown, illegal := "no-such-topic", "no such topic"
		r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{Topic: &unknown}, kmsg.MetadataRequestTopic{Topic: &illegal})
		if b.version >= 12 {
			r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{TopicID: TopicID(4444)})
		}
		return
	}
	for i := range b.n {
		name := b.name(i)
		r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{Topic: &name})
	}
	if b.shape == Full {
		odd, fresh := "odd", "new-topic"
		r.AllowAutoTopicCreation = true
		r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{Topic: &odd}, kmsg.MetadataRequestTopic{Topic: &fresh})
	}
}

func (b builder) leaderAndISR(r *kmsg.LeaderAndISRRequest) {
	for i := range b.n {
		p := kmsg.LeaderAndISRRequestTopicPartition{Topic: b.name(i), Partition: int32(i), ISR: []int32{1}, Replicas: []int32{1}}
		if b.version < 2 {
			r.PartitionStates = append(r.PartitionStates, p)
			continue
		}
		r.TopicStates = append(r.TopicStates, kmsg.LeaderAndISRRequestTopicState{
			Topic: b.name(i), TopicID: TopicID(i), PartitionStates: []kmsg.LeaderAndISRRequestTopicPartition{p, p},
		})
	}
}

func (b builder) stopReplica(r *kmsg.StopReplicaRequest) {
	for i := range b.n {
		t := kmsg.StopReplicaRequestTopic{Topic: b.name(i), Partition: 1}
		if b.version >= 3 {
			t.PartitionStates = []kmsg.StopReplicaRequestTopicPartitionState{{Partition: 1}, {Partition: 2}}
		} else {
			t.Partitions = []int32{1, 2}
		}
		r.Topics = append(r.Topics, t)
	}
}

func (b builder) createTopics(r *kmsg.CreateTopicsRequest) {
	r.TimeoutMillis = 1000
	for i := range b.n {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = "new-"+b.name(i), int32(i+1), 1
		t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "cleanup.policy", Value: kmsg.StringPtr("compact")}}
		if b.shape == Null {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			t.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: []int32{1}}}
			t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "cleanup.policy"}}
		}
		r.Topics = append(r.Topics, t)
	}
	if b.shape == Full {
		r.Topics = append(r.Topics, r.Topics[0]) // a duplicate: an error among successes
	}
}

func (b builder) describeConfigs(r *kmsg.DescribeConfigsRequest) {
	own := kmsg.NewDescribeConfigsRequestResource()
	own.ResourceType, own.ResourceName = kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(BatonID))
	own.ConfigNames = nil
	if b.shape == Errors {
		own.ConfigNames = []string{"node.id"}
		other := own
		other.ResourceType, other.ResourceName = kmsg.ConfigResourceTypeTopic, "topic-0"
		r.Resources = append(r.Resources, other)
	}
	r.Resources = append(r.Resources, own)
	r.IncludeSynonyms, r.IncludeDocumentation = true, true
}

func (b builder) alterPartition(r *kmsg.AlterPartitionRequest) {
	r.BrokerID, r.BrokerEpoch = 1, 100
	for i := range b.n {
		t := kmsg.AlterPartitionRequestTopic{Topic: b.name(i), TopicID: TopicID(i)}
		for n := range 2 {
			p := kmsg.AlterPartitionRequestTopicPartition{Partition: int32(n), LeaderEpoch: 7, PartitionEpoch: 3}
			for id := range int32(b.n) {
				p.NewISR = append(p.NewISR, id+1)
				p.NewEpochISR = append(p.NewEpochISR, kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{BrokerID: id + 1, BrokerEpoch: -1})
			}
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
}
