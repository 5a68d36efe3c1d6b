package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// row is what became of one bug.
type row struct {
	patch    patch
	broken   string // why it could not be tested, empty if it could
	detail   string
	outcomes []outcome // by rung
}

func (r *row) caught() bool {
	for _, o := range r.outcomes {
		if o.verdict == caught {
			return true
		}
	}
	return false
}

// summary is the row in a word, for whoever waits.
func (r *row) summary() string {
	switch {
	case r.broken != "":
		return r.broken
	case r.caught():
		return "fails"
	}
	return "passes every rung"
}

// printTable prints everything and reports whether it is as it should be: each bug
// caught, and none found where there is none.
func printTable(w io.Writer, rows []row, rungs []*rung) bool {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...any) {
		for _, c := range cells {
			_, _ = fmt.Fprintf(tw, "%v\t", c)
		}
		_, _ = fmt.Fprintln(tw)
	}
	head := []any{"planted bug"}
	for _, g := range rungs {
		head = append(head, g.name)
	}
	line(head...)
	bugs, found, sound := 0, 0, true
	for i := range rows {
		r := &rows[i]
		cells := []any{r.patch.name}
		for _, o := range r.outcomes {
			if r.broken != "" {
				cells = append(cells, r.broken)
				break
			}
			if r.patch.name == nothing && o.verdict == missed {
				o.verdict = "passes"
			}
			cells = append(cells, o.word())
		}
		line(cells...)
		if r.patch.name == nothing {
			sound = r.broken == "" && !r.caught()
			continue
		}
		bugs++
		if r.broken == "" && r.caught() {
			found++
		}
	}
	_ = tw.Flush()
	printDetails(w, rows, rungs)
	printReplays(w, rows, rungs)
	if !sound {
		_, _ = fmt.Fprintln(w, "the tree fails without any planted bug: nothing above means anything")
	}
	_, _ = fmt.Fprintf(w, "%d of %d planted bugs are caught\n", found, bugs)
	return sound && found == bugs
}

func (o *outcome) word() string {
	if o.hung {
		return string(o.verdict) + " (hangs)"
	}
	return string(o.verdict)
}

// printDetails says what each bug breaks, and what saw it first.
func printDetails(w io.Writer, rows []row, rungs []*rung) {
	_, _ = fmt.Fprintln(w)
	for i := range rows {
		r := &rows[i]
		if r.patch.comment != "" {
			_, _ = fmt.Fprintf(w, "%s: %s\n", r.patch.name, r.patch.comment)
		}
		if r.broken != "" {
			_, _ = fmt.Fprintf(w, "    %s: %s\n", r.broken, r.detail)
			continue
		}
		for j, o := range r.outcomes {
			if o.verdict == caught {
				_, _ = fmt.Fprintf(w, "    %s: %s\n", rungs[j].name, o.detail)
			}
		}
	}
}

// printReplays says how often a failing seed of a simulation failed again.
func printReplays(w io.Writer, rows []row, rungs []*rung) {
	_, _ = fmt.Fprintln(w)
	total, again := 0, 0
	for i := range rows {
		for j, o := range rows[i].outcomes {
			if o.replays > 0 {
				_, _ = fmt.Fprintf(w, "%s, %s seed %s: replays failed again: %d of %d\n", rows[i].patch.name, rungs[j].name, o.seed, o.again, o.replays)
				total, again = total+o.replays, again+o.again
			}
		}
	}
	_, _ = fmt.Fprintf(w, "replays failed again: %d of %d\n", again, total)
}
