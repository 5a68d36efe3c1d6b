package server

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// LeaderAndIsr, v0-7: only a broker's embedded controller sends it to us, when it holds
// the role and finds Baton registered as a broker. Baton has no replicas, so there is
// nothing to do, and anything but NONE would make that controller act. v0-4 answers by
// name, v5+ by topic id.
func leaderAndISRAPI() api {
	return api{key: keyLeaderAndISR, max: 7, active: typed(leaderAndISR), standby: typed(leaderAndISR), limit: 1 << 20}
}

func leaderAndISR(_ context.Context, _ *request, req *kmsg.LeaderAndISRRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.LeaderAndISRResponse](req)
	resp.Partitions = []kmsg.LeaderAndISRResponseTopicPartition{}
	resp.Topics = []kmsg.LeaderAndISRResponseTopic{}
	for _, p := range req.PartitionStates {
		resp.Partitions = append(resp.Partitions, kmsg.LeaderAndISRResponseTopicPartition{Topic: p.Topic, Partition: p.Partition})
	}
	for _, t := range req.TopicStates {
		out := kmsg.NewLeaderAndISRResponseTopic()
		out.TopicID, out.Partitions = t.TopicID, []kmsg.LeaderAndISRResponseTopicPartition{}
		for _, p := range t.PartitionStates {
			answer := kmsg.LeaderAndISRResponseTopicPartition{Topic: t.Topic, Partition: p.Partition}
			if req.Version < 5 {
				resp.Partitions = append(resp.Partitions, answer)
			} else {
				out.Partitions = append(out.Partitions, answer)
			}
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}
