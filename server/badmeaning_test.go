package server_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/server/servertest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// many entries in one request; -short takes fewer.
var many = 100_000

// answered lists the codes of an answer: the one at its top, if it has one, and each item's.
func answered(t *testing.T, resp kmsg.Response) (out []int16) {
	t.Helper()
	switch r := resp.(type) {
	case *kmsg.CreateTopicsResponse:
		for _, x := range r.Topics {
			out = append(out, x.ErrorCode)
		}
	case *kmsg.DeleteTopicsResponse:
		for _, x := range r.Topics {
			out = append(out, x.ErrorCode)
		}
	case *kmsg.CreatePartitionsResponse:
		for _, x := range r.Topics {
			out = append(out, x.ErrorCode)
		}
	case *kmsg.ElectLeadersResponse:
		out = append(out, r.ErrorCode)
		for _, x := range r.Topics {
			for _, p := range x.Partitions {
				out = append(out, p.ErrorCode)
			}
		}
	case *kmsg.AlterPartitionAssignmentsResponse:
		out = append(out, r.ErrorCode)
		for _, x := range r.Topics {
			for _, p := range x.Partitions {
				out = append(out, p.ErrorCode)
			}
		}
	case *kmsg.ListPartitionReassignmentsResponse:
		out = append(out, r.ErrorCode)
		for _, x := range r.Topics {
			out = append(out, make([]int16, len(x.Partitions))...)
		}
	case *kmsg.AlterPartitionResponse:
		out = append(out, r.ErrorCode)
		for _, x := range r.Topics {
			for _, p := range x.Partitions {
				out = append(out, p.ErrorCode)
			}
		}
	case *kmsg.ControlledShutdownResponse:
		out = append(out, r.ErrorCode)
	case *kmsg.AllocateProducerIDsResponse:
		out = append(out, r.ErrorCode)
	case *kmsg.MetadataResponse:
		for _, x := range r.Topics {
			out = append(out, x.ErrorCode)
		}
	case *kmsg.FindCoordinatorResponse:
		for _, x := range r.Coordinators {
			out = append(out, x.ErrorCode)
		}
	default:
		t.Fatalf("%T", resp)
	}
	return out
}

func create(version int16, topics ...kmsg.CreateTopicsRequestTopic) kmsg.Request {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version, r.Topics = version, topics
	return r
}

func validate(topics ...kmsg.CreateTopicsRequestTopic) kmsg.Request {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version, r.Topics, r.ValidateOnly = 7, topics, true
	return r
}

func topic(name string, n int32, factor int16) kmsg.CreateTopicsRequestTopic {
	return kmsg.CreateTopicsRequestTopic{Topic: name, NumPartitions: n, ReplicationFactor: factor}
}

func placed(name string, lists map[int32][]int32) kmsg.CreateTopicsRequestTopic {
	x := topic(name, -1, -1)
	for n, l := range lists {
		x.ReplicaAssignment = append(x.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: n, Replicas: l})
	}
	return x
}

func drop(version int16, names ...string) kmsg.Request {
	r := kmsg.NewPtrDeleteTopicsRequest()
	r.Version = version
	for _, n := range names {
		if version < 6 {
			r.TopicNames = append(r.TopicNames, n)
		} else {
			r.Topics = append(r.Topics, kmsg.DeleteTopicsRequestTopic{Topic: &n})
		}
	}
	return r
}

func dropIDs(topics ...kmsg.DeleteTopicsRequestTopic) kmsg.Request {
	r := kmsg.NewPtrDeleteTopicsRequest()
	r.Version, r.Topics = 6, topics
	return r
}

func grow(topics ...kmsg.CreatePartitionsRequestTopic) kmsg.Request {
	r := kmsg.NewPtrCreatePartitionsRequest()
	r.Version, r.Topics = 3, topics
	return r
}

func more(name string, count int32, lists ...[]int32) kmsg.CreatePartitionsRequestTopic {
	x := kmsg.CreatePartitionsRequestTopic{Topic: name, Count: count}
	for _, l := range lists {
		x.Assignment = append(x.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: l})
	}
	return x
}

func elect(version int16, kind int8, name string, numbers ...int32) kmsg.Request {
	r := kmsg.NewPtrElectLeadersRequest()
	r.Version, r.ElectionType, r.TimeoutMillis = version, kind, 1000
	r.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: name, Partitions: numbers}}
	return r
}

