package servertest

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// refused fills requests whose answer repeats their items with a code.
func (b builder) refused(req kmsg.Request) {
	own := strconv.Itoa(int(BatonID))
	switch r := req.(type) {
	case *kmsg.AllocateProducerIDsRequest:
		r.BrokerID, r.BrokerEpoch = 1, 100
	case *kmsg.AlterConfigsRequest:
		r.Resources = append(r.Resources, kmsg.AlterConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: own})
	case *kmsg.IncrementalAlterConfigsRequest:
		r.Resources = append(r.Resources, kmsg.IncrementalAlterConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: own})
	case *kmsg.DescribeClusterRequest:
		r.EndpointType, r.IncludeClusterAuthorizedOperations = 1, b.shape == Full
		if b.shape == Errors {
			r.EndpointType = 2
		}
	case *kmsg.ElectLeadersRequest:
		if b.shape != Null {
			r.Topics = []kmsg.ElectLeadersRequestTopic{}
		}
	case *kmsg.ListPartitionReassignmentsRequest:
		if b.shape != Null {
			r.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: "moving", Partitions: []int32{0, 1, 2, 3, 77}}, {Topic: "unknown", Partitions: []int32{0}}}
		}
		return
	}
	for i := range b.n {
		b.item(req, i)
	}
}

func (b builder) item(req kmsg.Request, i int) {
	name, numbers := b.name(i), []int32{0, 1}
	switch r := req.(type) {
	case *kmsg.DeleteTopicsRequest:
		t := kmsg.DeleteTopicsRequestTopic{Topic: &name}
		if i%2 == 1 {
			t = kmsg.DeleteTopicsRequestTopic{TopicID: TopicID(i)}
		}
		r.TopicNames, r.Topics = append(r.TopicNames, name), append(r.Topics, t)
	case *kmsg.AlterConfigsRequest: // beside Baton itself, which makes the request ours to answer
		r.Resources = append(r.Resources, kmsg.AlterConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name})
	case *kmsg.IncrementalAlterConfigsRequest:
		r.Resources = append(r.Resources, kmsg.IncrementalAlterConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name})
	case *kmsg.CreatePartitionsRequest:
		r.Topics = append(r.Topics, kmsg.CreatePartitionsRequestTopic{Topic: name, Count: 9})
	case *kmsg.ElectLeadersRequest:
		if b.shape != Null {
			r.Topics = append(r.Topics, kmsg.ElectLeadersRequestTopic{Topic: name, Partitions: numbers})
		}
	case *kmsg.AlterPartitionAssignmentsRequest:
		r.Topics = append(r.Topics, kmsg.AlterPartitionAssignmentsRequestTopic{
			Topic: name, Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: 0, Replicas: []int32{1}}, {Partition: 1}},
		})
	case *kmsg.AlterUserSCRAMCredentialsRequest:
		r.Deletions = append(r.Deletions, kmsg.AlterUserSCRAMCredentialsRequestDeletion{Name: name, Mechanism: 1})
		r.Upsertions = append(r.Upsertions, kmsg.AlterUserSCRAMCredentialsRequestUpsertion{Name: name + "-new", Mechanism: 1, Iterations: 4096})
	case *kmsg.UpdateFeaturesRequest:
		r.FeatureUpdates = append(r.FeatureUpdates, kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: name, MaxVersionLevel: 1, UpgradeType: 1})
	case *kmsg.DescribeProducersRequest:
		r.Topics = append(r.Topics, kmsg.DescribeProducersRequestTopic{Topic: name, Partitions: numbers})
	case *kmsg.AlterReplicaLogDirsRequest:
		r.Dirs = append(r.Dirs, kmsg.AlterReplicaLogDirsRequestDir{Dir: "/d", Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: name, Partitions: numbers}}})
	}
}
