package simbroker

import (
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Replica ids that are no broker's.
const (
	consumer          int32 = -1
	debuggingConsumer int32 = -2 // served by any replica; by ListOffsets up to the log's end
	futureReplica     int32 = -3 // of a log directory: reads up to the log's end, whoever asks
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
			find := p.leader
			if req.ReplicaID == debuggingConsumer {
				find = p.local
			}
			r, e := find(partition.ID{Topic: t.Topic, Number: lp.Partition}, lp.CurrentLeaderEpoch)
			if e == nil && lp.Timestamp == latestOffset && req.ReplicaID == consumer && r.high < r.epochStart {
				// A new leader may not know yet what is committed: answering now could make
				// offsets go back (KIP-207).
				if e = kerr.OffsetNotAvailable; req.Version < 5 {
					e = kerr.LeaderNotAvailable
				}
			}
			if pr.ErrorCode = code(e); e == nil {
				pr.Offset, pr.Timestamp, pr.LeaderEpoch = r.offsetFor(lp.Timestamp, req.ReplicaID != consumer)
			}
			out.Partitions = append(out.Partitions, pr)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// offsetFor looks up to the high watermark, or to the log's end. The epoch is that of the records at the offset, and
// of the replica at the end.
func (r *replica) offsetFor(timestamp int64, toEnd bool) (offset, at int64, epoch int32) {
	upTo := r.high
	if toEnd {
		upTo = r.log.end()
	}
	switch timestamp {
	case latestOffset:
		return upTo, -1, r.leaderEpoch
	case earliestOffset, localEarliest:
		if len(r.log.epochs) == 0 {
			return 0, -1, noEpoch
		}
		return 0, -1, r.log.epochs[0].epoch
	case tieredOffset:
		return -1, -1, -1
	}
	best := -1
	for i, b := range r.log.batches {
		if b.last >= upTo {
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
