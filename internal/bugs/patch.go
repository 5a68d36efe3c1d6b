package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const patchDir = "internal/bugs/patches"

// patch is one planted bug.
type patch struct {
	name     string
	file     string   // absolute
	comment  string   // what it breaks, in a sentence
	targets  []string // the files it changes
	packages []string // their directories
}

func readPatches(dir string) ([]patch, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no patches in %s", dir)
	}
	patches := make([]patch, 0, len(files))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		p := patch{name: strings.TrimSuffix(filepath.Base(f), ".patch"), file: f}
		p.parse(string(text))
		if p.comment == "" || len(p.packages) == 0 {
			return nil, fmt.Errorf("%s: expected lines of comment (# …), then a unified diff with the prefixes a/ and b/", f)
		}
		patches = append(patches, p)
	}
	return patches, nil
}

func (p *patch) parse(text string) {
	var comment []string
	begun := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if c, ok := strings.CutPrefix(line, "#"); ok && !begun {
			comment = append(comment, strings.TrimSpace(c))
			continue
		}
		begun = true
		if file, ok := strings.CutPrefix(line, "+++ b/"); ok {
			p.targets = append(p.targets, file)
			if d := path.Dir(file); !slices.Contains(p.packages, d) {
				p.packages = append(p.packages, d)
			}
		}
	}
	p.comment = strings.Join(comment, " ")
}

// findRoot returns the top of the repository.
func findRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return "", fmt.Errorf("the planted bugs need git and the repository: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// treeFiles lists what makes the tree, work that is not committed included.
func treeFiles(ctx context.Context, root string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the tree: %w", err)
	}
	files := strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	slices.Sort(files)
	return slices.Compact(files), nil
}

// copyTree copies what is there; what is deleted and not committed is left out.
func copyTree(root, dir string, files []string) error {
	for _, f := range files {
		from, to := filepath.Join(root, f), filepath.Join(dir, f)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			continue
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), fs.ModePerm); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

// apply applies a patch to a directory that is no repository; more are git's options.
func apply(ctx context.Context, dir, file string, more ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append(append([]string{"apply"}, more...), file)...)
	cmd.Dir = dir
	// Inside of some repository git would leave out, without a word, what is not below it.
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
