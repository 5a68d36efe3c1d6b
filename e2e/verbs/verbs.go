// Package verbs has every verb of Baton's command line in one script with what it prints, for a real cluster and for the one of
// `controller dev` alike: verbs.txt, which is the golden file of both. What may differ from run to run is what normal.Controller
// replaces. Lines of the script, each with what belongs to it below:
//
//	# words                           for readers
//	! create TOPIC KEY=VALUE… 2,3,1…  a topic, with the replicas of each partition
//	! write TOPIC N                   N records to partition 0, acknowledged by all in sync
//	! kill 2, ! stop 3, ! start 1 3   brokers: kill -9, SIGTERM, started again
//	! wait TOPIC-N leader 2 isr 2,1   what the leading Baton has to know; also: live 1,3
//	! wait TOPIC-N measured 1,3       these replicas can be measured
//	! role 1                          wait until Baton 1, or 2, leads
//	$ controller VERB …               asked of Baton 1, $2 of Baton 2; what it prints follows, indented, and = CODE unless it is 0
//	real $ controller VERB …          on real brokers only
//	                                  CONFIG is the configuration of Baton 1
//	~ TEXT                            stands for the whole output, which has to have TEXT in it
//
// A command that fails must not have changed a topic.
package verbs

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/admin"
	"baton/e2e/normal"
	"baton/explain"
	"baton/snapshot"
)

var rewrite = flag.Bool("rewrite-verbs", false, "write verbs.txt anew; read each line of the difference")

//go:embed verbs.txt
var script string

// Result is what a command line left.
type Result struct {
	Out, Errs string
	Code      int
}

// Site is a cluster with two Batons.
type Site interface {
	// Run runs `controller` with these arguments in the environment of Baton 1 or 2.
	Run(ctx context.Context, baton int, args []string) (Result, error)
	Kill(ctx context.Context, broker int) error
	Stop(ctx context.Context, broker int) error
	Start(ctx context.Context, brokers ...int) error
	Seeds() []string
	// Real says whether the brokers are.
	Real() bool
	// Names are what its files and addresses are called instead.
	Names() map[string]string
}

// step is a line of the script with what follows it.
type step struct {
	number int
	line   string
	out    []string // as it stands
	code   int
}

// Commands are the command lines of the script, without `controller`.
func Commands() (out []string) {
	for _, st := range steps() {
		if _, _, command := st.command(); command != "" {
			out = append(out, command)
		}
	}
	return out
}

func steps() (out []*step) {
	for i, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		belongs := strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "~ ") || strings.HasPrefix(line, "= ")
		if !belongs || len(out) == 0 {
			out = append(out, &step{number: i + 1, line: line})
			continue
		}
		last := out[len(out)-1]
		last.out = append(last.out, line)
		if code, ok := strings.CutPrefix(line, "= "); ok {
			last.code, _ = strconv.Atoi(code)
		}
	}
	return out
}

// command is the command line of a step, and whom it is asked of; empty if it is none.
func (st *step) command() (baton int, real bool, command string) {
	line, real := strings.CutPrefix(st.line, "real ")
	for i, prompt := range []string{"$ ", "$2 "} {
		if rest, ok := strings.CutPrefix(line, prompt+"controller "); ok {
			return i + 1, real, rest
		}
	}
	return 0, false, ""
}

