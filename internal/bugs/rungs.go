package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// rung is one kind of test.
type rung struct {
	name    string
	targets []string // directories of its packages
	run1    string   // -run, empty: all
	env     []string
	limit   time.Duration
	replay  string // the test that replays a seed by -seed=N, empty: no simulation

	// about is the only package it is for, where others come in for their types alone.
	about string
	deps  []string // directories of all packages that its tests contain
}

// allRungs from the fastest to the slowest.
func allRungs() []*rung {
	return []*rung{
		{name: "exhaustive", targets: []string{"isr", "partition"}, limit: time.Minute},
		{name: "scenarios", targets: []string{"planner"}, limit: time.Minute},
		{name: "coresim", targets: []string{"planner/internal/coresim"}, run1: "^TestSeeds$",
			env: []string{"BATON_SIM_SEEDS=500"}, limit: 2 * time.Minute, replay: "^TestSeed$"},
		{name: "unit", targets: []string{"controller", "node", "channel"}, limit: time.Minute},
		{name: "zkstore", targets: []string{"zkstore"}, about: "zkstore", limit: 2 * time.Minute},
		{name: "sim", targets: []string{"sim"}, env: []string{"BATON_SIM_SEEDS=50"}, limit: 4 * time.Minute, replay: "^TestOne$"},
	}
}

// present leaves out the rungs that this tree does not have.
func present(root string) []*rung {
	return slices.DeleteFunc(allRungs(), func(g *rung) bool {
		return slices.ContainsFunc(g.targets, func(d string) bool {
			tests, _ := filepath.Glob(filepath.Join(root, d, "*_test.go"))
			return len(tests) == 0
		})
	})
}

// findPackages learns which packages each rung's tests contain: it is no use to run
// tests that do not contain the bug, and no shame for them to miss it.
func findPackages(ctx context.Context, root string, rungs []*rung) error {
	for _, g := range rungs {
		if g.about != "" {
			g.deps = []string{g.about}
			continue
		}
		cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-deps", "-test", "-f", "{{.ImportPath}}"}, g.packages()...)...)
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("listing the packages of %s: %w", g.name, err)
		}
		for line := range strings.Lines(string(out)) {
			pkg, _, _ := strings.Cut(strings.TrimSpace(line), " ") // "p [p.test]" is p as its test sees it
			if dir, ours := strings.CutPrefix(pkg, "baton/"); ours {
				g.deps = append(g.deps, dir)
			}
		}
	}
	return nil
}

func (g *rung) contains(dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return slices.Contains(g.deps, d) })
}

func (g *rung) packages() []string {
	out := make([]string, len(g.targets))
	for i, d := range g.targets {
		out[i] = "./" + d
	}
	return out
}

type verdict string

const (
	caught  verdict = "caught"
	missed  verdict = "missed"
	apart   verdict = "-" // its tests do not contain the code, or no more than its types
	unbuilt verdict = "did not build"
)

// outcome is what one rung made of one bug.
type outcome struct {
	verdict verdict
	detail  string // the first failure
	hung    bool   // seen by the time limit only
	seed    string // that fails, of a simulation
	replays int    // of that seed
	again   int    // of them that failed
}

var (
	seedOf    = regexp.MustCompile(`-seed[= ](\d+)`)
	buildFail = regexp.MustCompile(`\[(build|setup) failed\]`)
	failure   = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)|^(panic: .*|fatal error: .*)`)
)

// goTest runs go test in a copy. Paths are trimmed, or no copy could use what another
// one has compiled. Each worker has one core.
func goTest(ctx context.Context, dir string, limit time.Duration, env []string, args ...string) (string, error) {
	args = append([]string{"test", "-trimpath", "-vet=off", "-count=1", "-short", "-failfast", "-timeout", limit.String()}, args...)
	// Go ends the tests by itself; this is for what ends by nothing else, the build included.
	ctx, cancel := context.WithTimeout(ctx, limit+5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(append(os.Environ(), "GOMAXPROCS=1", "GOFLAGS=", "GOWORK=off"), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run lets the rung judge the copy in dir.
func (g *rung) run(ctx context.Context, dir string) outcome {
	args := g.packages()
	if g.run1 != "" {
		args = append(args, "-run", g.run1)
	}
	out, err := goTest(ctx, dir, g.limit, g.env, args...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return outcome{verdict: missed}
	case !errors.As(err, &exit) || buildFail.MatchString(out):
		return outcome{verdict: unbuilt, detail: out}
	}
	o := outcome{verdict: caught, detail: firstFailure(out), hung: strings.Contains(out, "panic: test timed out")}
	if m := seedOf.FindStringSubmatch(out); m != nil && g.replay != "" {
		o.seed = m[1]
		o.replayAll(ctx, g, dir)
	}
	return o
}

// firstFailure names the most specific test of the first that failed, or the panic.
func firstFailure(out string) string {
	name := ""
	for _, m := range failure.FindAllStringSubmatch(out, -1) {
		switch {
		case m[2] != "" && name == "":
			return m[2]
		case m[1] != "" && (name == "" || strings.HasPrefix(m[1], name+"/")):
			name = m[1]
		}
	}
	return name
}

// maxReplays of one failing seed, each in a process of its own.
const maxReplays = 20

func (o *outcome) replayAll(ctx context.Context, g *rung, dir string) {
	binary := filepath.Join(dir, "replay.test")
	if out, err := goTest(ctx, dir, g.limit, nil, "-c", "-o", binary, "./"+g.targets[0]); err != nil {
		o.detail += " (no replays: " + strings.TrimSpace(out) + ")"
		return
	}
	for range maxReplays {
		cmd := exec.CommandContext(ctx, binary, "-test.run", g.replay, "-test.timeout", g.limit.String(), "-seed="+o.seed)
		cmd.Dir = filepath.Join(dir, g.targets[0])
		cmd.WaitDelay = 5 * time.Second
		o.replays++
		if err := cmd.Run(); err != nil {
			o.again++
		}
	}
}
