package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"baton/e2e/kafka"
)

// One of Kafka's tests counts with Baton, and does not with something that is no controller.
func TestRun(t *testing.T) {
	kafka.RequireJava(t)
	const test = "kafka.admin.AddPartitionsTest#testMissingPartitionsInCreateTopics"
	for name, c := range map[string]struct {
		binary string
		want   outcome
		reason string
	}{
		"baton":   {"", passed, ""},
		"nothing": {"/bin/false", failed, "Baton ended before it held /controller"},
	} {
		t.Run(name, func(t *testing.T) {
			env, err := kafka.NewRun("kafkatests", t.Logf)
			if err != nil {
				t.Fatal(err)
			}
			defer env.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
			defer cancel()
			o := options{version: kafka.DefaultVersion, out: t.TempDir(), binary: c.binary, logLevel: "info", classes: test,
				classTimeout: 5 * time.Minute, methodTimeout: time.Minute}
			s, chosen, err := o.prepare(ctx, env)
			if err != nil {
				t.Fatal(err)
			}
			verdicts, err := s.verdicts(ctx, chosen[0])
			if err != nil {
				t.Fatal(err)
			}
			if v := verdicts[0]; len(verdicts) != 1 || v.name() != test || v.outcome != c.want || !strings.Contains(v.reason, c.reason) {
				t.Errorf("got %+v", verdicts)
			}
		})
	}
}
