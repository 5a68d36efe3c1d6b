package simbroker

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const noOperations = math.MinInt32 // authorized operations that were not asked for

// Metadata, v0-12, from the metadata cache (14.2). Nodes are the live brokers with an
// endpoint on the client's listener; the controller is the cached id, verbatim. Topics
// are not created by asking for them.
func metadata(p *process, r *request, req *kmsg.MetadataRequest) kmsg.Response {
	resp := respond[*kmsg.MetadataResponse](req)
	resp.ControllerID, resp.AuthorizedOperations = p.cache.controller, noOperations
	if p.clusterID != "" {
		resp.ClusterID = &p.clusterID
	}
	for _, b := range p.cache.nodes(r.listener) {
		n := kmsg.NewMetadataResponseBroker()
		n.NodeID, n.Rack = b.id, b.rack
		n.Host, n.Port = hostPort(b.endpoints[r.listener])
		resp.Brokers = append(resp.Brokers, n)
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for _, name := range p.cache.topics() {
			resp.Topics = append(resp.Topics, p.cache.describe(name, r))
		}
		return resp
	}
	for _, t := range req.Topics {
		name, known := "", true
		if t.Topic != nil {
			name = *t.Topic
		} else {
			name, known = p.cache.topicOf(t.TopicID)
		}
		if !known {
			out := kmsg.NewMetadataResponseTopic()
			out.TopicID, out.ErrorCode = t.TopicID, kerr.UnknownTopicID.Code
			resp.Topics = append(resp.Topics, out)
			continue
		}
		resp.Topics = append(resp.Topics, p.cache.describe(name, r))
	}
	return resp
}

func (c *cache) nodes(listener string) (out []liveBroker) {
	for _, b := range c.live {
		if b.endpoints[listener] != "" {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b liveBroker) int { return cmp.Compare(a.id, b.id) })
	return out
}

func (c *cache) topics() []string {
	names := map[string]bool{}
	for id := range c.parts {
		names[id.Topic] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func (c *cache) describe(name string, r *request) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.Topic, out.TopicID = &name, c.ids[name]
	out.IsInternal = name == "__consumer_offsets" || name == "__transaction_state"
	for id, ps := range c.parts {
		if id.Topic == name {
			out.Partitions = append(out.Partitions, c.describePartition(id, &ps, r))
		}
	}
	slices.SortFunc(out.Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int { return cmp.Compare(a.Partition, b.Partition) })
	if len(out.Partitions) == 0 {
		out.ErrorCode = kerr.UnknownTopicOrPartition.Code
	}
	return out
}

func (c *cache) describePartition(id partition.ID, ps *kmsg.UpdateMetadataRequestTopicPartition, r *request) kmsg.MetadataResponseTopicPartition {
	mp := kmsg.NewMetadataResponseTopicPartition()
	mp.Partition, mp.Leader, mp.LeaderEpoch = id.Number, ps.Leader, ps.LeaderEpoch
	mp.Replicas, mp.ISR, mp.OfflineReplicas = ps.Replicas, ps.ISR, ps.OfflineReplicas
	switch {
	case !c.alive(ps.Leader):
		mp.ErrorCode, mp.Leader = kerr.LeaderNotAvailable.Code, -1
	case c.address(ps.Leader, r.listener) == "":
		mp.ErrorCode, mp.Leader = kerr.LeaderNotAvailable.Code, -1
		if r.Version >= 6 {
			mp.ErrorCode = kerr.ListenerNotFound.Code
		}
	}
	return mp
}
