package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/admin"
	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// TestRecoveryPage is the incident on real brokers as docs/recovery.md has it for its readers, with their shell and Kafka's own tools: the
// only in-sync replica dies, of the two that are left the preferred one is far behind, both were restarted in between. The
// replica that loses least leads, and what is lost, read from the dead leader's disk, is what was shown before, exactly, as the
// leader was idle when it died. Kafka's own controller loses more on the same state.
func TestRecoveryPage(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real Kafka")
	}
	kafka.RequireJava(t)
	needsRelease(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir, out := runPage(ctx, t, "recovery.md")
	t.Log(out)
	for _, want := range []string{"no leader: nobody of the ISR [2] is live; 3, 1 could lead only with loss", "not done without --accept-data-loss: 1 has more",
		"1 leads orders-0 now.", "broker 2 is dead",
		"orders-0, led by 1 as Baton measured: 10 of 100 records are lost", "orders-1, led by 3 as Kafka elected:  40 of 100 records are lost"} {
		contains(t, out, want)
	}
	plan, err := os.ReadFile(filepath.Join(dir, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m admin.Measurement
	if err := json.Unmarshal(plan, &m); err != nil {
		t.Fatalf("%v in %s", err, plan)
	}
	if m.Leader != 1 || len(m.Doubts) > 0 || len(m.Replicas) != 3 || m.Replicas[1].Log == nil || m.Replicas[2].Log == nil {
		t.Fatalf("the plan: %s", plan)
	}
	exactly(t, m.Replicas[2].Log, 10)
	exactly(t, m.Replicas[1].Log, 40)
	checkpoint, err := os.ReadFile(filepath.Join(dir, "disk-1", "replication-offset-checkpoint"))
	if err != nil || !strings.Contains(string(checkpoint), "orders 0 0\n") {
		t.Errorf("1 was to know no high watermark when it came back: %v\n%s", err, checkpoint)
	}
}

// runPage runs the commands of a page of docs that begins with nothing, with Kafka's scripts and `controller` in the PATH, in an
// empty directory. What it starts ends with it, and with us.
func runPage(ctx context.Context, t *testing.T, name string) (dir, out string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := kafka.RepoRoot()
	must(err)
	page, err := os.ReadFile(filepath.Join(root, "docs", name))
	must(err)
	binary, err := batonproc.Build(ctx)
	must(err)
	bin, dir := t.TempDir(), t.TempDir()
	must(os.Symlink(binary, filepath.Join(bin, "controller")))
	version := kafka.SelectedVersion()
	must(kafka.Scripts(ctx, bin, version))
	ports, err := kafka.ReservePorts(t, 6)
	must(err)
	logs, err := kafka.LogDir(t)
	must(err)
	guard := fmt.Sprintf("( tail --pid=%d -f /dev/null; kill -9 -- -$$ ) &\n", os.Getpid())
	p, err := kafka.StartProcess(t, name, filepath.Join(logs, "page.log"), "env", "PATH="+bin+":"+os.Getenv("PATH"), "DIR="+dir,
		"PORTS="+strings.Trim(fmt.Sprint(ports), "[]"), "PROTOCOL="+version[:strings.LastIndexByte(version, '.')],
		"bash", "-euo", "pipefail", "-c", guard+shellBlocks(string(page)))
	must(err)
	waited := p.Wait(ctx)
	text, err := os.ReadFile(p.LogPath())
	must(err)
	if waited != nil || p.ExitCode() != 0 {
		for _, f := range []string{"baton.out", "baton.err", "broker-1.out", "zookeeper.out"} {
			more, _ := os.ReadFile(filepath.Join(dir, f))
			t.Logf("%s:\n%s", f, more[max(0, len(more)-3000):])
		}
		t.Fatalf("%s: %v, exit code %d\n%s", name, waited, p.ExitCode(), text)
	}
	return dir, string(text)
}
