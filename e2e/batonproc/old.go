package batonproc

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"baton/e2e/kafka"
)

// eldest is the commit that a Baton of today still has to work beside: the first one that could lead a cluster. It moves
// when an older build is given up, which is a decision and not a repair.
const eldest = "2e276fe758854e12fd95057c77f26058dba87df5"

// BuildOld builds the Baton that an upgrade begins with, from the repository's history, and returns where it is and the
// version that it says it is. BATON_OLD names its tag or commit; otherwise it is the last tag before this commit, and
// eldest as long as there is none.
func BuildOld(ctx context.Context) (path, version string, err error) {
	ref := os.Getenv("BATON_OLD")
	if ref == "" {
		tag, _ := git(ctx, "describe", "--tags", "--abbrev=0", "HEAD^") // an error is that there is none
		ref = cmp.Or(tag, eldest)
	}
	commit, err := git(ctx, "rev-parse", "--verify", ref+"^{commit}")
	if err != nil {
		return "", "", fmt.Errorf("the old Baton %q (BATON_OLD) is not in the history of this clone: %w", ref, err)
	}
	version = "old-" + commit[:12]
	tree, err := os.MkdirTemp("", "baton-old")
	if err != nil {
		return "", "", err
	}
	defer func() { _ = os.RemoveAll(tree) }()
	if _, err := git(ctx, "archive", "--format=tar", "--output="+tree+"/source.tar", commit); err != nil {
		return "", "", err
	}
	if out, err := exec.CommandContext(ctx, "tar", "-x", "-f", tree+"/source.tar", "-C", tree).CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("tar: %w\n%s", err, out)
	}
	path, err = compile(ctx, tree, "controller-"+version, "-ldflags", "-X baton/internal/version.number="+version)
	return path, version, err
}

// git asks about this repository.
func git(ctx context.Context, args ...string) (string, error) {
	root, err := kafka.RepoRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}
