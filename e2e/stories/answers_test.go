package stories

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// question is a request that brokers and Baton have to answer alike. It is asked at every version for which ask gives
// a request.
type question struct {
	name string
	ask  func(version int16) kmsg.Request
}

// answersLikeABroker compares, at every version that Baton serves, what it and a broker say to the same request.
func (s *story) answersLikeABroker(b *batonproc.Baton) {
	topic := "answers"
	s.must(s.cluster.CreateTopic(s.ctx, topic, 3, 3))
	s.must(s.cluster.CreateTopicOn(s.ctx, topic+"-manual", []int32{2, 1}, []int32{3, 2}))
	s.findCoordinator(b.Addr(), 0)
	s.findCoordinator(b.Addr(), 1)
	compared := 0
	for _, q := range slices.Concat(s.metadataQuestions(topic), coordinatorQuestions(), clusterQuestions()) {
		rng, _ := wire.ServedRange(q.ask(-1).Key())
		for v := rng.Min; v <= rng.Max; v++ {
			s.alike(q, v, s.cluster.Broker(2).Addr(), b.Addr())
			compared++
		}
	}
	s.Logf("%d answers compared", compared)
}

// alike waits until two nodes give the same answer: a broker may not have heard yet of what Baton has decided.
func (s *story) alike(q question, version int16, broker, baton string) {
	s.Helper()
	wait := 10 * time.Second
	if s.Failed() {
		wait = time.Second // what is different now will hardly become the same
	}
	ctx, cancel := context.WithTimeout(s.ctx, wait)
	defer cancel()
	err := kafka.Eventually(ctx, "Baton to answer as a broker", func(context.Context) (bool, error) {
		req := q.ask(version)
		req.SetVersion(version)
		theirs, ours := answer(s.ctx, broker, req), answer(s.ctx, baton, req)
		if theirs != ours {
			return false, fmt.Errorf("\nbroker: %s\n Baton: %s", around(theirs, ours), around(ours, theirs))
		}
		return true, nil
	})
	if err != nil {
		s.Errorf("%s, version %d: %v", q.name, version, err)
	}
}

// around is the part of an answer where it begins to differ from another.
func around(text, other string) string {
	at := 0
	for at < min(len(text), len(other)) && text[at] == other[at] {
		at++
	}
	return text[max(0, at-150):min(len(text), at+150)]
}

// answer is a node's answer in words, or that it closed the connection without one.
func answer(ctx context.Context, addr string, req kmsg.Request) string {
	resp, err := kafka.Ask(ctx, addr, req)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "closes the connection"
	case err != nil:
		return fmt.Sprintf("asking %s: %v", addr, err) // which no other answer is like
	}
	if m, ok := resp.(*kmsg.MetadataResponse); ok {
		tidy(m)
	}
	if c, ok := resp.(*kmsg.DescribeClusterResponse); ok {
		slices.SortFunc(c.Brokers, func(a, b kmsg.DescribeClusterResponseBroker) int { return cmp.Compare(a.NodeID, b.NodeID) })
	}
	if c, ok := resp.(*kmsg.FindCoordinatorResponse); ok {
		// The words of an error are each controller's own, its code is not.
		c.ErrorMessage = nil
		for i := range c.Coordinators {
			c.Coordinators[i].ErrorMessage = nil
		}
	}
	text, err := json.Marshal(resp)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// tidy puts into order what has none.
func tidy(m *kmsg.MetadataResponse) {
	name := func(t kmsg.MetadataResponseTopic) string {
		if t.Topic == nil {
			return fmt.Sprint(t.TopicID)
		}
		return *t.Topic
	}
	slices.SortFunc(m.Brokers, func(a, b kmsg.MetadataResponseBroker) int { return cmp.Compare(a.NodeID, b.NodeID) })
	slices.SortFunc(m.Topics, func(a, b kmsg.MetadataResponseTopic) int { return cmp.Compare(name(a), name(b)) })
	for i := range m.Topics {
		slices.SortFunc(m.Topics[i].Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int {
			return cmp.Compare(a.Partition, b.Partition)
		})
	}
}

func (s *story) metadataQuestions(topic string) []question {
	named := func(names ...string) []kmsg.MetadataRequestTopic {
		out := []kmsg.MetadataRequestTopic{}
		for _, n := range names {
			out = append(out, kmsg.MetadataRequestTopic{Topic: kmsg.StringPtr(n)})
		}
		return out
	}
	byID := func(ids ...[16]byte) []kmsg.MetadataRequestTopic {
		out := []kmsg.MetadataRequestTopic{}
		for _, id := range ids {
			out = append(out, kmsg.MetadataRequestTopic{TopicID: id})
		}
		return out
	}
	ask := func(name string, topics []kmsg.MetadataRequestTopic, create, operations bool) question {
		return question{"metadata of " + name, func(int16) kmsg.Request {
			r := kmsg.NewPtrMetadataRequest()
			r.Topics, r.AllowAutoTopicCreation = topics, create
			r.IncludeClusterAuthorizedOperations, r.IncludeTopicAuthorizedOperations = operations, operations
			return r
		}}
	}
	return []question{
		ask("nothing", named(), true, false),
		ask("all topics", nil, true, false),
		ask("two topics, one twice", named(topic, topic+"-manual", topic), true, false),
		ask("topics with operations", named(topic, "__consumer_offsets", "__transaction_state"), false, true),
		ask("missing topics", named("missing", topic, "no/name", "", strings.Repeat("x", 250)), true, false),
		ask("missing topics, not to be created", named("missing", "."), false, true),
		ask("a topic by id", byID(s.topicID(topic)), false, true),
		ask("an id that nothing has", byID([16]byte{1, 2, 3}, s.topicID(topic)), true, false),
	}
}

// topicID asks a broker, because ZooKeeper has the id as text.
func (s *story) topicID(topic string) [16]byte {
	s.Helper()
	m, err := metadata(s.ctx, s.cluster.Broker(1).Addr(), topic)
	s.must(err)
	return m.Topics[0].TopicID
}

func coordinatorQuestions() []question {
	ask := func(name string, kind int8, keys ...string) question {
		return question{"coordinator of " + name, func(int16) kmsg.Request {
			r := kmsg.NewPtrFindCoordinatorRequest()
			r.CoordinatorType, r.CoordinatorKeys = kind, keys
			if len(keys) > 0 {
				r.CoordinatorKey = keys[0]
			}
			return r
		}}
	}
	many := []string{}
	for i := range 40 {
		many = append(many, fmt.Sprintf("gruppe-%d-äöü", i))
	}
	return []question{
		ask("a group", 0, "somebody"), ask("groups", 0, many...), ask("transactions", 1, many[3:]...),
		ask("a group without a name", 0, ""), ask("no group", 0), ask("something unknown", 9, "somebody"),
	}
}

func clusterQuestions() []question {
	ask := func(name string, kind int8, operations bool) question {
		return question{"describeCluster " + name, func(int16) kmsg.Request {
			r := kmsg.NewPtrDescribeClusterRequest()
			r.EndpointType, r.IncludeClusterAuthorizedOperations = kind, operations
			return r
		}}
	}
	return []question{ask("", 1, false), ask("with operations", 1, true), ask("of controllers", 2, false), ask("of something else", 9, false)}
}
