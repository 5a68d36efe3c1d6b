package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baton/admin"
	"baton/config"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Look at the configuration, or change the running one"}
	c.AddCommand(a.configCheckCommand(), a.reloadCommand(), a.logLevelCommand())
	return c
}

// configReport is the outcome of `config check`.
type configReport struct {
	Settings []setting `json:"settings"`
	Warnings []warning `json:"warnings"`
}

type setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
	Doc    string `json:"doc"`
}

type warning struct {
	Severity string   `json:"severity"`
	Keys     []string `json:"keys"`
	Text     string   `json:"text"`
}

func (a *app) configCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "Check the configuration and show every setting with its origin", Args: cobra.NoArgs,
		Long: "Reads the configuration as `controller run` would, and shows what it comes to. Nothing is started.\n\n" + exitCodes,
		Example: "  controller config check --config /etc/kafka/server.properties \\\n" +
			"      --set node.id=2000001 --set listeners=PLAINTEXT://10.0.0.5:9290\n" +
			"  controller config check --config baton.properties -o yaml",
		RunE: func(*cobra.Command, []string) error {
			cfg, warnings, err := a.load()
			if err != nil {
				a.warn(warnings)
				return fmt.Errorf("%s: the configuration is wrong:\n%w", a.flags.config, err)
			}
			report := configReport{Settings: []setting{}, Warnings: []warning{}}
			for _, e := range cfg.Effective() {
				report.Settings = append(report.Settings, setting{e.Key, e.Value, string(e.Origin), e.Doc})
			}
			for _, w := range warnings {
				report.Warnings = append(report.Warnings, warning{string(w.Severity), w.Keys, w.Text})
			}
			return a.print(report, func(w io.Writer) {
				columns(w, func(line func(...any)) {
					line("KEY", "VALUE", "ORIGIN")
					for _, s := range report.Settings {
						line(s.Key, s.Value, s.Origin)
					}
				})
				a.warn(warnings)
			})
		},
	}
	a.configFlags(c)
	a.outputFlag(c)
	return c
}

func (a *app) warn(warnings []config.Warning) {
	for _, w := range warnings {
		word := a.paint(yellow, string(w.Severity))
		if w.Severity == config.SeverityError {
			word = a.paint(red, string(w.Severity))
		}
		a.say("%s: %s", word, w.Text)
	}
}

func (a *app) reloadCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "reload", Short: "Make a running Baton read its configuration again, as SIGHUP does", Args: cobra.NoArgs,
		Long:    "Applies what can be applied to a running process, and names what needs a restart.\n\n" + exitCodes,
		Example: "  controller config reload --socket /run/baton.sock",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(ctx context.Context, cl *admin.Client, who admin.Request) error {
				r, err := cl.Reload(ctx, who)
				if err != nil {
					return err
				}
				return a.print(r, func(w io.Writer) {
					_, _ = fmt.Fprintf(w, "applied: %s\nneed a restart: %s\n", list(r.Applied), list(r.NeedsRestart))
				})
			})
		},
	}
	a.clientFlags(c, 30*time.Second)
	return c
}

func (a *app) logLevelCommand() *cobra.Command {
	levels := []string{"debug", "info", "warn", "error"}
	c := &cobra.Command{
		Use: "log-level LEVEL", Short: "Change the log level of a running Baton until it restarts",
		Args: cobra.ExactArgs(1), ValidArgs: levels,
		Long:    "LEVEL is debug, info, warn or error.\n\n" + exitCodes,
		Example: "  controller config log-level debug\n  controller config log-level info --socket /run/baton.sock",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(ctx context.Context, cl *admin.Client, who admin.Request) error {
				r, err := cl.SetLogLevel(ctx, args[0], who)
				if err != nil {
					return err
				}
				return a.print(r, func(w io.Writer) { _, _ = fmt.Fprintf(w, "log level %s, was %s\n", r.Now, r.Was) })
			})
		},
	}
	a.clientFlags(c, 30*time.Second)
	return c
}

func list(items []string) string {
	if len(items) == 0 {
		return "none"
	}
	return strings.Join(items, ", ")
}
