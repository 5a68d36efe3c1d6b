package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baton/admin"
	"baton/check"
)

func (a *app) checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "Find out whether Baton could take this cluster over", Args: cobra.NoArgs,
		Long: "Reads ZooKeeper and asks every broker, changes nothing, and says what would stand in the way of a takeover.\n\n" +
			"Exit codes: 0 fine or warnings only, 3 something fails, 5 ZooKeeper cannot be reached, 1 wrong configuration, 2 usage.",
		Example: "  controller check --config baton.properties\n" +
			"  controller check --config /etc/kafka/server.properties --set node.id=2000001 \\\n" +
			"      --set listeners=PLAINTEXT://10.0.0.5:9290 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := a.load()
			if err != nil {
				return err
			}
			if a.connect == nil {
				return admin.Refused("this build cannot read ZooKeeper")
			}
			a.warn(warnings)
			ctx, cancel := a.within(cmd.Context())
			defer cancel()
			report := check.Evaluate(check.Prober{}.Gather(ctx, cfg, a.connect))
			if err := a.print(report, func(w io.Writer) { a.checkTable(w, report) }); err != nil {
				return err
			}
			if code := report.ExitCode(); code != 0 {
				return exitError(code)
			}
			return nil
		},
	}
	a.configFlags(c)
	a.outputFlag(c)
	a.timeoutFlag(c, time.Minute)
	return c
}

// checkTable pads by hand: a tabwriter would count the colours' bytes.
func (a *app) checkTable(w io.Writer, r check.Report) {
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.Item))
	}
	colors := map[check.Level]string{check.OK: green, check.Warn: yellow, check.Fail: red}
	for _, f := range r.Findings {
		level := a.paint(colors[f.Level], fmt.Sprintf("%-4s", strings.ToUpper(string(f.Level))))
		_, _ = fmt.Fprintf(w, "%s  %-*s  %s\n", level, width, f.Item, f.Detail)
		if f.Fix != "" {
			_, _ = fmt.Fprintf(w, "%*s  -> %s\n", width+6, "", f.Fix)
		}
	}
	_, _ = fmt.Fprintf(w, "\n%d ok, %d warnings, %d failures\n", r.OK, r.Warnings, r.Failures)
}
