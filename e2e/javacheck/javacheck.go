// Package javacheck asks Kafka's own generated Java classes what they think of our bytes, and for bytes of theirs.
//
// One JVM answers for a whole test. Its program is in this directory, compiled once into the cache.
package javacheck

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/e2e/kafka"
)

//go:embed Checker.java
var checkerSource []byte

//go:embed Shapes.java
var shapesSource []byte

// Direction says whether a body is a request's or a response's.
type Direction string

// The directions.
const (
	Request  Direction = "R"
	Response Direction = "S"
)

// Shape is a way to fill a message.
type Shape string

// The shapes; Shapes.java says what they hold.
const (
	Full  Shape = "full"
	Empty Shape = "empty"
	Nulls Shape = "nulls"
	Long  Shape = "long"
)

// Shapes is all of them.
var Shapes = []Shape{Full, Empty, Nulls, Long}

// Checker is a running JVM. Its methods may be called concurrently; they take turns.
type Checker struct {
	mu     sync.Mutex
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *tail
}

// New starts a checker with the classes of kafka.DefaultVersion, for the length of the test.
func New(t testing.TB) *Checker {
	t.Helper()
	return NewVersion(t, kafka.DefaultVersion)
}

// NewVersion is New with the classes of another Kafka.
func NewVersion(t testing.TB, version string) *Checker {
	t.Helper()
	kafka.RequireJava(t)
	if _, err := exec.LookPath("javac"); err != nil {
		kafka.Unavailable(t, "javac is not installed: the checker needs a JDK")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c, stop, err := start(ctx, version)
	if err != nil {
		t.Fatalf("start the Java checker: %v", err)
	}
	t.Cleanup(stop)
	return c
}

func start(ctx context.Context, version string) (*Checker, func(), error) {
	classpath, err := kafka.Fetch(ctx, version)
	if err != nil {
		return nil, nil, err
	}
	classes, err := compile(ctx, version, classpath)
	if err != nil {
		return nil, nil, err
	}
	// The end of its input ends the program, also when this process dies.
	cmd := exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
		classes+string(filepath.ListSeparator)+classpath, "Checker")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	c := &Checker{in: stdin, out: bufio.NewReaderSize(stdout, 1<<20), stderr: &tail{}}
	cmd.Stderr = c.stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	return c, func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}, nil
}

// compile puts the classes where their sources' hash says, so that a changed program is compiled again and an
// unchanged one is not. Two processes may do it at once: the rename decides.
func compile(ctx context.Context, version, classpath string) (string, error) {
	cache, err := kafka.CacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append(append([]byte(version), checkerSource...), shapesSource...))
	dir := filepath.Join(cache, "javacheck", version+"-"+hex.EncodeToString(sum[:8]))
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
	for name, source := range map[string][]byte{"Checker.java": checkerSource, "Shapes.java": shapesSource} {
		file := filepath.Join(tmp, name)
		if err := os.WriteFile(file, source, 0o644); err != nil {
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

// Check says whether Kafka parses the body, to its last byte, and would have written the same bytes.
func (c *Checker) Check(d Direction, key, version int16, body []byte) error {
	_, err := c.ask("check %s %d %d %s", d, key, version, encode(body))
	return err
}

// JSON returns the body's content as Kafka's own JSON converters write it.
func (c *Checker) JSON(d Direction, key, version int16, body []byte) (string, error) {
	return c.ask("json %s %d %d %s", d, key, version, encode(body))
}

// Generate returns a body that Kafka wrote.
func (c *Checker) Generate(d Direction, key, version int16, shape Shape) ([]byte, error) {
	answer, err := c.ask("gen %s %d %d %s", d, key, version, shape)
	if err != nil || answer == "-" {
		return nil, err
	}
	return hex.DecodeString(answer)
}

// Versions returns the lowest and the highest version of a message that the classes know.
func (c *Checker) Versions(d Direction, key int16) (lowest, highest int16, err error) {
	answer, err := c.ask("versions %s %d", d, key)
	if err == nil {
		_, err = fmt.Sscan(answer, &lowest, &highest)
	}
	return lowest, highest, err
}

func encode(body []byte) string {
	if len(body) == 0 {
		return "-"
	}
	return hex.EncodeToString(body)
}

func (c *Checker) ask(format string, args ...any) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	question := fmt.Sprintf(format, args...)
	if _, err := io.WriteString(c.in, question+"\n"); err != nil {
		return "", fmt.Errorf("ask the Java checker: %w\n%s", err, c.stderr)
	}
	line, err := c.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the Java checker ended: %w\n%s", err, c.stderr)
	}
	line = strings.TrimSpace(line)
	if answer, ok := strings.CutPrefix(line, "ok"); ok {
		return strings.TrimSpace(answer), nil
	}
	return "", errors.New(strings.TrimPrefix(line, "FAIL "))
}

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
