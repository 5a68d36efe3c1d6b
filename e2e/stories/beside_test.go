package stories

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"baton/e2e/batonproc"
	"baton/e2e/javaclient"
	"baton/e2e/kafka"

	"github.com/IBM/sarama"
)

// What docs/beside.md says of other programs beside Baton, which is a node more in all that they are told.
func TestBesideOtherSoftware(t *testing.T) {
	kcat := kafka.RequireKcat(t)
	s := begin(t, kafka.Options{}, "orders")
	b, standby := s.pair(batonproc.Standby)
	s.must(s.knownAsController(b))
	java := javaclient.New(t)
	t.Run("page", func(t *testing.T) { s.on(t).besidePage(kcat, b) })
	t.Run("generate", func(t *testing.T) { s.on(t).generate(b) })
	t.Run("Cruise Control's calls", func(t *testing.T) { s.on(t).cruiseControl(java, b) })
	if !t.Run("librdkafka", func(t *testing.T) { s.on(t).librdkafka(kcat, b, standby) }) {
		t.FailNow() // it ends with the other one leading
	}
	t.Run("Cruise Control's calls after a failover", func(t *testing.T) { s.on(t).cruiseControl(java, standby) })
	s.must(b.Start())
	s.stands(b)
	t.Run("sarama", func(t *testing.T) { s.on(t).saramaAdmin(standby, b) })
	s.must(s.finish().CheckNeverServed(b.ID(), standby.ID()))
}

// besidePage runs the commands of the page, which need kcat and Kafka's tools on the path.
func (s *story) besidePage(kcat string, b *batonproc.Baton) {
	root, err := kafka.RepoRoot()
	s.must(err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "beside.md"))
	s.must(err)
	classpath, err := kafka.Fetch(s.ctx, kafka.DefaultVersion)
	s.must(err)
	dir := s.TempDir()
	s.must(os.Symlink(kcat, filepath.Join(dir, "kcat")))
	s.must(os.WriteFile(filepath.Join(dir, "kafka-reassign-partitions"), []byte("#!/bin/sh\nexec java -cp '"+classpath+
		"' org.apache.kafka.tools.reassign.ReassignPartitionsCommand \"$@\"\n"), 0o700)) //nolint:gosec // to be run
	s.must(os.WriteFile(filepath.Join(dir, "topics.json"), []byte(`{"version":1,"topics":[{"topic":"orders"}]}`), 0o600))
	cmd := exec.CommandContext(s.ctx, "bash", "-euo", "pipefail", "-c", shellBlocks(string(page)))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "BROKERS="+strings.Join(s.cluster.Seeds(), ","))
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	contains(s.T, string(out), " 4 brokers:")
	contains(s.T, string(out), fmt.Sprintf("broker %d at %s (controller)", b.ID(), b.Addr()))
	contains(s.T, string(out), "Proposed partition reassignment configuration")
}

// cruiseControl makes the calls that Cruise Control 2.5 takes its view of the nodes from: what it takes for alive, what
// it asks for log directories, what has replicas, and how a move to a Baton ends, by the exception that it looks for.
func (s *story) cruiseControl(java *javaclient.Client, b *batonproc.Baton) {
	seeds := strings.Join(s.cluster.Seeds(), ",")
	ask := func(verb string, args ...string) string {
		out, err := java.Do(verb, seeds, args...)
		s.must(err)
		return out
	}
	contains(s.T, ask("cluster"), "nodes=1,2,3,"+id(b.ID())+" ")
	contains(s.T, ask("logDirs", "orders"), fmt.Sprintf("asked=[1, 2, 3, %d] hosts=[1, 2, 3]", b.ID()))
	s.nobodySeesReplicasOn(b)
	if _, err := java.Do("reassign", seeds, "orders", "1,"+id(b.ID())); err == nil || !strings.HasPrefix(err.Error(), "InvalidReplicaAssignmentException: ") {
		s.Errorf("moving a replica to Baton: %v", err)
	}
}

// generate: kafka-reassign-partitions proposes what it is told to, and a proposal with a Baton in it is not carried out.
func (s *story) generate(b *batonproc.Baton) {
	topics := filepath.Join(s.TempDir(), "topics.json")
	s.must(os.WriteFile(topics, []byte(`{"version":1,"topics":[{"topic":"orders"}]}`), 0o600))
	propose := func(brokers ...string) string {
		out := s.reassign(0, "--generate", "--topics-to-move-json-file", topics, "--broker-list", strings.Join(brokers, ","))
		_, proposal, found := strings.Cut(out, "Proposed partition reassignment configuration\n")
		if !found {
			s.Fatalf("no proposal in:\n%s", out)
		}
		return strings.TrimSpace(proposal)
	}
	if proposal := propose("1", "2", "3"); strings.Contains(proposal, id(b.ID())) {
		s.Errorf("Baton is proposed: %s", proposal)
	}
	proposal := propose("1", "2", "3", id(b.ID()))
	contains(s.T, proposal, id(b.ID())) // nodes are all the same to the tool
	before := s.assignment("orders")
	file := filepath.Join(s.TempDir(), "proposal.json")
	s.must(os.WriteFile(file, []byte(proposal), 0o600))
	out := s.reassign(1, "--execute", "--reassignment-json-file", file)
	contains(s.T, out, "Error reassigning partition(s):")
	contains(s.T, out, "Replica assignment has brokers that are not alive.")
	for n, replicas := range s.assignment("orders").Partitions {
		if slices.Contains(replicas, b.ID()) {
			s.Errorf("orders-%s was on %v and is on %v", n, before.Partitions[n], replicas)
		}
	}
	s.must(s.cluster.WaitISRFull(s.ctx, "orders"))
}

