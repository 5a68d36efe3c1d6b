package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baton/admin"
)

// clientFlags are those of the commands that talk to a running Baton.
func (a *app) clientFlags(c *cobra.Command, timeout time.Duration) {
	a.socketFlag(c)
	a.configFlags(c)
	a.outputFlag(c)
	a.timeoutFlag(c, timeout)
}

// socket finds the running Baton: by --socket, by the configuration, or because only one is here.
func (a *app) socket() (string, error) {
	if a.flags.socket != "" {
		return a.flags.socket, nil
	}
	if a.flags.config != "" {
		cfg, _, err := a.load()
		if err != nil {
			return "", err
		}
		if cfg.AdminSocket == "" {
			return "", admin.Usage("admin.socket is empty in %s, so this Baton takes no commands", a.flags.config)
		}
		return cfg.AdminSocket, nil
	}
	dir := os.TempDir()
	if d, ok := a.lookup("TMPDIR"); ok && d != "" {
		dir = d
	}
	found, _ := filepath.Glob(filepath.Join(dir, "baton-*.sock"))
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", admin.Unreachable("no Baton seems to run here (no %s); give --socket or --config", filepath.Join(dir, "baton-*.sock"))
	}
	return "", admin.Usage("several Batons run here; give --socket, one of %s", strings.Join(found, " "))
}

func (a *app) withClient(ctx context.Context, do func(context.Context, *admin.Client, admin.Request) error) error {
	path, err := a.socket()
	if err != nil {
		return err
	}
	ctx, cancel := a.within(ctx)
	defer cancel()
	return do(ctx, admin.NewClient(path), admin.Request{Who: a.who(), Why: a.flags.reason})
}

// who is the person, as far as the system knows: behind sudo, the one who called it.
func (a *app) who() string {
	name := "unknown"
	if n, ok := a.lookup("SUDO_USER"); ok && n != "" {
		name = n
	} else if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}

// confirm shows the plan and asks; without a terminal only --yes is an answer.
func (a *app) confirm(plan string) error {
	a.say("%s", plan)
	if a.flags.yes {
		return nil
	}
	if !a.tty {
		return admin.Refused("not done: there is no terminal to ask on, give --yes")
	}
	_, _ = fmt.Fprint(a.errs, "Go on? [y/N] ")
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && err != io.EOF {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return admin.Refused("not done: the answer was not yes")
}

func (a *app) progress(text string) { a.say("  %s", text) }
