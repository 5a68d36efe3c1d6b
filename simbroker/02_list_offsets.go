package simbroker

import (
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Timestamps with a meaning of their own.
const (
	latestOffset   int64 = -1
	earliestOffset int64 = -2
	maxTimestamp   int64 = -3
	localEarliest  int64 = -4
	tieredOffset   int64 = -5
)

// ListOffsets, v1-9. By timestamp it is exact to a batch, not to a record.
func listOffsets(p *process, _ *request, req *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := respond[*kmsg.ListOffsetsResponse](req)
	for _, t := range req.Topics {
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = t.Topic
		for _, lp := range t.Partitions {
			pr := kmsg.NewListOffsetsResponseTopicPartition()
			pr.Partition, pr.Offset, pr.Timestamp, pr.LeaderEpoch = lp.Partition, -1, -1, -1
			r, e := p.leader(partition.ID{Topic: t.Topic, Number: lp.Partition}, lp.CurrentLeaderEpoch)
			if e == nil && lp.Timestamp == latestOffset && req.ReplicaID < 0 && r.high < r.epochStart {
				// A new leader may not know yet what is committed: answering now could make
				// offsets go back (KIP-207).
				if e = kerr.OffsetNotAvailable; req.Version < 5 {
					e = kerr.LeaderNotAvailable
				}
			}
			if pr.ErrorCode = code(e); e == nil {
				pr.Offset, pr.Timestamp, pr.LeaderEpoch = r.offsetFor(lp.Timestamp, req.ReplicaID >= 0)
			}
			out.Partitions = append(out.Partitions, pr)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func (r *replica) offsetFor(timestamp int64, follower bool) (offset, at int64, epoch int32) {
	switch timestamp {
	case latestOffset:
		if follower {
			return r.log.end(), -1, r.leaderEpoch
		}
		return r.high, -1, r.leaderEpoch
	case earliestOffset, localEarliest:
		return 0, -1, r.leaderEpoch
	case tieredOffset:
		return -1, -1, -1
	}
	best := -1
	for i, b := range r.log.batches {
		if b.last >= r.high {
			break
		}
		if timestamp != maxTimestamp && b.maxTimestamp >= timestamp {
			return b.base, b.maxTimestamp, b.epoch
		}
		if timestamp == maxTimestamp && (best < 0 || b.maxTimestamp > r.log.batches[best].maxTimestamp) {
			best = i
		}
	}
	if best >= 0 {
		b := r.log.batches[best]
		return b.last, b.maxTimestamp, b.epoch
	}
	return -1, -1, -1
}
