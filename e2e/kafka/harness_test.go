package kafka_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"baton/e2e/history"
	"baton/e2e/kafka"
	"baton/e2e/load"
)

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestBrokerDeathUnderKafkasOwnController runs the harness, the load and the history on a cluster without Baton: what
// they report here is what they must report with it.
func TestBrokerDeathUnderKafkasOwnController(t *testing.T) {
	c := kafka.Start(t, kafka.Options{Chroot: "/cluster", Racks: []string{"a", "b", "c"}})
	ctx := within(t, 80*time.Second)
	must(t, c.CreateTopic(ctx, "orders", 6, 3, "min.insync.replicas", "2"))
	p, err := load.Start(load.Options{Seeds: c.Seeds(), Targets: load.Partitions("orders", 6)})
	must(t, err)
	must(t, p.WaitMore(ctx, 50))

	// Not the controller: Kafka's, when it takes over from a dead broker, first takes that broker out of every ISR,
	// and a partition it led is without a leader until the next write.
	holder, err := c.WaitController(ctx, nil)
	must(t, err)
	victim := c.Broker(holder.BrokerID%3 + 1)
	epoch, err := victim.Epoch()
	must(t, err)
	must(t, victim.Kill())
	must(t, c.WaitNotLeading(ctx, victim.ID(), "orders"))
	must(t, victim.WaitGone(ctx))
	must(t, p.WaitMore(ctx, 50))
	must(t, victim.Restart(ctx))
	if now, err := victim.Epoch(); err != nil || now <= epoch {
		t.Errorf("broker epoch %d after %d: %v", now, epoch, err)
	}
	must(t, c.WaitISRFull(ctx, "orders"))
	must(t, p.WaitMore(ctx, 20))

	written, err := p.Stop(ctx)
	must(t, err)
	t.Log(written)
	report, err := load.Verify(ctx, c.Seeds(), written)
	must(t, err)
	t.Log(report)
	must(t, report.Err())
	checkHistory(t, c)
}

func checkHistory(t *testing.T, c *kafka.Cluster) {
	t.Helper()
	h, err := history.Read(c)
	must(t, err)
	must(t, h.CheckEpochs())
	must(t, h.CheckISR())
	if left := h.Leaderless("orders"); len(left) > 0 {
		t.Errorf("leaderless: %v", left)
	}
	partitions := h.Partitions()
	grown := 0
	for p, states := range partitions {
		first, last := states[0], states[len(states)-1]
		if p.Topic != "orders" || len(first.ISR) != 3 || len(last.ISR) != 3 {
			t.Errorf("%s: from %s to %s", p, first, last)
		}
		if last.LeaderEpoch > first.LeaderEpoch {
			grown++
		}
	}
	if len(partitions) != 6 || grown == 0 {
		t.Errorf("%d partitions, %d of them with a grown leader epoch", len(partitions), grown)
	}
	controllers, epochs := h.Controller(), h.ControllerEpochs()
	if len(controllers) == 0 || controllers[0].Op != history.Create || controllers[0].BrokerID < 1 {
		t.Errorf("controllers: %+v", controllers)
	}
	if len(epochs) < 2 {
		t.Errorf("controller epochs: %+v", epochs)
	}
}

// TestCleanRestartPauseAndTools covers what the death test does not: a broker's controlled shutdown, a paused broker,
// Kafka's own tools, two listeners and the proxy.
func TestCleanRestartPauseAndTools(t *testing.T) {
	c := kafka.Start(t, kafka.Options{Brokers: 2, TwoListeners: true, Proxies: []string{kafka.Internal}})
	ctx := within(t, 85*time.Second)
	out, err := c.Topics(ctx, "--create", "--topic", "t", "--replica-assignment", "1:2,2:1")
	must(t, err)
	if out.ExitCode != 0 {
		t.Fatalf("kafka-topics: %+v", out)
	}
	must(t, c.WaitISRFull(ctx, "t"))
	out, err = c.ConsoleProducer(ctx, strings.NewReader("one\ntwo\n"), "t")
	must(t, err)
	if out.ExitCode != 0 {
		t.Fatalf("console producer: %+v", out)
	}
	out, err = c.ConsoleConsumer(ctx, "t", "--from-beginning", "--max-messages", "2", "--timeout-ms", "20000")
	must(t, err)
	if out.ExitCode != 0 || len(strings.Fields(out.Stdout)) != 2 {
		t.Fatalf("console consumer: %+v", out)
	}
	must(t, c.Broker(1).Restart(ctx))
	must(t, c.WaitISRFull(ctx, "t"))
	h, err := history.Read(c)
	must(t, err)
	if left := h.Leaderless("t"); len(left) > 0 {
		t.Errorf("a clean restart left partitions leaderless: %v", left)
	}

	// The broker without the controller role stalls; its session expires, and comes back.
	holder, err := c.WaitController(ctx, nil)
	must(t, err)
	other := c.Broker(3 - holder.BrokerID)
	must(t, other.Pause())
	must(t, other.WaitGone(ctx))
	must(t, other.Resume())
	must(t, other.WaitRegistered(ctx))
	must(t, c.WaitISRFull(ctx, "t"))
}

