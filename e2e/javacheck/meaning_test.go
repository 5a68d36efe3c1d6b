package javacheck_test

import (
	"encoding/base64"

	"baton/planner"
)

// fields is a message as Kafka's JSON converters name it.
type fields map[string]any

// from sets a field that exists since a version.
func (f fields) from(since, version int16, name string, value any) {
	if version >= since {
		f[name] = value
	}
}

// until sets a field that existed up to a version.
func (f fields) until(last, version int16, name string, value any) {
	if version <= last {
		f[name] = value
	}
}

// list is never null, as an empty list must not be in these requests.
func list[T any](in []T) []T { return append([]T{}, in...) }

// meaning is what a request has to say in a version, written down from Kafka's message definitions and not from our
// encoder.
func meaning(r *planner.Request, version int16) map[string]any {
	f := fields{"controllerId": r.ControllerID, "controllerEpoch": r.ControllerEpoch}
	switch r.Kind {
	case planner.LeaderAndISR:
		f.from(2, version, "brokerEpoch", r.BrokerEpoch)
		f.from(5, version, "type", 0)
		f.from(7, version, "isKRaftController", false)
		states(f, r, version, 1, 5, func(p planner.PartitionState) fields { return leadership(p, version) })
		leaders := []fields{}
		for i := range r.Live {
			ep, _ := r.Live[i].Endpoint("INTERNAL")
			leaders = append(leaders, fields{"brokerId": r.Live[i].ID, "hostName": ep.Host, "port": ep.Port})
		}
		f["liveLeaders"] = leaders
	case planner.UpdateMetadata:
		f.from(5, version, "brokerEpoch", r.BrokerEpoch)
		f.from(8, version, "isKRaftController", false)
		states(f, r, version, 4, 7, func(p planner.PartitionState) fields { return cached(p, version) })
		f["liveBrokers"] = liveBrokers(r, version)
	case planner.StopReplica:
		f.from(1, version, "brokerEpoch", r.BrokerEpoch)
		f.until(2, version, "deletePartitions", r.Delete)
		stops(f, r, version)
	}
	return f
}

// states sets the partitions' states: a flat list up to a version, by topic after it, with topic ids since another.
func states(f fields, r *planner.Request, version, flat, ids int16, one func(planner.PartitionState) fields) {
	all, topics := []fields{}, []fields{}
	for _, t := range r.Topics {
		parts := []fields{}
		for _, p := range t.Partitions {
			parts = append(parts, one(p))
			flatOne := one(p)
			flatOne["topicName"] = t.Name
			all = append(all, flatOne)
		}
		topic := fields{"topicName": t.Name, "partitionStates": parts}
		topic.from(ids, version, "topicId", base64.RawURLEncoding.EncodeToString(t.ID[:]))
		topics = append(topics, topic)
	}
	f.until(flat, version, "ungroupedPartitionStates", all)
	f.from(flat+1, version, "topicStates", topics)
}

func leadership(p planner.PartitionState, version int16) fields {
	f := fields{
		"partitionIndex": p.Number, "controllerEpoch": p.State.ControllerEpoch, "leader": p.State.Leader,
		"leaderEpoch": p.State.LeaderEpoch, "isr": list(p.State.ISR), "partitionEpoch": p.State.PartitionEpoch,
		"replicas": list(p.Assignment.Replicas),
	}
	f.from(1, version, "isNew", p.IsNew)
	f.from(3, version, "addingReplicas", list(p.Assignment.Adding))
	f.from(3, version, "removingReplicas", list(p.Assignment.Removing))
	f.from(6, version, "leaderRecoveryState", p.State.Recovery)
	return f
}

func cached(p planner.PartitionState, version int16) fields {
	f := fields{
		"partitionIndex": p.Number, "controllerEpoch": p.State.ControllerEpoch, "leader": p.State.Leader,
		"leaderEpoch": p.State.LeaderEpoch, "isr": list(p.State.ISR), "zkVersion": p.State.PartitionEpoch,
		"replicas": list(p.Assignment.Replicas),
	}
	f.from(4, version, "offlineReplicas", list(p.Offline))
	return f
}

func liveBrokers(r *planner.Request, version int16) []fields {
	out := []fields{}
	for _, b := range r.Live {
		f := fields{"id": b.ID}
		f.until(0, version, "v0Host", b.Endpoints[0].Host)
		f.until(0, version, "v0Port", b.Endpoints[0].Port)
		ends := []fields{}
		for _, e := range b.Endpoints {
			end := fields{"port": e.Port, "host": e.Host, "securityProtocol": e.Protocol}
			end.from(3, version, "listener", e.Listener)
			ends = append(ends, end)
		}
		f.from(1, version, "endpoints", ends)
		var rack any
		if b.HasRack {
			rack = b.Rack
		}
		f.from(2, version, "rack", rack)
		out = append(out, f)
	}
	return out
}

func stops(f fields, r *planner.Request, version int16) {
	flat, topics, topicStates := []fields{}, []fields{}, []fields{}
	for _, t := range r.Topics {
		numbers, parts := []int32{}, []fields{}
		for _, p := range t.Partitions {
			flat = append(flat, fields{"topicName": t.Name, "partitionIndex": p.Number})
			numbers = append(numbers, p.Number)
			parts = append(parts, fields{"partitionIndex": p.Number, "leaderEpoch": p.State.LeaderEpoch, "deletePartition": r.Delete})
		}
		topics = append(topics, fields{"name": t.Name, "partitionIndexes": numbers})
		topicStates = append(topicStates, fields{"topicName": t.Name, "partitionStates": parts})
	}
	f.until(0, version, "ungroupedPartitions", flat)
	if version == 1 || version == 2 {
		f["topics"] = topics
	}
	f.from(3, version, "topicStates", topicStates)
}
