package kafka_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"baton/e2e/history"
	"baton/e2e/kafka"
	"baton/e2e/load"
)

// TestVersions runs the harness on the Kafkas named in BATON_VERSIONS, separated by commas: fetching and starting
// four of them is too much for every run.
func TestVersions(t *testing.T) {
	versions := os.Getenv("BATON_VERSIONS")
	if versions == "" {
		t.Skip("BATON_VERSIONS names none")
	}
	for version := range strings.SplitSeq(versions, ",") {
		t.Run(version, func(t *testing.T) { runVersion(t, version) })
	}
}

func runVersion(t *testing.T, version string) {
	c := kafka.Start(t, kafka.Options{Version: version, Brokers: 2, Chroot: "/k"})
	ctx := within(t, 80*time.Second)
	must(t, c.CreateTopic(ctx, "t", 2, 2))
	p, err := load.Start(load.Options{Seeds: c.Seeds(), Targets: load.Partitions("t", 2)})
	must(t, err)
	must(t, p.WaitMore(ctx, 50))
	must(t, c.Broker(1).Restart(ctx))
	must(t, c.WaitISRFull(ctx, "t"))
	must(t, p.WaitMore(ctx, 50))
	written, err := p.Stop(ctx)
	must(t, err)
	report, err := load.Verify(ctx, c.Seeds(), written)
	must(t, err)
	must(t, report.Err())
	out, err := c.Topics(ctx, "--describe")
	must(t, err)
	if out.ExitCode != 0 || !strings.Contains(out.Stdout, "ReplicationFactor: 2") &&
		!strings.Contains(out.Stdout, "ReplicationFactor:2") {
		t.Errorf("kafka-topics: %+v", out)
	}
	h, err := history.Read(c)
	must(t, err)
	must(t, h.CheckEpochs())
	must(t, h.CheckISR())
	if len(h.Partitions()) != 2 || len(h.Controller()) == 0 {
		t.Errorf("history of %d partitions, %d controllers", len(h.Partitions()), len(h.Controller()))
	}
}
