package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// tally counts verdicts by outcome.
func tally(verdicts []verdict) map[outcome]int {
	n := map[outcome]int{}
	for _, v := range verdicts {
		n[v.outcome]++
	}
	return n
}

// printClass writes the methods of one class.
func printClass(w io.Writer, verdicts []verdict) {
	for _, v := range verdicts {
		if v.outcome == onKRaft {
			continue
		}
		text := fmt.Sprintf("  %-10s %s (%.1f s)", v.outcome, v.name(), float64(v.millis)/1000)
		if v.outcome == excluded {
			text += "  " + v.kind
		}
		if v.outcome == failed || v.outcome == excluded || v.outcome == disabled {
			text += ": " + oneLine(v.reason, 400)
		}
		_, _ = fmt.Fprintln(w, text)
	}
}

func oneLine(s string, limit int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return s
}

// printSummary writes the table of the classes, what was excluded and why, and which share that is.
func printSummary(w io.Writer, classes []string, byClass map[string][]verdict) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "class\tpassed\tfailed\texcluded\tno cluster\tdisabled\tkraft only")
	var all []verdict
	for _, c := range append(slices.Clone(classes), "") {
		name, n := c, tally(byClass[c])
		if c == "" {
			name, n = "all", tally(all)
		}
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", name, n[passed], n[failed], n[excluded], n[noCluster], n[disabled], n[onKRaft])
		all = append(all, byClass[c]...)
	}
	_ = t.Flush()
	printExcluded(w, all)
}

// printExcluded lists apart what a controller outside of the brokers can never pass, and what Baton cannot do yet or
// will never have to.
func printExcluded(w io.Writer, all []verdict) {
	n := tally(all)
	candidates := n[passed] + n[failed] + n[excluded]
	for _, kind := range kinds {
		var names []string
		for _, v := range all {
			if v.outcome == excluded && v.kind == kind {
				names = append(names, fmt.Sprintf("  %s: %s", v.name(), oneLine(v.reason, 200)))
			}
		}
		if len(names) > 0 {
			_, _ = fmt.Fprintf(w, "excluded, %s: %d of %d methods that want a cluster on ZooKeeper (%.1f %%)\n%s\n",
				kind, len(names), candidates, 100*float64(len(names))/float64(candidates), strings.Join(names, "\n"))
		}
	}
}
