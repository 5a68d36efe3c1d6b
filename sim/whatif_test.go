package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/load"
	"baton/partition"
	"baton/snapshot"
	"baton/whatif"
)

// TestWhatIf: what `controller whatif` says of a quiet world is what then really happens, leader by leader and ISR by ISR.
// Each seed makes a world of 3 to 5 brokers and some topics with settings of their own, has some brokers gone or behind,
// takes a snapshot, asks, then kills these brokers and compares with what is in ZooKeeper.
func TestWhatIf(t *testing.T) {
	n := 200 / slower
	if testing.Short() {
		n = min(n, 8)
	}
	if env, err := strconv.Atoi(os.Getenv("BATON_WHATIF_SEEDS")); err == nil {
		n = env
	}
	if *count > 0 {
		n = *count
	}
	if n == 1 || os.Getenv(childEnv) != "" {
		f := whatIfHere(t, *first, n)
		report, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(reportLine + string(report))
		return
	}
	var all whatIfFigures
	var mu sync.Mutex
	var wg sync.WaitGroup
	width := runtime.GOMAXPROCS(0)
	for i := range width { // each in a process with one thread, as in TestSeeds
		wg.Go(func() {
			f, err := whatIfChild(t, *first+uint64(i*n/width), (i+1)*n/width-i*n/width)
			mu.Lock()
			defer mu.Unlock()
			all.add(f)
			for _, what := range f.Failed {
				t.Error(what)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds: %d partitions compared, of which %d changed: %d leaders moved, %d went offline, %d under min ISR, %d unclean elections; %d not led before",
		all.Seeds, all.Partitions, all.Changed, all.Moves, all.Offline, all.Under, all.Loss, all.Unled)
	if n < 200 {
		return // the rarest, an unclean election, comes up once in some twenty seeds
	}
	for what, n := range map[string]int{"a leader that moves": all.Moves, "a partition that goes offline": all.Offline, "one that goes under min ISR": all.Under,
		"an unclean election": all.Loss, "a partition without a leader before": all.Unled} {
		if n == 0 {
			t.Errorf("no seed has had %s", what)
		}
	}
}

// whatIfFigures of many runs.
type whatIfFigures struct {
	Seeds, Partitions, Changed, Moves, Offline, Under, Loss, Unled int
	Failed                                                         []string `json:",omitempty"`
}

func (f *whatIfFigures) add(o whatIfFigures) {
	f.Seeds, f.Partitions, f.Changed, f.Moves = f.Seeds+o.Seeds, f.Partitions+o.Partitions, f.Changed+o.Changed, f.Moves+o.Moves
	f.Offline, f.Under, f.Loss, f.Unled = f.Offline+o.Offline, f.Under+o.Under, f.Loss+o.Loss, f.Unled+o.Unled
	f.Failed = append(f.Failed, o.Failed...)
}

func whatIfChild(t *testing.T, from uint64, n int) (f whatIfFigures, err error) {
	out, err := inChild(t, "TestWhatIf", "-test.timeout=5m", fmt.Sprint("-seed=", from), fmt.Sprint("-seeds=", n))
	if found, bad := reported(out, &f); found {
		return f, bad
	}
	return f, fmt.Errorf("from seed %d: %w\n%s", from, err, out)
}

func whatIfHere(t *testing.T, from uint64, n int) (f whatIfFigures) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for i := range n {
		seed := from + uint64(i)
		var trace string
		var err error
		inBubble(t, func() { trace, err = askAndSee(Config{Seed: seed, Full: n == 1}, &f) })
		f.Seeds++
		if err != nil || n == 1 {
			if werr := os.WriteFile(traceFile(seed), []byte(trace), 0o600); werr != nil {
				t.Error(werr)
			}
		}
		if err != nil {
			f.Failed = append(f.Failed, fmt.Sprintf("seed %d: %v\n  trace: %s\n  again: go test ./sim -run TestWhatIf -seed %d -seeds 1", seed, err, traceFile(seed), seed))
			t.Error(f.Failed[len(f.Failed)-1])
			if failFast() {
				break
			}
		}
	}
	return f
}

// askAndSee lives one seed.
func askAndSee(cfg Config, f *whatIfFigures) (trace string, err error) {
	w := newWorld(cfg)
	w.mix.rescues = "" // who would lead by measurement is not foretold
	if err := w.open(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	err = w.compareWhatIf(ctx, f)
	cancel()
	w.close()
	return w.trace.text(), err
}

// settings of the topics besides the first one, and how their partitions are placed.
func (w *world) moreTopics(ctx context.Context) error {
	cl, err := kgo.NewClient(w.clientOptions()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	for i := range 3 {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = fmt.Sprintf("u%d", i), -1, -1
		set := func(key, value string) {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = key, &value
			t.Configs = append(t.Configs, c)
		}
		unclean := i > 0 && w.rng.IntN(2) == 0
		if unclean || w.rng.IntN(2) == 0 {
			set("unclean.leader.election.enable", fmt.Sprint(unclean))
		}
		if w.rng.IntN(2) == 0 {
			set("min.insync.replicas", fmt.Sprint(1+w.rng.IntN(3)))
		}
		for n := range int32(6) {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Partition = n
			for _, b := range w.rng.Perm(len(w.brokers))[:1+w.rng.IntN(3)] {
				a.Replicas = append(a.Replicas, w.brokers[b].b.ID())
			}
			if n > 0 { // Kafka wants all partitions of a creation to have as many replicas
				a.Replicas = resize(w.rng, a.Replicas, len(t.ReplicaAssignment[0].Replicas), len(w.brokers))
			}
			t.ReplicaAssignment = append(t.ReplicaAssignment, a)
			w.history.AllowUnclean(partition.ID{Topic: t.Topic, Number: n}, unclean)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Errorf("creating topics: %w", err)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("creating %s: %w", t.Topic, err)
		}
	}
	return nil
}

// resize makes a list of replicas as long as it has to be.
func resize(rng *rand.Rand, replicas []int32, n, brokers int) []int32 {
	replicas = replicas[:min(n, len(replicas))]
	for _, b := range rng.Perm(brokers) {
		if id := int32(b + 1); len(replicas) < n && !slices.Contains(replicas, id) {
			replicas = append(replicas, id)
		}
	}
	return replicas
}

// quiet waits until no state has been written for a while.
func (w *world) quiet() error {
	writes, since := -1, time.Now()
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(250 * time.Millisecond) {
		if n := w.history.Writes(); n != writes {
			writes, since = n, time.Now()
		}
		if time.Since(since) > 9*time.Second {
			return w.broken()
		}
	}
	return fmt.Errorf("the world does not come to rest")
}

// compareWhatIf makes a world, asks, kills and compares.
func (w *world) compareWhatIf(ctx context.Context, f *whatIfFigures) error {
	if err := w.start(ctx); err != nil {
		return err
	}
	if err := w.moreTopics(ctx); err != nil {
		return err
	}
	if err := w.writeEverywhere(ctx); err != nil {
		return err
	}
	if err := w.unsettle(ctx); err != nil {
		return err
	}
	stop, cancelStop := context.WithCancel(ctx)
	cancelStop()
	_, _ = w.load.Stop(stop) // nothing is judged that it has written
	w.load = nil
	if err := w.quiet(); err != nil {
		return err
	}
	if w.deceptive() {
		w.healHosts()
		if err := w.quiet(); err != nil {
			return err
		}
	}
	doc, err := w.image(ctx)
	if err != nil {
		return err
	}
	victims := w.victims()
	told, err := whatif.Open(doc, whatif.Options{})
	if err != nil {
		return err
	}
	if err := told.Fail(victims...); err != nil {
		return err
	}
	result, err := whatif.Fail(doc, victims, whatif.Options{})
	if err != nil {
		return err
	}
	before := w.history.Writes()
	w.trace.add("step: %v fail, and %d partitions should change", victims, len(result.Changes))
	for _, id := range victims {
		w.crash(w.brokers[id-1], false)
	}
	for _, id := range victims { // at the same moment, as the question says
		w.expireBroker(w.brokers[id-1])
	}
	if err := w.quiet(); err != nil {
		return err
	}
	f.Partitions += result.Partitions
	f.Changed += len(result.Changes)
	f.Moves, f.Offline, f.Under = f.Moves+result.Totals.Moves, f.Offline+result.Totals.Offline, f.Under+result.Totals.Under
	f.Loss, f.Unled = f.Loss+result.Totals.Loss, f.Unled+result.Totals.StillOffline
	return w.asForetold(doc, told, result, w.history.Writes()-before)
}

// writeEverywhere starts a load on all topics and waits until it flows.
func (w *world) writeEverywhere(ctx context.Context) error {
	var to []load.Target
	for _, p := range w.history.Partitions() {
		to = append(to, load.Target{Topic: p.ID.Topic, Partition: p.ID.Number})
	}
	return w.produce(ctx, to)
}

// deceptive reports whether a broker that the others cannot reach is in an ISR with one of them: nothing was written, so its
// leader has not missed it yet. The next leader will, and nobody can know before.
func (w *world) deceptive() bool {
	cut := map[string]int{}
	for pair := range w.cuts {
		cut[pair[0]]++
	}
	for _, m := range w.brokers {
		if cut[m.host] == 0 {
			continue
		}
		for _, p := range w.history.Partitions() {
			if len(p.State.ISR) > 1 && slices.Contains(p.State.ISR, m.b.ID()) {
				return true
			}
		}
	}
	return false
}

// unsettle has something happen before the question: brokers that are gone, that were, or that are alive and behind.
func (w *world) unsettle(ctx context.Context) error {
	for range w.rng.IntN(3) {
		m := w.brokers[w.rng.IntN(len(w.brokers))]
		switch w.rng.IntN(3) {
		case 0:
			w.crash(m, false)
			w.expireBroker(m)
		case 1:
			w.crash(m, false)
			w.expireBroker(m)
			time.Sleep(time.Duration(w.rng.IntN(3000)) * time.Millisecond)
			w.revive(ctx, m)
		case 2: // its leaders drop it from their ISRs
			w.trace.add("step: %s is cut off from all other brokers", m.host)
			for _, o := range w.brokers {
				if o != m {
					w.cuts[[2]string{m.host, o.host}] = true
					w.net.Cut(m.host, o.host)
				}
			}
		}
		time.Sleep(time.Duration(w.rng.IntN(12_000)) * time.Millisecond)
	}
	return nil
}

// victims are one to all but one of the brokers.
func (w *world) victims() (out []int32) {
	for _, i := range w.rng.Perm(len(w.brokers))[:1+w.rng.IntN(len(w.brokers)-1)] {
		out = append(out, w.brokers[i].b.ID())
	}
	return out
}

// image is the snapshot of the Baton that leads.
func (w *world) image(ctx context.Context) (*snapshot.Document, error) {
	for _, b := range w.batons {
		if b.id != w.history.Role().Holder {
			continue
		}
		d, err := b.node.Snapshot(ctx, nil)
		if err != nil {
			return nil, err
		}
		// What a person does with it: it goes through the file.
		var text strings.Builder
		if err := d.Encode(&text); err != nil {
			return nil, err
		}
		return snapshot.Decode(strings.NewReader(text.String()))
	}
	return nil, fmt.Errorf("no Baton leads")
}

// asForetold compares ZooKeeper with what was said.
func (w *world) asForetold(doc *snapshot.Document, told *whatif.World, r *whatif.Result, writes int) error {
	var wrong []string
	changes := map[partition.ID]*whatif.Change{}
	for i := range r.Changes {
		changes[r.Changes[i].ID] = &r.Changes[i]
	}
	registered := w.history.Brokers()
	for _, p := range w.history.Partitions() {
		said, t := told.Partition(p.ID), doc.Topic(p.ID.Topic)
		if said == nil {
			wrong = append(wrong, fmt.Sprintf("%v is not in the snapshot", p.ID))
			continue
		}
		c := changes[p.ID]
		if c == nil {
			c = &whatif.Change{}
		}
		if n := len(said.State.ISR); c.Has(whatif.Loss) && len(p.State.ISR) > n && slices.Equal([]int32(said.State.ISR), p.State.ISR[:n]) {
			p.State.ISR = p.State.ISR[:n] // the new leader has taken in others that live, as they reach it and not the one before
		}
		if said.State.Leader != p.State.Leader || !slices.Equal(said.State.ISR, p.State.ISR) || int32(said.State.LeaderEpoch) != p.State.LeaderEpoch {
			wrong = append(wrong, fmt.Sprintf("%v: %v was said, it is %v", p.ID, said.State, p.State))
		}
		was := t.Partition(p.ID.Number)
		_, led := registered[p.State.Leader]
		wasLed := doc.Broker(was.Leader) != nil
		wasUnder, under := len(was.ISR) < int(t.MinISR.Value), len(p.State.ISR) < int(t.MinISR.Value)
		if c.Has(whatif.Offline) != (wasLed && !led) || c.Has(whatif.UnderMinISR) != (!wasUnder && under) ||
			c.Has(whatif.Moves) != (wasLed && led && was.Leader != p.State.Leader) || c.Has(whatif.Loss) != (was.Leader != p.State.Leader && led && !slices.Contains(was.ISR, p.State.Leader)) {
			wrong = append(wrong, fmt.Sprintf("%v: %v was said; it was %+v under min.insync.replicas %+v, and is %v", p.ID, c.Effects, *was, t.MinISR, p.State))
		}
	}
	if len(w.history.Partitions()) != r.Partitions {
		wrong = append(wrong, fmt.Sprintf("%d partitions were looked at, there are %d", r.Partitions, len(w.history.Partitions())))
	}
	if writes < len(r.Changes) {
		wrong = append(wrong, fmt.Sprintf("%d changes were said, %d states were written", len(r.Changes), writes))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("what was said is not what happened:\n  %s", strings.Join(wrong, "\n  "))
	}
	return nil
}
