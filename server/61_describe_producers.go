package server

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeProducers, v0: addressed to a replica, which Baton never is; the client then
// looks for the leader.
func describeProducersAPI() api {
	return api{key: keyDescribeProducers, inspect: true, active: typed(describeProducers), standby: typed(describeProducers)}
}

func describeProducers(_ context.Context, _ *request, req *kmsg.DescribeProducersRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.DescribeProducersResponse](req)
	resp.Topics = []kmsg.DescribeProducersResponseTopic{}
	for _, t := range req.Topics {
		out := kmsg.NewDescribeProducersResponseTopic()
		out.Topic, out.Partitions = t.Topic, []kmsg.DescribeProducersResponseTopicPartition{}
		for _, n := range t.Partitions {
			p := kmsg.NewDescribeProducersResponseTopicPartition()
			p.Partition, p.ErrorCode = n, kerr.NotLeaderForPartition.Code
			p.ErrorMessage = &kerr.NotLeaderForPartition.Description
			p.ActiveProducers = []kmsg.DescribeProducersResponseTopicPartitionActiveProducer{}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}
