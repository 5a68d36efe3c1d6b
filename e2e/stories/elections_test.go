package stories

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// What ElectLeaders answers and does under Baton, at every version, is what it answers and does under
// Kafka's own controller; unclean elections follow their settings at once. sametools_test.go compares
// what kafka-leader-election says.
func TestElections(t *testing.T) {
	s := begin(t, kafka.Options{Overrides: map[string]string{"controlled.shutdown.retry.backoff.ms": "100"}})
	under := func(who string, addr func() string) *electionScript {
		e := &electionScript{story: s, who: who, controller: addr}
		e.play()
		return e
	}
	kafkas := under("stock", func() string { return s.cluster.Broker(2).Addr() })
	b := s.baton(batonproc.Options{})
	s.must(b.WaitReady(s.ctx))
	s.must(s.knownAsController(b))
	batons := under("baton", func() string { return b.Addr() })
	for i, theirs := range kafkas.said {
		ours := batons.said[i]
		if !kafka.AtLeast(s.cluster.Version(), 2, 8) { // its sentences had no full stop yet
			ours, theirs = strings.ReplaceAll(ours, `.",`, `",`), strings.ReplaceAll(theirs, `.",`, `",`)
		}
		if ours != theirs {
			t.Errorf("step %d:\nunder Kafka's controller %s\nunder Baton              %s", i, theirs, ours)
		}
	}
	s.byCommand(b)
	b2 := s.rebalancing(b)
	s.must(s.finish().CheckNeverServed(b.ID(), b2.ID()))
}

// electionScript is what is done to one controller's cluster. Brokers 1 and 3 are stopped
// on the way, so that only 2 can be Kafka's controller in the middle of it.
type electionScript struct {
	*story
	who        string
	controller func() string
	said       []string
}

func (e *electionScript) topic(name string) string { return name + "-" + e.who }

func (e *electionScript) play() {
	unclean := []string{e.topic("by-topic"), e.topic("by-default"), e.topic("by-request")}
	e.must(e.cluster.CreateTopicOn(e.ctx, e.topic("home"), []int32{1, 2}, []int32{1, 2}, []int32{2, 1}))
	e.must(e.cluster.CreateTopicOn(e.ctx, e.topic("down"), []int32{3, 2}))
	for _, topic := range unclean {
		e.must(e.cluster.CreateTopicOn(e.ctx, topic, []int32{3, 1}))
	}
	e.must(e.cluster.Broker(1).Terminate(e.ctx))
	e.until("broker 1 to be out of the ISR", func(_ []int, st kafka.PartitionState) bool { return !slices.Contains(st.ISR, 1) }, append(unclean, e.topic("home"))...)
	e.must(e.cluster.Broker(3).Terminate(e.ctx))
	e.until("nobody to lead", func(_ []int, st kafka.PartitionState) bool { return st.Leader == -1 && slices.Equal(st.ISR, []int{3}) }, unclean...)
	e.back(1)
	e.must(e.cluster.WaitISRFull(e.ctx, e.topic("home")))

	e.asks(0, "home", 0, "home", 2, "down", 0, "by-request", 0, "none", 0, "home", 9)
	e.asks(1, "home", 0, "home", 2, "down", 0, "by-request", 0, "none", 0, "home", 9)
	e.configs("--entity-type", "topics", "--entity-name", e.topic("by-topic"), "--add-config", "unclean.leader.election.enable=true")
	e.until("the topic's setting to take effect", ledBy(1), e.topic("by-topic"))
	e.configs("--entity-type", "brokers", "--entity-default", "--add-config", "unclean.leader.election.enable=true")
	e.until("the cluster's default to take effect", ledBy(1), e.topic("by-default"))
	e.configs("--entity-type", "brokers", "--entity-default", "--delete-config", "unclean.leader.election.enable")

	e.back(3)
	e.allInSync()
	e.znode(e.topic("by-request"))
	r, err := e.cluster.LeaderElection(e.ctx, "--election-type", "preferred", "--all-topic-partitions")
	e.must(err)
	if r.ExitCode != 0 {
		e.Fatalf("kafka-leader-election: exit %d\n%s%s", r.ExitCode, r.Stdout, r.Stderr)
	}
	e.until("all leaders to be at home", func(replicas []int, st kafka.PartitionState) bool { return st.Leader == replicas[0] },
		append(unclean, e.topic("home"), e.topic("down"))...)
}

func ledBy(id int) func([]int, kafka.PartitionState) bool {
	return func(_ []int, st kafka.PartitionState) bool { return st.Leader == id }
}

// allInSync waits until every replica of every topic is in its ISR: an election of all partitions fails for one whose
// preferred leader is not.
func (s *story) allInSync() {
	s.Helper()
	topics, _, err := s.cluster.Conn.Children("/brokers/topics")
	s.must(err)
	s.must(s.cluster.WaitISRFull(s.ctx, topics...))
}

