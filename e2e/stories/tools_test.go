package stories

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"baton/e2e/batonproc"
	"baton/e2e/javaclient"
	"baton/e2e/kafka"
)

// Kafka's console clients and AdminClient find in Baton the controller that they look for, wherever they start from.
// sametools_test.go compares the other tools.
func TestKafkasOwnTools(t *testing.T) {
	s := begin(t, kafka.Options{Racks: []string{"a", "b", "c"}})
	java := javaclient.New(t)
	kafkas := s.refusals(java, s.cluster.Seeds())
	b := s.baton(batonproc.Options{Mode: batonproc.Standby})
	s.must(b.WaitStandby(s.ctx))
	s.cli(b, 0, "takeover", "--yes")
	s.must(b.WaitReady(s.ctx))
	s.must(s.knownAsController(b))
	t.Run("refusals are Kafka's", func(t *testing.T) { s.on(t).sameRefusals(java, b, kafkas) })
	// The other internal topic is made by whoever the console consumer and the others ask.
	s.findCoordinator(b.Addr(), 0)
	s.findCoordinator(s.cluster.Broker(1).Addr(), 1)
	s.java(java, "create", b.Addr(), "tool-Baton", "4", "3", "retention.ms=123456")
	t.Run("console clients at Baton", func(t *testing.T) { s.on(t).console(s.cluster.Via(b.Addr()), "tool-Baton") })
	t.Run("describeCluster", func(t *testing.T) { s.on(t).describeCluster(java, b) })
	t.Run("AdminClient at Baton", func(t *testing.T) { s.on(t).adminAnyNode(java, b) })
	t.Run("AdminClient and what only a controller does", func(t *testing.T) { s.on(t).adminController(java, b) })
	t.Run("answers like a broker's", func(t *testing.T) { s.on(t).answersLikeABroker(b) })
	s.leavesBaton(b, 3, "__consumer_offsets", "__transaction_state")
	s.must(s.finish().CheckNeverServed(b.ID()))
}

// on is the same story told by a subtest.
func (s *story) on(t *testing.T) *story {
	sub := *s
	sub.T = t
	return &sub
}

// refusals are what the controller of the moment has to say about topics that cannot be.
func (s *story) refusals(c *javaclient.Client, seeds []string) map[string]string {
	s.Helper()
	if _, err := c.Do("create", seeds[0], "there.is", "1", "1"); err != nil && !strings.HasPrefix(err.Error(), "TopicExists") {
		s.Fatal(err)
	}
	said := map[string]string{}
	for _, question := range []string{
		"create there.is 1 1", "create there_is 1 1", "create factor 1 5", "create factor 1 0", "create partitions 0 1",
		"create partitions -5 1", "create factor 1 -5", "create no/name 1 1", "create .. 1 1", "create " + strings.Repeat("long", 63) + " 1 1",
		"create __cluster_metadata 1 1", "create config 1 1 retention.ms=soon", "create config 1 1 no.such.config=1",
		"create config 1 1 cleanup.policy=forget", "create config 1 1 min.insync.replicas=0",
		"create config 1 1 message.timestamp.type=Never", "create config 1 1 compression.type=paper",
		"create config 1 1 follower.replication.throttled.replicas=all", "create config 1 1 segment.bytes=1",
		"createOn manual 0:1,1", "createOn manual 0:1;2:2", "createOn manual 0:1,2;1:3",
	} {
		words := strings.Fields(question)
		if _, err := c.Do(words[0], seeds[0], words[1:]...); err != nil {
			said[question] = err.Error()
		} else {
			said[question] = "ok"
		}
	}
	return said
}

// sameRefusals compares Baton's with those of Kafka's own controller.
func (s *story) sameRefusals(c *javaclient.Client, b *batonproc.Baton, kafkas map[string]string) {
	ours := s.refusals(c, []string{b.Addr()})
	for question, want := range kafkas {
		said := ours[question]
		if start, _, cut := strings.Cut(want, "HashMap("); cut && strings.HasPrefix(said, start) {
			continue // the rest is Scala's way of writing an assignment
		}
		if said != want || said == "ok" {
			s.Errorf("%s:\nBaton says %s\nKafka says %s", question, said, want)
		}
	}
}

// topicsTool runs kafka-topics and fails unless it exits with want.
func (s *story) topicsTool(c *kafka.Cluster, want int, args ...string) string {
	s.Helper()
	r, err := c.Topics(s.ctx, args...)
	s.must(err)
	if r.ExitCode != want {
		s.Fatalf("kafka-topics %v: exit %d, want %d\n%s%s", args, r.ExitCode, want, r.Stdout, r.Stderr)
	}
	return r.Stdout + r.Stderr
}

