package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// targets are the replicas that partitions of one topic are to have.
type targets map[int32][]int32

// Replicas move under load as with Kafka's own controller, by its own tool, through the API
// and through the legacy znode. A broker that dies holds up its own partitions only; and
// what one controller has begun the other one goes on with, both ways.
func TestReassignment(t *testing.T) {
	s := begin(t, kafka.Options{Brokers: 4, BrokerSession: 10 * time.Second}, "moved")
	b := s.baton(batonproc.Options{Sets: short()})
	s.must(b.WaitActive(s.ctx))
	s.must(b.WaitReady(s.ctx))

	// The whole topic leaves broker 4, with a throttle that the tool sets and removes.
	plan := targets{0: {1, 2, 3}, 1: {2, 3, 1}, 2: {3, 1, 2}, 3: {1, 3, 2}, 4: {2, 1, 3}, 5: {3, 2, 1}}
	file := s.plan("moved", plan)
	contains(t, s.reassign(0, "--execute", "--reassignment-json-file", file, "--throttle", "100000000"), "Successfully started partition reassignments for moved-0,moved-1,moved-2,moved-3,moved-4,moved-5")
	s.moved("moved", plan)
	out := s.reassign(0, "--verify", "--reassignment-json-file", file)
	contains(t, out, "Reassignment of partition moved-5 is complete") // completed, since 3.0
	// Baton is a node, and has no throttle.
	if got, want := clearedBrokers(out), []string{"1", "2", id(b.ID()), "3", "4"}; !slices.Equal(got, want) {
		t.Errorf("throttles are taken from %v, want %v:\n%s", got, want, out)
	}
	contains(t, out, "Clearing topic-level throttles on topic moved")
	s.noLogs(4, "moved")
	s.must(s.cluster.WaitISRFull(s.ctx, "moved"))

	// Broker 4 is to take part, and dies.
	busy := targets{0: {4, 1, 2}, 1: {4, 2, 3}, 2: {3, 4, 1}}
	s.stuck(b.Addr(), 4, busy)
	contains(t, s.reassign(0, "--list"), "moved-0: replicas: 4,1,2,3. adding: 4. removing: 3.")
	contains(t, s.reassign(1, "--execute", "--reassignment-json-file", file), "Cannot execute because there is an existing partition assignment")
	if got := s.alterAssignments(b.Addr(), targets{0: {1, 2}})[0]; got != "0 " { // instead of what is in progress
		t.Errorf("another target: %s", got)
	}
	// The tool would wait for broker 4 to take its throttles away.
	s.reassign(0, "--cancel", "--preserve-throttles", "--reassignment-json-file", s.plan("moved", targets{1: busy[1]}))
	s.moved("moved", targets{0: {1, 2}, 1: {2, 3, 1}})
	if got := s.listed(b.Addr()); fmt.Sprint(got) != "map[2:[3 4 1 2]]" {
		t.Errorf("listed: %v", got)
	}
	refusals := s.reassignRefusals(b.Addr())
	s.more(50)

	// Kafka's own controller ends what Baton has begun.
	s.cli(b, 0, "handback", "--yes", "--reason", "in the middle of a reassignment")
	holder := s.cluster.Broker(s.embedded()).Addr()
	if own := s.reassignRefusals(holder); !slices.Equal(own, refusals) {
		t.Errorf("Baton refuses with\n%q\nKafka with\n%q", refusals, own)
	}
	s.must(s.cluster.Broker(4).Restart(s.ctx))
	s.moved("moved", targets{2: {3, 4, 1}})

	// Baton ends what Kafka's own controller has begun.
	s.stuck(s.cluster.Broker(s.embedded()).Addr(), 4, targets{3: {3, 4}, 5: {2, 1}})
	s.cli(b, 0, "takeover", "--yes")
	s.leads(b)
	if got := s.listed(b.Addr()); len(got[3]) == 0 {
		t.Errorf("listed: %v", got)
	}
	s.must(s.cluster.Broker(4).Restart(s.ctx))
	s.moved("moved", targets{3: {3, 4}, 5: {2, 1}})
	s.noLogs(3, "moved-5")

	// The legacy znode: garbage stays and is named, what comes after it is done.
	const legacy = "/admin/reassign_partitions"
	garbage := s.spoil(legacy, `{"version":1,"partitions":[{"topic":"moved","partition":4,"replicas":[4,1],"log_dirs":["any"]}]}`)
	s.names(b, garbage)
	_, err := s.cluster.Conn.Set(legacy, []byte(`{"version":1,"partitions":[{"topic":"moved","partition":4,"replicas":[4,1]}]}`), -1)
	s.must(err)
	s.moved("moved", targets{4: {4, 1}})
	s.gone(legacy)
	s.names(b)
	if !kafka.AtLeast(s.cluster.Version(), 3, 0) {
		s.reassignInZooKeeper(targets{0: {2, 4}, 4: {1, 3}})
		s.gone(legacy)
	}
	s.must(s.cluster.WaitISRFull(s.ctx, "moved"))
	h := s.finish()
	s.neverLeaderless(h)
}