func (s *story) until(what string, ok func([]int, kafka.PartitionState) bool, topics ...string) {
	s.Helper()
	s.must(s.cluster.WaitPartitions(s.ctx, what, topics, ok))
}

func (e *electionScript) says(text string) {
	e.said = append(e.said, strings.ReplaceAll(text, e.who, "WHO"))
}

// asks sends the controller one request at every version and keeps its answers. In the
// first the elections are held, in the others they have been.
func (e *electionScript) asks(kind int8, named ...any) {
	e.Helper()
	for v := int16(0); v <= 2; v++ {
		req := kmsg.NewPtrElectLeadersRequest()
		req.Version, req.ElectionType, req.TimeoutMillis = v, kind, 20_000
		for i := 0; i < len(named); i += 2 {
			name, n := e.topic(named[i].(string)), int32(named[i+1].(int)) //nolint:forcetypeassert // ours
			req.Topics = append(req.Topics, kmsg.ElectLeadersRequestTopic{Topic: name, Partitions: []int32{n}})
		}
		resp, err := kafka.Ask(e.ctx, e.controller(), req)
		e.must(err)
		answer, ok := resp.(*kmsg.ElectLeadersResponse)
		if !ok {
			e.Fatalf("%T", resp)
		}
		var lines []string
		for _, t := range answer.Topics {
			for _, p := range t.Partitions {
				text, err := json.Marshal(p)
				e.must(err)
				lines = append(lines, t.Topic+" "+string(text))
			}
		}
		slices.Sort(lines)
		e.says(fmt.Sprintf("v%d type %d: code %d\n  %s", v, kind, answer.ErrorCode, strings.Join(lines, "\n  ")))
	}
}

func (e *electionScript) configs(args ...string) {
	e.Helper()
	r, err := e.cluster.Configs(e.ctx, append(args, "--alter")...)
	e.must(err)
	if r.ExitCode != 0 {
		e.Fatalf("kafka-configs %v: exit %d\n%s%s", args, r.ExitCode, r.Stdout, r.Stderr)
	}
}

// znode asks as the tools of old do, through ZooKeeper, for a leader that is not at home.
func (e *electionScript) znode(topic string) {
	e.Helper()
	const path = "/admin/preferred_replica_election"
	_, err := e.cluster.Conn.Create(path, []byte(`{"version":1,"partitions":[{"topic":"`+topic+`","partition":0}]}`), 0, zk.WorldACL(zk.PermAll))
	e.must(err)
	e.until("the election asked for in ZooKeeper", ledBy(3), topic)
	e.gone(path)
}

// byCommand elects with `controller elect`, as kafka-leader-election would.
func (s *story) byCommand(b *batonproc.Baton) {
	home := "home-baton"
	contains(s.T, s.cli(b, 0, "elect", "preferred", "--topic", home, "--partition", "0"), "Valid replica already elected for partitions "+home+"-0\n")
	s.must(s.cluster.Broker(1).Terminate(s.ctx))
	s.until("others to lead", func(_ []int, st kafka.PartitionState) bool { return st.Leader == 2 }, home)
	contains(s.T, s.cli(b, 1, "elect", "preferred", "--topic", home, "--partition", "0", "--bootstrap-server", s.cluster.Broker(2).Addr()),
		"Error completing leader election (PREFERRED) for partition: "+home+"-0: PREFERRED_LEADER_NOT_AVAILABLE: Failed to elect leader")
	s.must(s.cluster.Broker(1).Start())
	s.allInSync()
	contains(s.T, s.cli(b, 0, "elect", "preferred", "--all-topic-partitions", "-o", "json"), `"home-baton-0"`)
	s.until("leaders to be at home", func(replicas []int, st kafka.PartitionState) bool { return st.Leader == replicas[0] }, home)
	contains(s.T, s.cli(b, 3, "elect", "unclean", "--all-topic-partitions"), "give --yes")
	contains(s.T, s.cli(b, 0, "elect", "unclean", "--topic", home, "--yes"), "Valid replica already elected")
}

// rebalancing is Baton set to bring leaders home by itself.
func (s *story) rebalancing(before *batonproc.Baton) *batonproc.Baton {
	b := s.baton(batonproc.Options{ID: before.ID() + 1, Mode: batonproc.Standby,
		Sets: map[string]string{"auto.leader.rebalance.enable": "true", "leader.imbalance.check.interval.seconds": "1"}})
	s.must(b.WaitStandby(s.ctx))
	s.cli(before, 0, "handover", "--yes")
	s.must(b.WaitReady(s.ctx))
	s.must(s.cluster.Broker(1).Restart(s.ctx))
	s.until("leaders to come home by themselves", func(replicas []int, st kafka.PartitionState) bool {
		return st.Leader == replicas[0] && len(st.ISR) == 2
	}, "home-baton", "home-stock")
	s.logs(b, "auto leader rebalance")
	return b
}
