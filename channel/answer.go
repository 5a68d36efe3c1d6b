package channel

import (
	"fmt"

	"baton/cluster"
	"baton/partition"
	"baton/planner"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// answer makes the event of a response's body. A partition that the broker did not
// answer, or whose answer cannot be told from another's, is missing.
func answer(r *planner.Request, version int16, body []byte) (planner.BrokerReplied, error) {
	reply := planner.BrokerReplied{Broker: r.Broker, Conn: r.Conn, Seq: r.Seq, Kind: r.Kind}
	m, err := wire.DecodeResponse(apiKeys[r.Kind], version, body)
	if err != nil {
		return reply, err
	}
	switch m := m.(type) {
	case *kmsg.LeaderAndISRResponse:
		reply.Code = m.ErrorCode
		if version < 5 {
			for _, p := range m.Partitions {
				reply.Partitions = append(reply.Partitions, code(p.Topic, p.Partition, p.ErrorCode))
			}
		} else {
			reply.Partitions = codesByTopicID(r, m.Topics)
		}
	case *kmsg.UpdateMetadataResponse:
		reply.Code = m.ErrorCode
	case *kmsg.StopReplicaResponse:
		reply.Code = m.ErrorCode
		for _, p := range m.Partitions {
			reply.Partitions = append(reply.Partitions, code(p.Topic, p.Partition, p.ErrorCode))
		}
	default:
		return reply, fmt.Errorf("unexpected response %T", m)
	}
	return reply, nil
}

func code(topic string, number int32, c int16) planner.PartitionCode {
	return planner.PartitionCode{ID: partition.ID{Topic: topic, Number: number}, Code: c}
}

// codesByTopicID turns ids back into the names of the request.
func codesByTopicID(r *planner.Request, topics []kmsg.LeaderAndISRResponseTopic) []planner.PartitionCode {
	names := make(map[cluster.TopicID]string, len(r.Topics))
	for i := range r.Topics {
		names[r.Topics[i].ID] = r.Topics[i].Name
	}
	var out []planner.PartitionCode
	for i := range topics {
		t := &topics[i]
		if cluster.TopicID(t.TopicID).IsZero() {
			out = append(out, codesWithoutID(r, t.Partitions)...)
			continue
		}
		name, ok := names[t.TopicID]
		if !ok {
			continue // not asked
		}
		for _, p := range t.Partitions {
			out = append(out, code(name, p.Partition, p.ErrorCode))
		}
	}
	return out
}

// codesWithoutID deals with the one entry into which brokers put all partitions of
// topics without an id, in no particular order and without names: foo-0 and bar-0 are
// both just 0. Where as many codes came as partitions of that number were asked, and
// all are equal, they hold for each; otherwise nobody knows whose is whose.
func codesWithoutID(r *planner.Request, answers []kmsg.LeaderAndISRResponseTopicPartition) []planner.PartitionCode {
	type tally struct {
		code  int16
		n     int
		mixed bool
	}
	got := make(map[int32]tally, len(answers))
	for _, p := range answers {
		t := got[p.Partition]
		t.mixed = t.mixed || (t.n > 0 && t.code != p.ErrorCode)
		t.code, t.n = p.ErrorCode, t.n+1
		got[p.Partition] = t
	}
	asked := make(map[int32]int, len(answers))
	each := func(f func(topic string, number int32)) {
		for i := range r.Topics {
			if !r.Topics[i].ID.IsZero() {
				continue
			}
			for j := range r.Topics[i].Partitions {
				f(r.Topics[i].Name, r.Topics[i].Partitions[j].Number)
			}
		}
	}
	each(func(_ string, n int32) { asked[n]++ })
	var out []planner.PartitionCode
	each(func(topic string, n int32) {
		if t := got[n]; t.n == asked[n] && !t.mixed {
			out = append(out, code(topic, n, t.code))
		}
	})
	return out
}
