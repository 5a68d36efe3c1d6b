package kafka_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/e2e/kafka"
)

const childOfDeath = "BATON_TEST_START_AND_WAIT"

// TestMain lets the test binary play the process that dies without cleaning up.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childOfDeath); dir != "" {
		startAndWait(dir)
	}
	os.Exit(m.Run())
}

func startAndWait(dir string) {
	run, err := kafka.NewRun("child", func(string, ...any) {})
	if err != nil {
		panic(err)
	}
	p, err := kafka.StartProcess(run, "sleep", filepath.Join(dir, "log"), "sleep", "600")
	if err != nil {
		panic(err)
	}
	fmt.Println(p.PID())
	select {}
}

// TestNothingOutlivesUs kills a process that has started another one.
func TestNothingOutlivesUs(t *testing.T) {
	ctx := within(t, 30*time.Second)
	cmd := exec.Command(os.Args[0])
	dir := t.TempDir()
	cmd.Env = append(os.Environ(), childOfDeath+"="+dir, "TMPDIR="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	must(t, err)
	must(t, syscall.Kill(pid, 0))
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	must(t, kafka.Eventually(ctx, "the grandchild to be gone", func(context.Context) (bool, error) {
		// Nobody may be left to reap it; a zombie is gone for our purposes.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z "), nil
	}))
}

func TestProcessLives(t *testing.T) {
	ctx := within(t, 30*time.Second)
	run, err := kafka.NewRun("lives", t.Logf)
	must(t, err)
	defer run.Close()
	p, err := kafka.StartProcess(run, "sleep", filepath.Join(run.TempDir(), "log"), "sleep", "600")
	must(t, err)
	if err := p.Start(); err == nil {
		t.Error("started twice")
	}
	must(t, p.Pause())
	must(t, p.Resume())
	must(t, p.Terminate(ctx))
	if p.Running() || p.ExitCode() != 128+15 {
		t.Errorf("running %v, code %d", p.Running(), p.ExitCode())
	}
	if err := p.Pause(); err == nil {
		t.Error("paused a dead process")
	}
	must(t, p.Kill())
	must(t, p.Start())
	last := p.Exited()
	run.Close()
	<-last
}
