package server

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// StopReplica, v0-4: as LeaderAndIsr, answered with NONE for every partition. v0 names
// one partition an entry, v1-2 a list of numbers, v3+ structs. kmsg mixes up the order
// of two header fields of v4, which does not matter here: nothing of them is used, and
// both orders have the same length.
func stopReplicaAPI() api {
	return api{key: keyStopReplica, max: 4, active: typed(stopReplica), standby: typed(stopReplica), limit: 1 << 20}
}

func stopReplica(_ context.Context, _ *request, req *kmsg.StopReplicaRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.StopReplicaResponse](req)
	resp.Partitions = []kmsg.StopReplicaResponsePartition{}
	add := func(topic string, n int32) {
		resp.Partitions = append(resp.Partitions, kmsg.StopReplicaResponsePartition{Topic: topic, Partition: n})
	}
	for _, t := range req.Topics {
		if req.Version == 0 {
			add(t.Topic, t.Partition)
		}
		for _, n := range t.Partitions {
			add(t.Topic, n)
		}
		for _, p := range t.PartitionStates {
			add(t.Topic, p.Partition)
		}
	}
	return resp, nil
}
