package stories

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/javatools"
	"baton/e2e/kafka"
	"baton/e2e/normal"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// toolSide is one of two clusters that the same script is played on.
type toolSide struct {
	*story
	who    string
	jvm    *javatools.JVM
	baton  *batonproc.Baton // nil under Kafka's own controller
	normal normal.Cluster
	dir    string // of the script's files
}

// What Kafka's own tools say under Baton is what they say under Kafka's own controller, but for what package normal
// names: the scripts in testdata/tools, step by step on two clusters of the same shape.
func TestSameTools(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real Kafka")
	}
	kafka.RequireJava(t)
	if kafka.SelectedVersion() != kafka.DefaultVersion {
		t.Skipf("the scripts are written for the tools of Kafka %s", kafka.DefaultVersion)
	}
	kcat := kafka.RequireKcat(t)
	kafkas, batons := twoSides(t)
	files, err := filepath.Glob("testdata/tools/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	transcript, err := os.Create(filepath.Join(kafkas.cluster.LogDir(), "transcript.log"))
	kafkas.must(err)
	t.Cleanup(func() { _ = transcript.Close() })
	p := &toolPlay{T: t, sides: []*toolSide{kafkas, batons}, kcat: kcat, transcript: transcript}
	for _, f := range files {
		steps, start := readToolScript(t, f), time.Now()
		before := p.compared
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { p.on(t).play(filepath.Base(f), steps) })
		t.Logf("%s: %d commands compared in %v", f, p.compared-before, time.Since(start).Round(time.Second))
	}
}

// twoSides starts both clusters at once.
func twoSides(t *testing.T) (kafkas, batons *toolSide) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	kafkas, batons = &toolSide{who: "Kafka"}, &toolSide{who: "Baton"}
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, side := range []*toolSide{kafkas, batons} {
		side.jvm, side.dir, side.story = javatools.New(t, kafka.DefaultVersion), t.TempDir(), &story{T: t, ctx: ctx}
		wg.Go(func() {
			side.cluster, errs[i] = kafka.New(ctx, t, kafka.Options{Racks: []string{"a", "b", "c"},
				Overrides: map[string]string{"controlled.shutdown.retry.backoff.ms": "100", "replica.fetch.max.bytes": "100000"}})
		})
	}
	wg.Wait()
	kafkas.must(errors.Join(errs...))
	batons.baton = batons.story.baton(batonproc.Options{})
	batons.must(batons.baton.WaitReady(batons.ctx))
	batons.must(batons.knownAsController(batons.baton))
	for _, side := range []*toolSide{kafkas, batons} {
		side.names()
	}
	return kafkas, batons
}

func (s *toolSide) names() {
	s.normal.Names = map[string]string{s.dir: "FILES"}
	for _, b := range s.cluster.Brokers {
		s.normal.Brokers = append(s.normal.Brokers, b.ID())
		s.normal.Names[b.Addr()] = fmt.Sprintf("broker-%d:port", b.ID())
		s.normal.Names[b.DataDirs()[0]] = fmt.Sprintf("broker-%d/data", b.ID())
	}
	if s.baton != nil {
		s.normal.Baton = s.baton.ID()
		s.normal.Names[s.baton.Addr()] = "baton:port"
	}
	for _, addr := range s.cluster.ZooKeeper.Addrs() {
		s.normal.Names[addr] = "zookeeper:port"
	}
	data, _, err := s.cluster.Conn.Get("/cluster/id")
	s.must(err)
	var id struct {
		ID string `json:"id"`
	}
	s.must(json.Unmarshal(data, &id))
	s.normal.ID = id.ID
}

// toolPlay plays scripts on both sides.
type toolPlay struct {
	*testing.T
	sides      []*toolSide
	kcat       string
	compared   int
	transcript io.Writer
}

func (p *toolPlay) on(t *testing.T) *toolPlay {
	p.T = t
	for _, s := range p.sides {
		s.story = s.story.on(t)
	}
	return p
}

