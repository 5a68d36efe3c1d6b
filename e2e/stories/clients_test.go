package stories

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/javaclient"
	"baton/e2e/kafka"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

// someMessages is how many each client writes.
const someMessages = 20

// client is one of the client libraries: it writes to topics that do not exist yet, and reads them in a group.
type client struct {
	name string
	run  func(s *story, seeds []string, name string) error
}

// Every client works on a cluster where nothing exists yet, whether it knows the brokers, nobody but
// Baton, or nobody but a Baton that does not hold the role.
func TestClientsOnAnEmptyCluster(t *testing.T) {
	kcat := kafka.RequireKcat(t)
	s := begin(t, kafka.Options{
		Racks: []string{"a", "a", "b"}, AutoCreateTopics: true,
		Overrides: map[string]string{"num.partitions": "4", "default.replication.factor": "2"},
	})
	b := s.baton(batonproc.Options{})
	s.must(b.WaitActive(s.ctx))
	s.must(b.WaitReady(s.ctx))
	s.must(s.knownAsController(b))
	standby := s.baton(batonproc.Options{ID: batonproc.FirstID + 1, Mode: batonproc.Standby})
	s.must(standby.WaitStandby(s.ctx))
	java := javaclient.New(t)
	clients := []client{
		{"franz-go", runFranz},
		{"java", func(_ *story, seeds []string, name string) error { return runJava(java, seeds, name) }},
		{"sarama", runSarama},
		{"kcat", func(s *story, seeds []string, name string) error { return runKcat(s.ctx, kcat, seeds, name) }},
	}
	// Baton first, so that clients which know nobody else make the internal topics.
	for _, from := range []struct {
		name  string
		seeds []string
	}{{"Baton", []string{b.Addr()}}, {"brokers", s.cluster.Seeds()}, {"standby", []string{standby.Addr()}}} {
		for _, c := range clients {
			t.Run(c.name+" from "+from.name, func(t *testing.T) {
				needsRelease(t)
				if err := c.run(s, from.seeds, c.name+"-from-"+from.name); err != nil {
					t.Errorf("%v\n%s", err, java.Complaints())
				}
			})
		}
	}
	topics, err := s.topicsNamed("-from-")
	s.must(err)
	s.leavesBaton(b, 2, topics...)
	s.leavesBaton(b, 3, "__consumer_offsets", "__transaction_state")
	s.spreadOverRacks(map[int]string{1: "a", 2: "a", 3: "b"}, topics...)
	s.nobodySeesReplicasOn(b)
	s.must(s.finish().CheckNeverServed(b.ID(), standby.ID()))
}

// topicsNamed lists the topics with this part in their name.
func (s *story) topicsNamed(part string) ([]string, error) {
	all, _, err := s.cluster.Conn.Children("/brokers/topics")
	var found []string
	for _, topic := range all {
		if strings.Contains(topic, part) {
			found = append(found, topic)
		}
	}
	return found, err
}

// runJava copies a topic to another in transactions.
func runJava(java *javaclient.Client, seeds []string, name string) error {
	got, err := java.Do("transactions", strings.Join(seeds, ","), name, name+"-copy", name)
	if want := fmt.Sprintf("%d of %d", someMessages, someMessages); err == nil && got != want {
		err = fmt.Errorf("the copy has %q, want %q", got, want)
	}
	return err
}

// runFranz writes in a transaction, aborts another one, and reads what was committed in a group.
func runFranz(s *story, seeds []string, name string) error {
	ctx, cancel := context.WithTimeout(s.ctx, awhile)
	defer cancel()
	p, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.TransactionalID(name), kgo.AllowAutoTopicCreation(),
		kgo.DefaultProduceTopic(name), kgo.UnknownTopicRetries(-1))
	if err != nil {
		return err
	}
	defer p.Close()
	for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := p.BeginTransaction(); err != nil {
			return err
		}
		for i := range someMessages {
			if err := p.ProduceSync(ctx, kgo.StringRecord(fmt.Sprintf("%v %d", end, i))).FirstErr(); err != nil {
				return fmt.Errorf("produce: %w", err)
			}
		}
		if err := p.EndTransaction(ctx, end); err != nil {
			return fmt.Errorf("end of the transaction: %w", err)
		}
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.ConsumerGroup(name), kgo.ConsumeTopics(name),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.DisableAutoCommit())
	if err != nil {
		return err
	}
	defer c.Close()
	for n := 0; n < someMessages; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("consume: %w", err)
		}
		for _, r := range fetches.Records() {
			if !strings.HasPrefix(string(r.Value), fmt.Sprint(kgo.TryCommit)) {
				return fmt.Errorf("read %q of an aborted transaction", r.Value)
			}
			n++
		}
	}
	return c.CommitUncommittedOffsets(ctx)
}

