package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"baton/admin"
	"baton/snapshot"
)

// imageWait is how long a command waits for a snapshot: 200,000 partitions and their topics' configurations take seconds.
const imageWait = time.Minute

// snapshotFlag lets a command answer from a file instead of the running Baton.
func (a *app) snapshotFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "snapshot", "", "answer from this output of `controller snapshot` instead of the running Baton; - is standard input")
	_ = c.MarkFlagFilename("snapshot", "json")
}

// image is the snapshot in a file or, without one, the running Baton's, of the named topics or of all.
func (a *app) image(ctx context.Context, file string, topics ...string) (*snapshot.Document, error) {
	switch file {
	case "":
	case "-":
		return decode("standard input", a.in)
	default:
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // it was only read
		return decode(file, f)
	}
	path, err := a.socket()
	if err != nil {
		return nil, err
	}
	d, err := admin.NewClient(path).Snapshot(ctx, topics...)
	if err != nil {
		return nil, err
	}
	for _, text := range []string{d.Doubt, d.Unread} {
		if text != "" {
			a.say("%s: %s", a.paint(yellow, "warning"), text)
		}
	}
	if d.Torn {
		a.say("%s: brokers came or went while the snapshot was taken", a.paint(yellow, "warning"))
	}
	return d, nil
}

func decode(name string, r io.Reader) (*snapshot.Document, error) {
	d, err := snapshot.Decode(r)
	if err != nil {
		return nil, admin.Usage("%s: %w", name, err)
	}
	return d, nil
}

func (a *app) snapshotCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "snapshot [TOPIC...]", Short: "Show what the active Baton knows of the cluster, as JSON",
		Long: "Prints the image of the cluster that the active Baton decides from: brokers, topics with the settings that decide,\n" +
			"partitions with assignment, leader and ISR, and since when; of the named topics, or of all. The format is described\n" +
			"in docs/snapshot.md; whatif, can-stop and explain read it. -o table counts instead. Nothing is changed.\n\n" + exitCodes,
		Example: "  controller snapshot > cluster.json\n  controller snapshot orders payments -o yaml\n  controller snapshot -o table",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.within(cmd.Context())
			defer cancel()
			d, err := a.image(ctx, "", args...)
			if err != nil {
				return err
			}
			for _, name := range args {
				if d.Topic(name) == nil {
					return fmt.Errorf("there is no topic %s", name)
				}
			}
			if a.flags.output == "json" {
				return d.Encode(a.out)
			}
			return a.print(d, func(w io.Writer) { snapshotTable(w, d) })
		},
	}
	a.clientFlags(c, imageWait)
	// It is for programs first.
	f := c.Flags().Lookup("output")
	f.DefValue = "json"
	return c
}

// snapshotTable counts.
func snapshotTable(w io.Writer, d *snapshot.Document) {
	leaderless, under, held := 0, 0, 0
	for i := range d.Topics {
		t := &d.Topics[i]
		if t.Held != "" {
			held++
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if d.Broker(p.Leader) == nil {
				leaderless++
			}
			if !p.New && len(p.ISR) < int(t.MinISR.Value) {
				under++
			}
		}
	}
	away := make([]string, len(d.Away))
	for i, b := range d.Away {
		away[i] = fmt.Sprint(b.ID)
	}
	columns(w, func(line func(...any)) {
		line("Baton:", fmt.Sprintf("%d (%s), controller epoch %d", d.Controller.ID, d.Controller.Name, d.Controller.Epoch))
		line("Brokers:", len(d.Brokers))
		line("Away:", list(away))
		line("Topics:", fmt.Sprintf("%d, %d partitions", len(d.Topics), d.PartitionCount()))
		line("Without a leader:", leaderless)
		line("Under min ISR:", under)
		line("Held topics:", held)
	})
}
