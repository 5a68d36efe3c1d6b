// Package javaprog runs small Java programs on Kafka's jars, which answer questions line by line.
//
// A program is compiled once into the cache. It reads a question from each line of its input and prints one line for
// it: ok and an answer, or FAIL and why.
package javaprog

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/e2e/kafka"
)

// Program is a running JVM. Ask may be called concurrently; questions take turns.
type Program struct {
	name   string
	mu     sync.Mutex
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *tail
}

// Start compiles sources, by file name, against the classes of a Kafka version and runs the class main, for the length
// of the test.
func Start(t testing.TB, version, main string, sources map[string][]byte) *Program {
	t.Helper()
	kafka.RequireJava(t)
	if _, err := exec.LookPath("javac"); err != nil {
		kafka.Unavailable(t, "javac is not installed: %s needs a JDK", main)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	p, stop, err := start(ctx, version, main, sources)
	if err != nil {
		t.Fatalf("start the Java program %s: %v", main, err)
	}
	t.Cleanup(stop)
	return p
}

func start(ctx context.Context, version, main string, sources map[string][]byte) (*Program, func(), error) {
	classpath, err := kafka.Fetch(ctx, version)
	if err != nil {
		return nil, nil, err
	}
	classes, err := Compile(ctx, version, classpath, sources)
	if err != nil {
		return nil, nil, err
	}
	// The end of its input ends the program, also when this process dies.
	cmd := exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
		classes+string(filepath.ListSeparator)+classpath, main)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	p := &Program{name: main, in: stdin, out: bufio.NewReaderSize(stdout, 1<<20), stderr: &tail{}}
	cmd.Stderr = p.stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	return p, func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}, nil
}

// Compile compiles sources, by file name, against a class path that the version names, and returns the directory of the
// classes. It puts them where their sources' hash says, so that a changed program is compiled again and an unchanged one
// is not. Two processes may do it at once: the rename decides.
func Compile(ctx context.Context, version, classpath string, sources map[string][]byte) (string, error) {
	cache, err := kafka.CacheDir()
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, _ = io.WriteString(hash, version)
	names := slices.Sorted(maps.Keys(sources))
	for _, name := range names {
		_, _ = hash.Write(sources[name])
	}
	dir := filepath.Join(cache, "java", version+"-"+hex.EncodeToString(hash.Sum(nil)[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "compile-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	args := []string{"-nowarn", "-encoding", "UTF-8", "-d", filepath.Join(tmp, "classes"), "-cp", classpath}
	for _, name := range names {
		file := filepath.Join(tmp, name)
		if err := os.WriteFile(file, sources[name], 0o644); err != nil {
			return "", err
		}
		args = append(args, file)
	}
	if out, err := exec.CommandContext(ctx, "javac", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("javac: %w\n%s", err, out)
	}
	if err := os.Rename(filepath.Join(tmp, "classes"), dir); err != nil {
		if _, statErr := os.Stat(dir); statErr != nil {
			return "", err
		}
	}
	return dir, nil
}

// Ask puts a question of one line. The error is what follows FAIL, or that the program does not answer.
func (p *Program) Ask(format string, args ...any) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.in, fmt.Sprintf(format, args...)+"\n"); err != nil {
		return "", fmt.Errorf("ask the Java program %s: %w\n%s", p.name, err, p.stderr)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the Java program %s ended: %w\n%s", p.name, err, p.stderr)
	}
	line = strings.TrimSpace(line)
	if answer, ok := strings.CutPrefix(line, "ok"); ok {
		return strings.TrimSpace(answer), nil
	}
	return "", errors.New(strings.TrimPrefix(line, "FAIL "))
}

// Complaints are the last lines that the program wrote to its standard error.
func (p *Program) Complaints() string { return p.stderr.String() }

// tail keeps the last of what the JVM complained about.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - 8192; over > 0 {
		t.b = t.b[over:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
