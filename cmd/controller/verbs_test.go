package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"baton/dev"
	"baton/e2e/verbs"
)

// TestEveryVerb plays the script of all verbs on the cluster of `controller dev`; e2e/stories has it on real brokers.
func TestEveryVerb(t *testing.T) {
	t.Parallel() // it mostly waits for sessions to end
	w, err := dev.Start(t.Context(), dev.Options{NoSamples: true}, dev.NewScreen(io.Discard, false))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	verbs.Play(t, devSite{t, w, []string{serve(t, w.Nodes()[0]), serve(t, w.Nodes()[1])}})
}

// devSite is a cluster in this process; the verbs are told the sockets by their variable.
type devSite struct {
	*testing.T
	w       *dev.World
	sockets []string
}

func (s devSite) Run(ctx context.Context, baton int, args []string) (verbs.Result, error) {
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, errs: &errs, environ: []string{"TMPDIR=" + s.TempDir(), "SUDO_USER=ann", "BATON_SOCKET=" + s.sockets[baton-1]},
		newNode: newRealNode, connect: realConnect, elector: newSaramaElector}
	code := a.main(ctx, args)
	return verbs.Result{Out: out.String(), Errs: errs.String(), Code: code}, nil
}

func (s devSite) Kill(_ context.Context, broker int) error { return s.w.Kill(int32(broker)) }

func (s devSite) Stop(ctx context.Context, broker int) error {
	_, err := s.w.Stop(ctx, int32(broker))
	return err
}

func (s devSite) Start(ctx context.Context, brokers ...int) error {
	for _, b := range brokers {
		if err := s.w.Restart(ctx, int32(b)); err != nil {
			return err
		}
	}
	return nil
}

func (s devSite) Seeds() []string { return s.w.Seeds() }

func (s devSite) Real() bool { return false }

func (s devSite) Names() map[string]string {
	host, err := os.Hostname()
	if err != nil {
		s.Fatal(err)
	}
	out := map[string]string{host: "HOST"}
	for i, socket := range s.sockets {
		out[socket] = fmt.Sprintf("SOCKET-%d", i+1)
	}
	return out
}

// TestEveryVerbIsScripted: a verb that has no golden output fails.
func TestEveryVerbIsScripted(t *testing.T) {
	scripted := verbs.Commands()
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		path := strings.TrimPrefix(c.CommandPath(), "controller ")
		if c.Runnable() && c.Name() != "help" && !slices.ContainsFunc(scripted, func(line string) bool { return line == path || strings.HasPrefix(line, path+" ") }) {
			t.Errorf("%s is not in e2e/verbs/verbs.txt", filepath.Join("controller", path))
		}
	}
	walk((&app{}).root())
}