// each does the same on both sides at once.
func (p *toolPlay) each(sides []*toolSide, do func(*toolSide) error) {
	p.Helper()
	errs := make([]error, len(sides))
	var wg sync.WaitGroup
	for i, s := range sides {
		wg.Go(func() { errs[i] = do(s) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			p.Fatalf("under %s's controller: %v", sides[i].who, err)
		}
	}
}

func (p *toolPlay) play(file string, steps []*toolStep) {
	for _, st := range steps {
		if st.tool() {
			p.compare(file, st)
			continue
		}
		p.each(p.sides, func(s *toolSide) error {
			if err := s.do(st); err != nil {
				return fmt.Errorf("%s:%d: %v: %w", file, st.line, st, err)
			}
			return nil
		})
	}
}

// compare runs a tool on both sides.
func (p *toolPlay) compare(file string, st *toolStep) {
	p.Helper()
	what := fmt.Sprintf("%s:%d: %v", file, st.line, st)
	said := map[*toolSide]string{}
	var mu sync.Mutex
	sides := p.sides
	if st.batons {
		sides = sides[1:]
	}
	once := func() {
		p.each(sides, func(s *toolSide) error {
			if err := s.settled(); err != nil {
				return fmt.Errorf("before %s: %w", what, err)
			}
			start := time.Now()
			r, err := p.run(s, st)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			mu.Lock()
			defer mu.Unlock()
			said[s] = fmt.Sprintf("exit %d\n%s%s", r.ExitCode, s.normal.Output(st.words[0], st.marks, r.Stdout),
				section("stderr", s.normal.Output(st.words[0], st.marks, r.Stderr)))
			p.record("%s, %s, %v\nexit %d\n%s%s", what, s.who, time.Since(start).Round(time.Millisecond), r.ExitCode, r.Stdout, section("stderr", r.Stderr))
			return nil
		})
	}
	once()
	for end := time.Now().Add(10 * time.Second); st.until && p.wrong(st, said) != "" && time.Now().Before(end); once() {
	}
	p.compared += len(sides) - 1
	if wrong := p.wrong(st, said); wrong != "" {
		p.Errorf("%s\n%s", what, wrong)
	}
}

// record keeps everything that the tools said, as they said it, beside the logs of the processes.
func (p *toolPlay) record(format string, args ...any) {
	_, err := fmt.Fprintf(p.transcript, format+"\n", args...)
	if err != nil {
		p.Error(err)
	}
}

// wrong says what is, if anything.
func (p *toolPlay) wrong(st *toolStep, said map[*toolSide]string) string {
	kafkas, batons := said[p.sides[0]], said[p.sides[1]]
	if kafkas != batons && !st.batons {
		return "- under Kafka's controller, + under Baton:\n" + normal.Diff(kafkas, batons)
	}
	if failed := !strings.HasPrefix(batons, "exit 0\n"); failed != st.fails {
		return fmt.Sprintf("fails: %v, expected %v:\n%s", failed, st.fails, batons)
	}
	for _, part := range st.contains {
		if !strings.Contains(batons, part) {
			return fmt.Sprintf("expected %q in:\n%s", part, batons)
		}
	}
	return ""
}

func section(name, text string) string {
	if text == "" {
		return ""
	}
	return name + ":\n" + text
}

// toolLimit is how long one tool may take: some try again for a minute before they give up.
const toolLimit = 90 * time.Second

func (p *toolPlay) run(s *toolSide, st *toolStep) (kafka.ToolResult, error) {
	name, args := st.words[0], slices.Clone(st.words[1:])
	for i, a := range args {
		args[i] = s.argument(a)
	}
	addr := s.cluster.Broker(1).Addr() // the one that is never stopped
	if s.baton != nil && st.line%2 == 1 {
		addr = s.baton.Addr()
	}
	switch name {
	case "kcat":
		return p.runKcat(append([]string{"-b", addr}, args...), st.input)
	case "kafka-cluster":
		args = append(args, "--bootstrap-server", addr)
	case "kafka-producer-perf-test":
		args = append(args, "--producer-props", "bootstrap.servers="+addr)
	default:
		args = append([]string{"--bootstrap-server", addr}, args...)
	}
	class, ok := javatools.Classes[name]
	if !ok {
		return kafka.ToolResult{}, fmt.Errorf("unknown tool %s", name)
	}
	if strings.HasPrefix(name, "kafka-verifiable-") {
		// They end their JVM, and print what matters while it ends.
		ctx, cancel := context.WithTimeout(s.ctx, toolLimit)
		defer cancel()
		return s.cluster.ToolStdin(ctx, strings.NewReader(st.input), class, args...)
	}
	return s.jvm.Run(toolLimit, st.input, class, args...)
}

func (p *toolPlay) runKcat(args []string, input string) (r kafka.ToolResult, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), toolLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.kcat, args...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	err = cmd.Run()
	if cmd.ProcessState == nil || ctx.Err() != nil {
		return r, cmp.Or(ctx.Err(), err)
	}
	return kafka.ToolResult{Stdout: out.String(), Stderr: errs.String(), ExitCode: cmd.ProcessState.ExitCode()}, nil
}

