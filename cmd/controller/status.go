package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"baton/admin"
	"baton/check"
)

func (a *app) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "Show who holds the role and how the cluster is", Args: cobra.NoArgs,
		Long: "Asks the running Baton over its socket. Without one, and with --config, it reads ZooKeeper itself (nothing is written).\n\n" + exitCodes,
		Example: "  controller status\n  controller status --socket /run/baton.sock -o json\n  controller status --watch\n" +
			"  controller status --config baton.properties   # also without a running Baton",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.watch(cmd.Context(), func(ctx context.Context, w io.Writer) error {
				st, err := a.status(ctx)
				if err != nil {
					return err
				}
				return a.printTo(w, st, func(w io.Writer) { statusTable(w, st) })
			})
		},
	}
	a.clientFlags(c, 15*time.Second)
	a.watchFlags(c)
	return c
}

func (a *app) status(ctx context.Context) (admin.Status, error) {
	path, err := a.socket()
	if err != nil {
		return admin.Status{}, err
	}
	st, err := admin.NewClient(path).Status(ctx)
	if err == nil || a.flags.config == "" || a.flags.socket != "" || a.connect == nil {
		return st, err
	}
	if admin.KindOf(err) != admin.KindUnreachable || ctx.Err() != nil {
		return st, err
	}
	a.say("%v; this is what ZooKeeper says.", err)
	cfg, _, err := a.load()
	if err != nil {
		return st, err
	}
	r, err := a.connect(ctx, cfg)
	if err != nil {
		return st, admin.Unreachable("ZooKeeper: %w", err)
	}
	defer r.Close()
	return check.ReadStatus(ctx, cfg, r)
}

func statusTable(w io.Writer, st admin.Status) {
	columns(w, func(line func(...any)) {
		line("Holder:", holderLine(st))
		line("Controller epoch:", st.Epoch)
		if st.Hold != nil {
			line("Hold:", fmt.Sprintf("set by %s at %s: %s", st.Hold.Who, stamp(st.Hold.When), cmp.Or(st.Hold.Why, "no reason given")))
		}
		if st.Migration != "" {
			line("Migration:", st.Migration)
		}
		if st.Instance.Role != "" {
			ready := "ready"
			if !st.Instance.Ready {
				ready = "NOT READY: " + st.Instance.Why
			}
			line("This instance:", fmt.Sprintf("%d (%s), %s, mode %s, version %s, %s", st.Instance.ID, st.Instance.Name, st.Instance.Role, st.Instance.Mode, st.Instance.Version, ready))
		}
		if i := st.Image; i != nil && i.Warm {
			line("Image:", fmt.Sprintf("warm, %d topics, %d partitions, %d ms old", i.Topics, i.Partitions, i.AgeMS))
		} else if i != nil {
			line("Image:", "cold: "+i.Why)
		}
		line("ZooKeeper:", zooKeeperLine(st.ZooKeeper))
		if c := st.Counts; c != nil {
			line("Topics:", fmt.Sprintf("%d, %d partitions", c.Topics, c.Partitions))
			line("Offline partitions:", c.Offline)
			line("Under-replicated:", c.UnderReplicated)
			line("Under min ISR:", c.UnderMinISR)
		}
		line("Unreadable znodes:", len(st.BadZnodes))
		line("Work in progress:", list(st.InProgress))
	})
	for _, b := range st.BadZnodes {
		_, _ = fmt.Fprintf(w, "  %s: %s\n", b.Path, b.Reason)
	}
	for _, x := range st.Alarms {
		_, _ = fmt.Fprintf(w, "ALARM %s %s\n", stamp(x.When), x.Text)
	}
	members(w, st)
	brokers(w, st)
}

func members(w io.Writer, st admin.Status) {
	if len(st.Members) == 0 {
		return
	}
	_, _ = fmt.Fprintln(w)
	columns(w, func(line func(...any)) {
		line("BATON", "NAME", "MODE", "VERSION", "HOST")
		for _, m := range st.Members {
			line(m.ID, m.Name, m.Mode, m.Version, m.Host)
		}
	})
}

func brokers(w io.Writer, st admin.Status) {
	if len(st.Brokers) == 0 {
		return
	}
	_, _ = fmt.Fprintln(w)
	active := st.Instance.Role == admin.RoleActive
	columns(w, func(line func(...any)) {
		head := []any{"BROKER", "EPOCH", "RACK"}
		if active {
			head = append(head, "STATE", "TOLD", "UNTOLD")
		}
		line(append(head, "ENDPOINTS")...)
		for _, b := range st.Brokers {
			rack := b.Rack
			if rack == "" {
				rack = "-"
			}
			row := []any{b.ID, b.Epoch, rack}
			if active {
				row = append(row, brokerState(b), b.Told, b.Untold)
			}
			line(append(row, list(b.Endpoints))...)
		}
	})
}

func brokerState(b admin.Broker) string {
	switch {
	case !b.Connected:
		return "disconnected"
	case b.Leaving:
		return "leaving"
	}
	return "connected"
}

func holderLine(st admin.Status) string {
	h := st.Holder
	switch {
	case h == nil:
		return "nobody"
	case h.Kind == admin.HolderUnknown:
		return "unknown: /controller cannot be understood"
	case h.Kind == admin.HolderBaton:
		return fmt.Sprintf("Baton %d (%s)%s", h.ID, h.Instance, since(h.Since))
	}
	return fmt.Sprintf("broker %d%s", h.ID, since(h.Since))
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " since " + stamp(t)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func zooKeeperLine(z admin.ZooKeeper) string {
	if !z.Connected {
		return "not connected"
	}
	text := "connected"
	if z.Server != "" {
		text += " to " + z.Server
	}
	if z.SessionID != "" {
		text += ", session " + z.SessionID
	}
	return fmt.Sprintf("%s, timeout %v", text, time.Duration(z.TimeoutMS)*time.Millisecond)
}
