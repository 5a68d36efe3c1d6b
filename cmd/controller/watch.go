package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"baton/admin"
)

func (a *app) watchFlags(c *cobra.Command) {
	c.Flags().BoolVarP(&a.flags.watch, "watch", "w", false, "go on until interrupted, and show what changes")
	c.Flags().DurationVar(&a.flags.interval, "interval", 2*time.Second, "how often --watch looks")
}

// watch shows what look writes: once or, with --watch, again whenever it has changed, until somebody interrupts. Then an error is
// shown like anything else, as it may be over at the next look. --timeout is for each look.
func (a *app) watch(ctx context.Context, look func(ctx context.Context, w io.Writer) error) error {
	once := func(ctx context.Context, w io.Writer) error {
		ctx, cancel := a.within(ctx)
		defer cancel()
		return look(ctx, w)
	}
	if !a.flags.watch {
		return once(ctx, a.out)
	}
	if a.flags.interval <= 0 {
		return admin.Usage("--interval has to be more than 0")
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	ticker := time.NewTicker(a.flags.interval)
	defer ticker.Stop()
	last := ""
	for {
		var out bytes.Buffer
		if err := once(ctx, &out); err != nil {
			if ctx.Err() != nil || admin.KindOf(err) == admin.KindUsage {
				return onlyUsage(err)
			}
			out.Reset()
			_, _ = fmt.Fprintf(&out, "%s: %v\n", a.paint(red, "error"), err)
		}
		if text := out.String(); text != last {
			last = text
			if a.color {
				text = "\x1b[H\x1b[2J" + text // a fresh screen
			}
			if _, err := io.WriteString(a.out, text); err != nil {
				return fmt.Errorf("output: %w", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// onlyUsage: to be interrupted is how a watch ends.
func onlyUsage(err error) error {
	if admin.KindOf(err) == admin.KindUsage {
		return err
	}
	return nil
}
