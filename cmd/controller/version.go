package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"baton/internal/version"
)

func (a *app) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Show which build this is", Args: cobra.NoArgs,
		Long:    "Shows version, commit, Go and platform of this binary.\n\n" + exitCodes,
		Example: "  controller version\n  controller version -o json",
		RunE: func(*cobra.Command, []string) error {
			v := version.Get()
			return a.print(v, func(w io.Writer) {
				modified := ""
				if v.Modified {
					modified = ", modified"
				}
				_, _ = fmt.Fprintf(w, "controller %s (commit %s%s, %s, %s)\n", v.Version, v.Commit, modified, v.Go, v.Platform)
			})
		},
	}
	a.outputFlag(c)
	return c
}