// console writes and reads a topic.
func (s *story) console(c *kafka.Cluster, topic string) {
	var lines []string
	for i := range someMessages {
		lines = append(lines, fmt.Sprintf("k%d:line %d", i, i))
	}
	r, err := c.ConsoleProducer(s.ctx, strings.NewReader(strings.Join(lines, "\n")+"\n"), topic,
		"--property", "parse.key=true", "--property", "key.separator=:", "--producer-property", "acks=all")
	s.must(err)
	if r.ExitCode != 0 || strings.Contains(r.Stderr, "ERROR") {
		s.Fatalf("console producer: exit %d\n%s%s", r.ExitCode, r.Stdout, r.Stderr)
	}
	r, err = c.ConsoleConsumer(s.ctx, topic, "--group", topic, "--from-beginning", "--max-messages", id(someMessages), "--timeout-ms", "60000")
	s.must(err)
	if r.ExitCode != 0 {
		s.Fatalf("console consumer: exit %d\n%s%s", r.ExitCode, r.Stdout, r.Stderr)
	}
	got := strings.Split(strings.TrimSpace(r.Stdout), "\n")
	for i := range someMessages {
		if !slices.Contains(got, fmt.Sprintf("line %d", i)) {
			s.Errorf("line %d is not among %q", i, got)
		}
	}
}

// java asks Kafka's AdminClient, which must not fail.
func (s *story) java(c *javaclient.Client, verb, addr string, args ...string) string {
	s.Helper()
	out, err := c.Do(verb, addr, args...)
	if err != nil {
		s.Errorf("%s %v at %s: %v", verb, args, addr, err)
	}
	return out
}

// describeCluster: each node names Baton, with the address at which it can be reached.
func (s *story) describeCluster(c *javaclient.Client, b *batonproc.Baton) {
	want := fmt.Sprintf("controller=%d@%s nodes=1,2,3,%d ", b.ID(), b.Addr(), b.ID())
	for _, addr := range s.nodes(b) {
		if out := s.java(c, "cluster", addr); !strings.HasPrefix(out, want) {
			s.Errorf("%s says %q, want %q", addr, out, want)
		}
	}
}

// adminAnyNode asks what a client may ask any node, knowing only Baton at first.
func (s *story) adminAnyNode(c *javaclient.Client, b *batonproc.Baton) {
	addr, topic := b.Addr(), "tool-Baton"
	contains(s.T, s.java(c, "create", addr, "java-topic", "3", "3"), "")
	contains(s.T, s.java(c, "topic", addr, topic), "name="+topic)
	contains(s.T, s.java(c, "configs", addr, "TOPIC", topic), "retention.ms=123456")
	contains(s.T, s.java(c, "configs", addr, "BROKER", "2"), "broker.id=2")
	contains(s.T, s.java(c, "configs", addr, "BROKER", id(b.ID())), "node.id="+id(b.ID()))
	s.java(c, "alterConfig", addr, "TOPIC", topic, "retention.ms", "654321")
	contains(s.T, s.java(c, "configs", addr, "TOPIC", topic), "retention.ms=654321")
	contains(s.T, s.java(c, "groups", addr), topic)
	contains(s.T, s.java(c, "logDirs", addr, topic), fmt.Sprintf("asked=[1, 2, 3, %d] hosts=[1, 2, 3]", b.ID()))
	s.java(c, "offset", addr, topic)
	contains(s.T, s.java(c, "features", addr), "finalizedFeatures:{}")
	for _, at := range []string{addr, s.cluster.Broker(1).Addr()} {
		_, err := c.Do("acls", at)
		s.fails(err, "SecurityDisabledException")
	}
}

// adminController: what a controller is asked for, of Baton and of a broker.
func (s *story) adminController(c *javaclient.Client, b *batonproc.Baton) {
	before := s.assignment("tool-Baton")
	for _, addr := range []string{b.Addr(), s.cluster.Broker(3).Addr()} {
		_, err := c.Do("elect", addr, "tool-Baton")
		s.fails(err, "ElectionNotNeededException")
		if out := s.java(c, "reassignments", addr); out != "{}" {
			s.Errorf("reassignments: %s", out)
		}
	}
	if after := s.assignment("tool-Baton"); fmt.Sprint(after) != fmt.Sprint(before) {
		s.Errorf("the topic was %v and is %v", before, after)
	}
	s.java(c, "partitions", b.Addr(), "tool-Baton")
	if after := s.assignment("tool-Baton"); len(after.Partitions) != 99 {
		s.Errorf("%d partitions, want 99", len(after.Partitions))
	}
	s.java(c, "delete", b.Addr(), "tool-Baton")
	s.gone("/brokers/topics/tool-Baton") // the answer does not wait for the brokers' disks
}

// fails checks which of Kafka's exceptions came out.
func (s *story) fails(err error, class string) {
	s.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), class) {
		s.Errorf("got %v, want %s", err, class)
	}
}
