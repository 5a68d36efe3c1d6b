package stories

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/history"
	"baton/e2e/kafka"
	"baton/e2e/load"
)

// story is a cluster under load with what a test needs to lead it through.
type story struct {
	*testing.T
	ctx     context.Context
	cluster *kafka.Cluster
	topics  []string
	load    *load.Producer
}

// begin starts a cluster and, if topics are named, an acks=all idempotent producer on
// them (RF 3, six partitions each).
func begin(t *testing.T, o kafka.Options, topics ...string) *story {
	t.Helper()
	if testing.Short() {
		t.Skip("needs real Kafka")
	}
	kafka.RequireJava(t)
	needsRelease(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rounds(1))*8*time.Minute)
	t.Cleanup(cancel)
	s := &story{T: t, ctx: ctx, cluster: kafka.Start(t, o), topics: topics}
	var targets []load.Target
	for _, topic := range topics {
		s.must(s.cluster.CreateTopic(ctx, topic, 6, min(3, len(s.cluster.Brokers))))
		targets = append(targets, load.Partitions(topic, 6)...)
	}
	if len(topics) > 0 {
		p, err := load.Start(load.Options{Seeds: s.cluster.Seeds(), Targets: targets})
		s.must(err)
		s.load = p
		s.more(50)
	}
	return s
}

func (s *story) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// more waits until the producer has had n more acknowledgements.
func (s *story) more(n int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	if err := s.load.WaitMore(ctx, n); err != nil {
		s.Fatalf("waiting for %d more acknowledged messages: %v", n, err)
	}
}

// baton starts a Baton beside the cluster.
func (s *story) baton(o batonproc.Options) *batonproc.Baton {
	s.Helper()
	o.Cluster = s.cluster
	return batonproc.Start(s.T, o)
}

// cli runs a verb and fails the test unless it exits with want.
func (s *story) cli(b *batonproc.Baton, want int, verb string, args ...string) string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	r, err := b.CLI(ctx, verb, args...)
	if err != nil || r.ExitCode != want {
		s.Fatalf("%s %v: exit %d, want %d (%v)\n%s%s", verb, args, r.ExitCode, want, err, r.Stdout, r.Stderr)
	}
	return r.Stdout + r.Stderr
}

// embedded waits until a broker holds /controller and returns its id.
func (s *story) embedded() int {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	c, err := s.cluster.WaitController(ctx, func(id int) bool { return id > 0 && id < batonproc.FirstID })
	s.must(err)
	return c.BrokerID
}

// finish stops the load and checks that no acknowledged message is lost, doubled or out
// of order, that the producer saw no error, and that epochs and ISRs are sound.
func (s *story) finish() *history.History {
	s.Helper()
	s.verified()
	h, err := history.Read(s.cluster)
	s.must(err)
	s.sound(h)
	return h
}

// verified stops the load and checks what became of its messages.
func (s *story) verified() {
	s.Helper()
	if s.load == nil {
		return
	}
	s.more(100)
	written, err := s.load.Stop(s.ctx)
	s.must(err)
	report, err := load.Verify(s.ctx, s.cluster.Seeds(), written)
	s.must(err)
	s.Logf("%v; %v", written, report)
	s.must(report.Err())
	if n := s.load.Errors(); n > 0 {
		s.Errorf("the producer saw %d errors", n)
	}
}

// sound checks every epoch and ISR there ever was.
func (s *story) sound(h *history.History) {
	s.Helper()
	s.must(h.CheckEpochs())
	s.must(h.CheckISR())
	s.must(h.CheckWriters(s.cluster.LeadersWriteISR()))
}

// neverLeaderless fails if a partition of the topics was without a leader at any moment.
func (s *story) neverLeaderless(h *history.History) {
	s.Helper()
	for tp, changes := range h.Leaderless(s.topics...) {
		s.Errorf("%v had no leader: %v", tp, changes)
	}
}

// rounds is how often a story is repeated: n, or more in a soak.
func rounds(n int) int {
	if os.Getenv("BATON_SOAK") == "1" {
		return 10 * n
	}
	return n
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("expected %q in:\n%s", part, text)
	}
}

// id is a broker's or a Baton's id as text.
func id(n int) string { return strconv.Itoa(n) }