// Play runs the script and compares.
func Play(t *testing.T, site Site) {
	p := &player{T: t, site: site, leads: 1}
	var b strings.Builder
	for _, st := range steps() {
		b.WriteString(p.play(st))
		if t.Failed() && !*rewrite {
			return // what comes after would only be other than expected, too
		}
	}
	if *rewrite {
		_, file, _, _ := runtime.Caller(0)
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "verbs.txt"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type player struct {
	*testing.T
	site  Site
	leads int // the Baton that is asked what the cluster is like
}

// play does a step and returns it as it is to stand in the script.
func (p *player) play(st *step) string {
	p.Helper()
	asIs := strings.Join(append([]string{st.line}, st.out...), "\n") + "\n"
	baton, real, command := st.command()
	switch {
	case strings.HasPrefix(st.line, "! "):
		if err := p.world(strings.Fields(st.line)[1:]); err != nil {
			p.Fatalf("verbs.txt:%d: %s: %v", st.number, st.line, err)
		}
		return asIs
	case command == "" && st.line != "" && !strings.HasPrefix(st.line, "#"):
		p.Fatalf("verbs.txt:%d: unknown step %q", st.number, st.line)
	case command == "", real && !p.site.Real():
		return asIs
	}
	before := ""
	if st.code != 0 {
		before = p.topics()
	}
	r := p.run(baton, command)
	if st.code != 0 && p.topics() != before {
		p.Errorf("verbs.txt:%d: %s failed, and has changed\n%s\nto\n%s", st.number, command, before, p.topics())
	}
	var now string
	if len(st.out) > 0 && strings.HasPrefix(st.out[0], "~ ") {
		now = st.line + "\n"
		for _, line := range st.out {
			if part, ok := strings.CutPrefix(line, "~ "); ok {
				if now += line + "\n"; !strings.Contains(p.text(r), part) {
					p.Errorf("verbs.txt:%d: %s: %q is missing in\n%s", st.number, command, part, p.text(r))
				}
			}
		}
	} else {
		now = st.line + "\n" + p.text(r)
	}
	if r.Code != 0 {
		now += fmt.Sprintf("= %d\n", r.Code)
	}
	if now != asIs && !*rewrite {
		p.Errorf("verbs.txt:%d (-rewrite-verbs):\ngot\n%s\nwant\n%s", st.number, now, asIs)
	}
	return now
}

// text is an output as it stands in the script.
func (p *player) text(r Result) string {
	out := normal.Columns(normal.Controller(p.site.Names(), r.Out))
	if errs := normal.Columns(normal.Controller(p.site.Names(), r.Errs)); errs != "" {
		out += "-- stderr --\n" + errs
	}
	var b strings.Builder
	for line := range strings.Lines(out) {
		b.WriteString(strings.TrimRight("    "+strings.TrimRight(line, " \n"), " ") + "\n")
	}
	return strings.ReplaceAll(b.String(), "\n\n", "\n    .\n") // an empty line would end the output
}

func (p *player) run(baton int, command string) Result {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 2*time.Minute)
	defer cancel()
	r, err := p.site.Run(ctx, baton, words(command))
	if err != nil {
		p.Fatalf("%s: %v", command, err)
	}
	return r
}

// words splits at blanks outside of single quotes.
func words(line string) (out []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

// topics are all that commands could have changed: leaders, ISRs, epochs, configurations.
func (p *player) topics() string {
	p.Helper()
	r := p.run(p.leads, "snapshot")
	var d snapshot.Document
	if r.Code != 0 {
		p.Fatalf("snapshot: %d %s", r.Code, r.Errs)
	}
	if err := json.Unmarshal([]byte(r.Out), &d); err != nil {
		p.Fatal(err)
	}
	text, err := json.Marshal(d.Topics)
	if err != nil {
		p.Fatal(err)
	}
	return string(text)
}

// world does what no verb does.
func (p *player) world(w []string) error {
	var brokers []int
	for _, text := range w[1:] {
		if n, err := strconv.Atoi(text); err == nil {
			brokers = append(brokers, n)
		}
	}
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	switch w[0] {
	case "create":
		return p.create(ctx, w[1:])
	case "write":
		return p.write(ctx, w[1], brokers[0])
	case "kill":
		return p.site.Kill(ctx, brokers[0])
	case "stop":
		return p.site.Stop(ctx, brokers[0])
	case "start":
		return p.site.Start(ctx, brokers...)
	case "role":
		p.leads = brokers[0]
		return p.await(ctx, func() (string, bool) {
			r := p.run(p.leads, "status -o json")
			var st admin.Status
			err := json.Unmarshal([]byte(r.Out), &st)
			return r.Out, err == nil && st.Instance.Role == admin.RoleActive && st.Instance.Ready
		})
	case "wait":
		return p.await(ctx, func() (string, bool) { return p.is(w[1], w[2:]) })
	}
	return fmt.Errorf("there is no step %q", w[0])
}

// await asks until it is so. It looks now and then: what it waits for is another process's.
func (p *player) await(ctx context.Context, so func() (string, bool)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		is, ok := so()
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w; it is\n%s", ctx.Err(), is)
		}
	}
}

// is reports whether a partition is as the words say.
func (p *player) is(name string, so []string) (text string, ok bool) {
	if so[0] == "measured" {
		return p.measured(name, so[1])
	}
	r := p.run(p.leads, "explain "+name+" -o json")
	var e explain.Explanation
	if err := json.Unmarshal([]byte(r.Out), &e); err != nil {
		return r.Out + r.Errs, false
	}
	ok = true
	for i := 0; i+1 < len(so); i += 2 {
		switch so[i] {
		case "leader":
			ok = ok && fmt.Sprint(e.Leader) == so[i+1]
		case "isr":
			ok = ok && list(e.ISR) == so[i+1]
		case "live":
			var live []int32
			for _, r := range e.Replicas {
				if r.State != explain.Gone {
					live = append(live, r.Broker)
				}
			}
			ok = ok && list(live) == so[i+1]
		default:
			return "unknown word " + so[i], false
		}
	}
	return r.Out, ok
}

func (p *player) measured(name, brokers string) (string, bool) {
	r := p.run(p.leads, "elect unclean "+name+" --candidate longest --accept-data-loss --dry-run -o json")
	var m admin.Measurement
	if err := json.Unmarshal([]byte(r.Out), &m); err != nil {
		return r.Out + r.Errs, false
	}
	var have []int32
	for _, r := range m.Replicas {
		if r.Log != nil {
			have = append(have, r.Broker)
		}
	}
	return r.Out, list(have) == brokers
}

func list(ids []int32) string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var out []string
	for _, id := range ids {
		out = append(out, fmt.Sprint(id))
	}
	return strings.Join(out, ",")
}

func (p *player) create(ctx context.Context, w []string) error {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = w[0], -1, -1
	for _, word := range w[1:] {
		if key, value, ok := strings.Cut(word, "="); ok {
			topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: key, Value: &value})
			continue
		}
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition = int32(len(topic.ReplicaAssignment))
		for _, id := range strings.Split(word, ",") {
			n, err := strconv.ParseInt(id, 10, 32)
			if err != nil {
				return err
			}
			a.Replicas = append(a.Replicas, int32(n))
		}
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, a)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.site.Seeds()...))
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 30_000
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

func (p *player) write(ctx context.Context, topic string, n int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.site.Seeds()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for i := range n {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}
