package simbroker

import (
	"slices"

	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LeaderAndIsr, v0-7 (10.2). v0-1 are flat, v5+ carry and answer topic ids. A top-level
// error names every partition of the request, too.
func leaderAndISR(p *process, _ *request, req *kmsg.LeaderAndISRRequest) kmsg.Response {
	resp := respond[*kmsg.LeaderAndISRResponse](req)
	resp.ErrorCode = p.admit(req.BrokerEpoch, req.ControllerEpoch, req.IsKRaftController)
	for _, t := range topicStates(req) {
		out := kmsg.NewLeaderAndISRResponseTopic()
		out.TopicID = t.TopicID
		for _, ps := range p.once(&t) {
			pc := kmsg.NewLeaderAndISRResponseTopicPartition()
			pc.Topic, pc.Partition, pc.ErrorCode = t.Topic, ps.Partition, resp.ErrorCode
			if resp.ErrorCode == 0 {
				pc.ErrorCode = p.take(partition.ID{Topic: t.Topic, Number: ps.Partition}, ps, t.TopicID, req.IsKRaftController)
			}
			out.Partitions, resp.Partitions = append(out.Partitions, pc), append(resp.Partitions, pc)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// topicStates gives v0-1, which name the topic in each partition, the later shape.
func topicStates(req *kmsg.LeaderAndISRRequest) []kmsg.LeaderAndISRRequestTopicState {
	if req.Version >= 2 {
		return req.TopicStates
	}
	var out []kmsg.LeaderAndISRRequestTopicState
	for _, ps := range req.PartitionStates {
		out = append(out, kmsg.LeaderAndISRRequestTopicState{Topic: ps.Topic, PartitionStates: []kmsg.LeaderAndISRRequestTopicPartition{ps}})
	}
	return out
}

// once leaves one state of a partition that is named twice: the last with a new leader
// epoch. Kafka decides about all before it changes anything [observed 3.9.1].
func (p *process) once(t *kmsg.LeaderAndISRRequestTopicState) (out []*kmsg.LeaderAndISRRequestTopicPartition) {
	index := map[int32]int{}
	for i := range t.PartitionStates {
		ps := &t.PartitionStates[i]
		at, twice := index[ps.Partition]
		if !twice {
			index[ps.Partition] = len(out)
			out = append(out, ps)
			continue
		}
		r := p.parts[partition.ID{Topic: t.Topic, Number: ps.Partition}]
		if r == nil || ps.LeaderEpoch > r.leaderEpoch {
			out[at] = ps
		}
	}
	return out
}

// take decides about one partition; the first match wins (10.2, column 2.8-3.9).
func (p *process) take(id partition.ID, ps *kmsg.LeaderAndISRRequestTopicPartition, topicID [16]byte, kraft bool) int16 {
	r := p.parts[id]
	if r == nil {
		// Kafka keeps the object whatever comes of it; its leader epoch is -1.
		r = &replica{id: id, leaderEpoch: -1, partitionEpoch: -1, leader: -1}
		p.parts[id] = r
	}
	if r.offline {
		return kerr.KafkaStorageError.Code
	}
	have, none := p.topicIDOf(r), [16]byte{}
	switch {
	case topicID != none && have != none && topicID != have:
		return kerr.InconsistentTopicID.Code
	case ps.LeaderEpoch > r.leaderEpoch:
		if !slices.Contains(ps.Replicas, p.opts.ID) {
			return kerr.UnknownTopicOrPartition.Code
		}
		return p.apply(r, ps, topicID)
	case ps.LeaderEpoch < r.leaderEpoch:
		return kerr.StaleControllerEpoch.Code
	case topicID != none && have == none && r.log != nil:
		r.log.topicID = topicID // 3.0+: topic ids arrive without a new epoch
		return 0
	case topicID == none && have != none && ps.Leader != p.opts.ID:
		return 0 // 3.0+: fetches go on without the id
	case kraft:
		return p.apply(r, ps, topicID)
	}
	return kerr.StaleControllerEpoch.Code
}

// apply carries a partition's new state out.
func (p *process) apply(r *replica, ps *kmsg.LeaderAndISRRequestTopicPartition, topicID [16]byte) int16 {
	known := ps.Leader == p.opts.ID || p.cache.alive(ps.Leader)
	// 3.3+: a partition epoch that goes back is skipped, and answered with success.
	if known && ps.ZKVersion < r.partitionEpoch {
		return 0
	}
	if err := p.openLog(r, ps.IsNew, topicID); err != nil {
		p.markOffline(r)
		return kerr.KafkaStorageError.Code
	}
	switch {
	case ps.Leader == p.opts.ID:
		p.lead(r, ps)
	case known:
		p.follow(r, ps)
	default:
		// A leader that is not in the live list, -1 included: the log is made, the state
		// stays as it was, the answer is success. Its leader epoch is not taken either, so
		// the same request works once the leader is known [observed 3.9.1; 10.2 and
		// decisions.md say that it takes another epoch].
		p.logf("%v: leader %d is not known, ignored", r.id, ps.Leader)
	}
	return 0
}
