package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Env is what a cluster needs from whoever starts it. A *testing.T is one, and so is a *Run.
type Env interface {
	Name() string
	Logf(format string, args ...any)
	Cleanup(func())
	TempDir() string
	Failed() bool
}

// Run is an Env for a program that is not a test. Close runs the cleanups, last registered first.
type Run struct {
	name string
	dir  string
	logf func(string, ...any)

	mu       sync.Mutex
	cleanups []func()
	failed   bool
}

// NewRun makes an Env with a fresh temporary directory, removed by Close.
func NewRun(name string, logf func(format string, args ...any)) (*Run, error) {
	dir, err := os.MkdirTemp("", "baton-"+name+"-")
	if err != nil {
		return nil, err
	}
	return &Run{name: name, dir: dir, logf: logf}, nil
}

// Name of the run; logs are kept under it.
func (r *Run) Name() string { return r.name }

// Logf reports progress.
func (r *Run) Logf(format string, args ...any) { r.logf(format, args...) }

// Cleanup registers work for Close.
func (r *Run) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// TempDir returns a new directory inside the run's own.
func (r *Run) TempDir() string {
	dir, err := os.MkdirTemp(r.dir, "")
	if err != nil {
		panic(err) // as testing.T's TempDir, which has no error to return either
	}
	return dir
}

// Failed says whether Fail was called: logs of a failed run are kept.
func (r *Run) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// Fail marks the run as failed.
func (r *Run) Fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

// Close stops everything that was started in the run and removes its files.
func (r *Run) Close() {
	for {
		r.mu.Lock()
		n := len(r.cleanups)
		if n == 0 {
			r.mu.Unlock()
			break
		}
		f := r.cleanups[n-1]
		r.cleanups = r.cleanups[:n-1]
		r.mu.Unlock()
		f()
	}
	_ = os.RemoveAll(r.dir)
}

// InCI says whether a missing tool is a failure rather than a reason to skip.
func InCI() bool { return os.Getenv("CI") == "true" }

// Unavailable skips the test, or fails it in CI, where every tool is expected to be present.
func Unavailable(t testing.TB, format string, args ...any) {
	t.Helper()
	if InCI() {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// RequireJava skips a test that cannot run here: Java or Maven is missing, or only short tests were asked for.
func RequireJava(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs real Kafka; left out by -short")
	}
	if err := haveJava(); err != nil {
		Unavailable(t, "%v", err)
	}
}

func haveJava() error {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed: real Kafka needs a Java runtime (17 or newer) and Maven 3", tool)
		}
	}
	return nil
}

// RequireKcat finds kcat, installing Debian's package where that is possible, and returns its path.
func RequireKcat(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("kcat"); err == nil {
		return path
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var out strings.Builder
	for _, args := range [][]string{{"update", "-q"}, {"install", "-y", "-q", "--no-install-recommends", "kcat"}} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			Unavailable(t, "kcat is missing and apt-get %s failed: %v\n%s", args[0], err, out.String())
		}
	}
	path, err := exec.LookPath("kcat")
	if err != nil {
		Unavailable(t, "kcat is missing even after apt-get installed it: %v", err)
	}
	return path
}

// ErrHopeless in a condition's error ends the waiting: what is awaited will not come.
var ErrHopeless = errors.New("there is nothing to wait for")

// Eventually asks until done says yes or ctx ends. It is for conditions nothing can notify us of; what ZooKeeper
// holds is awaited through Watch.
func Eventually(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		if errors.Is(err, ErrHopeless) {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if last == nil || ctx.Err() == nil { // a condition that the end of ctx cuts off knows nothing
			last = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for %s: %w", what, ctx.Err()), last)
		case <-tick.C:
		}
	}
}

// RepoRoot is the directory of go.mod above the working directory.
func RepoRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory: run inside the repository")
		}
		dir = up
	}
}

// CacheDir is where fetched and compiled things are kept between runs: BATON_CACHE, or .cache in the repository.
func CacheDir() (string, error) {
	dir := os.Getenv("BATON_CACHE")
	if dir == "" {
		root, err := RepoRoot()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, ".cache")
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// LogDir makes the directory for the logs of env's processes. It is removed when env ends, unless it failed; after
// a panic nothing is removed either. What an earlier run has left there goes: logs are added to, and stories count lines.
func LogDir(env Env) (string, error) {
	root, err := RepoRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "e2e", "logs", filepath.FromSlash(strings.ReplaceAll(env.Name(), " ", "_")))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	logDirs.Lock()
	defer logDirs.Unlock()
	if logDirs.in[dir] {
		return dir, nil // a second cluster of the same test shares the directory and the first one's cleanup
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return "", err
	}
	for _, f := range left {
		if err := os.Remove(f); err != nil {
			return "", err
		}
	}
	logDirs.in[dir] = true
	env.Cleanup(func() {
		logDirs.Lock()
		defer logDirs.Unlock()
		delete(logDirs.in, dir)
		if env.Failed() {
			env.Logf("logs kept in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
		// A subtest's directory leaves its parents behind; Remove stops at one that is still in use.
		for up := filepath.Dir(dir); up != filepath.Join(root, "e2e"); up = filepath.Dir(up) {
			if os.Remove(up) != nil {
				return
			}
		}
	})
	return dir, nil
}

var logDirs = struct {
	sync.Mutex
	in map[string]bool
}{in: map[string]bool{}}