// runSarama writes in a transaction and reads in a group.
func runSarama(s *story, seeds []string, name string) error {
	ctx, cancel := context.WithTimeout(s.ctx, awhile)
	defer cancel()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	cfg.Producer.Return.Successes, cfg.Producer.RequiredAcks = true, sarama.WaitForAll
	cfg.Producer.Idempotent, cfg.Net.MaxOpenRequests, cfg.Producer.Transaction.ID = true, 1, name
	cfg.Consumer.Offsets.Initial, cfg.Consumer.IsolationLevel = sarama.OffsetOldest, sarama.ReadCommitted
	// It gives a new topic or coordinator less than a second by default, too little for a machine under other load.
	cfg.Metadata.Retry.Max, cfg.Producer.Transaction.Retry.Max, cfg.Producer.Retry.Max = 100, 300, 100
	p, err := sarama.NewSyncProducer(seeds, cfg)
	if err != nil {
		return fmt.Errorf("producer: %w", err)
	}
	defer func() { _ = p.Close() }()
	if err := p.BeginTxn(); err != nil {
		return err
	}
	for i := range someMessages {
		if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: name, Value: sarama.StringEncoder(fmt.Sprint(i))}); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
	}
	if err := p.CommitTxn(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	group, err := sarama.NewConsumerGroup(seeds, name, cfg)
	if err != nil {
		return fmt.Errorf("group: %w", err)
	}
	defer func() { _ = group.Close() }()
	h := &saramaHandler{all: cancel}
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{name}, h); err != nil && ctx.Err() == nil {
			return fmt.Errorf("consume: %w", err)
		}
	}
	if h.count() < someMessages {
		return fmt.Errorf("consumed %d: %w", h.count(), ctx.Err())
	}
	return nil
}

// saramaHandler counts, and ends the session when it has seen all.
type saramaHandler struct {
	all context.CancelFunc
	mu  sync.Mutex
	n   int
}

func (h *saramaHandler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (h *saramaHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h *saramaHandler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for m := range claim.Messages() {
		session.MarkMessage(m, "")
		h.mu.Lock()
		h.n++
		done := h.n == someMessages
		h.mu.Unlock()
		if done {
			session.Commit()
			h.all()
		}
	}
	return nil
}

func (h *saramaHandler) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n
}

// runKcat writes, lists and reads in a group.
func runKcat(ctx context.Context, kcat string, seeds []string, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	bootstrap := strings.Join(seeds, ",")
	var lines []string
	for i := range someMessages {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	if _, err := kcatRun(ctx, kcat, strings.Join(lines, "\n")+"\n", "-P", "-b", bootstrap, "-t", name, "-X", "acks=all"); err != nil {
		return err
	}
	list, err := kcatRun(ctx, kcat, "", "-L", "-b", bootstrap)
	if err != nil {
		return err
	}
	for _, part := range []string{"4 brokers", "(controller)", `topic "` + name + `" with 4 partitions`} {
		if !strings.Contains(list, part) {
			return fmt.Errorf("kcat -L does not say %q:\n%s", part, list)
		}
	}
	out, err := kcatRun(ctx, kcat, "", "-b", bootstrap, "-X", "auto.offset.reset=earliest", "-c", fmt.Sprint(someMessages), "-G", name, name)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if strings.Count(out, line+"\n") != 1 {
			return fmt.Errorf("%q is not there once in %q", line, out)
		}
	}
	return nil
}

// kcatRun takes an error that kcat merely logs for a failure, too.
func kcatRun(ctx context.Context, kcat, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, kcat, args...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	for _, bad := range []string{"|FAIL|", "|ERROR|", "% ERROR"} {
		if strings.Contains(stderr.String(), bad) {
			err = errors.Join(err, errors.New("kcat complains"))
		}
	}
	if err != nil {
		return "", fmt.Errorf("kcat %v: %w\n%s", args, err, stderr.String())
	}
	return stdout.String(), nil
}
