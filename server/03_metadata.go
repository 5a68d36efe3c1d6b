package server

import (
	"context"
	"math"
	"slices"

	"baton/cluster"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata, v0-12: answered from the image while active, by a broker otherwise.
//
//   - Nodes are the brokers with an endpoint on the listener the client came in on, and
//     Baton, which is the controller.
//   - v0: an empty list asks for all topics; v1+: null does, and empty asks for none.
//   - Below v4 a missing topic may always be created; from v4 the client says.
//   - A partition that nobody ever led is unknown, and so is a topic without another one:
//     brokers are not told of it.
//   - v12 may ask by topic id; before, that is INVALID_REQUEST for each topic.
//   - Topics are created as brokers of 2.8-3.9 do it: LEADER_NOT_AVAILABLE when it
//     worked, since there is no leader yet.
func metadataAPI() api {
	return api{key: keyMetadata, max: 12, active: typed(metadata)}
}

// What a broker without an authorizer says a client may do with a topic and the cluster.
const (
	topicOperations   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	clusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

func metadata(ctx context.Context, r *request, req *kmsg.MetadataRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.MetadataResponse](req)
	resp.Brokers, resp.Topics = []kmsg.MetadataResponseBroker{}, []kmsg.MetadataResponseTopic{}
	if metadataInvalid(req, resp) {
		return resp, nil
	}
	var missing []string
	err := r.view(ctx, func(v planner.View) {
		b := metadataBuilder{ids: []int32{}, View: v, request: r, resp: resp, ops: req.IncludeTopicAuthorizedOperations}
		b.nodes()
		b.topics(req)
		missing = b.missing
	})
	if err != nil {
		return nil, err
	}
	if id := r.cfg.ClusterID(); id != "" {
		resp.ClusterID = &id
	}
	resp.ControllerID = r.cfg.ID
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	create := r.cfg.AutoCreate() && (req.Version < 4 || req.AllowAutoTopicCreation) && !askedByID(req)
	codes, err := r.missingTopics(ctx, missing, create)
	if err != nil {
		return nil, err
	}
	for i, name := range missing {
		t := newMetadataTopic(&missing[i], codes[i])
		t.IsInternal = isInternal(name)
		if req.IncludeTopicAuthorizedOperations {
			t.AuthorizedOperations = topicOperations // brokers say so of topics that do not exist, too
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp, nil
}

// metadataInvalid answers what brokers refuse as a whole.
func metadataInvalid(req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) bool {
	bad := req.Version < 12 && slices.ContainsFunc(req.Topics, func(t kmsg.MetadataRequestTopic) bool {
		return t.Topic == nil || t.TopicID != [16]byte{}
	})
	if !bad {
		return false
	}
	for _, t := range req.Topics {
		name := ""
		if t.Topic != nil {
			name = *t.Topic
		}
		out := newMetadataTopic(&name, kerr.InvalidRequest.Code)
		out.TopicID = t.TopicID
		resp.Topics = append(resp.Topics, out)
	}
	return true
}

func askedByID(req *kmsg.MetadataRequest) bool {
	return slices.ContainsFunc(req.Topics, func(t kmsg.MetadataRequestTopic) bool { return t.TopicID != [16]byte{} })
}

func newMetadataTopic(name *string, code int16) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic, t.ErrorCode = name, code
	t.Partitions = []kmsg.MetadataResponseTopicPartition{}
	return t
}

// metadataBuilder fills a response on the loop's goroutine.
type metadataBuilder struct {
	planner.View
	*request
	resp    *kmsg.MetadataResponse
	ops     bool
	missing []string
	ids     []int32 // holds the copies of all id lists: the loop waits for this
}

// copyIDs returns a copy that is never nil and that the image does not share.
func (b *metadataBuilder) copyIDs(ids []int32) []int32 {
	at := len(b.ids)
	b.ids = append(b.ids, ids...)
	return slices.Clip(b.ids[at:])
}

func (b *metadataBuilder) nodes() {
	for _, n := range nodesOn(b.View, b.listener) {
		out := kmsg.NewMetadataResponseBroker()
		out.NodeID, out.Host, out.Port, out.Rack = n.id, n.host, n.port, n.rack
		b.resp.Brokers = append(b.resp.Brokers, out)
	}
}

func (b *metadataBuilder) topics(req *kmsg.MetadataRequest) {
	if req.Topics == nil || (req.Version == 0 && len(req.Topics) == 0) {
		for _, t := range b.Image.Topics() {
			if served(t) {
				b.add(t)
			}
		}
		return
	}
	seen := make(map[string]bool, len(req.Topics))
	for _, want := range req.Topics {
		if want.TopicID != [16]byte{} || want.Topic == nil {
			b.byID(want.TopicID, seen)
			continue
		}
		name := *want.Topic
		if seen[name] {
			continue
		}
		seen[name] = true
		if t := b.Image.Topic(name); served(t) {
			b.add(t)
		} else {
			b.missing = append(b.missing, name)
		}
	}
}

func (b *metadataBuilder) byID(id cluster.TopicID, seen map[string]bool) {
	if t := b.Image.TopicByID(id); !id.IsZero() && served(t) {
		if !seen[t.Name] {
			seen[t.Name] = true
			b.add(t)
		}
		return
	}
	if !seen[string(id[:])] {
		seen[string(id[:])] = true
		out := newMetadataTopic(nil, kerr.UnknownTopicID.Code)
		out.TopicID = id
		b.resp.Topics = append(b.resp.Topics, out)
	}
}

// served says whether brokers know a topic, once they have heard of everything.
func served(t *cluster.Topic) bool {
	return t != nil && !t.Deleting && slices.ContainsFunc(t.Partitions, func(p cluster.Partition) bool { return p.Known })
}

func (b *metadataBuilder) add(t *cluster.Topic) {
	name := t.Name
	out := newMetadataTopic(&name, 0)
	out.TopicID, out.IsInternal = t.ID, isInternal(name)
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, len(t.Partitions))
	if b.ops {
		out.AuthorizedOperations = topicOperations
	}
	for i := range t.Partitions {
		if p := &t.Partitions[i]; p.Known {
			out.Partitions = append(out.Partitions, b.partition(p))
		}
	}
	b.resp.Topics = append(b.resp.Topics, out)
}

func (b *metadataBuilder) partition(p *cluster.Partition) kmsg.MetadataResponseTopicPartition {
	out := kmsg.NewMetadataResponseTopicPartition()
	out.Partition, out.Leader = p.Number, -1
	out.Replicas = b.copyIDs(p.Told().Replicas)
	out.ISR = []int32{}
	out.OfflineReplicas = b.Image.OfflineReplicas(p)
	if p.Broken != "" {
		out.ErrorCode = kerr.LeaderNotAvailable.Code
		return out
	}
	out.ISR = b.copyIDs(p.State.ISR)
	out.LeaderEpoch = int32(p.State.LeaderEpoch)
	leader := b.Image.Broker(p.State.Leader)
	switch {
	case leader == nil:
		out.ErrorCode = kerr.LeaderNotAvailable.Code
	case !hasListener(leader, b.listener):
		// Older clients do not know the code that says it better.
		out.ErrorCode = kerr.LeaderNotAvailable.Code
		if b.version >= 6 {
			out.ErrorCode = kerr.ListenerNotFound.Code
		}
	default:
		out.Leader = leader.ID
	}
	if b.version == 0 {
		b.filterForOld(&out)
	}
	return out
}

// filterForOld: clients of v0 fail on a replica that is not in the list of nodes.
func (b *metadataBuilder) filterForOld(out *kmsg.MetadataResponseTopicPartition) {
	gone := func(id int32) bool {
		n := b.Image.Broker(id)
		return n == nil || !hasListener(n, b.listener)
	}
	before := len(out.Replicas) + len(out.ISR)
	out.Replicas = slices.DeleteFunc(out.Replicas, gone)
	out.ISR = slices.DeleteFunc(out.ISR, gone)
	if out.ErrorCode == 0 && len(out.Replicas)+len(out.ISR) < before {
		out.ErrorCode = kerr.ReplicaNotAvailable.Code
	}
}

func hasListener(b *cluster.Broker, listener string) bool {
	_, ok := b.Endpoint(listener)
	return ok
}

const noOperations = math.MinInt32 // authorized operations that were not asked for
