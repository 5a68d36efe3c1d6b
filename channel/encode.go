package channel

import (
	"fmt"
	"slices"

	"baton/cluster"
	"baton/planner"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// encoder makes frames of requests. Its buffer and its structs are used again and
// again; after encode it refers to nothing of the request.
type encoder struct {
	buf []byte

	lisr   kmsg.LeaderAndISRRequest
	states []kmsg.LeaderAndISRRequestTopicPartition // of all topics, one after the other

	um     kmsg.UpdateMetadataRequest
	cached []kmsg.UpdateMetadataRequestTopicPartition
	ends   []kmsg.UpdateMetadataRequestLiveBrokerEndpoint

	sr      kmsg.StopReplicaRequest
	stops   []kmsg.StopReplicaRequestTopicPartitionState
	numbers []int32
}

// encode returns the whole frame, valid until the next call.
func (e *encoder) encode(r *planner.Request, version int16, listener string, clientID *string, correlation int32) ([]byte, error) {
	var m kmsg.Request
	switch r.Kind {
	case planner.LeaderAndISR:
		m = e.leaderAndISR(r, version, listener)
	case planner.UpdateMetadata:
		m = e.updateMetadata(r, version)
	case planner.StopReplica:
		m = e.stopReplica(r, version)
	default:
		return nil, fmt.Errorf("unknown kind of request %d", r.Kind)
	}
	var err error
	e.buf, err = wire.AppendRequest(e.buf[:0], clientID, correlation, m)
	e.release()
	return e.buf, err
}

// release forgets the request's memory, which an idle encoder must not keep alive.
func (e *encoder) release() {
	clear(e.states)
	clear(e.lisr.TopicStates)
	clear(e.lisr.LiveLeaders)
	clear(e.cached)
	clear(e.um.TopicStates)
	clear(e.um.LiveBrokers)
	clear(e.ends)
	clear(e.sr.Topics)
	e.lisr.PartitionStates, e.um.PartitionStates = nil, nil
}

// count returns the number of partitions of a request.
func count(r *planner.Request) int {
	n := 0
	for i := range r.Topics {
		n += len(r.Topics[i].Partitions)
	}
	return n
}

// room returns s emptied, with a capacity of n at least: parts of it are handed out
// while it is filled, so it must not move.
func room[T any](s []T, n int) []T { return slices.Grow(s[:0], n) }

// leaderAndISR: never from a KRaft controller, type 0. Each partition carries the
// controller epoch stored with its state, which may be older than the request's.
func (e *encoder) leaderAndISR(r *planner.Request, version int16, listener string) kmsg.Request {
	m := &e.lisr
	m.Version = version
	m.ControllerID, m.ControllerEpoch, m.BrokerEpoch = r.ControllerID, int32(r.ControllerEpoch), int64(r.BrokerEpoch)
	e.states = room(e.states, count(r))
	m.TopicStates = m.TopicStates[:0]
	for i := range r.Topics {
		t := &r.Topics[i]
		first := len(e.states)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			e.states = append(e.states, kmsg.LeaderAndISRRequestTopicPartition{
				Topic:               t.Name, // v0–1 only
				Partition:           p.Number,
				ControllerEpoch:     int32(p.State.ControllerEpoch),
				Leader:              p.State.Leader,
				LeaderEpoch:         int32(p.State.LeaderEpoch),
				ISR:                 p.State.ISR,
				ZKVersion:           int32(p.State.PartitionEpoch),
				Replicas:            p.Assignment.Replicas,
				AddingReplicas:      p.Assignment.Adding,
				RemovingReplicas:    p.Assignment.Removing,
				IsNew:               p.IsNew,
				LeaderRecoveryState: int8(p.State.Recovery),
			})
		}
		m.TopicStates = append(m.TopicStates, kmsg.LeaderAndISRRequestTopicState{
			Topic: t.Name, TopicID: t.ID, PartitionStates: e.states[first:],
		})
	}
	m.PartitionStates = e.states // v0–1
	m.LiveLeaders = m.LiveLeaders[:0]
	for i := range r.Live {
		// Brokers from 2.4 on do not read this list: one without the listener is left out.
		if ep, ok := r.Live[i].Endpoint(listener); ok {
			m.LiveLeaders = append(m.LiveLeaders, kmsg.LeaderAndISRRequestLiveLeader{BrokerID: r.Live[i].ID, Host: ep.Host, Port: ep.Port})
		}
	}
	return m
}

