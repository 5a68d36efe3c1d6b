package dev

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/partition"
)

// The prompt obeys, explains and judges. Each line is carried out before the next one is read.
func TestPrompt(t *testing.T) {
	t.Parallel() // it mostly waits for sessions to end
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	lines := "load\nhandover\nkill 9\nfly\nelect\nelect preferred nothing\nelect unclean payments\nelect preferred payments\nelect unclean ledger-0\nshrink payments\nshrink ledger-0\nshow ledger\nkill baton\nkill baton\nstart baton\nstart baton\nrestart 2\nrestart 3\nquit\n"
	err := Prompt(ctx, Options{Partitions: 2}, NewScreen(&out, false), strings.NewReader(lines))
	text := out.String()
	t.Log(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"any Kafka client may join", "Baton 2000002 holds the role", "no broker 9", "fly? Try help", "expected TOPIC-N",
		"ledger-0: NO LEADER, in sync [", "is alive but outside of the ISR", "kill -9 of Baton 2000002", "Baton 2000002 is started",
		"both Batons run", "elect preferred TOPIC[-N]|all, or", "nothing: expected TOPIC-N",
		"payments: an unclean election may lose records", "5 partitions: 5 led, 0 without a leader", "exactly once and in order"} {
		if !strings.Contains(text, want) {
			t.Errorf("expected %q", want)
		}
	}
	// Each partition's answer, whatever the controller says.
	for _, id := range []string{"payments-0", "payments-1", "ledger-0"} {
		if !regexp.MustCompile(`(?m)  ` + id + `: (elected|[A-Z_]{5,}: .+)$`).MatchString(text) {
			t.Errorf("no answer to the election of %s", id)
		}
	}
}

// Every partition named gets a line, also when the answer as a whole is an error or leaves some out.
func TestElectAnswer(t *testing.T) {
	ids := []partition.ID{{Topic: "a"}, {Topic: "a", Number: 1}, {Topic: "b"}}
	req := electRequest(electUnclean, ids)
	if len(req.Topics) != 2 || !slices.Equal(req.Topics[0].Partitions, []int32{0, 1}) || req.ElectionType != 1 {
		t.Errorf("request %+v", req)
	}
	message := "not the time"
	resp := kmsg.NewPtrElectLeadersResponse()
	resp.Topics = []kmsg.ElectLeadersResponseTopic{{Topic: "a", Partitions: []kmsg.ElectLeadersResponseTopicPartition{
		{Partition: 0}, {Partition: 1, ErrorCode: kerr.ElectionNotNeeded.Code, ErrorMessage: &message}}}}
	if got, want := electAnswer(resp, ids), "  a-0: elected\n  a-1: ELECTION_NOT_NEEDED: not the time\n  b-0: no answer"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	resp.Topics, resp.ErrorCode = nil, kerr.NotController.Code
	if got := electAnswer(resp, ids); strings.Count(got, "NOT_CONTROLLER: ") != 3 {
		t.Error(got)
	}
}

// A partition that could be led and is not is a failure, and so is a loss; what cannot be led is not.
func TestFinishWithALeaderlessPartition(t *testing.T) {
	t.Parallel() // it mostly waits for sessions to end
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