// TestProxyHoldsOneFrame holds an UpdateMetadata of Kafka's controller and reads the broker's answer to it.
func TestProxyHoldsOneFrame(t *testing.T) {
	c := kafka.Start(t, kafka.Options{Brokers: 1, LogDirs: 2, Proxies: []string{kafka.Internal}})
	ctx := within(t, time.Minute)
	held := c.Broker(1).Proxy(kafka.Internal).HoldKey(6)
	created := make(chan error, 1)
	go func() { created <- c.CreateTopic(ctx, "t", 1, 1) }()
	frame, err := held.Wait(ctx)
	must(t, err)
	if len(frame) < 8 || frame[1] != 6 {
		t.Fatalf("held % x", frame)
	}
	if id, epoch, ok := kafka.ControllerOf(frame); !ok || id != 1 || epoch != 1 {
		t.Errorf("sent by %d in epoch %d, %v", id, epoch, ok)
	}
	held.Release()
	code, err := held.ErrorCode(ctx)
	must(t, err)
	if code != 0 {
		t.Errorf("error %d", code)
	}
	must(t, <-created)
}

// TestThreeZooKeepersLoseTheirLeader kills ZooKeeper's leader under a loaded cluster; the history then comes from
// three logs that need not be equal.
func TestThreeZooKeepersLoseTheirLeader(t *testing.T) {
	c := kafka.Start(t, kafka.Options{ZooKeepers: 3, Brokers: 2})
	ctx := within(t, 80*time.Second)
	must(t, c.CreateTopic(ctx, "t", 2, 2))
	p, err := load.Start(load.Options{Seeds: c.Seeds(), Targets: load.Partitions("t", 2)})
	must(t, err)
	must(t, p.WaitMore(ctx, 20))
	leader, err := c.ZooKeeper.Leader(ctx)
	must(t, err)
	must(t, leader.Kill())
	must(t, kafka.Eventually(ctx, "another leader", func(ctx context.Context) (bool, error) {
		now, err := c.ZooKeeper.Leader(ctx)
		return err == nil && now != leader, err
	}))
	must(t, c.CreateTopic(ctx, "u", 2, 2))
	must(t, leader.Restart(ctx))
	if n := len(c.ZooKeeper.Followers(ctx)); n != 2 {
		t.Errorf("%d followers", n)
	}
	must(t, c.CreateTopic(ctx, "v", 2, 2))
	must(t, p.WaitMore(ctx, 20))
	written, err := p.Stop(ctx)
	must(t, err)
	report, err := load.Verify(ctx, c.Seeds(), written)
	must(t, err)
	must(t, report.Err())
	h, err := history.Read(c)
	must(t, err)
	must(t, h.CheckEpochs())
	if n := len(h.Partitions()); n != 6 {
		t.Errorf("a history of %d partitions", n)
	}
}

// TestBrokerThatCannotStart is told apart from a slow one at once, with the reason.
func TestBrokerThatCannotStart(t *testing.T) {
	kafka.RequireJava(t)
	_, err := kafka.New(within(t, time.Minute), t, kafka.Options{Brokers: 1, Chroot: "/a/b",
		Overrides: map[string]string{"num.partitions": "none"}})
	if !errors.Is(err, kafka.ErrHopeless) || !strings.Contains(err.Error(), "num.partitions") {
		t.Error(err)
	}
}

func TestKcat(t *testing.T) {
	if testing.Short() {
		t.Skip("may have to install kcat; left out by -short")
	}
	if out, err := exec.Command(kafka.RequireKcat(t), "-V").CombinedOutput(); err != nil {
		t.Errorf("kcat -V: %v\n%s", err, out)
	}
}
