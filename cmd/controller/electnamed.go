package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"baton/admin"
	"baton/explain"
)

// namedFlags are those of elections that name their replica.
type namedFlags struct {
	candidate  string
	replica    int32
	acceptLoss bool
	dryRun     bool
}

// kafkas are the flags that choose partitions of elections that Kafka knows, too.
var kafkas = []string{"election-type", "topic", "partition", "path-to-json-file", "all-topic-partitions", "admin.config", "command-config"}

func (a *app) namedFlags(c *cobra.Command, f *namedFlags) {
	fl := c.Flags()
	fl.StringVar(&f.candidate, "candidate", "", "who is to lead without being in sync: longest, first, or a broker's id")
	fl.Int32Var(&f.replica, "replica", -1, "the in-sync replica that is to lead")
	fl.BoolVar(&f.acceptLoss, "accept-data-loss", false, "elect the candidate although another replica has, or may have, more")
	fl.BoolVar(&f.dryRun, "dry-run", false, "with --candidate or --replica: show what would be done, and do nothing")
	fl.StringVar(&a.flags.reason, "reason", "", "with --candidate or --replica: why; recorded in the log and in the journal")
	_ = c.RegisterFlagCompletionFunc("candidate", cobra.FixedCompletions([]string{"longest", "first"}, cobra.ShellCompDirectiveNoFileComp))
}

// forOthers forgets what variables say for another kind of election than the one that is asked for: they are there for every verb.
// --dry-run stays: whoever has that in the environment does not want anything done.
func (a *app) forOthers(c *cobra.Command, f *namedFlags, args []string) {
	kind, given := strings.ToLower(strings.Join(args[:min(len(args), 1)], "")), c.Flags().Changed
	if kind != "unclean" || len(args) < 2 {
		a.forget(c, "candidate")
	}
	if kind != "leader" {
		a.forget(c, "replica")
	} else {
		a.forget(c, "accept-data-loss")
	}
	if kind == "leader" || given("candidate") || given("replica") {
		a.forget(c, kafkas...)
		return
	}
	if a.forget(c, "reason") {
		a.say("The reason is not recorded: this election is asked for by Kafka's protocol, which has no place for it.")
	}
	a.forget(c, "accept-data-loss")
	if !f.dryRun {
		a.forget(c, "dry-run")
	}
	if len(args) > 0 {
		a.forget(c, "election-type")
	}
	for _, name := range []string{"topic", "path-to-json-file", "all-topic-partitions"} {
		if !given(name) || a.variables[name] {
			continue
		}
		a.forget(c, "topic", "path-to-json-file", "all-topic-partitions")
		if name != "topic" {
			a.forget(c, "partition")
		}
	}
}

// isNamed reports whether a replica is named, and refuses what belongs to the other kind of elections.
func (f *namedFlags) isNamed(c *cobra.Command, args []string) (bool, error) {
	kind := strings.ToLower(strings.Join(args[:min(len(args), 1)], ""))
	candidate, replica := c.Flags().Changed("candidate"), c.Flags().Changed("replica")
	if kind != "leader" && !candidate && !replica {
		for _, name := range []string{"accept-data-loss", "dry-run"} {
			if c.Flags().Changed(name) {
				return false, admin.Usage("--%s goes with --candidate or --replica", name)
			}
		}
		if c.Flags().Changed("reason") {
			return false, admin.Usage("--reason goes with --candidate or --replica: this election is asked for by Kafka's protocol, which has no place for it")
		}
		if len(args) > 1 {
			return false, admin.Usage("elect %s: %s is given, but neither --candidate nor --replica", args[0], args[1])
		}
		return false, nil
	}
	for _, name := range kafkas {
		if c.Flags().Changed(name) {
			return true, admin.Usage("--%s does not go with a replica that is named", name)
		}
	}
	switch {
	case len(args) != 2:
		return true, admin.Usage("name the partition: elect %s TOPIC-PARTITION", kind)
	case kind == "unclean" && candidate && !replica, kind == "leader" && replica && !candidate && !f.acceptLoss:
		return true, nil
	}
	return true, admin.Usage("expected elect unclean TOPIC-PARTITION --candidate longest|first|ID, or elect leader TOPIC-PARTITION --replica ID")
}

