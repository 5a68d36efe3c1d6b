package main

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"baton/dev"
	"baton/e2e/kafka"
)

// `make run-kafka` works on a fresh clone: the same story as `make run`, told on real brokers.
func TestMakeRunKafka(t *testing.T) {
	kafka.RequireJava(t)
	root, err := kafka.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "make", "-C", root, "run-kafka").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	shows(t, string(out), "brokers of Kafka 3.9.1", "claimed /controller", "takes over", "is stopping in order", "NO LEADER",
		"a member of the ISR is back", "has informed the brokers", "13 led, 0 without a leader", "every acknowledged message is there exactly once")
}

// The prompt breaks real brokers too, and gives the role back and takes it again.
func TestPromptOnRealBrokers(t *testing.T) {
	kafka.RequireJava(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out bytes.Buffer
	const lines = "handback\nelect preferred ledger\ntakeover\npause 2\nshow\nrestart 2\ncut 1\nheal 1\nquit\n"
	err := run(ctx, kafka.DefaultVersion, dev.Options{Topics: 1, Partitions: 2}, false, dev.NewScreen(&out, false), strings.NewReader(lines))
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	shows(t, out.String(), "any Kafka client may join", "has informed the brokers", "ledger-0: ELECTION_NOT_NEEDED", "hold of dev cleared",
		"was paused 0 s ago", "3 partitions: 3 led", "every acknowledged message is there exactly once")
}

func shows(t *testing.T, out string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(out, want) {
			t.Errorf("expected %q", want)
		}
	}
}