// librdkafka: producers and groups that know the brokers, or nobody but the Baton, notice nothing when it is killed and
// another one leads under another id, but for a line in their logs.
func (s *story) librdkafka(kcat string, b, standby *batonproc.Baton) {
	s.must(s.cluster.CreateTopic(s.ctx, "flow-brokers", 4, 3))
	s.must(s.cluster.CreateTopic(s.ctx, "flow-baton", 4, 3))
	flows := []*flow{
		s.flow(kcat, "flow-brokers", strings.Join(s.cluster.Seeds(), ",")),
		s.flow(kcat, "flow-baton", b.Addr()),
	}
	for _, f := range flows {
		f.more(someMessages)
	}
	list, err := kcatRun(s.ctx, kcat, "", "-L", "-b", s.cluster.Seeds()[0])
	s.must(err)
	contains(s.T, list, " 4 brokers:")
	contains(s.T, list, fmt.Sprintf("broker %d at %s (controller)", b.ID(), b.Addr()))
	s.must(b.Kill())
	s.leads(standby)
	s.must(s.knownAsController(standby))
	for _, f := range flows {
		f.more(someMessages)
	}
	list, err = kcatRun(s.ctx, kcat, "", "-L", "-b", s.cluster.Seeds()[0])
	s.must(err)
	contains(s.T, list, " 4 brokers:")
	contains(s.T, list, fmt.Sprintf("broker %d at %s (controller)", standby.ID(), standby.Addr()))
	for _, f := range flows {
		f.ends(b.Addr())
	}
}

// flow is a kcat that writes what it is given and another one that reads it in a group.
type flow struct {
	*story
	topic     string
	in        io.WriteCloser
	producer  *exec.Cmd
	sent      int
	complains [2]*output // of the producer and of the consumer
	read      *output
}

// output is what a process has written so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (s *story) flow(kcat, topic, bootstrap string) *flow {
	s.Helper()
	f := &flow{story: s, topic: topic, complains: [2]*output{{}, {}}, read: &output{}}
	f.producer = exec.CommandContext(s.ctx, kcat, "-P", "-b", bootstrap, "-t", topic, "-X", "enable.idempotence=true", "-X", "linger.ms=0")
	f.producer.Stderr = f.complains[0]
	var err error
	f.in, err = f.producer.StdinPipe()
	s.must(err)
	s.must(f.producer.Start())
	ctx, cancel := context.WithCancel(s.ctx)
	consumer := exec.CommandContext(ctx, kcat, "-b", bootstrap, "-u", "-q", "-X", "auto.offset.reset=earliest", "-G", topic, topic)
	consumer.Stdout, consumer.Stderr = f.read, f.complains[1]
	s.must(consumer.Start())
	s.Cleanup(func() {
		cancel()
		_ = consumer.Wait() // it was killed
	})
	return f
}

// more feeds the producer and waits until the consumer has got it, each line once.
func (f *flow) more(n int) {
	f.Helper()
	for range n {
		_, err := fmt.Fprintf(f.in, "%-2047s\n", fmt.Sprintf("%s line %d.", f.topic, f.sent)) // kcat waits for whole kilobytes
		f.must(err)
		f.sent++
	}
	ctx, cancel := context.WithTimeout(f.ctx, awhile)
	defer cancel()
	f.must(kafka.Eventually(ctx, f.topic+" to be read", func(context.Context) (bool, error) {
		text := f.read.String()
		for i := range f.sent {
			if got := strings.Count(text, fmt.Sprintf("%s line %d.", f.topic, i)); got != 1 {
				return false, fmt.Errorf("line %d is there %d times; kcat says %s%s", i, got, f.complains[0], f.complains[1])
			}
		}
		return true, nil
	}))
}

// ends lets the producer end: it has delivered all, and has complained of nothing but the node at this address.
func (f *flow) ends(addr string) {
	f.Helper()
	f.must(f.in.Close())
	if err := f.producer.Wait(); err != nil {
		f.Errorf("kcat -P: %v\n%s", err, f.complains[0])
	}
	for _, o := range f.complains {
		for line := range strings.Lines(o.String()) {
			f.Logf("kcat on %s: %s", f.topic, strings.TrimSpace(line))
			if strings.HasPrefix(line, "%") && !strings.Contains(line, addr) {
				f.Errorf("kcat complains: %s", line)
			}
		}
	}
}

// saramaAdmin: an admin client that lives longer than a controller finds the next one when it is told to look.
func (s *story) saramaAdmin(b, next *batonproc.Baton) {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_8_0_0
	client, err := sarama.NewClient(s.cluster.Seeds(), cfg)
	s.must(err)
	admin, err := sarama.NewClusterAdminFromClient(client) // closes the client, too
	s.must(err)
	defer func() { _ = admin.Close() }()
	nodes, controller, err := admin.DescribeCluster()
	s.must(err)
	if len(nodes) != 4 || int(controller) != b.ID() {
		s.Errorf("%d nodes, the controller is %d", len(nodes), controller)
	}
	detail := sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 3}
	s.must(admin.CreateTopic("by-sarama", &detail, false))
	s.must(b.Kill())
	s.leads(next)
	s.must(s.knownAsController(next))
	_, err = client.RefreshController()
	s.must(err)
	s.must(admin.CreateTopic("by-sarama-later", &detail, false))
	s.leavesBaton(next, 3, "by-sarama", "by-sarama-later")
}
