package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"baton/admin"
)

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
	// wait is signalled with each line.
	lines chan string
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines <- string(p)
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// await reads lines until one has the text.
func (b *lockedBuffer) await(t *testing.T, text string) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case line := <-b.lines:
			if strings.Contains(line, text) {
				return
			}
		case <-limit:
			t.Fatalf("%q was not logged:\n%s", text, b)
		}
	}
}

// daemonTest is a `run` under way.
type daemonTest struct {
	log     *lockedBuffer
	signals chan os.Signal
	code    chan int
	parts   parts
}

func startDaemon(t *testing.T, n *fakeNode, args ...string) *daemonTest {
	t.Helper()
	d := &daemonTest{log: &lockedBuffer{lines: make(chan string, 1000)}, signals: make(chan os.Signal), code: make(chan int, 1)}
	ready := make(chan struct{})
	run := n.run
	n.run = func(ctx context.Context) error {
		close(ready)
		if run != nil {
			return run(ctx)
		}
		<-ctx.Done()
		return nil
	}
	a := &app{in: strings.NewReader(""), out: &bytes.Buffer{}, errs: d.log, environ: []string{"TMPDIR=" + t.TempDir()},
		signals: func() (<-chan os.Signal, func()) { return d.signals, func() {} },
		newNode: func(p parts) (node, error) { d.parts = p; return n, nil }}
	go func() { d.code <- a.main(t.Context(), append([]string{"run"}, args...)) }()
	select {
	case <-ready:
	case code := <-d.code:
		t.Fatalf("ended with %d:\n%s", code, d.log)
	}
	return d
}

func TestRunUntilSIGTERM(t *testing.T) {
	n := &fakeNode{st: sample(), reloaded: make(chan struct{}, 1)}
	dir := t.TempDir()
	states := filepath.Join(dir, "state-change.log")
	file := configFile(t, "log.format=json", "state.change.log="+states, "unknown.key=1", "metrics.labels=env=prod")
	d := startDaemon(t, n, "--config", file)
	d.log.await(t, `"unknown.key"`)
	socket := d.parts.config.AdminSocket
	d.log.await(t, `"starting"`)
	if st, err := admin.NewClient(socket).Status(t.Context()); err != nil || st.Epoch != 15 {
		t.Errorf("status %+v, %v", st, err)
	}
	d.signals <- syscall.SIGHUP
	<-n.reloaded
	d.log.await(t, "configuration reloaded")
	d.signals <- syscall.SIGUSR1
	d.log.await(t, `\"controllerEpoch\":15`)
	if _, err := admin.NewClient(socket).SetLogLevel(t.Context(), "error", admin.Request{}); err != nil || d.parts.level.String() != "error" {
		t.Errorf("level %v, %v", d.parts.level, err)
	}
	if _, err := os.Stat(states); err != nil {
		t.Error(err)
	}
	d.signals <- syscall.SIGTERM
	if code := <-d.code; code != 0 {
		t.Errorf("exit code %d:\n%s", code, d.log)
	}
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket stayed: %v", err)
	}
	if n := strings.Count(d.log.String(), "unknown.key"); n > 2 { // in the text and among the keys
		t.Errorf("warned %d times", n)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	d := startDaemon(t, &fakeNode{run: func(context.Context) error { <-never; return nil }}, "--config", configFile(t))
	d.signals <- syscall.SIGINT
	d.log.await(t, "a second signal ends the process at once")
	d.signals <- syscall.SIGINT
	if code := <-d.code; code != exitInternal {
		t.Errorf("exit code %d", code)
	}
}

func TestRunThatFails(t *testing.T) {
	d := startDaemon(t, &fakeNode{run: func(context.Context) error { return errors.New("broken invariant") }}, "--config", configFile(t))
	if code := <-d.code; code != exitInternal || !strings.Contains(d.log.String(), "broken invariant") {
		t.Errorf("exit code %d:\n%s", code, d.log)
	}
}

func TestRunWithAWrongConfiguration(t *testing.T) {
	file := configFile(t)
	none := func(a *app) { a.newNode = func(parts) (node, error) { return nil, errors.New("port taken") } }
	command(t, none, "run", "--config", file, "--set", "node.id=x").want(t, 1, "node.id")
	command(t, none, "run").want(t, 2, "--config FILE is needed")
	command(t, none, "run", "--config", file, "--set", "metrics.labels=broker=x").want(t, 1, "metrics.labels")
	command(t, none, "run", "--config", file).want(t, 1, "port taken")
	command(t, none, "run", "--config", file, "--set", "state.change.log=/none/x").want(t, 1, "state.change.log")
}

func TestMetricsAreServed(t *testing.T) {
	d := startDaemon(t, &fakeNode{st: sample()}, "--config", configFile(t, "log.format=json", "metrics.labels=env=prod"))
	var addr string
	for addr == "" {
		line := <-d.log.lines
		if _, rest, ok := strings.Cut(line, `"admin.listener":"`); ok {
			addr, _, _ = strings.Cut(rest, `"`)
		}
	}
	resp, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`kafka_controller_kafkacontroller_activecontrollercount{env="prod"} 0`, "go_goroutines", "baton_build_info{"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s is missing", want)
		}
	}
	d.signals <- syscall.SIGTERM
	if code := <-d.code; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
