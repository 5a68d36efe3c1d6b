// Command demo is `controller dev` on real brokers: a real ZooKeeper and Kafka brokers of one version, and the story and the
// prompt of package dev told on them, with a takeover from Kafka's own controller before and a hand-back after it. It
// ends with exit code 0 only if every partition that can be led is led and nothing acknowledged was lost.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"baton/dev"
	"baton/e2e/kafka"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o dev.Options
	version := flag.String("kafka", kafka.DefaultVersion, "version of the brokers")
	script := flag.Bool("script", false, "tell the story; otherwise ask what to do")
	color := flag.Bool("color", false, "in colours")
	flag.IntVar(&o.Brokers, "brokers", 3, "brokers")
	flag.IntVar(&o.Topics, "topics", 2, "topics")
	flag.IntVar(&o.Partitions, "partitions", 6, "partitions of each topic")
	flag.Parse()
	if err := run(ctx, *version, o, *script, dev.NewScreen(os.Stdout, *color), os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1) //nolint:gocritic // everything has been closed by run
	}
}

func run(ctx context.Context, version string, o dev.Options, script bool, out *dev.Screen, in io.Reader) (err error) {
	env, err := kafka.NewRun("demo", out.Say)
	if err != nil {
		return err
	}
	defer env.Close()
	defer func() {
		if err != nil {
			env.Fail() // keeps the logs
		}
	}()
	o.Patience = 2 * time.Minute // real brokers take their time to start
	o.Cluster = func(ctx context.Context, s dev.Site) (*dev.Cluster, error) {
		out.Say("starting ZooKeeper and %d Kafka %s brokers (the first run fetches their jars)", o.Brokers, version)
		return start(ctx, env, version, s)
	}
	if script {
		return dev.Story(ctx, o, out)
	}
	return dev.Prompt(ctx, o, out, in)
}