func reassign(name string, n int32, lists ...[]int32) kmsg.Request {
	r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	x := kmsg.AlterPartitionAssignmentsRequestTopic{Topic: name}
	for _, l := range lists {
		x.Partitions = append(x.Partitions, kmsg.AlterPartitionAssignmentsRequestTopicPartition{Partition: n, Replicas: l})
	}
	r.Topics = append(r.Topics, x)
	return r
}

func list(name string, numbers ...int32) kmsg.Request {
	r := kmsg.NewPtrListPartitionReassignmentsRequest()
	r.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: name, Partitions: numbers}}
	return r
}

// alter asks as broker 1, which leads every partition of t.
func alter(version int16, name string, n int32, members ...int32) *kmsg.AlterPartitionRequest {
	r := kmsg.NewPtrAlterPartitionRequest()
	r.Version, r.BrokerID, r.BrokerEpoch = version, 1, 100
	p := kmsg.AlterPartitionRequestTopicPartition{Partition: n, LeaderEpoch: 7, PartitionEpoch: 3, NewISR: members}
	for _, b := range members {
		p.NewEpochISR = append(p.NewEpochISR, kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{BrokerID: b, BrokerEpoch: -1})
	}
	x := kmsg.AlterPartitionRequestTopic{Topic: name, Partitions: []kmsg.AlterPartitionRequestTopicPartition{p}}
	if name == "t" {
		x.TopicID = servertest.TopicID(0)
	} else {
		x.TopicID = servertest.TopicID(40_000)
	}
	r.Topics = append(r.Topics, x)
	return r
}

func alterEpochs(leader, partition int32) kmsg.Request {
	r := alter(3, "t", 0, 1, 2)
	r.Topics[0].Partitions[0].LeaderEpoch, r.Topics[0].Partitions[0].PartitionEpoch = leader, partition
	return r
}

func shutdown(broker int32, epoch int64) kmsg.Request {
	r := kmsg.NewPtrControlledShutdownRequest()
	r.Version, r.BrokerID, r.BrokerEpoch = 3, broker, epoch
	return r
}

func producerIDs(broker int32, epoch int64) kmsg.Request {
	r := kmsg.NewPtrAllocateProducerIDsRequest()
	r.BrokerID, r.BrokerEpoch = broker, epoch
	return r
}

