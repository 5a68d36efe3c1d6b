package stories

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// The commands of docs/operating.md do what the page says, in the order of the page.
func TestOperatingPage(t *testing.T) {
	s := begin(t, kafka.Options{}, "orders")
	root, err := kafka.RepoRoot()
	s.must(err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "operating.md"))
	s.must(err)
	script := shellBlocks(string(page))
	if strings.Count(script, "controller ") < 8 {
		t.Fatalf("the page has lost its commands:\n%s", script)
	}
	binary, err := batonproc.Build(s.ctx)
	s.must(err)
	bin, dir := t.TempDir(), t.TempDir()
	s.must(os.Symlink(binary, filepath.Join(bin, "controller")))
	ports, err := kafka.ReservePorts(t, 2)
	s.must(err)
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-m", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KAFKA_CONFIG="+s.cluster.Broker(1).PropertiesPath(),
		"BATON_LISTENERS="+kafka.Internal+"://127.0.0.1:"+id(ports[0]), "BATON_ADMIN=127.0.0.1:"+id(ports[1]), "BATON_DIR="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	contains(t, string(out), "claimed /controller")
	contains(t, string(out), "holds the controller role with epoch")
	s.embedded()
	s.neverLeaderless(s.finish())
}

// shellBlocks returns the page's sh blocks, one after the other.
func shellBlocks(page string) string {
	var b strings.Builder
	in := false
	for line := range strings.Lines(page) {
		switch strings.TrimSpace(line) {
		case "```sh":
			in = true
		case "```":
			in = false
		default:
			if in {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}
