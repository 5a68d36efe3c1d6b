package dev

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMakeDevWithoutJava: `make dev`, where no Java can be found.
func TestMakeDevWithoutJava(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "make", "-C", "..", "dev")
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
