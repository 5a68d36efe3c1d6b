package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"baton/e2e/kafka"
)

// `make run-kafka` works on a fresh clone.
func TestMakeRunKafka(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real Kafka")
	}
	kafka.RequireJava(t)
	root, err := kafka.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "make", "-C", root, "run-kafka").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"claimed /controller", "new leaders", "holds the controller role", "every acknowledged message is there exactly once"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("expected %q", want)
		}
	}
}
