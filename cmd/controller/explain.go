package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"baton/explain"
)

func (a *app) explainCommand() *cobra.Command {
	var file string
	number := int32(-1)
	c := &cobra.Command{
		Use: "explain TOPIC[-PARTITION]", Short: "Explain why a partition is led by whom it is, or by nobody", Args: cobra.ExactArgs(1),
		Long: "Says why there is no leader, or why this one: which replicas are in sync, live, behind or away, and since when; whether\n" +
			"unclean election is allowed, and where that comes from; who led last; and what each thing that could be done would do, by\n" +
			"the controller's own decisions. Of a topic it says it for each partition in a line. Nothing is changed.\n\n" + exitCodes,
		Example: "  controller explain orders-3\n  controller explain orders\n  controller explain orders-3 --watch\n" +
			"  controller explain a-topic-7 --partition 0   # where topic names end in numbers",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.watch(cmd.Context(), func(ctx context.Context, w io.Writer) error { return a.explain(ctx, w, file, args[0], number) })
		},
	}
	c.Flags().Int32Var(&number, "partition", -1, "the partition, if TOPIC is a topic's whole name")
	a.snapshotFlag(c, &file)
	a.clientFlags(c, imageWait)
	a.watchFlags(c)
	return c
}

func (a *app) explain(ctx context.Context, w io.Writer, file, name string, number int32) error {
	candidates := explain.Candidates(name)
	if number >= 0 {
		candidates = []string{name}
	}
	d, err := a.image(ctx, file, candidates...)
	if err != nil {
		return err
	}
	topic := name
	if number < 0 {
		var also string
		if topic, number, also, err = explain.Resolve(d, name); err != nil {
			return err
		}
		if also != "" {
			a.say("%s", also)
		}
	}
	if number >= 0 {
		e, err := explain.Partition(d, topic, number)
		if err != nil {
			return err
		}
		return a.printTo(w, e, func(w io.Writer) { a.explainTable(w, e) })
	}
	list, err := explain.Topic(d, topic)
	if err != nil {
		return err
	}
	return a.printTo(w, list, func(w io.Writer) { explainTopic(w, list) })
}

func explainTopic(w io.Writer, list []*explain.Explanation) {
	columns(w, func(line func(...any)) {
		line("PARTITION", "LEADER", "ISR", "WHY")
		for _, e := range list {
			line(fmt.Sprintf("%s-%d", e.Topic, e.Number), leader(e.Leader), fmt.Sprint(e.ISR), e.Summary)
		}
	})
}

func (a *app) explainTable(w io.Writer, e *explain.Explanation) {
	color := green
	if !e.Served {
		color = red
	} else if e.UnderMinISR {
		color = yellow
	}
	_, _ = fmt.Fprintf(w, "%s: %s\n\n", a.paint(color, fmt.Sprintf("%s-%d", e.Topic, e.Number)), e.Summary)
	columns(w, func(line func(...any)) {
		line("Leader:", fmt.Sprintf("%s, leader epoch %d", leader(e.Leader), e.LeaderEpoch))
		if l := e.LastLeader; l != nil {
			line("Last leader:", lastLeader(l))
		}
		line("ISR:", ints(e.ISR))
		line("min.insync.replicas:", fmt.Sprintf("%d (%s)", e.MinISR.Value, e.MinISR.From))
		line("Unclean election:", fmt.Sprintf("%s (%s)", onOff(e.Unclean.Value), e.Unclean.From))
		if r := e.Recovery; r != nil {
			line("When the ISR is lost:", fmt.Sprintf("%s (%s)", r.Value, r.From))
		}
		line("Known to:", fmt.Sprintf("Baton %d (%s), which leads since %s", e.Controller.ID, e.Controller.Name, explain.Stamp(e.Controller.Since)))
	})
	_, _ = fmt.Fprintln(w)
	columns(w, func(line func(...any)) {
		line("REPLICA", "STATE", "IN ISR", "")
		for _, r := range e.Replicas {
			in := "no"
			if r.InISR {
				in = "yes"
			}
			line(r.Broker, r.State, in, r.Text)
		}
	})
	for _, d := range e.Doubts {
		_, _ = fmt.Fprintf(w, "\nMind: %s\n", d)
	}
	if len(e.Actions) == 0 {
		return
	}
	_, _ = fmt.Fprintln(w)
	columns(w, func(line func(...any)) {
		line("IF", "THEN", "COMMAND")
		for _, x := range e.Actions {
			line(x.Do, x.Then, x.Command)
		}
	})
}

func lastLeader(l *explain.LastLeader) string {
	who, when := "not known", ""
	if l.Broker >= 0 {
		who = fmt.Sprint(l.Broker)
	}
	if !l.Lost.IsZero() {
		when = ", until " + explain.Stamp(l.Lost)
	}
	return fmt.Sprintf("%s%s (%s)", who, when, l.How)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
