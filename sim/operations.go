package sim

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/partition"
	"baton/sim/history"
)

// What an operator asks the controller for, through Kafka's protocol. The topic that is written to is never deleted and has
// no unclean election; others come and go beside it, under the same few names.

// firstOperation begins the kinds of steps that are operations.
const firstOperation = createTopic

// others are the topics that come and go.
var others = []string{"u0", "u1"}

// asked is what has been asked for; it is judged when all is well.
type asked struct {
	// ends are the replicas that a partition may have in the end: those that somebody asked for.
	ends map[partition.ID][][]int32
	// gone are topics whose deletion was acknowledged, with the zxid that created them.
	gone map[string]int64
	// counts are how many partitions topics have at least, with the zxid that created them.
	counts map[string]grown
}

type grown struct {
	created int64
	n       int
}

func newAsked() asked {
	return asked{ends: map[partition.ID][][]int32{}, gone: map[string]int64{}, counts: map[string]grown{}}
}

// mayEnd adds replicas that a partition may have in the end.
func (w *world) mayEnd(id partition.ID, replicas []int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked.ends[id] = append(w.asked.ends[id], replicas)
}

// unkept says which promise was not kept.
func (w *world) unkept(ps []history.Partition) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[string]int{}
	for _, p := range ps {
		n[p.ID.Topic]++
		if ends := w.asked.ends[p.ID]; !slices.ContainsFunc(ends, func(e []int32) bool { return sameSet(e, p.Replicas) }) {
			return fmt.Errorf("%v has replicas %v, asked for were %v", p.ID, p.Replicas, ends)
		}
	}
	for topic, zxid := range w.asked.gone {
		if w.history.Topic(topic) == zxid {
			return fmt.Errorf("topic %s is there, and its deletion was acknowledged", topic)
		}
	}
	for topic, c := range w.asked.counts {
		if w.history.Topic(topic) == c.created && n[topic] < c.n {
			return fmt.Errorf("topic %s has %d partitions, %d were acknowledged", topic, n[topic], c.n)
		}
	}
	return nil
}

// operate takes an operation from three numbers.
func (w *world) operate(ctx context.Context, k kind, a, b, n int) {
	rng := rand.New(rand.NewPCG(uint64(b), uint64(n))) //nolint:gosec // not negative
	ps := w.history.Partitions()
	if k == deleteTopic || k == electUnclean {
		ps = slices.DeleteFunc(ps, func(p history.Partition) bool { return p.ID.Topic == topicName })
		if len(ps) == 0 {
			k = createTopic
		}
	}
	if k == createTopic {
		w.create(ctx, others[a%len(others)], w.lists(rng, 1+b%2, 1))
		return
	}
	p := ps[a%len(ps)]
	switch id := p.ID; k {
	case addPartitions:
		w.addPartition(ctx, id.Topic, ps, w.lists(rng, 1, w.mix.minISR)[0])
	case deleteTopic:
		w.delete(ctx, id.Topic)
	case reassign:
		w.reassign(ctx, p, w.lists(rng, 1, w.mix.minISR)[0])
	case cancelReassignment:
		if i := slices.IndexFunc(ps, func(p history.Partition) bool { return len(p.Adding)+len(p.Removing) > 0 }); i >= 0 {
			p = ps[i] // rather one that is under way
		}
		w.reassign(ctx, p, nil)
	case electPreferred:
		w.elect(ctx, id, 0)
	case electUnclean:
		w.history.AllowUnclean(id, true)
		w.elect(ctx, id, 1)
	}
}

// lists are replicas for partitions: so many and up to three.
func (w *world) lists(rng *rand.Rand, n, least int) (out [][]int32) {
	for range n {
		var list []int32
		for _, i := range rng.Perm(len(w.brokers))[:least+rng.IntN(4-least)] {
			list = append(list, w.brokers[i].b.ID())
		}
		out = append(out, list)
	}
	return out
}

// administer makes the operator's client.
func (w *world) administer() (err error) {
	w.admin, err = kgo.NewClient(w.clientOptions()...)
	return err
}

// call asks the controller, whoever that is, once: what comes of it when nobody answers is not known.
func (w *world) call(ctx context.Context, what string, req kmsg.Request, answered func(kmsg.Response) int16) {
	w.trace.add("step: %s", what)
	w.wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		resp, err := w.admin.Request(ctx, req)
		if err == nil {
			err = kerr.ErrorForCode(answered(resp))
		}
		w.trace.add("%s: %v", what, errText(err))
	})
}

