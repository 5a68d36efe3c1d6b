package server

import (
	"context"
	"unicode/utf16"

	"baton/isr"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FindCoordinator, v0-6 (v4+ asks for several keys; 5 and 6 have the same bytes): the leader of the partition of
// __consumer_offsets (type 0) or __transaction_state (type 1) that the key hashes to. Share groups (type 2, v6) do not
// exist in ZooKeeper mode.
//
// A missing topic is created whatever auto.create.topics.enable says, as brokers do,
// and the client is told COORDINATOR_NOT_AVAILABLE, upon which it asks again.
func findCoordinatorAPI() api {
	return api{key: keyFindCoordinator, max: 6, active: typed(findCoordinator)}
}

func findCoordinator(ctx context.Context, r *request, req *kmsg.FindCoordinatorRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.FindCoordinatorResponse](req)
	resp.Coordinators = []kmsg.FindCoordinatorResponseCoordinator{}
	keys := req.CoordinatorKeys
	if req.Version < 4 {
		keys = []string{req.CoordinatorKey}
	}
	topic := offsetsTopic
	switch req.CoordinatorType {
	case 0:
	case 1:
		topic = transactionsTopic
	default:
		topic = ""
	}
	found := make([]kmsg.FindCoordinatorResponseCoordinator, len(keys))
	if topic == "" {
		for i, key := range keys {
			found[i] = noCoordinator(key, kerr.InvalidRequest)
		}
	} else if err := r.coordinators(ctx, topic, keys, found); err != nil {
		return nil, err
	}
	if req.Version >= 4 {
		resp.Coordinators = append(resp.Coordinators, found...)
		return resp, nil
	}
	f := found[0]
	resp.ErrorCode, resp.ErrorMessage = f.ErrorCode, f.ErrorMessage
	resp.NodeID, resp.Host, resp.Port = f.NodeID, f.Host, f.Port
	return resp, nil
}

func (r *request) coordinators(ctx context.Context, topic string, keys []string, found []kmsg.FindCoordinatorResponseCoordinator) error {
	missing := false
	err := r.view(ctx, func(v planner.View) {
		t := v.Image.Topic(topic)
		missing = t == nil
		for i, key := range keys {
			found[i] = noCoordinator(key, kerr.CoordinatorNotAvailable)
			if t == nil || len(t.Partitions) == 0 {
				continue
			}
			p := t.Partition(coordinatorPartition(key, len(t.Partitions)))
			if p == nil || !p.Known || p.Broken != "" || p.State.Leader == isr.NoLeader {
				continue
			}
			leader := v.Image.Broker(p.State.Leader)
			if leader == nil {
				continue
			}
			if n, ok := nodeOn(leader, r.listener); ok {
				found[i] = kmsg.FindCoordinatorResponseCoordinator{Key: key, NodeID: n.id, Host: n.host, Port: n.port}
			}
		}
	})
	if err != nil || !missing {
		return err
	}
	// Whether it works is not said to the client: either way it has to ask again.
	_, err = r.missingTopics(ctx, []string{topic}, true)
	return err
}

func noCoordinator(key string, e *kerr.Error) kmsg.FindCoordinatorResponseCoordinator {
	return kmsg.FindCoordinatorResponseCoordinator{Key: key, NodeID: -1, Port: -1, ErrorCode: e.Code, ErrorMessage: &e.Description}
}

// coordinatorPartition is what running coordinators use: the absolute value of Java's
// String.hashCode, where the smallest int counts as 0, modulo the partition count.
func coordinatorPartition(key string, partitions int) int32 {
	var h int32
	for _, c := range utf16.Encode([]rune(key)) {
		h = 31*h + int32(c)
	}
	if h < 0 {
		h = max(-h, 0)
	}
	return h % int32(partitions)
}
