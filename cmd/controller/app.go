package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"baton/admin"
	"baton/check"
	"baton/config"
)

// app is what commands share. Everything outside the process is in a field, so that tests run commands as they are.
type app struct {
	in        io.Reader
	out, errs io.Writer
	environ   []string
	tty       bool // somebody can be asked
	color     bool
	signals   func() (signals <-chan os.Signal, stop func())
	newNode   newNode
	connect   check.Connect
	elector   func(addrs []string) (elector, error)

	flags     flags
	variables map[string]bool // flags that were filled from the environment
	started   bool            // the command line was understood: an error from here on is not one of usage
}

type flags struct {
	config, output, socket, reason string
	set                            []string
	timeout, interval              time.Duration
	yes, watch                     bool
}

// exitError ends a command with a code that says it all.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// main runs one command line and returns the process's exit code.
func (a *app) main(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case !a.started:
		a.say("controller: %v\nTry 'controller --help'.", err)
		return admin.KindUsage.ExitCode()
	}
	a.say("controller: %v", err)
	return admin.KindOf(err).ExitCode()
}

// say writes a line for a person; results go to a.out.
func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.errs, format+"\n", args...)
}

const exitCodes = `Exit codes: 0 done, 1 failed, 2 usage, 3 refused as unsafe, 4 partly done, 5 ZooKeeper or the Baton cannot be reached.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "controller",
		Short: "Run the control plane of ZooKeeper-mode Kafka clusters",
		Long: "controller runs Baton, which takes over the control plane of a ZooKeeper-mode Kafka cluster from the\n" +
			"brokers' embedded controller, and talks to a running Baton.\n\n" + exitCodes,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.fromEnvironment(cmd); err != nil {
				return err
			}
			if !slices.Contains(outputs, a.flags.output) {
				return fmt.Errorf("-o %s: expected one of %s", a.flags.output, strings.Join(outputs, ", "))
			}
			a.started = true
			return nil
		},
	}
	root.SetOut(a.out)
	root.SetErr(a.errs)
	root.SetIn(a.in)
	root.AddCommand(a.runCommand(), a.checkCommand(), a.configCommand(), a.takeoverCommand(), a.handbackCommand(),
		a.handoverCommand(), a.electCommand(), a.statusCommand(), a.snapshotCommand(), a.whatifCommand(),
		a.canStopCommand(), a.explainCommand(), a.historyCommand(), a.whyCommand(), a.devCommand(), a.versionCommand())
	completion(root)
	for _, c := range root.Commands() {
		nameVariables(c)
	}
	return root
}

// completion makes the library's command one of ours.
func completion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	c, _, err := root.Find([]string{"completion"})
	if err != nil {
		return // a library without it: a test says so
	}
	for _, shell := range c.Commands() {
		shell.Long += "\n\n" + exitCodes
		shell.Example = "  controller completion " + shell.Name()
	}
}

// Flags, added to the commands that use them.

func (a *app) configFlags(c *cobra.Command) {
	c.Flags().StringVar(&a.flags.config, "config", "", "properties file; a broker's server.properties will do")
	c.Flags().StringArrayVar(&a.flags.set, "set", nil, "key=value laid over the file; repeatable (one a line in the variable)")
	_ = c.MarkFlagFilename("config", "properties")
}

func (a *app) outputFlag(c *cobra.Command) {
	c.Flags().StringVarP(&a.flags.output, "output", "o", "table", "table, json or yaml")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
}

func (a *app) socketFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.flags.socket, "socket", "", "admin.socket of the running Baton; found by --config, or when there is just one")
}

func (a *app) timeoutFlag(c *cobra.Command, d time.Duration) {
	c.Flags().DurationVar(&a.flags.timeout, "timeout", d, "how long to wait for the outcome")
}

func (a *app) changeFlags(c *cobra.Command) {
	c.Flags().StringVar(&a.flags.reason, "reason", "", "why; recorded in the log and in ZooKeeper")
	c.Flags().BoolVarP(&a.flags.yes, "yes", "y", false, "do not ask")
}

// variable is the environment variable of a flag: --config is BATON_CONFIG.
func variable(flag string) string {
	return "BATON_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(flag))
}

// nameVariables puts each flag's variable into its help.
func nameVariables(c *cobra.Command) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !strings.Contains(f.Usage, "[$") {
			f.Usage += " [$" + variable(f.Name) + "]"
		}
	})
	for _, sub := range c.Commands() {
		nameVariables(sub)
	}
}

// fromEnvironment fills the flags that were not given: from their variables, else with the command's own defaults, as commands
// share the places where their flags are kept.
func (a *app) fromEnvironment(cmd *cobra.Command) error {
	var errs []error
	a.variables = map[string]bool{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" {
			return
		}
		value, _ := a.lookup(variable(f.Name))
		if value == "" {
			if !strings.HasSuffix(f.Value.Type(), "Slice") && !strings.HasSuffix(f.Value.Type(), "Array") { // to set those adds to them
				errs = append(errs, f.Value.Set(f.DefValue))
			}
			return
		}
		values := []string{value}
		if f.Value.Type() == "stringArray" {
			values = strings.FieldsFunc(value, func(r rune) bool { return r == '\n' })
		}
		a.variables[f.Name] = true
		for _, v := range values {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", variable(f.Name), err))
			}
		}
	})
	return errors.Join(errs...)
}

// forget takes flags for not given that only a variable says, and reports whether there were any.
func (a *app) forget(c *cobra.Command, names ...string) (found bool) {
	for _, name := range names {
		if f := c.Flags().Lookup(name); a.variables[name] {
			_ = f.Value.Set(f.DefValue)
			f.Changed, found = false, true
			delete(a.variables, name)
		}
	}
	return found
}

// load reads the configuration and shows each warning once.
func (a *app) load() (*config.Config, []config.Warning, error) {
	if a.flags.config == "" {
		return nil, nil, admin.Usage("--config FILE is needed (or $%s)", variable("config"))
	}
	return config.Load(a.flags.config, a.flags.set, a.environ)
}

func (a *app) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, a.flags.timeout)
}
