package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"baton/admin"
)

// outcome is what a changing command prints.
type outcome struct {
	Done   string                `json:"done"`
	Detail *admin.HandbackResult `json:"detail,omitempty"`
	TookMS int64                 `json:"tookMs"`
}

// change is a command that changes who holds the role.
type change struct {
	use, short, long, example string
	args                      cobra.PositionalArgs
	// plan says what will happen, from the status before.
	plan func(st admin.Status, args []string) (string, error)
	// do does it and says what happened.
	do func(ctx context.Context, cl *admin.Client, req admin.Request, args []string) (outcome, error)
}

func (a *app) changeCommand(ch change) *cobra.Command {
	c := &cobra.Command{
		Use: ch.use, Short: ch.short, Long: ch.long + "\n\n" + exitCodes, Example: ch.example, Args: ch.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(ctx context.Context, cl *admin.Client, req admin.Request) error {
				st, err := cl.Status(ctx)
				if err != nil {
					return err
				}
				plan, err := ch.plan(st, args)
				if err != nil {
					return err
				}
				if err := a.confirm(plan); err != nil {
					return err
				}
				start := time.Now()
				out, err := ch.do(ctx, cl, req, args)
				if err != nil {
					return err
				}
				out.TookMS = time.Since(start).Milliseconds()
				return a.print(out, func(w io.Writer) { _, _ = fmt.Fprintln(w, out.Done) })
			})
		},
	}
	a.clientFlags(c, 2*time.Minute)
	a.changeFlags(c)
	return c
}

func holder(st admin.Status) string {
	switch {
	case st.Holder == nil:
		return "nobody"
	case st.Holder.Kind == admin.HolderUnknown:
		return "an unknown holder"
	case st.Holder.Kind == admin.HolderBaton && st.Holder.ID == st.Instance.ID:
		return fmt.Sprintf("this Baton (%d)", st.Holder.ID)
	case st.Holder.Kind == admin.HolderBaton:
		return fmt.Sprintf("Baton %d (%s)", st.Holder.ID, st.Holder.Instance)
	}
	return fmt.Sprintf("broker %d", st.Holder.ID)
}

func (a *app) takeoverCommand() *cobra.Command {
	return a.changeCommand(change{
		use: "takeover", short: "Let this Baton take the controller role", args: cobra.NoArgs,
		long: "Removes /baton/hold and takes /controller from the broker that holds it. Refused while the cluster migrates to\n" +
			"KRaft or has topics being deleted. Run `controller check` before the first one.",
		example: "  controller takeover --reason 'controller upgrade'\n  controller takeover --socket /run/baton.sock --yes -o json",
		plan: func(st admin.Status, _ []string) (string, error) {
			plan := fmt.Sprintf("Plan: the role goes from %s (controller epoch %d) to this Baton (%d, %s).", holder(st), st.Epoch, st.Instance.ID, st.Instance.Name)
			if st.Hold != nil {
				plan += fmt.Sprintf("\n      /baton/hold, set by %s (%s), is removed.", st.Hold.Who, st.Hold.Why)
			}
			return plan, nil
		},
		do: func(ctx context.Context, cl *admin.Client, req admin.Request, _ []string) (outcome, error) {
			return outcome{Done: "This Baton holds the controller role."}, cl.Takeover(ctx, req, a.progress)
		},
	})
}

func (a *app) handbackCommand() *cobra.Command {
	return a.changeCommand(change{
		use: "handback", short: "Give the controller role back to the brokers", args: cobra.NoArgs,
		long: "Sets /baton/hold, which every Baton obeys until `controller takeover`, gives /controller up and waits until a\n" +
			"broker has claimed it. Says which.",
		example: "  controller handback --reason 'end of the trial'\n  controller handback --yes",
		plan: func(st admin.Status, _ []string) (string, error) {
			return fmt.Sprintf("Plan: /baton/hold is set, no Baton claims until `controller takeover`, and the role goes from %s to a broker.", holder(st)), nil
		},
		do: func(ctx context.Context, cl *admin.Client, req admin.Request, _ []string) (outcome, error) {
			h, err := cl.Handback(ctx, req, a.progress)
			took := time.Duration(h.TookMS) * time.Millisecond
			return outcome{Done: fmt.Sprintf("Broker %d holds the controller role with epoch %d, after %v.", h.Broker, h.Epoch, took), Detail: &h}, err
		},
	})
}

func (a *app) handoverCommand() *cobra.Command {
	target := func(args []string) (int32, error) {
		if len(args) == 0 {
			return admin.AnyMember, nil
		}
		n, err := strconv.ParseInt(args[0], 10, 32)
		if err != nil || n < 0 {
			return 0, admin.Usage("%q is not the id of a Baton", args[0])
		}
		return int32(n), nil
	}
	return a.changeCommand(change{
		use: "handover [ID]", short: "Give the controller role to another Baton without a gap", args: cobra.MaximumNArgs(1),
		long:    "Gives the role to the Baton with the given id, or to any other one. No broker gets to claim in between.",
		example: "  controller handover\n  controller handover 2000002 --reason 'host maintenance' --yes",
		plan: func(st admin.Status, args []string) (string, error) {
			to, err := target(args)
			if err != nil {
				return "", err
			}
			return planHandover(st, to)
		},
		do: func(ctx context.Context, cl *admin.Client, req admin.Request, args []string) (outcome, error) {
			to, err := target(args)
			if err != nil {
				return outcome{}, err
			}
			return outcome{Done: "Another Baton holds the controller role."}, cl.Handover(ctx, to, req, a.progress)
		},
	})
}

func planHandover(st admin.Status, to int32) (string, error) {
	var names []string
	for _, m := range st.Members {
		holds := st.Holder != nil && st.Holder.ID == m.ID // a standby may also be asked, for itself
		if !holds && (to == admin.AnyMember || m.ID == to) {
			names = append(names, fmt.Sprintf("Baton %d (%s)", m.ID, m.Name))
		}
	}
	switch {
	case len(names) == 0 && to == admin.AnyMember:
		return "", admin.Refused("no other Baton is running")
	case len(names) == 0:
		return "", admin.Refused("Baton %d is not running", to)
	}
	what := names[0]
	if len(names) > 1 {
		what = fmt.Sprintf("one of %d other Batons", len(names))
	}
	return fmt.Sprintf("Plan: the role goes from %s to %s.", holder(st), what), nil
}
