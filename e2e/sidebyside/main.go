// Command sidebyside times Kafka's own controller and Baton at the same work, on the same machine, in the same run: a real
// ZooKeeper, stub brokers that answer at once, and a real broker, which is the controller or sits beside Baton.
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

func run() error {
	sizes := flag.String("partitions", "10000,100000", "sizes of the cluster")
	stubs := flag.Int("brokers", 5, "stub brokers")
	runs := flag.Int("runs", 3, "how often each contender plays, in turns")
	who := flag.String("contenders", "kafka,tuned,baton", "who plays")
	storm := flag.Int("storm", 10_000, "partitions to create at once")
	out := flag.String("json", "", "file for all figures")
	picture := flag.String("svg", "", "file for a plot")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var all []result
	names := strings.Split(*who, ",")
	for _, size := range strings.Split(*sizes, ",") {
		partitions, err := strconv.Atoi(size)
		if err != nil || partitions%perTopic != 0 {
			return fmt.Errorf("-partitions %q: expected multiples of %d", size, perTopic)
		}
		for n := range *runs {
			for _, name := range names {
				i := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
				if i < 0 {
					return fmt.Errorf("-contenders %q: expected kafka, tuned and baton", name)
				}
				fmt.Fprintf(os.Stderr, "%s partitions, run %d of %d: %s\n", size, n+1, *runs, name)
				err := round(ctx, contenders[i], newLayout(partitions, *stubs), *storm, func(r result) {
					fmt.Fprintf(os.Stderr, "  %-36s %8.3f s, CPU %6.2f + %6.2f s, %7d requests, %6.1f MB\n", r.Scenario, r.Seconds, r.ControllerCPU,
						r.ZooKeeperCPU, r.Requests, float64(r.Bytes)/1e6)
					all = append(all, r)
				})
				if err != nil {
					return fmt.Errorf("%s at %s partitions: %w", name, size, err)
				}
			}
		}
	}
	err := errors.Join(
		file(*out, func(w io.Writer) error { return json.NewEncoder(w).Encode(all) }),
		file(*picture, func(w io.Writer) error { return plot(w, all, names) }))
	return errors.Join(err, table(os.Stdout, all, names))
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

// round is one contender playing all scenarios.
func round(ctx context.Context, who contender, l layout, storm int, report func(result)) (err error) {
	env, err := kafka.NewRun("sidebyside-"+who.name, func(string, ...any) {})
	if err != nil {
		return err
	}
	defer env.Close()
	defer func() {
		if err != nil {
			env.Fail()
		}
	}()
	size := fmt.Sprintf("%d on %d", l.partitions, len(l.brokers))
	r, err := newRig(ctx, env, who, l, size, report)
	if err != nil {
		return err
	}
	return r.play(ctx, storm)
}
