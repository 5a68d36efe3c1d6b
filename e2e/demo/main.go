// Command demo shows Baton at work on real Kafka, in about two minutes: ZooKeeper and
// three Kafka brokers, a topic and a producer; a takeover, the death of a broker,
// its return, and the hand-back. It ends with exit code 0 only if every acknowledged
// message is there exactly once and in order.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/history"
	"baton/e2e/kafka"
	"baton/e2e/load"
)

const (
	topic      = "orders"
	partitions = 6
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	version := flag.String("kafka", kafka.DefaultVersion, "version of the brokers")
	flag.Parse()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	d := &demo{version: *version, start: time.Now()}
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1) //nolint:gocritic // everything has been closed by run
	}
}

type demo struct {
	version string
	start   time.Time
	cluster *kafka.Cluster
	baton   *batonproc.Baton
	load    *load.Producer
}

// say prints a line of the story with the time since its beginning.
func (d *demo) say(format string, args ...any) {
	s := time.Since(d.start)
	fmt.Printf("%02d:%04.1f  %s\n", int(s.Minutes()), (s % time.Minute).Seconds(), fmt.Sprintf(format, args...))
}

func (d *demo) run(ctx context.Context) (err error) {
	env, err := kafka.NewRun("demo", func(string, ...any) {})
	if err != nil {
		return err
	}
	defer env.Close()
	defer func() {
		if err != nil {
			env.Fail() // keeps the logs
		}
	}()
	for _, chapter := range []func(context.Context, *kafka.Run) error{d.setUp, d.takeOver, d.loseBroker, d.handBack, d.summary} {
		if err := chapter(ctx, env); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) setUp(ctx context.Context, env *kafka.Run) (err error) {
	d.say("starting ZooKeeper and three Kafka %s brokers (the first run fetches their jars)", d.version)
	if d.cluster, err = kafka.New(ctx, env, kafka.Options{Version: d.version}); err != nil {
		return err
	}
	if err := d.cluster.CreateTopic(ctx, topic, partitions, 3); err != nil {
		return err
	}
	holder, err := d.cluster.WaitController(ctx, func(id int) bool { return id > 0 })
	if err != nil {
		return err
	}
	d.say("topic %q: %d partitions, 3 replicas; broker %d is the controller", topic, partitions, holder.BrokerID)
	d.load, err = load.Start(load.Options{Seeds: d.cluster.Seeds(), Targets: load.Partitions(topic, partitions)})
	if err != nil {
		return err
	}
	if err := d.load.WaitMore(ctx, 500); err != nil {
		return err
	}
	d.say("a producer writes with acks=all: %d messages acknowledged", d.load.Acked())
	return nil
}

func (d *demo) takeOver(ctx context.Context, env *kafka.Run) (err error) {
	d.say("starting Baton %d as a standby, from a broker's own server.properties", batonproc.FirstID)
	d.baton, err = batonproc.New(ctx, env, batonproc.Options{Cluster: d.cluster, Mode: batonproc.Standby})
	if err != nil {
		return err
	}
	if err := d.baton.WaitStandby(ctx); err != nil {
		return err
	}
	for _, verb := range [][]string{{"check"}, {"takeover", "--yes"}, {"status"}} {
		if err := d.command(ctx, verb...); err != nil {
			return err
		}
	}
	return d.progress(ctx, 500)
}

// command runs a verb of the controller command and shows what it prints.
func (d *demo) command(ctx context.Context, verb ...string) error {
	d.say("$ controller %s", strings.Join(verb, " "))
	r, err := d.baton.CLI(ctx, verb[0], verb[1:]...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(r.Stdout + r.Stderr) {
		fmt.Print("         ", line)
	}
	if r.ExitCode != 0 {
		return fmt.Errorf("controller %s: exit code %d", strings.Join(verb, " "), r.ExitCode)
	}
	return nil
}

func (d *demo) progress(ctx context.Context, n int) error {
	if err := d.load.WaitMore(ctx, n); err != nil {
		return err
	}
	d.say("%d messages acknowledged, %d errors", d.load.Acked(), d.load.Errors())
	return nil
}

func (d *demo) loseBroker(ctx context.Context, _ *kafka.Run) error {
	const victim = 2
	before, err := d.states()
	if err != nil {
		return err
	}
	d.say("kill -9 of broker %d; its ZooKeeper session lasts another 6 seconds", victim)
	killed := time.Now()
	if err := d.cluster.Broker(victim).Kill(); err != nil {
		return err
	}
	if err := d.cluster.WaitNotLeading(ctx, victim, topic); err != nil {
		return err
	}
	d.say("new leaders %.1f s after the kill:", time.Since(killed).Seconds())
	after, err := d.states()
	if err != nil {
		return err
	}
	for p := range partitions {
		tp := history.TopicPartition{Topic: topic, Partition: p}
		if b, a := before[tp], after[tp]; b.Leader != a.Leader {
			fmt.Printf("         %v: leader %d -> %d, in-sync replicas %v -> %v\n", tp, b.Leader, a.Leader, b.ISR, a.ISR)
		}
	}
	if err := d.progress(ctx, 500); err != nil {
		return err
	}
	d.say("starting broker %d again", victim)
	if err := d.cluster.Broker(victim).Restart(ctx); err != nil {
		return err
	}
	if err := d.cluster.WaitISRFull(ctx, topic); err != nil {
		return err
	}
	d.say("all replicas are in sync again")
	return d.progress(ctx, 200)
}

// states returns the newest state of each partition, from ZooKeeper's transaction log.
func (d *demo) states() (map[history.TopicPartition]history.StateChange, error) {
	h, err := history.Read(d.cluster)
	if err != nil {
		return nil, err
	}
	out := map[history.TopicPartition]history.StateChange{}
	for tp, changes := range h.Partitions() {
		if tp.Topic == topic && len(changes) > 0 {
			out[tp] = changes[len(changes)-1]
		}
	}
	return out, nil
}

func (d *demo) handBack(ctx context.Context, _ *kafka.Run) error {
	if err := d.command(ctx, "handback", "--yes", "--reason", "end of the demo"); err != nil {
		return err
	}
	return d.progress(ctx, 200)
}

func (d *demo) summary(ctx context.Context, _ *kafka.Run) error {
	written, err := d.load.Stop(ctx)
	if err != nil {
		return err
	}
	d.say("producer stopped: %v", written)
	report, err := load.Verify(ctx, d.cluster.Seeds(), written)
	if err != nil {
		return err
	}
	d.say("read back: %v", report)
	h, err := history.Read(d.cluster)
	if err != nil {
		return err
	}
	epochs := h.ControllerEpochs()
	d.say("controller epoch %d at the end; no acknowledged message lost", epochs[len(epochs)-1].Epoch)
	return errors.Join(report.Err(), h.CheckEpochs(), h.CheckISR())
}
