package simbroker

import (
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// StopReplica, v0-4 (10.2). v0-2 have one delete flag and no leader epoch. With a
// stale epoch no partition is listed.
func stopReplica(p *process, _ *request, req *kmsg.StopReplicaRequest) kmsg.Response {
	resp := respond[*kmsg.StopReplicaResponse](req)
	if resp.ErrorCode = p.admit(req.BrokerEpoch, req.ControllerEpoch, req.IsKRaftController); resp.ErrorCode != 0 && resp.ErrorCode != kerr.UnknownServerError.Code {
		return resp
	}
	for _, t := range req.Topics {
		for _, s := range stopStates(req, &t) {
			pc := kmsg.NewStopReplicaResponsePartition()
			pc.Topic, pc.Partition = t.Topic, s.Partition
			if pc.ErrorCode = resp.ErrorCode; pc.ErrorCode == 0 {
				pc.ErrorCode = p.stopOne(partition.ID{Topic: t.Topic, Number: s.Partition}, s.LeaderEpoch, s.Delete)
			}
			resp.Partitions = append(resp.Partitions, pc)
		}
	}
	return resp
}

// stopStates gives all versions the shape of v3. Of a partition that is named twice the
// last counts, and one is answered [observed 3.9.1].
func stopStates(req *kmsg.StopReplicaRequest, t *kmsg.StopReplicaRequestTopic) (out []kmsg.StopReplicaRequestTopicPartitionState) {
	all, index := allStopStates(req, t), map[int32]int{}
	for _, s := range all {
		if at, twice := index[s.Partition]; twice {
			out[at] = s
			continue
		}
		index[s.Partition] = len(out)
		out = append(out, s)
	}
	return out
}

func allStopStates(req *kmsg.StopReplicaRequest, t *kmsg.StopReplicaRequestTopic) []kmsg.StopReplicaRequestTopicPartitionState {
	var numbers []int32
	switch {
	case req.Version >= 3:
		return t.PartitionStates
	case req.Version == 0:
		numbers = []int32{t.Partition}
	default:
		numbers = t.Partitions
	}
	var out []kmsg.StopReplicaRequestTopicPartitionState
	for _, n := range numbers {
		out = append(out, kmsg.StopReplicaRequestTopicPartitionState{Partition: n, LeaderEpoch: epochUnknown, Delete: req.DeletePartitions})
	}
	return out
}

func (p *process) stopOne(id partition.ID, epoch int32, del bool) int16 {
	r := p.parts[id]
	if r == nil {
		// What an earlier life left is removed all the same.
		if del {
			p.opts.Disk.remove(id)
		}
		return 0
	}
	switch {
	case r.offline:
		return kerr.KafkaStorageError.Code
	case epoch != epochDuringDelete && epoch != epochUnknown && epoch < r.leaderEpoch: // 2.6+
		return kerr.FencedLeaderEpoch.Code
	}
	if del {
		p.release(r, idle)
		delete(p.parts, id)
		p.opts.Disk.remove(id)
		p.wake(id)
		return 0
	}
	// Only the fetching ends: a leader that is stopped without deletion goes on leading
	// until it hears of the new leader.
	if r.role == following {
		r.role = idle
	}
	return 0
}
