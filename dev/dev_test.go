package dev

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// The prompt obeys, explains and judges. Each line is carried out before the next one is read.
func TestPrompt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	lines := "load\nhandover\nkill 9\nfly\nshrink payments\nshrink ledger-0\nshow ledger\nkill baton\nkill baton\nstart baton\nstart baton\nrestart 2\nrestart 3\nquit\n"
	err := Prompt(ctx, Options{Partitions: 2}, NewScreen(&out, false), strings.NewReader(lines))
	text := out.String()
	t.Log(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"any Kafka client may join", "Baton 2000002 holds the role", "no broker 9", "fly? Try help", "expected TOPIC-N",
		"ledger-0: NO LEADER, in sync [", "is alive but outside of the ISR", "kill -9 of Baton 2000002", "Baton 2000002 is started",
		"both Batons run", "5 partitions: 5 led, 0 without a leader", "exactly once and in order"} {
		if !strings.Contains(text, want) {
			t.Errorf("expected %q", want)
		}
	}
}

// A partition that could be led and is not is a failure, and so is a loss; what cannot be led is not.
func TestFinishWithALeaderlessPartition(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	err := Prompt(ctx, Options{Partitions: 1, Topics: 1}, NewScreen(&out, false), strings.NewReader("shrink\n"))
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	if want := "2 partitions: 1 led, 1 without a leader, 0 of these could have one"; !strings.Contains(out.String(), want) {
		t.Errorf("expected %q", want)
	}
}
