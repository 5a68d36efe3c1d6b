package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"baton/admin"
	"baton/config"
	"baton/partition"
)

// elector is the cluster as `controller elect` sees it.
type elector interface {
	// Partitions describes the topics' partitions, all topics' without names; an unknown topic
	// has none.
	Partitions(topics []string) ([]described, error)
	// Elect holds elections; each partition asked for has an outcome.
	Elect(unclean bool, ids []partition.ID) ([]elected, error)
	Close()
}

// described is a partition as clients see it.
type described struct {
	ID                     partition.ID
	Leader                 int32 // -1: none
	Replicas, ISR, Offline []int32
}

// elected is what came of one election.
type elected struct {
	ID        partition.ID
	NotNeeded bool
	Error     string // Kafka's name of it, empty if there is a new leader
	Message   string
}

// electFlags are those of kafka-leader-election.
type electFlags struct {
	bootstrap, kind, topic, file, properties, commandConfig string
	partition                                               int32
	all                                                     bool
}

// electOutput is what is printed as JSON.
type electOutput struct {
	Type      string           `json:"type"`
	Elected   []string         `json:"elected"`
	NotNeeded []string         `json:"notNeeded"`
	Failed    []failedElection `json:"failed"`
}

type failedElection struct {
	Partition string `json:"partition"`
	Error     string `json:"error"`
	Message   string `json:"message,omitempty"`
}

// electTime is how long the election of a named replica may take, with the measuring before.
const electTime = time.Minute

func (a *app) electCommand() *cobra.Command {
	f, n := &electFlags{}, &namedFlags{}
	c := &cobra.Command{
		Use: "elect preferred|unclean|leader [TOPIC-PARTITION]", Short: "Elect leaders, as kafka-leader-election does, or by name", Args: cobra.MaximumNArgs(2),
		ValidArgs: []string{"preferred", "unclean", "leader"},
		Long: "preferred gives leadership back to the first replica of each partition, if it is alive and in sync.\n" +
			"unclean makes an out-of-sync replica the leader where nobody of the in-sync replicas is left, which loses\n" +
			"records; it shows where, and asks. Any controller will do: the request is Kafka's own. Without\n" +
			"--bootstrap-server the brokers are those that the running Baton knows.\n\n" +
			"Takes the options of kafka-leader-election and prints what it prints.\n\n" +
			"With --candidate the active Baton asks each live replica what it has, above the high watermark too: longest is the one\n" +
			"with the latest leader epoch in its last record and then the greatest log end, first the one that Kafka would take. It shows\n" +
			"all of them and the loss, and asks. It refuses where another replica has more or may have, without --accept-data-loss, and\n" +
			"measures again if the state changes in between. `elect leader` moves the leader to an in-sync replica.\n\n" + exitCodes,
		Example: "  controller elect preferred --all-topic-partitions\n" +
			"  controller elect preferred --bootstrap-server b1:9092 --path-to-json-file partitions.json -o json\n" +
			"  controller elect unclean --topic orders --partition 3 --yes\n" +
			"  controller elect unclean orders-3 --candidate longest --reason 'disk of 1 is gone'\n" +
			"  controller elect leader orders-3 --replica 2 --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			a.forOthers(cmd, n, args)
			switch named, err := n.isNamed(cmd, args); {
			case err != nil:
				return err
			case named:
				return a.electNamed(cmd.Context(), n, strings.EqualFold(args[0], "unclean"), args[1])
			}
			unclean, err := f.unclean(args)
			if err != nil {
				return err
			}
			named, err := f.named(cmd.Flags().Changed("partition"))
			if err != nil {
				return err
			}
			if err := f.checkProperties(); err != nil {
				return err
			}
			addrs, err := a.bootstrap(cmd.Context(), f.bootstrap)
			if err != nil {
				return err
			}
			cluster, err := a.elector(addrs)
			if err != nil {
				return admin.Unreachable("no broker answers at %s: %w", strings.Join(addrs, ","), err)
			}
			defer cluster.Close()
			return a.elect(cluster, unclean, f, named)
		},
	}
	a.socketFlag(c)
	a.configFlags(c)
	a.outputFlag(c)
	fl := c.Flags()
	fl.StringVar(&f.bootstrap, "bootstrap-server", "", "host:port of brokers, separated by commas")
	fl.StringVar(&f.kind, "election-type", "", "preferred or unclean, instead of the argument")
	fl.StringVar(&f.topic, "topic", "", "a topic; all of its partitions unless --partition is given")
	fl.Int32Var(&f.partition, "partition", 0, "a partition of --topic")
	fl.StringVar(&f.file, "path-to-json-file", "", `file that names partitions: {"partitions":[{"topic":"t","partition":0}]}`)
	fl.BoolVar(&f.all, "all-topic-partitions", false, "all partitions of all topics")
	fl.StringVar(&f.properties, "admin.config", "", "properties of Kafka's tools; only those of a plaintext connection are accepted yet")
	fl.StringVar(&f.commandConfig, "command-config", "", "the same as --admin.config")
	fl.BoolVarP(&a.flags.yes, "yes", "y", false, "do not ask")
	a.namedFlags(c, n)
	a.timeoutFlag(c, electTime)
	return c
}

