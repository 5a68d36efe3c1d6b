package main

import (
	"context"
	"strconv"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// contender is a controller that plays.
type contender struct {
	name string
	// broker is how the real broker is set, which is idle beside Baton.
	broker func(*kafka.Options)
	// start begins what controls beside the broker; nil: the broker itself does.
	start func(ctx context.Context, env kafka.Env, c *kafka.Cluster) (process, error)
}

// process is the one that controls.
type process struct {
	id   int
	pid  int
	addr string
}

const brokerHeapMB = 1024 // Kafka's own default

func shipped(o *kafka.Options) {
	o.ControllerLog, o.StateChangeLog = "TRACE", "INFO" // config/log4j.properties of 3.9
}

func tuned(o *kafka.Options) {
	o.ControllerLog, o.StateChangeLog = "WARN", "WARN"
	o.Overrides["zookeeper.max.in.flight.requests"] = "1000"
}

var contenders = []contender{
	{name: "kafka", broker: shipped},
	{name: "tuned", broker: tuned},
	{name: "baton", broker: shipped, start: startBaton},
}

func startBaton(ctx context.Context, env kafka.Env, c *kafka.Cluster) (process, error) {
	b, err := batonproc.New(ctx, env, batonproc.Options{Cluster: c, Sets: map[string]string{"node.id": strconv.Itoa(batonproc.FirstID)}})
	if err != nil {
		return process{}, err
	}
	return process{b.ID(), b.PID(), b.Addr()}, nil
}
