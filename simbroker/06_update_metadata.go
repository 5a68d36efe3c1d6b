package simbroker

import (
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// leaderDeleted is the leader of a partition whose topic is being deleted.
const leaderDeleted int32 = -2

// UpdateMetadata, v0-8 (10.3): partitions are merged, without a look at their epochs; the
// live list replaces the old one.
func updateMetadata(p *process, _ *request, req *kmsg.UpdateMetadataRequest) kmsg.Response {
	resp := respond[*kmsg.UpdateMetadataResponse](req)
	if resp.ErrorCode = p.admit(req.BrokerEpoch, req.ControllerEpoch, req.IsKRaftController); resp.ErrorCode != 0 {
		return resp
	}
	c := &p.cache
	c.controller = max(req.ControllerID, -1)
	clear(c.live)
	for i := range req.LiveBrokers {
		b := newLiveBroker(&req.LiveBrokers[i], req.Version)
		c.live[b.id] = b
	}
	for _, ps := range req.PartitionStates { // v0-4
		c.put(ps.Topic, ps)
	}
	for _, t := range req.TopicStates {
		for _, ps := range t.PartitionStates {
			c.put(t.Topic, ps)
		}
		c.setTopicID(t.Topic, t.TopicID) // v5-6 carry none, which removes it as well
	}
	p.wakeAll()
	return resp
}

func (c *cache) put(topic string, ps kmsg.UpdateMetadataRequestTopicPartition) {
	id := partition.ID{Topic: topic, Number: ps.Partition}
	if ps.Leader == leaderDeleted {
		delete(c.parts, id)
		return
	}
	c.parts[id] = ps
}

// setTopicID: a zero id removes what was known.
func (c *cache) setTopicID(topic string, id [16]byte) {
	delete(c.names, c.ids[topic])
	if id == ([16]byte{}) {
		delete(c.ids, topic)
		return
	}
	c.ids[topic], c.names[id] = id, topic
}
