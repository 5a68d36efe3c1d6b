package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/history"
	"baton/e2e/kafka"
	"baton/e2e/load"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// awhile bounds every wait; on an idle machine they are over in a moment.
const awhile = time.Minute

// Brokers that create a topic by themselves choose from the live brokers they know, Baton among them. No replica ever
// stays there, whichever node was asked, and none is ever in an ISR; what a broker's own controller has initialised is
// repaired with leader, ISR and id kept.
func TestAutoCreatedTopicsLeaveBaton(t *testing.T) {
	s := begin(t, kafka.Options{
		Racks: []string{"a", "b", "c"}, AutoCreateTopics: true,
		Overrides: map[string]string{"num.partitions": "6", "default.replication.factor": "2"},
		PerBroker: func(id int) map[string]string {
			if id == 3 {
				return map[string]string{"default.replication.factor": "4"} // which it believes to be possible
			}
			return nil
		},
	})
	b := s.baton(batonproc.Options{})
	s.must(b.WaitActive(s.ctx))
	s.must(b.WaitReady(s.ctx))
	s.must(s.knownAsController(b))

	topics := s.autoCreateAtEveryNode(b)
	// One internal topic through a broker, the other through Baton; the story of the tools has it the other way round.
	s.findCoordinator(s.cluster.Broker(2).Addr(), 0)
	s.findCoordinator(b.Addr(), 1)
	s.leavesBaton(b, 2, topics[2]...)
	s.leavesBaton(b, 3, topics[3]...)
	s.leavesBaton(b, 3, "__consumer_offsets", "__transaction_state")
	racks := map[int]string{1: "a", 2: "b", 3: "c"}
	s.spreadOverRacks(racks, slices.Concat(topics[2], topics[3])...)
	s.nobodySeesReplicasOn(b)

	before := s.createWhilePaused(b)
	s.must(b.Resume())
	s.must(b.WaitActive(s.ctx)) // from the broker that holds it now
	for topic := range before {
		s.leavesBaton(b, len(s.assignment(topic).Partitions["0"]), topic)
	}

	s.cli(b, 0, "handback", "--yes", "--reason", "topics of the embedded controller")
	s.embedded()
	maps.Copy(before, s.strandOn(b))
	s.cli(b, 0, "takeover", "--yes")
	s.leavesBaton(b, 3, "stranded")
	s.leavesBaton(b, 1, "orphan")
	h := s.finish()
	s.keptLeadership(h, before)
	s.must(h.CheckNeverServed(b.ID()))
	named := 0
	for topic, changes := range h.Assignments() {
		for _, c := range changes {
			if c.Names(b.ID()) {
				named++
			}
			if (c.TopicID == "") == s.cluster.TopicIDs() || c.TopicID != changes[0].TopicID {
				t.Errorf("%s changed its id from %q to %q", topic, changes[0].TopicID, c.TopicID)
			}
		}
	}
	t.Logf("%d contents of topic znodes named Baton for a moment", named)
	if named < 3 {
		t.Error("hardly any topic was ever assigned to Baton: this test has shown nothing")
	}
}

// knownAsController waits until every broker has Baton among the nodes that it tells clients of.
func (s *story) knownAsController(b *batonproc.Baton) error {
	ctx, cancel := context.WithTimeout(s.ctx, awhile)
	defer cancel()
	return kafka.Eventually(ctx, "every broker to name Baton as a node", func(ctx context.Context) (bool, error) {
		for _, addr := range s.cluster.Seeds() {
			m, err := metadata(ctx, addr)
			if err != nil {
				return false, err
			}
			if !slices.ContainsFunc(m.Brokers, func(n kmsg.MetadataResponseBroker) bool { return int(n.NodeID) == b.ID() }) {
				return false, fmt.Errorf("%s knows %v", addr, m.Brokers)
			}
		}
		return true, nil
	})
}

// at sends a request to one node, through a connection of its own.
func at[R kmsg.Response](ctx context.Context, addr string, req kmsg.Request) (R, error) {
	var none R
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return none, err
	}
	defer client.Close()
	resp, err := client.SeedBrokers()[0].Request(ctx, req)
	if err != nil {
		return none, fmt.Errorf("%s: %w", addr, err)
	}
	r, ok := resp.(R)
	if !ok {
		return none, fmt.Errorf("%s answered %T", addr, resp)
	}
	return r, nil
}

// metadata asks a node about topics, creating them if they are named and missing; about all of them if none is named.
func metadata(ctx context.Context, addr string, topics ...string) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = true
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, t)
	}
	return at[*kmsg.MetadataResponse](ctx, addr, req)
}

