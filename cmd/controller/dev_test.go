package main

import (
	"context"
	"strings"
	"testing"
)

// What the world's judgement is becomes the exit code; that it can be bad is tested in dev.
func TestDev(t *testing.T) {
	at := func(a *app) { a.tty, a.in = true, strings.NewReader("show\nquit\n") }
	command(t, at, "dev", "--topics", "1", "--partitions", "2", "--brokers", "4").want(t, 0, "baton> ", "3 partitions: 3 led")
	command(t, nil, "dev", "--brokers", "2").want(t, 2, "--brokers has to be 3 at least")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := &app{in: strings.NewReader(""), out: t.Output(), errs: t.Output()}
	if code := a.main(ctx, []string{"dev"}); code != 1 {
		t.Errorf("an interrupted story: exit code %d", code)
	}
}