// updateMetadata: partitions are merged into what the broker knows, the live brokers
// replace it.
func (e *encoder) updateMetadata(r *planner.Request, version int16) kmsg.Request {
	m := &e.um
	m.Version = version
	m.ControllerID, m.ControllerEpoch, m.BrokerEpoch = r.ControllerID, int32(r.ControllerEpoch), int64(r.BrokerEpoch)
	e.cached = room(e.cached, count(r))
	m.TopicStates = m.TopicStates[:0]
	for i := range r.Topics {
		t := &r.Topics[i]
		first := len(e.cached)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			e.cached = append(e.cached, kmsg.UpdateMetadataRequestTopicPartition{
				Topic:           t.Name, // v0–4 only
				Partition:       p.Number,
				ControllerEpoch: int32(p.State.ControllerEpoch),
				Leader:          p.State.Leader,
				LeaderEpoch:     int32(p.State.LeaderEpoch),
				ISR:             p.State.ISR,
				ZKVersion:       int32(p.State.PartitionEpoch),
				Replicas:        p.Assignment.Replicas,
				OfflineReplicas: p.Offline,
			})
		}
		m.TopicStates = append(m.TopicStates, kmsg.UpdateMetadataRequestTopicState{
			Topic: t.Name, TopicID: t.ID, PartitionStates: e.cached[first:],
		})
	}
	m.PartitionStates = e.cached // v0–4
	e.liveBrokers(r.Live)
	return m
}

func (e *encoder) liveBrokers(live []cluster.Broker) {
	m, n := &e.um, 0
	for i := range live {
		n += len(live[i].Endpoints)
	}
	e.ends = room(e.ends, n)
	m.LiveBrokers = m.LiveBrokers[:0]
	for i := range live {
		b := &live[i]
		out := kmsg.UpdateMetadataRequestLiveBroker{ID: b.ID}
		first := len(e.ends)
		for _, ep := range b.Endpoints {
			if ep.Protocol == cluster.Plaintext && out.Host == "" {
				out.Host, out.Port = ep.Host, ep.Port // v0 only
			}
			e.ends = append(e.ends, kmsg.UpdateMetadataRequestLiveBrokerEndpoint{
				Port: ep.Port, Host: ep.Host, ListenerName: ep.Listener, SecurityProtocol: ep.Protocol,
			})
		}
		out.Endpoints = e.ends[first:]
		if b.HasRack {
			out.Rack = &b.Rack
		}
		m.LiveBrokers = append(m.LiveBrokers, out)
	}
}

// stopReplica stops replicas, or deletes their logs as well: all of one request.
func (e *encoder) stopReplica(r *planner.Request, version int16) kmsg.Request {
	m, n := &e.sr, count(r)
	m.Version = version
	m.ControllerID, m.ControllerEpoch, m.BrokerEpoch = r.ControllerID, int32(r.ControllerEpoch), int64(r.BrokerEpoch)
	m.DeletePartitions = r.Delete
	e.stops, e.numbers = room(e.stops, n), room(e.numbers, n)
	m.Topics = m.Topics[:0]
	for i := range r.Topics {
		t := &r.Topics[i]
		first := len(e.stops)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			e.numbers = append(e.numbers, p.Number)
			e.stops = append(e.stops, kmsg.StopReplicaRequestTopicPartitionState{Partition: p.Number, LeaderEpoch: int32(p.State.LeaderEpoch), Delete: r.Delete})
			if version == 0 { // flat
				m.Topics = append(m.Topics, kmsg.StopReplicaRequestTopic{Topic: t.Name, Partition: p.Number})
			}
		}
		if version > 0 {
			m.Topics = append(m.Topics, kmsg.StopReplicaRequestTopic{
				Topic: t.Name, Partitions: e.numbers[first:], PartitionStates: e.stops[first:],
			})
		}
	}
	return m
}