// nodes are the addresses of all brokers, by id, and Baton's.
func (s *story) nodes(b *batonproc.Baton) map[int]string {
	out := map[int]string{b.ID(): b.Addr()}
	for _, k := range s.cluster.Brokers {
		out[k.ID()] = k.Addr()
	}
	return out
}

// autoCreateAtEveryNode asks each node about topics that do not exist, as a client that starts would. The topics are
// returned by the number of replicas that they shall have.
func (s *story) autoCreateAtEveryNode(b *batonproc.Baton) map[int][]string {
	s.Helper()
	all := map[int][]string{}
	for _, node := range slices.Sorted(maps.Keys(s.nodes(b))) {
		var topics []string
		for i := range 3 {
			topics = append(topics, fmt.Sprintf("asked-at-%d-%d", node, i))
		}
		m, err := metadata(s.ctx, s.nodes(b)[node], topics...)
		s.must(err)
		for _, t := range m.Topics {
			if t.ErrorCode != 0 && t.ErrorCode != kerr.LeaderNotAvailable.Code {
				s.Errorf("node %d about %s: %v", node, *t.Topic, kerr.ErrorForCode(t.ErrorCode))
			}
		}
		factor := 2
		if node == 3 {
			factor = 3 // of four
		}
		all[factor] = append(all[factor], topics...)
	}
	return all
}

// findCoordinator asks a node until it names one; the internal topic is made on the way.
func (s *story) findCoordinator(addr string, kind int8) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, awhile)
	defer cancel()
	s.must(kafka.Eventually(ctx, addr+" to name a coordinator", func(ctx context.Context) (bool, error) {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = kind, "somebody", []string{"somebody"}
		resp, err := at[*kmsg.FindCoordinatorResponse](ctx, addr, req)
		if err != nil {
			return false, err
		}
		code := resp.ErrorCode
		if len(resp.Coordinators) > 0 {
			code = resp.Coordinators[0].ErrorCode
		}
		return code == 0, kerr.ErrorForCode(code)
	}))
}

// leavesBaton waits until every partition has so many replicas, all of them on brokers and in sync.
func (s *story) leavesBaton(b *batonproc.Baton, factor int, topics ...string) {
	s.Helper()
	s.must(s.cluster.WaitPartitions(s.ctx, fmt.Sprint(topics)+" to be on brokers alone", topics,
		func(replicas []int, st kafka.PartitionState) bool {
			return !slices.Contains(replicas, b.ID()) && len(replicas) == factor && len(st.ISR) == factor && st.Leader >= 0
		}))
}

// spreadOverRacks checks that no partition uses a rack twice.
func (s *story) spreadOverRacks(racks map[int]string, topics ...string) {
	s.Helper()
	for _, topic := range topics {
		for n, replicas := range s.assignment(topic).Partitions {
			used := map[string]bool{}
			for _, r := range replicas {
				used[racks[r]] = true
			}
			if len(used) != len(replicas) {
				s.Errorf("%s-%s is on %v, in %d racks only", topic, n, replicas, len(used))
			}
		}
	}
}

type assignment struct {
	TopicID    string           `json:"topic_id"`
	Partitions map[string][]int `json:"partitions"`
}

func (s *story) assignment(topic string) (a assignment) {
	s.Helper()
	data, _, err := s.cluster.Conn.Get("/brokers/topics/" + topic)
	s.must(err)
	s.must(json.Unmarshal(data, &a))
	return a
}

func (s *story) state(topic, partition string) (p kafka.PartitionState) {
	s.Helper()
	data, _, err := s.cluster.Conn.Get("/brokers/topics/" + topic + "/partitions/" + partition + "/state")
	s.must(err)
	s.must(json.Unmarshal(data, &p))
	return p
}

// nobodySeesReplicasOn waits until no node tells clients of a replica on Baton.
func (s *story) nobodySeesReplicasOn(b *batonproc.Baton) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, awhile)
	defer cancel()
	s.must(kafka.Eventually(ctx, "metadata without replicas on Baton", func(ctx context.Context) (bool, error) {
		for node, addr := range s.nodes(b) {
			m, err := metadata(ctx, addr)
			if err != nil {
				return false, err
			}
			for _, t := range m.Topics {
				for _, p := range t.Partitions {
					if slices.Contains(p.Replicas, int32(b.ID())) || p.Leader < 0 {
						return false, fmt.Errorf("node %d: %s-%d has leader %d and replicas %v", node, *t.Topic, p.Partition, p.Leader, p.Replicas)
					}
				}
			}
		}
		return true, nil
	}))
}

