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
	env     []string
	limit   time.Duration
	// Of a simulation: the test that runs many seeds, and the flags to which -seed=N is added
	// to replay one.
	seeds  string
	replay []string

	// about is what it judges, where it needs other packages but leaves them to others; nil:
	// everything that its tests contain.
	about []string
}

// allRungs from the fastest to the slowest.
func allRungs() []*rung {
	return []*rung{
		{name: "exhaustive", targets: []string{"isr", "partition", "recovery"}, limit: time.Minute},
		{name: "scenarios", targets: []string{"planner"}, limit: time.Minute},
		{name: "coresim", targets: []string{"planner/internal/coresim"}, seeds: "^TestSeeds$",
			env: []string{"BATON_SIM_SEEDS=500"}, limit: 2 * time.Minute, replay: []string{"-test.run=^TestSeed$"}},
		{name: "unit", targets: []string{"controller", "node", "channel"}, about: []string{"controller", "node", "channel"}, limit: 40 * time.Second},
		{name: "zkstore", targets: []string{"zkstore"}, about: []string{"zkstore"}, limit: 2 * time.Minute},
		{name: "sim", targets: []string{"sim"}, seeds: "^TestSeeds$",
			env: []string{"BATON_SIM_SEEDS=300"}, limit: 3 * time.Minute, replay: []string{"-test.run=^TestSeeds$", "-seeds=1"}},
		{name: "crash", targets: []string{"sim"}, seeds: "^TestCrashPoints$",
			env: []string{"BATON_SIM_POINTS=250"}, limit: 4 * time.Minute, replay: []string{"-test.run=^TestCrashPoints$"}},
		{name: "answers", targets: []string{"whatif", "explain"}, about: []string{"whatif", "snapshot", "explain"}, limit: time.Minute},
		{name: "foretold", targets: []string{"sim"}, seeds: "^TestWhatIf$", about: []string{"whatif", "snapshot"}, env: []string{"BATON_WHATIF_SEEDS=60"},
			limit: 3 * time.Minute, replay: []string{"-test.run=^TestWhatIf$", "-seeds=1"}},
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
		if g.about != nil {
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
				g.about = append(g.about, dir)
			}
		}
	}
	return nil
}

func (g *rung) contains(dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return slices.Contains(g.about, d) })
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
	apart   verdict = "-" // its tests do not contain the code, or are about other code
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
	running   = regexp.MustCompile(`running tests:\s+(\S+)`)
	failure   = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)|^(panic: .*|fatal error: .*)`)
)

// command runs a program in a copy, on one core, as each worker has one.
func command(ctx context.Context, dir string, limit time.Duration, env []string, name string, args ...string) (string, error) {
	// Tests end by themselves; this is for what ends by nothing else, the build included.
	ctx, cancel := context.WithTimeout(ctx, limit+5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(append(os.Environ(), "GOMAXPROCS=1", "GOFLAGS=", "GOWORK=off"), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// build flags: with paths trimmed a copy can use what another one has compiled.
var build = []string{"test", "-trimpath", "-vet=off"}

// run lets the rung judge the copy in dir.
func (g *rung) run(ctx context.Context, dir string) outcome {
	if g.replay != nil {
		return g.simulate(ctx, dir)
	}
	args := append(slices.Clone(build), "-count=1", "-short", "-failfast", "-timeout", g.limit.String())
	out, err := command(ctx, dir, g.limit, g.env, "go", append(args, g.packages()...)...)
	return judge(out, err)
}

func judge(out string, err error) outcome {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return outcome{verdict: missed}
	case !errors.As(err, &exit) || buildFail.MatchString(out):
		return outcome{verdict: unbuilt, detail: out}
	}
	return outcome{verdict: caught, detail: firstFailure(out), hung: strings.Contains(out, "panic: test timed out")}
}

// maxReplays of one failing seed, each in a process of its own.
const maxReplays = 20

// simulate builds the simulation once, runs its seeds, and replays one that fails.
func (g *rung) simulate(ctx context.Context, dir string) outcome {
	binary := filepath.Join(dir, "simulation.test")
	if out, err := command(ctx, dir, g.limit, nil, "go", append(slices.Clone(build), "-c", "-o", binary, g.packages()[0])...); err != nil {
		return outcome{verdict: unbuilt, detail: out}
	}
	in := filepath.Join(dir, g.targets[0])
	flags := []string{"-test.short", "-test.failfast", "-test.timeout", g.limit.String()}
	env := append(slices.Clone(g.env), "TMPDIR="+dir) // for traces
	out, err := command(ctx, in, g.limit, env, binary, slices.Concat(flags, []string{"-test.run", g.seeds})...)
	o := judge(out, err)
	m := seedOf.FindStringSubmatch(out)
	if o.verdict != caught || m == nil {
		return o
	}
	o.seed = m[1]
	for range maxReplays {
		o.replays++
		args := slices.Concat(flags, g.replay, []string{"-seed=" + o.seed})
		if _, err := command(ctx, in, g.limit, env, binary, args...); err != nil {
			o.again++
		}
	}
	return o
}

// firstFailure names the test that hangs, or the most specific one of the first that
// failed, or the panic.
func firstFailure(out string) string {
	if m := running.FindStringSubmatch(out); m != nil {
		return m[1] + " hangs"
	}
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