// measureAgain is how often what was measured may have changed before it was acted on.
const measureAgain = 3

// electNamed elects a replica that was named.
func (a *app) electNamed(ctx context.Context, f *namedFlags, unclean bool, name string) error {
	topic, number, err := splitPartition(name)
	if err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, cl *admin.Client, req admin.Request) error {
		choose := func() (admin.Choice, error) { return a.cleanChoice(ctx, f, topic, number) }
		if unclean {
			choose = func() (admin.Choice, error) { return a.uncleanChoice(ctx, cl, req, f, topic, number) }
		}
		var out admin.Elected
		for try := 1; ; try++ {
			choice, err := choose()
			if err != nil || f.dryRun {
				return err
			}
			if out, err = cl.Elect(ctx, choice, req); err == nil {
				break
			}
			if try == measureAgain || admin.KindOf(err) != admin.KindRefused {
				return err
			}
			a.say("%s Once more.", err)
		}
		return a.print(out, func(w io.Writer) {
			text := "%d leads %s now.\n"
			if out.NotNeeded {
				text = "%d leads %s already.\n"
			}
			_, _ = fmt.Fprintf(w, text, out.Leader, name)
		})
	})
}

func splitPartition(name string) (string, int32, error) {
	i := strings.LastIndexByte(name, '-')
	n, err := strconv.ParseUint(name[i+1:], 10, 31)
	if i <= 0 || err != nil {
		return "", 0, admin.Usage("%q: expected TOPIC-PARTITION", name)
	}
	return name[:i], int32(n), nil
}

// uncleanChoice measures, shows and asks.
func (a *app) uncleanChoice(ctx context.Context, cl *admin.Client, req admin.Request, f *namedFlags, topic string, number int32) (admin.Choice, error) {
	m, err := cl.Measure(ctx, admin.Question{Topic: topic, Partition: number, Candidate: f.candidate}, req)
	if err != nil {
		return admin.Choice{}, err
	}
	to := a.errs
	if f.dryRun {
		to = a.out // it is what was asked for
	}
	if err := a.printTo(to, m, func(w io.Writer) { a.measured(w, &m) }); err != nil {
		return admin.Choice{}, err
	}
	switch {
	case m.Leader < 0:
		return admin.Choice{}, admin.Refused("nobody can be elected: %s", strings.Join(m.Doubts, "; "))
	case len(m.Doubts) > 0 && !f.acceptLoss:
		return admin.Choice{}, admin.Refused("not done without --accept-data-loss: %s", strings.Join(m.Doubts, "; "))
	case f.dryRun:
		return admin.Choice{}, nil
	}
	return m.Choice(), a.confirm(fmt.Sprintf("Plan: %d leads %s-%d, alone in the ISR. Records that it lacks are lost for good, acknowledged ones too,\n"+
		"      and the other replicas drop them. Nothing is done if the state changes or a replica restarts meanwhile.", m.Leader, topic, number))
}

// measured shows what each replica has.
func (a *app) measured(w io.Writer, m *admin.Measurement) {
	_, _ = fmt.Fprintf(w, "%s-%d has no leader; leader epoch %d, ISR %s\n\n", m.Topic, m.Partition, m.LeaderEpoch, ints(m.ISR))
	columns(w, func(line func(...any)) {
		line("REPLICA", "LIVE", "IN ISR", "LAST EPOCH", "LOG END", "LOSS", "")
		for _, r := range m.Replicas {
			live, epoch, end, loss, mark := "yes", "?", "?", "unknown", r.Silent
			if r.Epoch == 0 {
				live, epoch, end, loss = "no", "", "", ""
			}
			if l := r.Log; l != nil {
				epoch, end, loss = bounds(l.EpochMin, l.EpochMax), fmt.Sprint(l.End), lossText(l)
			}
			if r.Broker == m.Leader {
				mark = strings.TrimPrefix(mark+"; chosen", "; ")
			}
			line(r.Broker, live, yes(r.InISR), epoch, end, loss, mark)
		}
	})
	for _, from := range compared(m) {
		_, _ = fmt.Fprintf(w, "\nLoss: compared with %s\n", from)
	}
	histories(w, m)
	for _, d := range m.Doubts {
		_, _ = fmt.Fprintf(w, "\nMind: %s\n", d)
	}
}