// strandOn has the embedded controller create topics with replicas on Baton: it does not ask whether they exist. One
// is under load from then on, the other has a partition with no replica elsewhere. It returns the former's states.
func (s *story) strandOn(b *batonproc.Baton) states {
	s.Helper()
	baton := int32(b.ID())
	s.createOn("stranded", []int32{baton, 2, 3}, []int32{2, baton, 3}, []int32{3, 1, baton})
	s.createOn("orphan", []int32{baton}, []int32{1})
	s.must(s.cluster.WaitPartitions(s.ctx, "the embedded controller to lead stranded", []string{"stranded"},
		func(_ []int, st kafka.PartitionState) bool { return st.Leader >= 0 && len(st.ISR) == 2 }))
	p, err := load.Start(load.Options{Seeds: s.cluster.Seeds(), Targets: load.Partitions("stranded", 3)})
	s.must(err)
	s.load, s.topics = p, []string{"stranded"}
	s.more(50)
	return s.statesOf("stranded")
}

// states are those of some topics, by topic and partition.
type states map[string]map[string]kafka.PartitionState

func (s *story) statesOf(topics ...string) states {
	s.Helper()
	out := states{}
	for _, topic := range topics {
		out[topic] = map[string]kafka.PartitionState{}
		for n := range s.assignment(topic).Partitions {
			out[topic][n] = s.state(topic, n)
		}
	}
	return out
}

// createWhilePaused has brokers create topics while they still take Baton for the controller, which is frozen until
// its session has ended: a broker's own controller initialises them. It returns what that made of them.
func (s *story) createWhilePaused(b *batonproc.Baton) states {
	s.Helper()
	s.must(b.Pause())
	var topics []string
	for _, k := range s.cluster.Brokers[:2] {
		topic := fmt.Sprintf("paused-%d", k.ID())
		_, err := metadata(s.ctx, k.Addr(), topic)
		s.must(err)
		topics = append(topics, topic)
	}
	s.embedded()
	s.must(s.cluster.WaitPartitions(s.ctx, "the embedded controller to lead "+fmt.Sprint(topics), topics,
		func(replicas []int, st kafka.PartitionState) bool {
			hosts := slices.DeleteFunc(slices.Clone(replicas), func(id int) bool { return id == b.ID() })
			return st.Leader >= 0 && len(st.ISR) == len(hosts)
		}))
	before := s.statesOf(topics...)
	for _, topic := range topics {
		for n, replicas := range s.assignment(topic).Partitions {
			if !slices.Contains(replicas, b.ID()) {
				delete(before[topic], n) // nothing to repair
			}
		}
	}
	return before
}

// createOn creates a topic through the controller, whoever that is, without waiting for its leaders.
func (s *story) createOn(topic string, lists ...[]int32) {
	s.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.Seeds()...))
	s.must(err)
	defer client.Close()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, -1, -1
	for i, replicas := range lists {
		t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: int32(i), Replicas: replicas})
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.Topics = 1000, []kmsg.CreateTopicsRequestTopic{t}
	resp, err := req.RequestWith(s.ctx, client)
	s.must(err)
	if code := resp.Topics[0].ErrorCode; code != 0 && code != kerr.RequestTimedOut.Code {
		s.Fatalf("creating %s on %v: %v", topic, lists, kerr.ErrorForCode(code))
	}
}

// keptLeadership checks the first state that Baton gave each of these partitions: the next leader epoch, and all else
// as it was.
func (s *story) keptLeadership(h *history.History, before states) {
	s.Helper()
	all, checked := h.Partitions(), 0
	for topic, parts := range before {
		for n, was := range parts {
			number, err := strconv.Atoi(n)
			s.must(err)
			since := all[history.TopicPartition{Topic: topic, Partition: number}]
			at := slices.IndexFunc(since, func(st history.StateChange) bool {
				return st.Err == nil && st.ControllerEpoch > was.ControllerEpoch
			})
			if at < 0 {
				s.Errorf("%s-%s was never repaired: %+v", topic, n, was)
				continue
			}
			if st := since[at]; st.Leader != was.Leader || st.LeaderEpoch != was.LeaderEpoch+1 || !slices.Equal(st.ISR, was.ISR) {
				s.Errorf("%s-%s was %+v, became %v", topic, n, was, st)
			}
			checked++
		}
	}
	s.Logf("%d partitions repaired that a broker's controller had initialised", checked)
}
