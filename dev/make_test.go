package dev

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMakeRunWithoutJava: `make run` where no Java can be found, and what the README shows of it.
func TestMakeRunWithoutJava(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "make", "-s", "-C", "..", "run")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PATH=") || strings.HasPrefix(kv, "JAVA_HOME=")
	})
	path := pathWithoutJava(t)
	cmd.Env = append(cmd.Env, "PATH="+path, "JAVA_HOME="+t.TempDir(), "NO_COLOR=1")
	if out, err := exec.CommandContext(ctx, "env", "-i", "PATH="+path, "sh", "-c", "command -v java").CombinedOutput(); err == nil {
		t.Fatalf("there is a Java: %s", out)
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"claims /controller", "a new partition", "takes over", "NO LEADER", "a member of the ISR is back",
		"every acknowledged message is there exactly once", "0 without a leader"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("expected %q", want)
		}
	}
	if strings.Contains(string(out), "\x1b") {
		t.Error("colours in spite of NO_COLOR")
	}
	if more := regexp.MustCompile(`and \d+ more\n`).FindString(string(out)); more != "" {
		t.Errorf("elections without a reason: %s", more)
	}
	session(t, out)
}

// session: docs/session.sh puts the recording into the README and leaves the rest of it alone, and what is there now is of
// the same kinds of lines.
func session(t *testing.T, recording []byte) {
	t.Helper()
	committed, err := os.ReadFile(filepath.Join("..", "README.md"))
	must(t, err)
	page := filepath.Join(t.TempDir(), "README.md")
	must(t, os.WriteFile(page, committed, 0o600))
	cmd := exec.CommandContext(t.Context(), filepath.Join("..", "docs", "session.sh"), page)
	cmd.Stdin = bytes.NewReader(recording)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docs/session.sh: %v\n%s", err, out)
	}
	renewed, err := os.ReadFile(page)
	must(t, err)
	was, now := strings.Split(string(committed), sessionMark), strings.Split(string(renewed), sessionMark)
	if len(was) != 3 || len(now) != 3 || was[0] != now[0] || was[2] != now[2] {
		t.Fatalf("not only the session has changed:\n%s", renewed)
	}
	if a, b := kinds(was[1]), kinds(now[1]); !slices.Equal(a, b) {
		t.Errorf("the README shows an old session: run docs/session.sh\n%s\nnow:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}

// sessionMark is what both markers around the session have in common.
const sessionMark = "session -->"

var changing = regexp.MustCompile(`[\d.:]*\d[\d.:]*(ms|µs|s)?|\[[\d ]*\]|orders|payments|ledger`)

// kinds are the lines without what differs from run to run, in order, each once.
func kinds(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, changing.ReplaceAllString(strings.TrimSpace(line), "_"))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// The page shows the prompt's own help.
func TestHelpInTheDocs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "dev.md"))
	must(t, err)
	if !strings.Contains(string(page), "<!-- help -->\n```\n"+helpText+"\n```\n") {
		t.Errorf("docs/dev.md lacks the help of the prompt:\n%s", helpText)
	}
}

// pathWithoutJava is one directory with everything that PATH has but Java.
func pathWithoutJava(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range filepath.SplitList(os.Getenv("PATH")) {
		entries, _ := os.ReadDir(from)
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), "java") && !strings.HasPrefix(e.Name(), "jdk") {
				_ = os.Symlink(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name())) // the first one counts
			}
		}
	}
	return dir
}
