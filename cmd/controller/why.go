package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"

	"baton/admin"
	"baton/journal/entry"
)

// explained is what `why` prints.
type explained struct {
	entry.Explanation
	At        *time.Time `json:"at,omitempty"` // the moment asked about
	Gone      []string   `json:"gone"`
	Unreached []string   `json:"unreached"`
	Missing   []string   `json:"missing"`
}

// afterwards is how long after a moment it may take until what held then is known to have been written and told.
const afterwards = 10 * time.Minute

func (a *app) whyCommand() *cobra.Command {
	var at string
	c := &cobra.Command{
		Use: "why TOPIC-PARTITION", Short: "Say why a partition is led as it is", Args: cobra.ExactArgs(1),
		Long: "Finds the decision that made a partition's leader, and the one that made its ISR if that is another, in the journals of all\n" +
			"Batons that can be asked and in their copies of others': what caused it, who asked, each replica and why it does or does\n" +
			"not lead, the write, and which broker was told when. Exit code 1: no journal has such a decision, for example because\n" +
			"Kafka's own controller made it; 4: there is one, but not all could be asked, so that there may be a later one.\n\n" + exitCodes,
		Example: "  controller why orders-3\n  controller why orders-3 --at 2026-11-23T03:00:00Z\n  controller why orders-3 --at 6h -o yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := entry.ParseID(args[0])
			if err != nil {
				return admin.Usage("%w", err)
			}
			when, err := moment("--at", at, time.Now())
			if err != nil {
				return err
			}
			f := entry.Of(id)
			if !when.IsZero() {
				f.Until = when.Add(afterwards)
			}
			answer, err := a.ask(cmd.Context(), f)
			if err != nil {
				return err
			}
			x := explained{Explanation: entry.Why(id, when, answer.Entries), Gone: answer.Gone, Unreached: answer.Unreached, Missing: answer.Missing}
			if !when.IsZero() {
				x.At = &when
			}
			if err := a.print(x, func(w io.Writer) { whyTable(w, x, answer) }); err != nil {
				return err
			}
			if x.Leader == nil && x.ISR == nil {
				return fmt.Errorf("no journal that could be asked has a decision about %v", id)
			}
			return partial(answer)
		},
	}
	a.clientFlags(c, 30*time.Second)
	c.Flags().StringVar(&at, "at", "", "what held then: so long ago (6h), or at a time as 2026-11-23T03:00:00Z")
	return c
}

func whyTable(w io.Writer, x explained, answer entry.Answer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	switch {
	case x.ISR == nil:
		say("%s: nothing is known.", x.Partition)
	case x.Leader == nil:
		say("%s: leader %s, ISR %s. Its leader was there before the first entry.", x.Partition, leader(x.ISR.To.Leader), isrOf(x.ISR.To.ISR))
	default:
		say("%s: leader %s, ISR %s, leader epoch %d.", x.Partition, leader(x.ISR.To.Leader), isrOf(x.ISR.To.ISR), x.ISR.To.Epoch)
	}
	if x.Others > 0 {
		say("%d times since somebody else has written it: a leader that writes its ISR itself, or another controller.", x.Others)
	}
	if x.Leader != nil {
		say("\nIts leader:")
		step(w, x.Leader)
	}
	if x.ISR != nil && x.ISR != x.Leader {
		say("\nIts ISR:")
		step(w, x.ISR)
	}
	if len(answer.Gone)+len(answer.Unreached)+len(answer.Missing) > 0 {
		say("")
	}
	remarks(w, answer)
}

func step(w io.Writer, s *entry.Step) {
	columns(w, func(line func(...any)) {
		line("  Decided:", fmt.Sprintf("%s by Baton %s, controller epoch %d", instant(s.At), s.Origin, s.Epoch))
		line("  What:", s.Strategy+": "+turn(s.From, s.To, s.New))
		line("  Because:", because(s.Trigger, s.Detail, "", "", ""))
		if s.Cause != "" {
			line("  Asked for:", because("", "", s.Cause, s.Who, s.Why))
		}
		if s.Unclean != "" {
			line("  Unclean:", s.Unclean)
		}
		if s.Written != nil {
			line("  Written:", fmt.Sprintf("%s, version %d -> %d, after %d ms", instant(*s.Written), s.To.Version, s.Version, s.MS))
		} else {
			line("  Written:", fmt.Sprintf("version %d, as what follows stands on it; its journal does not say when", s.Version))
		}
	})
	_, _ = fmt.Fprintln(w)
	columns(w, func(line func(...any)) {
		line("  REPLICA", "IN ISR", "STOOD", "VERDICT")
		for _, r := range s.Considered {
			line(fmt.Sprintf("  %d", r.ID), fmt.Sprintf("%s -> %s", yes(r.InISR), yes(slices.Contains(s.To.ISR, r.ID))), r.Stood, r.Verdict)
		}
	})
	if len(s.Measured) > 0 {
		_, _ = fmt.Fprintln(w)
		columns(w, func(line func(...any)) {
			line("  MEASURED", "LAST EPOCH", "LOG END")
			for _, m := range s.Measured {
				line(fmt.Sprintf("  %d", m.ID), bounds(m.EpochMin, m.EpochMax), m.End)
			}
		})
	}
	if len(s.Told) == 0 {
		return
	}
	_, _ = fmt.Fprintln(w)
	columns(w, func(line func(...any)) {
		line("  TOLD", "REQUEST", "SENT", "ANSWERED", "ANSWER")
		for _, t := range s.Told {
			when, what := "-", "none heard of"
			if t.Answered != nil {
				when, what = instant(*t.Answered), answered(t.Code, 0)
			}
			line(fmt.Sprintf("  %d", t.Broker), t.Request, instant(t.Sent), when, what)
		}
	})
}

func errorName(code int16) string {
	if err := kerr.TypedErrorForCode(code); err != nil {
		return err.Message
	}
	return fmt.Sprintf("error %d", code)
}