const answerWithin = 5000 // ms, of a request

func createRequest(topic string, lists [][]int32) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, -1, -1
	for n, list := range lists {
		r := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		r.Partition, r.Replicas = int32(n), list //nolint:gosec // few
		t.ReplicaAssignment = append(t.ReplicaAssignment, r)
	}
	req.Topics, req.TimeoutMillis = append(req.Topics, t), answerWithin
	return req
}

func (w *world) create(ctx context.Context, topic string, lists [][]int32) {
	for n, list := range lists {
		w.mayEnd(partition.ID{Topic: topic, Number: int32(n)}, list) //nolint:gosec // few
	}
	w.call(ctx, fmt.Sprintf("create %s on %v", topic, lists), createRequest(topic, lists), func(r kmsg.Response) int16 {
		return r.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode
	})
}

func (w *world) addPartition(ctx context.Context, topic string, ps []history.Partition, list []int32) {
	n, created := 1, w.history.Topic(topic)
	for _, p := range ps {
		if p.ID.Topic == topic {
			n++
		}
	}
	if n > partitions+2 {
		return
	}
	w.mayEnd(partition.ID{Topic: topic, Number: int32(n - 1)}, list) //nolint:gosec // few
	req := kmsg.NewPtrCreatePartitionsRequest()
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, int32(n) //nolint:gosec // few
	t.Assignment = append(t.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: list})
	req.Topics, req.TimeoutMillis = append(req.Topics, t), answerWithin
	w.call(ctx, fmt.Sprintf("%d partitions of %s, the last on %v", n, topic, list), req, func(r kmsg.Response) int16 {
		code := r.(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode
		if code == 0 && w.history.Topic(topic) == created {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.asked.counts[topic] = grown{created, n}
		}
		return code
	})
}

func deleteRequest(topic string) *kmsg.DeleteTopicsRequest {
	req := kmsg.NewPtrDeleteTopicsRequest()
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &topic
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, t), []string{topic}, answerWithin
	return req
}

func (w *world) delete(ctx context.Context, topic string) {
	created := w.history.Topic(topic)
	w.call(ctx, "delete "+topic, deleteRequest(topic), func(r kmsg.Response) int16 {
		code := r.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode
		if code == 0 {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.asked.gone[topic] = created
		}
		return code
	})
}

// reassignRequest is for partitions of one topic.
func reassignRequest(target []int32, ids ...partition.ID) *kmsg.AlterPartitionAssignmentsRequest {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	for _, id := range ids {
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition, p.Replicas = id.Number, target
		t.Topic, t.Partitions = id.Topic, append(t.Partitions, p)
	}
	req.Topics, req.TimeoutMillis = append(req.Topics, t), answerWithin
	return req
}

func reassignCode(r kmsg.Response) int16 {
	resp := r.(*kmsg.AlterPartitionAssignmentsResponse)
	if resp.ErrorCode != 0 || len(resp.Topics) == 0 {
		return resp.ErrorCode
	}
	return resp.Topics[0].Partitions[0].ErrorCode
}

// reassign gives a partition other replicas, or none for those that it had.
func (w *world) reassign(ctx context.Context, p history.Partition, target []int32) {
	if target != nil {
		w.mayEnd(p.ID, target)
	}
	w.reassignTo(ctx, target, p.ID)
}

func (w *world) reassignTo(ctx context.Context, target []int32, ids ...partition.ID) {
	w.call(ctx, fmt.Sprintf("reassign %v to %v", ids, target), reassignRequest(target, ids...), reassignCode)
}

func electRequest(id partition.ID, unclean int8) *kmsg.ElectLeadersRequest {
	req := kmsg.NewPtrElectLeadersRequest()
	t := kmsg.NewElectLeadersRequestTopic()
	t.Topic, t.Partitions = id.Topic, []int32{id.Number}
	req.ElectionType, req.Topics, req.TimeoutMillis = unclean, append(req.Topics, t), answerWithin
	return req
}

func (w *world) elect(ctx context.Context, id partition.ID, unclean int8) {
	w.call(ctx, fmt.Sprintf("elect %d of %v", unclean, id), electRequest(id, unclean), func(r kmsg.Response) int16 {
		resp := r.(*kmsg.ElectLeadersResponse)
		code := resp.ErrorCode
		for _, t := range resp.Topics {
			code = cmp.Or(code, t.Partitions[0].ErrorCode)
		}
		return code
	})
}
