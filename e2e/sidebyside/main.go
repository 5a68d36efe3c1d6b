// Command sidebyside times Kafka's own controller and Baton at the same work, on the same machine, in the same run: a real
// ZooKeeper, stub brokers that answer at once, and a real broker, which is the controller or sits beside Baton. What clients
// see of it is timed with real brokers only.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"baton/e2e/kafka"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sidebyside:", err)
		os.Exit(1)
	}
}

// flags are what is to be played, and where the figures go.
type flags struct {
	sizes, stubs []int
	runs         int
	who          []*contender
	options      options
	real         int
	from         []string
	json, svg    string
	page         string
}

func parse(args []string) (f flags, err error) {
	set := flag.NewFlagSet("sidebyside", flag.ContinueOnError)
	sizes := set.String("partitions", "10000,100000", "`sizes` of the cluster, multiples of "+strconv.Itoa(perTopic)+"; none: stubs are left out")
	stubs := set.String("brokers", "5", "`numbers` of stub brokers")
	who := set.String("contenders", "kafka,tuned,baton", "who plays; tuned plays "+strings.Join(contenders[1].only, ", ")+" only")
	names := make([]string, len(scenarios))
	usage := "which scenarios are played:"
	for i, s := range scenarios {
		names[i] = s.name
		usage += fmt.Sprintf("\n%s: %s", s.name, s.what)
	}
	chosen := set.String("scenarios", strings.Join(names, ","), usage)
	set.IntVar(&f.runs, "runs", 3, "how often each contender plays, in turns")
	set.IntVar(&f.options.storm, "storm", 10_000, "partitions to create at once")
	set.IntVar(&f.options.zooKeepers, "zookeepers", 1, "servers of the ensemble, 1 or 3")
	set.BoolVar(&f.options.alone, "alone", false, "no real broker beside Baton: for sizes at which it would need more memory than there is")
	set.IntVar(&f.real, "real", 0, "`partitions` on three real brokers, of which one and the controller are killed; 0: none")
	from := set.String("from", "", "`files` with figures of earlier runs, which are reported with those of this one")
	set.StringVar(&f.json, "json", "", "`file` for all figures")
	set.StringVar(&f.svg, "svg", "", "`file` for a plot")
	set.StringVar(&f.page, "page", "", "Markdown `file` whose part between the lines "+pageBegin+" and "+pageEnd+" becomes the tables")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if f.sizes, err = numbers("partitions", *sizes, perTopic); err != nil {
		return f, err
	}
	if f.stubs, err = numbers("brokers", *stubs, 1); err != nil {
		return f, err
	}
	for _, name := range list(*who) {
		i := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
		if i < 0 {
			return f, fmt.Errorf("-contenders %q: expected kafka, tuned and baton", name)
		}
		f.who = append(f.who, &contenders[i])
	}
	for _, name := range list(*chosen) {
		if !slices.Contains(names, name) {
			return f, fmt.Errorf("-scenarios %q: expected some of %s", name, strings.Join(names, ", "))
		}
		f.options.scenarios = append(f.options.scenarios, name)
	}
	if f.options.alone && slices.ContainsFunc(f.who, func(c *contender) bool { return !c.baton }) {
		return f, errors.New("-alone is for -contenders baton")
	}
	f.options.compared = len(f.who) > 1
	f.from = list(*from)
	return f, nil
}

func list(s string) []string {
	return slices.DeleteFunc(strings.Split(s, ","), func(s string) bool { return s == "" || s == "none" })
}

func numbers(name, s string, of int) (out []int, err error) {
	for _, field := range list(s) {
		n, err := strconv.Atoi(field)
		if err != nil || n <= 0 || n%of != 0 {
			return nil, fmt.Errorf("-%s %q: expected multiples of %d", name, field, of)
		}
		out = append(out, n)
	}
	return out, nil
}

func run() error {
	f, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var all []result
	for _, name := range f.from {
		earlier, err := read(name)
		if err != nil {
			return err
		}
		all = append(all, earlier...)
	}
	played := f.play(ctx, func(r result) {
		fmt.Fprintln(os.Stderr, " ", r)
		all = append(all, r)
	})
	// What was measured before something failed is reported all the same.
	return errors.Join(played,
		file(f.json, func(w io.Writer) error { return json.NewEncoder(w).Encode(all) }),
		file(f.svg, func(w io.Writer) error { return plot(w, all) }),
		page(f.page, all),
		text(os.Stdout, report(all)))
}

func read(name string) (all []result, err error) {
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

// file writes one, if it has a name.
func file(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// play has the contenders take turns.
func (f *flags) play(ctx context.Context, report func(result)) error {
	for _, stubs := range f.stubs {
		for _, partitions := range f.sizes {
			o := f.options
			o.partitions, o.brokers = partitions, stubs
			err := f.turns(o.size(), report, func(env *kafka.Run, who *contender, report func(result)) error {
				return round(ctx, env, who, o, report)
			})
			if err != nil {
				return err
			}
		}
	}
	if f.real == 0 {
		return nil
	}
	return f.turns(realSize(f.real), report, func(env *kafka.Run, who *contender, report func(result)) error {
		if who.name == "tuned" {
			return nil
		}
		return realRound(ctx, env, who, f.real, report)
	})
}

func (f *flags) turns(size string, report func(result), round func(env *kafka.Run, who *contender, report func(result)) error) error {
	for n := range f.runs {
		for _, who := range f.who {
			load := loadAverage()
			fmt.Fprintf(os.Stderr, "%s, run %d of %d: %s (load %.2f)\n", size, n+1, f.runs, who.name, load)
			env, err := kafka.NewRun("sidebyside-"+who.name, func(string, ...any) {})
			if err != nil {
				return err
			}
			err = round(env, who, func(r result) {
				r.Contender, r.Size, r.Run, r.Load = who.name, size, n+1, load
				report(r)
			})
			if err != nil {
				env.Fail()
			}
			env.Close()
			if err != nil {
				return fmt.Errorf("%s at %s: %w", who.name, size, err)
			}
		}
	}
	return nil
}

// round is one contender playing all scenarios with stubs.
func round(ctx context.Context, env *kafka.Run, who *contender, o options, report func(result)) error {
	r, err := newRig(ctx, env, who, o, report)
	if err != nil {
		return err
	}
	return r.play(ctx)
}