// clearedBrokers are the ids whose throttles kafka-reassign-partitions says it takes away, in the order of strings.
func clearedBrokers(out string) []string {
	m := regexp.MustCompile(`(?m)^Clearing broker-level throttles on brokers ([0-9,]+)$`).FindStringSubmatch(out)
	if m == nil {
		return nil
	}
	ids := strings.Split(m[1], ",")
	slices.Sort(ids)
	return ids
}

// reassignInZooKeeper does it with the cluster's own tool, which asks ZooKeeper alone.
func (s *story) reassignInZooKeeper(ts targets) {
	s.Helper()
	file := s.plan("moved", ts)
	for _, args := range [][]string{{"--execute"}, {"--verify"}} {
		r, err := s.cluster.ReassignInZooKeeper(s.ctx, append(args, "--reassignment-json-file", file)...)
		s.must(err)
		if r.ExitCode != 0 {
			s.Fatalf("kafka-reassign-partitions --zookeeper %v: exit %d\n%s%s", args, r.ExitCode, r.Stdout, r.Stderr)
		}
		s.moved("moved", ts)
		s.Logf("%v:\n%s", args, r.Stdout)
	}
}

// gone waits until a znode is not there.
func (s *story) gone(path string) {
	s.Helper()
	s.must(s.cluster.Until(s.ctx, path+" to go", func(r *kafka.Reads) (string, error) {
		data, err := r.Get(path)
		if err != nil || data != nil {
			return "it is there", err
		}
		return "", nil
	}))
}

// plan writes a plan as kafka-reassign-partitions reads it.
func (s *story) plan(topic string, ts targets) string {
	s.Helper()
	var parts []map[string]any
	for n := range int32(100) {
		if replicas, ok := ts[n]; ok {
			parts = append(parts, map[string]any{"topic": topic, "partition": n, "replicas": replicas})
		}
	}
	data, err := json.Marshal(map[string]any{"version": 1, "partitions": parts})
	s.must(err)
	f := filepath.Join(s.TempDir(), "plan.json")
	s.must(os.WriteFile(f, data, 0o600))
	return f
}

func (s *story) reassign(want int, args ...string) string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, awhile)
	defer cancel()
	r, err := s.cluster.Reassign(ctx, args...)
	if err != nil || r.ExitCode != want {
		s.Fatalf("kafka-reassign-partitions %v: exit %d, want %d, %v\n%s%s", args, r.ExitCode, want, err, r.Stdout, r.Stderr)
	}
	return r.Stdout + r.Stderr
}

// moved waits until the assignments are in ZooKeeper and nothing is in progress any more.
func (s *story) moved(topic string, ts targets) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, awhile)
	defer cancel()
	s.must(s.cluster.Until(ctx, fmt.Sprintf("%s to be on %v", topic, ts), func(r *kafka.Reads) (string, error) {
		data, err := r.Get("/brokers/topics/" + topic)
		if err != nil {
			return "", err
		}
		var a struct {
			Partitions map[int32][]int32 `json:"partitions"`
			Adding     map[int32][]int32 `json:"adding_replicas"`
			Removing   map[int32][]int32 `json:"removing_replicas"`
		}
		if err := json.Unmarshal(data, &a); err != nil {
			return "", err
		}
		for n, want := range ts {
			if !same(a.Partitions[n], want) || len(a.Adding[n])+len(a.Removing[n]) > 0 {
				return string(data), nil
			}
		}
		return "", nil
	}))
}