// unclean reads the type of election, in any case of letters.
func (f *electFlags) unclean(args []string) (bool, error) {
	kind := f.kind
	if len(args) > 0 {
		if kind != "" {
			return false, admin.Usage("preferred or unclean is given twice: %s and --election-type %s", args[0], kind)
		}
		kind = args[0]
	}
	switch strings.ToLower(kind) {
	case "preferred":
		return false, nil
	case "unclean":
		return true, nil
	case "":
		return false, admin.Usage("elect preferred or elect unclean?")
	}
	return false, admin.Usage("expected preferred or unclean, found %q", kind)
}

// named returns the partitions given by name; none if they are to be found by topic.
func (f *electFlags) named(withPartition bool) ([]partition.ID, error) {
	given := 0
	for _, g := range []bool{f.topic != "", f.file != "", f.all} {
		if g {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, admin.Usage("give one of --topic, --path-to-json-file and --all-topic-partitions")
	case withPartition && f.topic == "":
		return nil, admin.Usage("--partition is a partition of --topic")
	case withPartition && f.partition < 0:
		return nil, admin.Usage("--partition %d: expected 0 or more", f.partition)
	case withPartition:
		return []partition.ID{{Topic: f.topic, Number: f.partition}}, nil
	case f.file != "":
		return readElections(f.file)
	}
	return nil, nil
}

// readElections reads the file of kafka-leader-election; one of no partitions is a mistake.
func readElections(path string) ([]partition.ID, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--path-to-json-file: %w", err)
	}
	return parseElections(path, data)
}

