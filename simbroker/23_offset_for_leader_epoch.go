package simbroker

import (
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetForLeaderEpoch, v2-4: where an epoch ends; clients ask to find a log that was cut.
func offsetForLeaderEpoch(p *process, _ *request, req *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	resp := respond[*kmsg.OffsetForLeaderEpochResponse](req)
	for _, t := range req.Topics {
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = t.Topic
		for _, op := range t.Partitions {
			pr := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			pr.Partition, pr.LeaderEpoch, pr.EndOffset = op.Partition, noEpoch, -1
			r, e := p.leader(partition.ID{Topic: t.Topic, Number: op.Partition}, op.CurrentLeaderEpoch)
			if pr.ErrorCode = code(e); e == nil {
				pr.LeaderEpoch, pr.EndOffset, _ = r.log.endOf(op.LeaderEpoch)
			}
			out.Partitions = append(out.Partitions, pr)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