// same: a cancelled reassignment keeps the replicas, not their order.
func same(a, b []int32) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// stuck starts reassignments that cannot end, because a broker in the target stands still
// when they start and is killed then.
func (s *story) stuck(addr string, broker int, ts targets) {
	s.Helper()
	s.must(s.cluster.Broker(broker).Pause())
	for n, code := range s.alterAssignments(addr, ts) {
		if !strings.HasPrefix(code, "0 ") {
			s.Fatalf("moved-%d: %s", n, code)
		}
	}
	s.must(s.cluster.Broker(broker).Kill())
	s.must(s.cluster.Broker(broker).WaitGone(s.ctx))
}

// alterAssignments asks a controller for reassignments; nil cancels. It returns codes and messages.
func (s *story) alterAssignments(addr string, ts targets) map[int32]string {
	s.Helper()
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	t.Topic = "moved"
	for n, replicas := range ts {
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition, p.Replicas = n, replicas
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	resp, err := at[*kmsg.AlterPartitionAssignmentsResponse](s.ctx, addr, req)
	s.must(err)
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 {
		s.Fatalf("%+v", resp)
	}
	out := map[int32]string{}
	for _, p := range resp.Topics[0].Partitions {
		message := ""
		if p.ErrorMessage != nil {
			message = *p.ErrorMessage
		}
		out[p.Partition] = fmt.Sprintf("%d %s", p.ErrorCode, message)
	}
	return out
}

// reassignRefusals are what a controller says to requests that it refuses; the order of a Scala set means nothing.
func (s *story) reassignRefusals(addr string) []string {
	s.Helper()
	set := regexp.MustCompile(`(Set|HashSet|ArrayBuffer|Buffer|List|Vector)\([^)]*\)`)
	var out []string
	for _, bad := range []targets{{3: {}}, {3: {1, 1}}, {3: {1, -2}}, {3: {1, 77}}, {3: {1, batonproc.FirstID}}, {3: nil}, {77: {1, 2}}, {77: nil}} {
		for n, text := range s.alterAssignments(addr, bad) {
			if !kafka.AtLeast(s.cluster.Version(), 2, 8) { // which said nothing but that it was invalid
				text, _, _ = strings.Cut(text, " ")
			}
			text = set.ReplaceAllStringFunc(text, func(m string) string {
				kind, list, _ := strings.Cut(strings.TrimSuffix(m, ")"), "(")
				ids := strings.Split(list, ", ")
				slices.Sort(ids)
				return kind + "(" + strings.Join(ids, ", ") + ")"
			})
			out = append(out, fmt.Sprintf("%d: %s", n, text))
		}
	}
	return out
}

// listed is what a controller lists as in progress.
func (s *story) listed(addr string) map[int32][]int32 {
	s.Helper()
	resp, err := at[*kmsg.ListPartitionReassignmentsResponse](s.ctx, addr, kmsg.NewPtrListPartitionReassignmentsRequest())
	s.must(err)
	out := map[int32][]int32{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			out[p.Partition] = p.Replicas
		}
	}
	return out
}

// noLogs waits until a broker has no log of that prefix; one that is being deleted has another name.
func (s *story) noLogs(broker int, prefix string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, awhile)
	defer cancel()
	s.must(kafka.Eventually(ctx, fmt.Sprintf("broker %d to have no log of %s", broker, prefix), func(context.Context) (bool, error) {
		for _, dir := range s.cluster.Broker(broker).DataDirs() {
			found, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
			if err != nil {
				return false, err
			}
			for _, f := range found {
				if !strings.HasSuffix(f, "-delete") {
					return false, fmt.Errorf("%s is there", f)
				}
			}
		}
		return true, nil
	}))
}