func repeat[T any](n int, f func(int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func upTo(n int32) []int32 { return repeat(int(n), func(i int) int32 { return int32(i) }) }

// What parses and makes no sense: Kafka's code for each item, in bounded time and memory, and
// nothing is written.
func TestRequestsThatMakeNoSense(t *testing.T) {
	const (
		topics  = 5000
		most    = 1 << 30     // bytes allocated in all for one request of at most 4 MB
		longest = time.Minute // what is quadratic takes longer; with the race detector on a busy machine nothing else does
	)
	if testing.Short() {
		many = 10_000
	}
	r, ctl := newPlannedRig(t, topics)
	long := strings.Repeat("x", math.MaxInt16)
	name := func(i int) string { return fmt.Sprintf("new-%d", i) }
	code := func(e ...*kerr.Error) (out []int16) {
		for _, e := range e {
			if e == nil {
				out = append(out, 0)
			} else {
				out = append(out, e.Code)
			}
		}
		return out
	}
	all := func(top []int16, n int, e *kerr.Error) []int16 {
		return append(top, slices.Repeat([]int16{e.Code}, n)...)
	}
	for _, c := range []struct {
		what string
		req  kmsg.Request
		want []int16
	}{
		{"create: -2 partitions", create(7, topic("a", -2, 1)), code(kerr.InvalidPartitions)},
		{"create: no partitions", create(7, topic("a", 0, 1)), code(kerr.InvalidPartitions)},
		{"create: as many partitions as can be said", create(7, topic("a", math.MaxInt32, 1)), code(kerr.InvalidPartitions)},
		{"create: too many partitions in all", validate(repeat(40, func(i int) kmsg.CreateTopicsRequestTopic { return topic(name(i), 150_000, 1) })...), all(code(nil), 39, kerr.InvalidPartitions)},
		{"create: factor 0", create(7, topic("a", 1, 0)), code(kerr.InvalidReplicationFactor)},
		{"create: factor -2", create(7, topic("a", 1, -2)), code(kerr.InvalidReplicationFactor)},
		{"create: factor 32767", create(7, topic("a", 1, math.MaxInt16)), code(kerr.InvalidReplicationFactor)},
		{"create: there already", create(7, topic("t", 1, 1)), code(kerr.TopicAlreadyExists)},
		{"create: twice", create(7, topic("a", 1, 1), topic("a", 1, 1)), code(kerr.InvalidRequest)},
		{"create: no name", create(7, topic("", 1, 1)), code(kerr.InvalidTopicException)},
		{"create: a path", create(7, topic("../../etc", 1, 1)), code(kerr.InvalidTopicException)},
		{"create: the longest name, v1", create(1, topic(long, 1, 1)), code(kerr.InvalidTopicException)},
		{"create: the longest name, v7", create(7, topic(long, 1, 1)), code(kerr.InvalidTopicException)},
		{"create: partition -1", create(7, placed("a", map[int32][]int32{-1: {1}})), code(kerr.InvalidReplicaAssignment)},
		{"create: a gap", create(7, placed("a", map[int32][]int32{0: {1}, 2: {1}})), code(kerr.InvalidReplicaAssignment)},
		{"create: replica -1", create(7, placed("a", map[int32][]int32{0: {-1}})), code(kerr.InvalidReplicaAssignment)},
		{"create: a replica twice", create(7, placed("a", map[int32][]int32{0: {1, 1}})), code(kerr.InvalidReplicaAssignment)},
		{"create: no replica", create(7, placed("a", map[int32][]int32{0: {}})), code(kerr.InvalidReplicaAssignment)},
		{"create: 900,000 replicas, one twice, v1", create(1, placed("a", map[int32][]int32{0: append(upTo(900_000), 0)})), code(kerr.InvalidReplicaAssignment)},
		{"create: very many names that are bad", create(7, repeat(many, func(i int) kmsg.CreateTopicsRequestTopic { return topic(fmt.Sprintf("bad name %d", i), 1, 1) })...), all(nil, many, kerr.InvalidTopicException)},
		{"create: very many topics without a partition", create(7, repeat(many, func(i int) kmsg.CreateTopicsRequestTopic { return topic(name(i), 0, 1) })...), all(nil, many, kerr.InvalidPartitions)},
		{"create: very many times the same", create(7, repeat(many, func(int) kmsg.CreateTopicsRequestTopic { return topic("a", 1, 1) })...), code(kerr.InvalidRequest)},
		{"create: very many good ones, only to be looked at", validate(repeat(many, func(i int) kmsg.CreateTopicsRequestTopic { return topic(name(i), 1, 1) })...), make([]int16, many)},

		{"delete: unknown", drop(5, "none"), code(kerr.UnknownTopicOrPartition)},
		{"delete: no name", drop(6, ""), code(kerr.UnknownTopicOrPartition)},
		{"delete: an unknown name twice", drop(6, "none", "none"), code(kerr.UnknownTopicOrPartition, kerr.UnknownTopicOrPartition)},
		{"delete: unknown id", dropIDs(kmsg.DeleteTopicsRequestTopic{TopicID: servertest.TopicID(50_000)}), code(kerr.UnknownTopicID)},
		{"delete: name and id", dropIDs(kmsg.DeleteTopicsRequestTopic{Topic: ptr("t"), TopicID: servertest.TopicID(0)}), code(kerr.InvalidRequest)},
		{"delete: neither name nor id", dropIDs(kmsg.DeleteTopicsRequestTopic{}), code(kerr.UnknownTopicOrPartition)},
		{"delete: very many unknown", drop(6, repeat(many, name)...), all(nil, many, kerr.UnknownTopicOrPartition)},

		{"grow: unknown", grow(more("none", 9)), code(kerr.UnknownTopicOrPartition)},
		{"grow: to -1", grow(more("t", -1)), code(kerr.InvalidPartitions)},
		{"grow: to the least there is", grow(more("t", math.MinInt32)), code(kerr.InvalidPartitions)},
		{"grow: to fewer", grow(more("t", 2)), code(kerr.InvalidPartitions)},
		{"grow: to as many", grow(more("t", 3)), code(kerr.InvalidPartitions)},
		{"grow: to as many as can be said", grow(more("t", math.MaxInt32)), code(kerr.InvalidPartitions)},
		{"grow: twice", grow(more("t", 4), more("t", 5)), code(kerr.InvalidRequest)},
		{"grow: onto unknown brokers", grow(more("t", 4, []int32{1, 2, 77})), code(kerr.InvalidReplicaAssignment)},
		{"grow: onto broker -1", grow(more("t", 4, []int32{1, 2, -1})), code(kerr.InvalidReplicaAssignment)},
		{"grow: a replica twice", grow(more("t", 4, []int32{1, 2, 2})), code(kerr.InvalidReplicaAssignment)},
		{"grow: too few lists", grow(more("t", 5, []int32{1, 2, 3})), code(kerr.InvalidReplicaAssignment)},
		{"grow: 900,000 replicas", grow(more("t", 4, upTo(900_000))), code(kerr.InvalidReplicaAssignment)},
		{"grow: very many unknown", grow(repeat(many, func(i int) kmsg.CreatePartitionsRequestTopic { return more(name(i), 9) })...), all(nil, many, kerr.UnknownTopicOrPartition)},

		{"elect: unknown topic", elect(2, 0, "none", 0), code(nil, kerr.UnknownTopicOrPartition)},
		{"elect: partition -1", elect(2, 0, "t", -1), code(nil, kerr.UnknownTopicOrPartition)},
		{"elect: unclean, partition -1", elect(2, 1, "t", -1), code(nil, kerr.UnknownTopicOrPartition)},
		{"elect: type 9", elect(2, 9, "t", 0), code(kerr.UnknownServerError, kerr.UnknownServerError)},
		{"elect: twice", elect(2, 0, "t", 0, 0), code(nil, kerr.ElectionNotNeeded)},
		{"elect: very many unknown", elect(2, 0, "t", repeat(many, func(i int) int32 { return int32(i + 3) })...), all(code(nil), many, kerr.UnknownTopicOrPartition)},

		{"reassign: unknown topic", reassign("none", 0, []int32{1}), code(nil, kerr.UnknownTopicOrPartition)},
		{"reassign: partition -1", reassign("t", -1, []int32{1}), code(nil, kerr.UnknownTopicOrPartition)},
		{"reassign: to nobody", reassign("t", 0, []int32{}), code(nil, kerr.InvalidReplicaAssignment)},
		{"reassign: a replica twice", reassign("t", 0, []int32{1, 1}), code(nil, kerr.InvalidReplicaAssignment)},
		{"reassign: to broker -1", reassign("t", 0, []int32{-1}), code(nil, kerr.InvalidReplicaAssignment)},
		{"reassign: to one that is not there", reassign("t", 0, []int32{77}), code(nil, kerr.InvalidReplicaAssignment)},
		{"reassign: to Baton", reassign("t", 0, []int32{servertest.BatonID}), code(nil, kerr.InvalidReplicaAssignment)},
		{"reassign: cancel nothing", reassign("t", 0, nil), code(nil, kerr.NoReassignmentInProgress)},
		{"reassign: cancel unknown", reassign("none", 0, nil), code(nil, kerr.NoReassignmentInProgress)},
		{"reassign: a partition twice, the last counts", reassign("t", 0, []int32{1}, []int32{}), code(nil, kerr.InvalidReplicaAssignment)},
		{"reassign: to 900,000", reassign("t", 0, upTo(900_000)), code(nil, kerr.InvalidReplicaAssignment)},
		{"reassign: very many unknown", func() kmsg.Request {
			r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
			r.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "t", Partitions: repeat(many, func(i int) kmsg.AlterPartitionAssignmentsRequestTopicPartition {
				return kmsg.AlterPartitionAssignmentsRequestTopicPartition{Partition: int32(i + 3), Replicas: []int32{1}}
			})}}
			return r
		}(), all(code(nil), many, kerr.UnknownTopicOrPartition)},

		{"list: unknown topic", list("none", 0), code(nil)},
		{"list: partition -1", list("t", -1), code(nil)},
		{"list: twice", list("t", 0, 0), code(nil)},
		{"list: very many unknown", list("t", upTo(int32(many))...), code(nil)},

		{"alter: unknown topic", alter(1, "none", 0, 1), code(nil, kerr.OperationNotAttempted)},
		{"alter: unknown id", alter(3, "none", 0, 1), code(nil, kerr.OperationNotAttempted)},
		{"alter: partition -1", alter(3, "t", -1, 1), code(nil, kerr.OperationNotAttempted)},
		{"alter: nobody in sync", alter(3, "t", 0), code(nil, kerr.IneligibleReplica)},
		{"alter: without its leader", alter(3, "t", 0, 2, 3), code(nil, kerr.IneligibleReplica)},
		{"alter: a member twice", alter(3, "t", 0, 1, 2, 2), code(nil, kerr.IneligibleReplica)},
		{"alter: member -1", alter(3, "t", 0, 1, -1), code(nil, kerr.IneligibleReplica)},
		{"alter: no replica", alter(3, "t", 0, 1, 77), code(nil, kerr.IneligibleReplica)},
		{"alter: below v2", alter(1, "t", 0, 1, 77), code(nil, kerr.OperationNotAttempted)},
		{"alter: leader epoch -1", alterEpochs(-1, 3), code(nil, kerr.FencedLeaderEpoch)},
		{"alter: leader epoch that is to come", alterEpochs(math.MaxInt32, 3), code(nil, kerr.NotController)},
		{"alter: partition epoch -1", alterEpochs(7, -1), code(nil, nil)},
		{"alter: 300,000 members", alter(3, "t", 0, append([]int32{1}, upTo(300_000)...)...), code(nil, kerr.IneligibleReplica)},
		{"alter: 900,000 times the leader", alter(2, "t", 0, slices.Repeat([]int32{1}, 900_000)...), code(nil, kerr.IneligibleReplica)},
		{"alter: by a broker that is not there", func() kmsg.Request { r := alter(3, "t", 0, 1); r.BrokerID = -1; return r }(), code(kerr.StaleBrokerEpoch)},
		{"alter: by another incarnation", func() kmsg.Request { r := alter(3, "t", 0, 1); r.BrokerEpoch = 99; return r }(), code(kerr.StaleBrokerEpoch)},
		{"alter: very many unknown", func() kmsg.Request {
			r := alter(3, "t", 0, 1)
			r.Topics[0].Partitions = repeat(many, func(i int) kmsg.AlterPartitionRequestTopicPartition {
				p := r.Topics[0].Partitions[0]
				p.Partition = int32(i + 3)
				return p
			})
			return r
		}(), all(code(nil), many, kerr.OperationNotAttempted)},

		{"shutdown: unknown broker", shutdown(77, 100), code(kerr.BrokerNotAvailable)},
		{"shutdown: broker -1", shutdown(-1, 100), code(kerr.BrokerNotAvailable)},
		{"shutdown: Baton", shutdown(servertest.BatonID, 100), code(kerr.BrokerNotAvailable)},
		{"shutdown: epoch of the past", shutdown(1, 99), code(kerr.StaleBrokerEpoch)},
		{"shutdown: epoch of the future", shutdown(1, math.MaxInt64), code(kerr.StaleBrokerEpoch)},

		{"ids: unknown broker", producerIDs(77, 100), code(kerr.BrokerIDNotRegistered)},
		{"ids: broker -1", producerIDs(-1, 100), code(kerr.BrokerIDNotRegistered)},
		{"ids: another incarnation", producerIDs(1, -1), code(kerr.StaleBrokerEpoch)},

		{"metadata: very many unknown", func() kmsg.Request {
			m := metadataFor(12, repeat(many, name)...)
			m.AllowAutoTopicCreation = false
			return m
		}(), all(nil, many, kerr.UnknownTopicOrPartition)},
		{"coordinator: of type 9", func() kmsg.Request {
			f := kmsg.NewPtrFindCoordinatorRequest()
			f.Version, f.CoordinatorType, f.CoordinatorKeys = 4, 9, repeat(many, name)
			return f
		}(), all(nil, many, kerr.InvalidRequest)},
	} {
		t.Run(c.what, func(t *testing.T) {
			p, before, start := r.dial(t), allocated(), time.Now()
			got := answered(t, p.ask(c.req))
			if took, n := time.Since(start), allocated()-before; took > longest || n > most {
				t.Errorf("took %v and %d bytes", took, n)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("codes %v (%d), want %v (%d)", got[:min(len(got), 5)], len(got), c.want[:min(len(c.want), 5)], len(c.want))
			}
			if w := ctl.written(); len(w) > 0 {
				t.Errorf("%d writes, the first is %+v", len(w), w[0])
			}
		})
	}
	alive(t, r)
}
