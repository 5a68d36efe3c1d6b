package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPatchesApply keeps the planted bugs from rotting: a change of the code that one of
// them touches has to change the patch with it. That they are caught is shown by make bugs.
func TestPatchesApply(t *testing.T) {
	root := repository(t)
	patches, err := readPatches(filepath.Join(root, patchDir))
	if err != nil {
		t.Fatal(err)
	}
	if len(patches) < 12 {
		t.Errorf("%d planted bugs, expected at least 12", len(patches))
	}
	for _, p := range patches {
		for _, file := range p.targets {
			// So that go test, which does not see what git reads, knows when to run this again.
			if _, err := os.ReadFile(filepath.Join(root, file)); err != nil {
				t.Error(err)
			}
		}
		if out, err := apply(t.Context(), root, p.file, "--check"); err != nil {
			t.Errorf("%s does not apply: change the patch with the code: %v\n%s", p.name, err, out)
		}
		if !strings.HasSuffix(p.comment, ".") || len(p.comment) < 20 {
			t.Errorf("%s: expected a sentence that says what it breaks, found %q", p.name, p.comment)
		}
	}
}

// repository returns the top of the tree, or skips where there is no git or no
// repository: an archive of the sources has none.
func repository(t *testing.T) string {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("CI") == "true" {
		skip = t.Fatalf
	}
	if _, err := exec.LookPath("git"); err != nil {
		skip("git is needed to apply the planted bugs: %v", err)
	}
	root, err := findRoot(t.Context())
	if err != nil {
		skip("%v", err)
	}
	return root
}

func TestFirstFailure(t *testing.T) {
	for out, want := range map[string]string{
		"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\n--- FAIL: TestC (0.00s)\n": "TestA/b",
		"panic: oh\n\ngoroutine 1": "panic: oh",
		"panic: test timed out after 1s\n\trunning tests:\n\t\tTestD (1s)\n": "TestD hangs",
		"ok": "",
	} {
		if got := firstFailure(out); got != want {
			t.Errorf("%q: %q, expected %q", out, got, want)
		}
	}
}