// argument fills in @FILE and $ID(topic).
func (s *toolSide) argument(a string) string {
	if name, ok := strings.CutPrefix(a, "@"); ok {
		return filepath.Join(s.dir, name)
	}
	if topic, ok := strings.CutPrefix(a, "$ID("); ok {
		data, _, err := s.cluster.Conn.Get("/brokers/topics/" + strings.TrimSuffix(topic, ")"))
		s.must(err)
		var t struct {
			ID string `json:"topic_id"`
		}
		s.must(json.Unmarshal(data, &t))
		return t.ID
	}
	return a
}

// do makes a step that is not a tool's.
func (s *toolSide) do(st *toolStep) error {
	args := st.words[1:]
	switch st.words[0] {
	case "file":
		return os.WriteFile(filepath.Join(s.dir, args[0]), []byte(st.input), 0o600)
	case "fill":
		n, err1 := strconv.Atoi(args[0])
		length, err2 := strconv.Atoi(args[1])
		if err := cmp.Or(err1, err2); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(s.dir, args[2]), []byte(strings.Repeat(strings.Repeat("x", length)+"\n", n)), 0o600)
	case "stop", "start":
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		b := s.cluster.Broker(n)
		if st.words[0] == "stop" {
			return b.Terminate(s.ctx)
		}
		return cmp.Or(b.Start(), b.WaitRegistered(s.ctx))
	default:
		return s.wait(args)
	}
}

// wait waits for what ZooKeeper holds.
func (s *toolSide) wait(args []string) error {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	what := strings.Join(args, " ")
	return s.cluster.Until(ctx, what, func(r *kafka.Reads) (string, error) {
		switch args[0] {
		case "gone":
			for _, path := range []string{"/brokers/topics/", "/admin/delete_topics/"} {
				if data, err := r.Get(path + args[1]); err != nil || data != nil {
					return "it is there", err
				}
			}
			return "", nil
		case "reassigned":
			return reassigned(r, args[1:])
		}
		names, want := args[1:], ""
		if args[0] == "isr" || args[0] == "led" {
			names, want = args[1:2], args[2]
		}
		for _, name := range names {
			if missing, err := awaited(r, args[0], name, want); missing != "" || err != nil {
				return missing, err
			}
		}
		return "", nil
	})
}

// moving is a topic's znode.
type moving struct {
	Partitions map[string][]int `json:"partitions"`
	Adding     map[string][]int `json:"adding_replicas"`
	Removing   map[string][]int `json:"removing_replicas"`
}

func readTopic(r *kafka.Reads, topic string) (m moving, err error) {
	data, err := r.Get("/brokers/topics/" + topic)
	if err != nil || data == nil {
		return m, cmp.Or(err, fmt.Errorf("topic %s does not exist", topic))
	}
	return m, json.Unmarshal(data, &m)
}

// reassigned says what is still being reassigned of what is named: topics, partitions, or everything.
func reassigned(r *kafka.Reads, names []string) (string, error) {
	topics, err := r.Children("/brokers/topics")
	if err != nil {
		return "", err
	}
	for _, topic := range topics {
		m, err := readTopic(r, topic)
		if err != nil {
			return "", err
		}
		for n := range m.Partitions {
			named := len(names) == 0 || slices.Contains(names, topic) || slices.Contains(names, topic+"-"+n)
			if named && len(m.Adding[n])+len(m.Removing[n]) > 0 {
				return fmt.Sprintf("%s-%s is being reassigned", topic, n), nil
			}
		}
	}
	return "", nil
}