// histories shows where the logs part, if their last epochs differ.
func histories(w io.Writer, m *admin.Measurement) {
	if !slices.ContainsFunc(m.Replicas, func(r admin.Measured) bool { return r.Log != nil && len(r.Log.Epochs) > 0 }) {
		return
	}
	_, _ = fmt.Fprintln(w)
	columns(w, func(line func(...any)) {
		line("REPLICA", "EPOCHS, EACH FROM ITS FIRST OFFSET", "")
		for _, r := range m.Replicas {
			if l := r.Log; l != nil {
				line(r.Broker, history(l), parting(l, m.Leader))
			}
		}
	})
}

func history(l *admin.MeasuredLog) string {
	var epochs []string
	for _, b := range l.Epochs {
		epochs = append(epochs, fmt.Sprintf("%d from %d", b.Epoch, b.From))
	}
	if l.EpochsUnread != "" {
		epochs = append(epochs, "not read: "+l.EpochsUnread)
	}
	return strings.Join(epochs, ", ")
}

// parting says what becomes of a log when the chosen one leads.
func parting(l *admin.MeasuredLog, chosen int32) string {
	switch {
	case l.PartsAt == nil:
		return ""
	case *l.PartsAt == l.End:
		return fmt.Sprintf("the beginning of %d's", chosen)
	}
	return fmt.Sprintf("parts from %d's at %d: drops %d from there on", chosen, *l.PartsAt, l.End-*l.PartsAt)
}

func bounds(lo, hi int32) string {
	if lo == hi {
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%d…%d", lo, hi)
}

func lossText(l *admin.MeasuredLog) string {
	switch {
	case l.LossMin == nil:
		return "unknown"
	case l.LossMax == nil:
		return fmt.Sprintf("at least %d", *l.LossMin)
	case *l.LossMin == *l.LossMax:
		return fmt.Sprint(*l.LossMin)
	}
	return fmt.Sprintf("%d…%d", *l.LossMin, *l.LossMax)
}

// compared is what the losses were found by, naming the replicas where they differ.
func compared(m *admin.Measurement) (out []string) {
	of := map[string][]int32{}
	for _, r := range m.Replicas {
		if r.Log != nil && r.Log.LossMin != nil {
			if of[r.Log.From] == nil {
				out = append(out, r.Log.From)
			}
			of[r.Log.From] = append(of[r.Log.From], r.Broker)
		}
	}
	if len(out) > 1 {
		for i, from := range out {
			out[i] = fmt.Sprintf("%s, of %s", from, ints(of[from]))
		}
	}
	return out
}

// cleanChoice looks, shows and asks.
func (a *app) cleanChoice(ctx context.Context, f *namedFlags, topic string, number int32) (admin.Choice, error) {
	d, err := a.image(ctx, "", topic)
	if err != nil {
		return admin.Choice{}, err
	}
	e, err := explain.Partition(d, topic, number)
	if err != nil {
		return admin.Choice{}, err
	}
	i := slices.IndexFunc(e.Replicas, func(r explain.Replica) bool { return r.Broker == f.replica })
	switch {
	case f.replica < 0:
		return admin.Choice{}, admin.Usage("--replica %d: expected a broker's id", f.replica)
	case i < 0:
		return admin.Choice{}, admin.Refused("%d is not a replica of %s-%d", f.replica, topic, number)
	case e.Replicas[i].State != explain.InSync && e.Replicas[i].State != explain.Leads:
		return admin.Choice{}, admin.Refused("%d is not live and in sync: %s", f.replica, e.Replicas[i].Text)
	}
	c := admin.Choice{Topic: topic, Partition: number, Leader: f.replica, PartitionEpoch: d.Topic(topic).Partition(number).PartitionEpoch}
	plan := fmt.Sprintf("Plan: the leader of %s-%d goes from %s to %d, which is in sync: nothing is lost.", topic, number, leader(e.Leader), f.replica)
	if f.dryRun {
		return c, a.print(c, func(w io.Writer) { _, _ = fmt.Fprintln(w, plan) })
	}
	return c, a.confirm(plan)
}
