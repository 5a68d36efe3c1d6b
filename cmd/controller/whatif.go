package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"baton/admin"
	"baton/whatif"
)

// tableRows is how many partitions a table has at most; the other forms have all.
const tableRows = 50

func (a *app) whatifCommand() *cobra.Command {
	var failed []int32
	var file string
	var unclean bool
	c := &cobra.Command{
		Use: "whatif --fail ID,ID", Short: "Show what would become of the partitions if brokers failed", Args: cobra.NoArgs,
		Long: "Lets the controller's own decisions be made about a copy of the cluster in which brokers fail at the same moment, and\n" +
			"says which partitions lose their leader, go offline or under min.insync.replicas, who would lead, and why. With\n" +
			"--unclean, as if unclean elections were allowed everywhere. Nothing is changed.\n\n" + exitCodes,
		Example: "  controller whatif --fail 3\n  controller whatif --fail 1,2 --unclean\n" +
			"  controller snapshot > cluster.json; controller whatif --fail 1,2 --snapshot cluster.json -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(failed) == 0 {
				return admin.Usage("--fail is needed: the brokers that would fail")
			}
			ctx, cancel := a.within(cmd.Context())
			defer cancel()
			d, err := a.image(ctx, file)
			if err != nil {
				return err
			}
			r, err := whatif.Fail(d, failed, whatif.Options{Unclean: unclean})
			if err != nil {
				return unknownBroker(err)
			}
			return a.print(r, func(w io.Writer) { a.whatifTable(w, r) })
		},
	}
	c.Flags().Int32SliceVar(&failed, "fail", nil, "ids of the brokers, separated by commas")
	c.Flags().BoolVar(&unclean, "unclean", false, "as if unclean elections were allowed for every topic")
	a.snapshotFlag(c, &file)
	a.clientFlags(c, imageWait)
	return c
}

// unknownBroker makes a wrong id a mistake of whoever gave it.
func unknownBroker(err error) error {
	var unknown *whatif.UnknownBrokerError
	if errors.As(err, &unknown) {
		return admin.Usage("%w", err)
	}
	return err
}

func (a *app) whatifTable(w io.Writer, r *whatif.Result) {
	t := r.Totals
	columns(w, func(line func(...any)) {
		line("Brokers that fail:", ints(r.Failed))
		line("Partitions:", r.Partitions)
		line("Unclean elections:", t.Loss)
		line("Go offline:", withBefore(t.Offline, t.StillOffline))
		line("Go under min ISR:", withBefore(t.Under, t.StillUnder))
		line("Leader moves:", t.Moves)
		line("Only the ISR shrinks:", t.Shrinks)
		if t.Led > 0 {
			line("Led again:", t.Led)
		}
	})
	gains(w, r.Leaders)
	if len(r.Changes) == 0 {
		return
	}
	_, _ = fmt.Fprintln(w)
	columns(w, func(line func(...any)) {
		line("PARTITION", "EFFECT", "LEADER", "ISR", "MIN ISR", "WHY")
		for _, c := range r.Changes[:min(len(r.Changes), tableRows)] {
			line(c.ID, c.Effects[0], arrow(leader(c.Before.Leader), leader(c.After.Leader)), arrow(fmt.Sprint(c.Before.ISR), fmt.Sprint(c.After.ISR)), c.MinISR.Value, c.Why)
		}
	})
	if more := len(r.Changes) - tableRows; more > 0 {
		_, _ = fmt.Fprintf(w, "and %d more; -o json has all\n", more)
	}
}

func withBefore(n, still int) string {
	if still == 0 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d, besides %d that are so already", n, still)
}

func gains(w io.Writer, list []whatif.Gain) {
	if len(list) == 0 {
		return
	}
	_, _ = fmt.Fprintln(w)
	columns(w, func(line func(...any)) {
		line("BROKER", "LEADS", "WOULD LEAD")
		for _, g := range list {
			line(g.Broker, g.Before, g.After)
		}
	})
}

func ints(ids []int32) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.Itoa(int(id))
	}
	return list(out)
}

func (a *app) canStopCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "can-stop BROKER", Short: "Find out whether a broker can be shut down without harm", Args: cobra.ExactArgs(1),
		Long: "Lets the controller's own decisions be made about a copy of the cluster in which the broker shuts down in order. It should\n" +
			"not be stopped if a partition would go offline, under min.insync.replicas (or further under) or be led by a replica that\n" +
			"is not in sync; if a reassignment or a deletion needs it; or if another broker is away that has replicas of the same\n" +
			"partitions. Nothing is changed.\n\n" +
			"Exit codes: 0 it can be stopped, 1 it should not be, or it could not be found out (the message says which), 2 usage,\n" +
			"an unknown broker included, 5 the active Baton cannot be reached.",
		Example: "  controller can-stop 3\n  controller can-stop 3 --socket /run/baton.sock && systemctl stop kafka\n  controller can-stop 3 --snapshot cluster.json -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 32)
			if err != nil || id < 0 {
				return admin.Usage("%q is not the id of a broker", args[0])
			}
			ctx, cancel := a.within(cmd.Context())
			defer cancel()
			d, err := a.image(ctx, file)
			if err != nil {
				return err
			}
			v, err := whatif.CanStop(d, int32(id))
			if err != nil {
				return unknownBroker(err)
			}
			if err := a.print(v, func(w io.Writer) { a.canStopTable(w, v) }); err != nil {
				return err
			}
			if !v.OK {
				return exitError(1)
			}
			return nil
		},
	}
	a.snapshotFlag(c, &file)
	a.clientFlags(c, imageWait)
	return c
}

func (a *app) canStopTable(w io.Writer, v *whatif.Verdict) {
	switch {
	case v.Gone:
		_, _ = fmt.Fprintf(w, "%s: broker %d is not registered: stopping it changes nothing.\n", a.paint(green, "OK"), v.Broker)
	case v.OK:
		_, _ = fmt.Fprintf(w, "%s: broker %d can be stopped. It leads %d of the %d partitions that it hosts.\n", a.paint(green, "OK"), v.Broker, v.Leads, v.Hosts)
	default:
		_, _ = fmt.Fprintf(w, "%s: broker %d should not be stopped now.\n", a.paint(red, "NO"), v.Broker)
	}
	for _, r := range v.Reasons {
		_, _ = fmt.Fprintf(w, "  %s\n", r)
	}
	for _, r := range v.Notes {
		_, _ = fmt.Fprintf(w, "  note: %s\n", r)
	}
	gains(w, v.Leaders)
}
