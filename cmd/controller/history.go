package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baton/admin"
	"baton/journal/entry"
)

func (a *app) historyCommand() *cobra.Command {
	var f entry.Filter
	var since string
	c := &cobra.Command{
		Use: "history", Short: "Show what was decided, by this and by other Batons", Args: cobra.NoArgs,
		Long: "Shows the newest entries of the journals that the running Baton keeps, copies of other Batons' included, and of those that\n" +
			"the other Batons keep, in order of time: decisions, what came of their writes, who held the role, operators' commands.\n" +
			"What could not be asked is named, and then the exit code is 4.\n\n" + exitCodes,
		Example: "  controller history\n  controller history --topic orders --since 2h --limit 500\n  controller history --since 2026-11-23T03:00:00Z --tellings -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if f.Since, err = moment("--since", since, time.Now()); err != nil {
				return err
			}
			if f.Limit < 1 {
				return admin.Usage("--limit %d: expected at least 1", f.Limit)
			}
			answer, err := a.ask(cmd.Context(), f)
			if err != nil {
				return err
			}
			if err := a.print(answer, func(w io.Writer) { historyTable(w, answer) }); err != nil {
				return err
			}
			return partial(answer)
		},
	}
	a.clientFlags(c, 30*time.Second)
	c.Flags().StringVar(&f.Topic, "topic", "", "entries about this topic only")
	c.Flags().StringVar(&since, "since", "", "not older than this: 90m, 2h30m, or a time as 2026-11-23T03:00:00Z")
	c.Flags().IntVar(&f.Limit, "limit", 50, "the newest so many entries")
	c.Flags().BoolVar(&f.Tellings, "tellings", false, "also what brokers were told, and what they answered")
	return c
}

func (a *app) ask(ctx context.Context, f entry.Filter) (entry.Answer, error) {
	path, err := a.socket()
	if err != nil {
		return entry.Answer{}, err
	}
	ctx, cancel := a.within(ctx)
	defer cancel()
	return admin.NewClient(path).History(ctx, f)
}

// moment reads a time, or how long before now it is; nothing is the zero time.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, admin.Usage("%s %q: expected a duration as 2h30m, or a time as 2026-11-23T03:00:00Z", flag, text)
	}
	return t, nil
}

// partial is the error of an answer that lacks something.
func partial(answer entry.Answer) error {
	if n := len(answer.Unreached) + len(answer.Missing); n > 0 {
		return admin.Partly("not all could be asked or is there: %s", strings.Join(slices.Concat(answer.Unreached, answer.Missing), "; "))
	}
	return nil
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000Z") }

func historyTable(w io.Writer, answer entry.Answer) {
	if len(answer.Entries) == 0 {
		_, _ = fmt.Fprintln(w, "No entries.")
	} else {
		columns(w, func(line func(...any)) {
			line("TIME", "BATON", "EPOCH", "WHAT")
			for _, e := range answer.Entries {
				baton, _, _ := strings.Cut(e.Origin, "-")
				epoch := any("-")
				if e.Epoch > 0 {
					epoch = e.Epoch
				}
				for i, text := range lines(e) {
					if i == 0 {
						line(instant(e.At), baton, epoch, text)
					} else {
						line("", "", "", text)
					}
				}
			}
		})
	}
	remarks(w, answer)
}

// remarks names what the answer lacks.
func remarks(w io.Writer, answer entry.Answer) {
	for _, g := range answer.Gone {
		_, _ = fmt.Fprintf(w, "Note: %s\n", g)
	}
	for _, u := range answer.Unreached {
		_, _ = fmt.Fprintf(w, "Not reached: %s\n", u)
	}
	for _, m := range answer.Missing {
		_, _ = fmt.Fprintf(w, "Missing: %s\n", m)
	}
}

// maxLines bounds what the table shows of one entry; JSON has all.
const maxLines = 10

// lines is an entry in words.
func lines(e entry.Entry) (out []string) {
	add := func(format string, args ...any) {
		if len(out) < maxLines {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	rows := 0
	switch e.Kind {
	case entry.Decided:
		rows = len(e.Decisions)
		for _, d := range e.Decisions {
			add("%s %s: %s, for %s", d.Partition, d.Strategy, turn(d.From, d.To, d.New), because(e.Trigger, e.Detail, e.Cause, e.Who, e.Why))
		}
	case entry.Learned:
		return results(e)
	case entry.Noted:
		rows = len(e.Notes)
		for _, n := range e.Notes {
			add("%s: %s", n.Kind, n.Text)
		}
	case entry.Told:
		add("%s to broker %d: %s", e.Request, e.Broker, partitionsOf(e.Partitions))
	case entry.Answered:
		add("%s answered by broker %d after %d ms: %s", e.Request, e.Broker, e.MS, answered(e.Code, len(e.Refused)))
	case entry.Command:
		add("command %s, by %s (%s): %s", e.Text, e.Who, cmp.Or(e.Why, "no reason given"), cmp.Or(e.Error, "done"))
	default:
		add("%s", e.Text)
	}
	if rows > len(out) {
		out = append(out, fmt.Sprintf("and %d more", rows-len(out)))
	}
	return out
}

// results counts what was applied, and names what was not.
func results(e entry.Entry) (out []string) {
	applied, rest := 0, 0
	for _, o := range e.Outcomes {
		switch {
		case o.Result == entry.Applied && len(e.Outcomes) > 1:
			applied++
		case len(out) < maxLines:
			out = append(out, fmt.Sprintf("%s %s after %d ms: version %d%s", o.Partition, o.Result, o.MS, o.Version, prefixed(" ", o.Reason)))
		default:
			rest++
		}
	}
	if applied > 0 {
		out = append(out, fmt.Sprintf("%d states written", applied))
	}
	if rest > 0 {
		out = append(out, fmt.Sprintf("and %d more that were not", rest))
	}
	return out
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// turn is a change of state in words.
func turn(from, to entry.State, isNew bool) string {
	if isNew {
		return fmt.Sprintf("leader %s, ISR %s, leader epoch %d", leader(to.Leader), isrOf(to.ISR), to.Epoch)
	}
	return fmt.Sprintf("leader %s, ISR %s, leader epoch %d", arrow(leader(from.Leader), leader(to.Leader)), arrow(isrOf(from.ISR), isrOf(to.ISR)), to.Epoch)
}

// because is what caused a decision, in words.
func because(trigger, detail, cause, who, why string) string {
	text := cmp.Or(detail, trigger)
	if cause != "" {
		text = cause
	}
	if who != "" {
		text += " by " + who
	}
	return text + prefixed(": ", why)
}

func partitionsOf(topics map[string]string) string {
	var parts []string
	for _, topic := range slices.Sorted(maps.Keys(topics)) {
		parts = append(parts, topic+" "+topics[topic])
	}
	switch n := len(parts); {
	case n == 0:
		return "the live brokers"
	case n > 5:
		return fmt.Sprintf("%s and %d more topics", strings.Join(parts[:5], "; "), n-5)
	}
	return strings.Join(parts, "; ")
}

func answered(code int16, refused int) string {
	switch {
	case code != 0:
		return errorName(code)
	case refused > 0:
		return fmt.Sprintf("%d partitions refused", refused)
	}
	return "taken in"
}

// isrOf is an ISR as it is written.
func isrOf(ids []int32) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]")
}
