package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baton/admin"
	"baton/dev"
)

// devFlags are those of `dev`.
type devFlags struct {
	dev.Options
	script bool
	kafka  string
}

func (a *app) devCommand() *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use: "dev", Short: "Try a controller out: a whole cluster in this process", Args: cobra.NoArgs,
		Long: "Runs an embedded ZooKeeper, simulated brokers, two Batons and a producer in one process; no Java is needed. On a\n" +
			"terminal it asks what to break next (type help); otherwise, or with --script, it tells a story of about half a\n" +
			"minute. Nothing is kept. With --kafka the same is done to real brokers, from a clone of the repository, with\n" +
			"Java 17 and Maven. Exit code 0: each partition that can be led is led, and nothing acknowledged was lost.",
		Example: "  controller dev\n  controller dev --script --brokers 5 --partitions 20\n  controller dev --kafka 3.9.1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			return a.dev(ctx, f)
		},
	}
	c.Flags().BoolVar(&f.script, "script", false, "tell the story, also on a terminal")
	c.Flags().StringVar(&f.kafka, "kafka", "", "use real brokers of this version")
	c.Flags().IntVar(&f.Brokers, "brokers", 3, "brokers, 3 at least")
	c.Flags().IntVar(&f.Topics, "topics", 2, "topics")
	c.Flags().IntVar(&f.Partitions, "partitions", 6, "partitions of each topic")
	return c
}

func (a *app) dev(ctx context.Context, f devFlags) error {
	if f.Brokers < 3 || f.Topics < 1 || f.Partitions < 1 {
		return admin.Usage("--brokers has to be 3 at least, --topics and --partitions 1")
	}
	if f.kafka != "" {
		return a.devKafka(ctx, f)
	}
	screen := dev.NewScreen(a.out, a.paint(red, "") != "")
	var err error
	if a.asks(f) {
		err = dev.Prompt(ctx, f.Options, screen, a.in)
	} else {
		err = dev.Story(ctx, f.Options, screen)
	}
	if err != nil {
		a.say("controller: %v", err)
		return exitError(1) // whatever it was: the story has not come to a good end
	}
	return nil
}

// asks: somebody is there to be asked what to break.
func (a *app) asks(f devFlags) bool { return a.tty && !f.script }

// devKafka is the same on real brokers. It is a program of the end-to-end tests: what fetches and starts Kafka has no
// place in this binary.
func (a *app) devKafka(ctx context.Context, f devFlags) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	path, dir, _ := strings.Cut(strings.TrimSpace(string(root)), " ")
	if err != nil || path != "baton" {
		return admin.Usage("--kafka needs Go and a clone of Baton's repository as the working directory")
	}
	c := exec.CommandContext(ctx, "go", "run", "./e2e/demo", "--kafka", f.kafka, fmt.Sprintf("--script=%t", !a.asks(f)),
		fmt.Sprintf("--color=%t", a.paint(red, "") != ""), "--brokers", strconv.Itoa(f.Brokers), "--topics", strconv.Itoa(f.Topics),
		"--partitions", strconv.Itoa(f.Partitions))
	c.Dir, c.Stdin, c.Stdout, c.Stderr, c.Env = dir, a.in, a.out, a.errs, a.environ
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // it stops its processes
	c.WaitDelay = 30 * time.Second
	if err := c.Run(); err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return exitError(failed.ExitCode())
		}
		return fmt.Errorf("the story on real brokers: %w", err)
	}
	return nil
}
