package batonproc_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// standIn behaves, for the harness, as Baton's binary: it runs until it is told to end, and answers other verbs with
// its arguments and an exit code.
const standIn = `#!/bin/sh
if [ "$1" = run ]; then
	trap 'echo bye; exit 7' TERM
	for a; do echo "arg $a"; done
	while :; do sleep 0.05; done
fi
echo "$@"
exit 3
`

func TestProcessControl(t *testing.T) {
	c := kafka.Start(t, kafka.Options{Brokers: 1})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "controller")
	if err := os.WriteFile(binary, []byte(standIn), 0o755); err != nil {
		t.Fatal(err)
	}
	b := batonproc.Start(t, batonproc.Options{Cluster: c, Binary: binary, Sets: map[string]string{"a.key": "v"}})
	want := []string{"arg --config", "arg " + c.Broker(1).PropertiesPath(), "arg a.key=v", "arg node.id=2000001",
		"arg listeners=INTERNAL://" + b.Addr(kafka.Internal)}
	waitLog(ctx, t, b, want...)
	for _, step := range []func() error{b.Pause, b.Resume, func() error { return b.Terminate(ctx) }} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if b.Running() || b.ExitCode() != 7 {
		t.Errorf("running %v, exit code %d", b.Running(), b.ExitCode())
	}
	if err := b.Restart(ctx); err != nil || !b.Running() {
		t.Fatalf("restart: %v", err)
	}
	if err := b.Kill(); err != nil || b.ExitCode() != 128+9 {
		t.Errorf("kill: %v, exit code %d", err, b.ExitCode())
	}
	out, err := b.CLI(ctx, "status", "-o", "json")
	if err != nil || out.ExitCode != 3 || !strings.HasPrefix(out.Stdout, "status --config ") {
		t.Errorf("%+v, %v", out, err)
	}
	ctx, cancel = context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := b.WaitActive(ctx); err == nil || !strings.Contains(err.Error(), "ended with code 137") {
		t.Errorf("waiting for a dead Baton: %v", err)
	}
}

func waitLog(ctx context.Context, t *testing.T, b *batonproc.Baton, want ...string) {
	t.Helper()
	err := kafka.Eventually(ctx, "the log to hold the arguments", func(context.Context) (bool, error) {
		log, err := os.ReadFile(b.LogPath())
		for _, w := range want {
			if !strings.Contains(string(log), w) {
				return false, err
			}
		}
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBuild builds the real binary, where its sources are in the tree already.
func TestBuild(t *testing.T) {
	root, err := kafka.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "cmd", "controller")); err != nil {
		t.Skip("no cmd/controller yet")
	}
	path, err := batonproc.Build(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