func awaited(r *kafka.Reads, kind, name, want string) (string, error) {
	at := strings.LastIndex(name, "-")
	topic, n := name[:at], name[at+1:]
	data, err := r.Get("/brokers/topics/" + topic + "/partitions/" + n + "/state")
	if err != nil || data == nil {
		return name + " has no state", err
	}
	var st kafka.PartitionState
	if err := json.Unmarshal(data, &st); err != nil {
		return "", err
	}
	ok := false
	switch kind {
	case "isr":
		ok = strings.Trim(strings.Join(strings.Fields(fmt.Sprint(st.ISR)), ","), "[]") == want
	case "led":
		ok = strconv.Itoa(st.Leader) == want
	case "leaderless":
		ok = st.Leader == -1
	case "isr-full":
		m, err := readTopic(r, topic)
		if err != nil {
			return "", err
		}
		ok = st.Leader >= 0 && len(st.ISR) == len(m.Partitions[n])
	default:
		return "", fmt.Errorf("%w: unknown condition %q", kafka.ErrHopeless, kind)
	}
	if !ok {
		return fmt.Sprintf("%s is %s", name, data), nil
	}
	return "", nil
}

// settled waits until every node that can be asked says what ZooKeeper holds: a controller answers a tool before the
// last broker has heard of what was done.
func (s *toolSide) settled() error {
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	nodes := map[int]string{}
	for _, b := range s.cluster.Brokers {
		if b.Running() {
			nodes[b.ID()] = b.Addr()
		}
	}
	brokers := len(nodes)
	if s.baton != nil {
		nodes[s.baton.ID()] = s.baton.Addr()
	}
	return kafka.Eventually(ctx, "every node to know what ZooKeeper holds", func(ctx context.Context) (bool, error) {
		held, err := s.held()
		if err != nil {
			return false, err
		}
		for id, addr := range nodes {
			m, err := metadata(ctx, addr)
			if err != nil {
				return false, err
			}
			if live := len(m.Brokers); live != len(nodes) || brokers == 0 {
				return false, fmt.Errorf("%d knows %d nodes of %d", id, live, len(nodes))
			}
			if known := known(m); !maps.Equal(known, held) {
				return false, fmt.Errorf("%d knows %v, ZooKeeper holds %v", id, known, held)
			}
		}
		return true, nil
	})
}

// known is the leadership and the ISR of each partition that a node knows of.
func known(m *kmsg.MetadataResponse) map[string]string {
	out := map[string]string{}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			isr := slices.Sorted(slices.Values(p.ISR))
			out[fmt.Sprintf("%s-%d", *t.Topic, p.Partition)] = fmt.Sprintf("leader %d in %d of %v", p.Leader, p.LeaderEpoch, isr)
		}
	}
	return out
}

// held is the same in ZooKeeper; brokers forget a topic when its deletion begins.
func (s *toolSide) held() (map[string]string, error) {
	out := map[string]string{}
	topics, _, err := s.cluster.Conn.Children("/brokers/topics")
	if err != nil {
		return nil, err
	}
	for _, topic := range topics {
		if going, _, err := s.cluster.Conn.Exists("/admin/delete_topics/" + topic); err != nil || going {
			if err != nil {
				return nil, err
			}
			continue
		}
		partitions, _, err := s.cluster.Conn.Children("/brokers/topics/" + topic + "/partitions")
		if errors.Is(err, zk.ErrNoNode) {
			continue // nobody leads it, and nobody knows it
		}
		if err != nil {
			return nil, fmt.Errorf("partitions of %s: %w", topic, err)
		}
		for _, n := range partitions {
			data, _, err := s.cluster.Conn.Get("/brokers/topics/" + topic + "/partitions/" + n + "/state")
			if err != nil {
				return nil, fmt.Errorf("state of %s-%s: %w", topic, n, err)
			}
			var st kafka.PartitionState
			if err := json.Unmarshal(data, &st); err != nil {
				return nil, err
			}
			slices.Sort(st.ISR)
			out[topic+"-"+n] = fmt.Sprintf("leader %d in %d of %v", st.Leader, st.LeaderEpoch, st.ISR)
		}
	}
	return out, nil
}
