package main

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/admin"
)

// seen is an output that tests wait on.
type seen struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	grew chan struct{}
}

func (s *seen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.grew)
	s.grew = make(chan struct{})
	return s.buf.Write(p)
}

// until waits until the output has a text.
func (s *seen) until(t *testing.T, text string) string {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		s.mu.Lock()
		all, grew := s.buf.String(), s.grew
		s.mu.Unlock()
		if strings.Contains(all, text) {
			return all
		}
		select {
		case <-grew:
		case <-deadline:
			t.Fatalf("%q has not come in a minute:\n%s", text, all)
		}
	}
}

// changing is a node whose status can be changed while somebody watches it.
type changing struct {
	fakeNode
	mu sync.Mutex
}

func (c *changing) Status(ctx context.Context) (admin.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fakeNode.Status(ctx)
}

// TestWatch: it shows what changes, once each, outlives a Baton that does not answer, and being interrupted is a good end.
func TestWatch(t *testing.T) {
	n := &changing{fakeNode: fakeNode{st: sample()}}
	socket := serve(t, n)
	ctx, interrupt := context.WithCancel(t.Context())
	out := &seen{grew: make(chan struct{})}
	a := &app{in: strings.NewReader(""), out: out, errs: out, color: true}
	code := make(chan int, 1)
	go func() { code <- a.main(ctx, []string{"status", "--socket", socket, "--watch", "--interval", "5ms"}) }()
	out.until(t, "epoch:    15")
	n.mu.Lock()
	n.st.Epoch = 16
	n.mu.Unlock()
	all := out.until(t, "epoch:    16")
	interrupt()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
	if strings.Count(all, "epoch:    15") != 1 || strings.Count(all, "\x1b[H\x1b[2J") != 2 {
		t.Errorf("not once for each change, on a fresh screen:\n%q", all)
	}

	ctx, interrupt = context.WithCancel(t.Context())
	out = &seen{grew: make(chan struct{})}
	a = &app{in: strings.NewReader(""), out: out, errs: out}
	go func() {
		code <- a.main(ctx, []string{"explain", "t-0", "--socket", "/none", "-w", "--interval", "5ms"})
	}()
	out.until(t, "error: no running Baton answers on /none")
	interrupt()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
	command(t, nil, "status", "--watch", "--interval", "0s", "--socket", socket).want(t, 2, "--interval has to be more than 0")
}
