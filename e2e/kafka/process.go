package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a child process that can be started again after it ended. Its output is appended to one file.
type Process struct {
	name string
	log  string
	argv []string

	mu  sync.Mutex
	cur *child
}

// child is one life of a Process.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait, to be read after exited is closed
}

// StartProcess runs argv until it ends by itself or env does.
func StartProcess(env Env, name, logPath string, argv ...string) (*Process, error) {
	p := &Process{name: name, log: logPath, argv: argv}
	env.Cleanup(func() { _ = p.Kill() })
	return p, p.Start()
}

// setCommand changes what the next Start runs.
func (p *Process) setCommand(argv []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.argv = argv
}

// Start starts the process, which must not be running.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cur != nil && p.cur.alive() {
		return fmt.Errorf("%s is running already", p.name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	c, err := launch(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.cur = c
	return nil
}

// launch starts cmd in a process group of its own, to be killed by the kernel when we die.
func launch(cmd *exec.Cmd) (*child, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := startFromKeptThread(cmd); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, exited: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.exited)
	}()
	return c, nil
}

type startRequest struct {
	cmd  *exec.Cmd
	done chan error
}

var (
	starterOnce   sync.Once
	startRequests = make(chan startRequest)
)

// startFromKeptThread starts every child from one thread that lives as long as the process. The kernel sends
// Pdeathsig when the *thread* that forked ends, and the runtime ends threads whenever it likes.
func startFromKeptThread(cmd *exec.Cmd) error {
	starterOnce.Do(func() {
		go func() {
			runtime.LockOSThread()
			for r := range startRequests {
				r.done <- r.cmd.Start()
			}
		}()
	})
	r := startRequest{cmd: cmd, done: make(chan error, 1)}
	startRequests <- r
	return <-r.done
}

func (c *child) alive() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

func (p *Process) child() *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cur
}

// Running says whether the process is alive; a paused one is.
func (p *Process) Running() bool {
	c := p.child()
	return c != nil && c.alive()
}

// PID of the current or last life, 0 before the first.
func (p *Process) PID() int {
	if c := p.child(); c != nil {
		return c.cmd.Process.Pid
	}
	return 0
}

// LogPath is the file with everything the process has printed in all its lives.
func (p *Process) LogPath() string { return p.log }

// LogContains says whether the process has printed a text in any of its lives.
func (p *Process) LogContains(text string) (bool, error) {
	n, err := p.LogCount(text)
	return n > 0, err
}

// LogCount says how often the process has printed a text in all its lives.
func (p *Process) LogCount(text string) (int, error) {
	log, err := os.ReadFile(p.log)
	return bytes.Count(log, []byte(text)), err
}

// ended is the error for whoever waits for something that only a living process can do. It carries the end of the
// log, where the reason usually is.
func (p *Process) ended() error {
	log, err := os.ReadFile(p.log)
	if err != nil {
		log = []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	lines = lines[max(0, len(lines)-30):]
	return fmt.Errorf("%w: %s has ended with code %d; the end of %s:\n%s", ErrHopeless, p.name, p.ExitCode(), p.log,
		bytes.Join(lines, []byte("\n")))
}

// Exited is closed when the current life ends.
func (p *Process) Exited() <-chan struct{} {
	if c := p.child(); c != nil {
		return c.exited
	}
	closed := make(chan struct{})
	close(closed)
	return closed
}

// Kill ends the process as kill -9 does and waits until it is gone. A process that is not running is left alone.
func (p *Process) Kill() error {
	if !p.Running() {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil && p.Running() {
		return err
	}
	<-p.Exited()
	return nil
}

// Terminate asks the process to end (SIGTERM) and waits until it has, or ctx ends.
func (p *Process) Terminate(ctx context.Context) error {
	if !p.Running() {
		return nil
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Wait(ctx)
}

// Wait waits until the process has ended.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.Exited():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s (pid %d) is still running: %w", p.name, p.PID(), ctx.Err())
	}
}

// ExitCode of the last life: 128 + the signal's number if a signal ended it, -1 while it runs.
func (p *Process) ExitCode() int {
	c := p.child()
	if c == nil || c.alive() {
		return -1
	}
	if ws, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return c.cmd.ProcessState.ExitCode()
}

// Pause stops the process where it is (SIGSTOP); its connections stay open and silent.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

// Signal sends any other signal, SIGHUP for instance.
func (p *Process) Signal(sig syscall.Signal) error { return p.signal(sig) }

// signal goes to the whole group: a wrapper's children are part of the process for our purposes.
func (p *Process) signal(sig syscall.Signal) error {
	c := p.child()
	if c == nil {
		return fmt.Errorf("%s was never started", p.name)
	}
	if !c.alive() { // its pid may be another process's by now
		return fmt.Errorf("%v to %s: it is not running", sig, p.name)
	}
	err := syscall.Kill(-c.cmd.Process.Pid, sig)
	if errors.Is(err, syscall.ESRCH) && sig == syscall.SIGKILL {
		return nil // it ended between the two lines
	}
	if err != nil {
		return fmt.Errorf("%v to %s (pid %d): %w", sig, p.name, c.cmd.Process.Pid, err)
	}
	return nil
}

// deadline gives a helper that was called without one a limit, so that no test waits for ever.
func deadline(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