func parseElections(path string, data []byte) ([]partition.ID, error) {
	var doc struct {
		Partitions []struct {
			Topic     *string `json:"topic"`
			Partition *int32  `json:"partition"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: expected {\"partitions\":[{\"topic\":…,\"partition\":…}]}: %w", path, err)
	}
	var ids []partition.ID
	for i, p := range doc.Partitions {
		if p.Topic == nil || *p.Topic == "" || p.Partition == nil || *p.Partition < 0 {
			return nil, fmt.Errorf("%s: entry %d of partitions: expected a topic and a partition of 0 or more", path, i)
		}
		ids = append(ids, partition.ID{Topic: *p.Topic, Number: *p.Partition})
	}
	slices.SortFunc(ids, partition.Compare)
	for i := range ids {
		if i > 0 && ids[i] == ids[i-1] {
			return nil, fmt.Errorf("%s: %v is named twice", path, ids[i])
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s: names no partitions", path)
	}
	return ids, nil
}

// checkProperties refuses what a plaintext connection could not honour.
func (f *electFlags) checkProperties() error {
	file := cmp.Or(f.properties, f.commandConfig)
	if file == "" {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("--admin.config: %w", err)
	}
	list, err := config.ParseProperties(bytes.NewReader(data), file)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.Key == "security.protocol" && !strings.EqualFold(strings.TrimSpace(p.Value), "PLAINTEXT") {
			return admin.Refused("%s: security.protocol=%s: only PLAINTEXT connections are built yet", file, p.Value)
		}
	}
	return nil
}

// bootstrap is where to find the cluster: as given, or as the running Baton knows.
func (a *app) bootstrap(ctx context.Context, given string) ([]string, error) {
	if given != "" {
		var addrs []string
		for addr := range strings.SplitSeq(given, ",") {
			if addr = strings.TrimSpace(addr); addr != "" {
				addrs = append(addrs, addr)
			}
		}
		return addrs, nil
	}
	path, err := a.socket()
	if err != nil {
		return nil, err
	}
	st, err := admin.NewClient(path).Status(ctx)
	if err != nil {
		return nil, err
	}
	var addrs []string
	for _, b := range st.Brokers {
		for _, e := range b.Endpoints {
			if _, addr, ok := strings.Cut(e, "://"); ok {
				addrs = append(addrs, addr)
			}
		}
	}
	if len(addrs) == 0 {
		return nil, admin.Unreachable("the Baton at %s knows no broker; give --bootstrap-server", path)
	}
	return addrs, nil
}

// elect asks where it has to, holds the elections and says what came of them.
func (a *app) elect(cluster elector, unclean bool, f *electFlags, named []partition.ID) error {
	ids := named
	if unclean || len(named) == 0 {
		there, err := cluster.Partitions(topicsOf(f, named))
		if err != nil {
			return admin.Unreachable("asking for the partitions: %w", err)
		}
		if len(named) == 0 {
			for _, p := range there {
				ids = append(ids, p.ID)
			}
		}
		if len(ids) == 0 && !f.all {
			return fmt.Errorf("there are no partitions to elect leaders for")
		}
		if unclean && len(ids) > 0 {
			if err := a.confirm(uncleanPlan(ids, there)); err != nil {
				return err
			}
		}
	}
	var results []elected
	if len(ids) > 0 {
		var err error
		if results, err = cluster.Elect(unclean, ids); err != nil {
			return err
		}
	}
	out := electOutput{Type: "PREFERRED", Elected: []string{}, NotNeeded: []string{}, Failed: []failedElection{}}
	if unclean {
		out.Type = "UNCLEAN"
	}
	for _, r := range results {
		switch {
		case r.Error == "":
			out.Elected = append(out.Elected, r.ID.String())
		case !r.NotNeeded:
			out.Failed = append(out.Failed, failedElection{r.ID.String(), r.Error, r.Message})
		case !f.all: // Kafka does not list those either
			out.NotNeeded = append(out.NotNeeded, r.ID.String())
		}
	}
	if err := a.print(out, out.table); err != nil {
		return err
	}
	switch n := len(out.Failed); {
	case n == 0:
		return nil
	case n < len(ids):
		return admin.Partly("%d of %d partitions could not be elected", n, len(ids))
	default:
		return fmt.Errorf("%d replica(s) could not be elected", n)
	}
}

// topicsOf lists the topics to be described, none for all of them.
func topicsOf(f *electFlags, named []partition.ID) []string {
	var topics []string
	for _, id := range named {
		topics = append(topics, id.Topic)
	}
	if f.topic != "" {
		topics = append(topics, f.topic)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// mostShown is how many partitions a question lists.
const mostShown = 20

// uncleanPlan says what an unclean election may cost, and where.
func uncleanPlan(ids []partition.ID, there []described) string {
	asked := map[partition.ID]bool{}
	for _, id := range ids {
		asked[id] = true
	}
	var lines []string
	for _, p := range there {
		if asked[p.ID] && p.Leader < 0 {
			lines = append(lines, fmt.Sprintf("      %v has no leader: in sync were %v of %v, offline are %v", p.ID, p.ISR, p.Replicas, p.Offline))
		}
	}
	plan := fmt.Sprintf("Plan: unclean elections for %d partitions, of which %d have no leader now; the others keep theirs.\n"+
		"      Where nobody of the in-sync replicas is alive, the first live replica leads. Records that it lacks are lost\n"+
		"      for good, acknowledged ones too, and the old replicas drop them when they return.", len(ids), len(lines))
	if n := len(lines); n > mostShown {
		lines = append(lines[:mostShown], fmt.Sprintf("      and %d more", n-mostShown))
	}
	return strings.Join(append([]string{plan}, lines...), "\n")
}

// table writes Kafka's sentences.
func (o electOutput) table(w io.Writer) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	if len(o.Elected) > 0 {
		line("Successfully completed leader election (%s) for partitions %s", o.Type, strings.Join(o.Elected, ", "))
	}
	if len(o.NotNeeded) > 0 {
		line("Valid replica already elected for partitions %s", strings.Join(o.NotNeeded, ", "))
	}
	for _, f := range o.Failed {
		text := f.Error
		if f.Message != "" {
			text += ": " + f.Message
		}
		line("Error completing leader election (%s) for partition: %s: %s", o.Type, f.Partition, text)
	}
}
