package stories

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
	"baton/e2e/sequence"
)

// The same operations end the same under Kafka's own controller and under Baton: every znode, and what every broker says. 20 seeds,
// 300 in a soak; BATON_SEQUENCE_SEED chooses others.
func TestSequences(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real Kafka")
	}
	kafka.RequireJava(t)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Hour)
	defer cancel()
	pair := startPair(ctx, t)
	kinds := map[sequence.Kind]int{}
	for _, seed := range seeds(t) {
		ops := sequence.Generate(seed, 1, 2, 3, 4)
		began := time.Now()
		diffs, err := pair.Play(ctx, ops)
		if len(diffs) > 0 || err != nil {
			t.Errorf("seed %d (BATON_SEQUENCE_SEED=%d):\n%s%s", seed, seed, sequence.Describe(ops), strings.Join(diffs, "\n"))
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("seed %d: %d operations, %.1f s", seed, len(ops), time.Since(began).Seconds())
		for _, o := range ops {
			kinds[o.Kind]++
		}
	}
	for _, k := range sequence.Kinds {
		t.Logf("%4d × %s", kinds[k], k)
	}
}

// seeds are those of BATON_SEQUENCE_SEED, some and ranges of them as 7,21-60, else the first ones.
func seeds(t *testing.T) (out []uint64) {
	usual := "1-20"
	if os.Getenv("BATON_SOAK") == "1" {
		usual = "1-300"
	}
	asked := cmp.Or(os.Getenv("BATON_SEQUENCE_SEED"), usual)
	for _, some := range strings.Split(asked, ",") {
		from, to, isRange := strings.Cut(some, "-")
		if !isRange {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 64)
		last, err2 := strconv.ParseUint(to, 10, 64)
		if err := errors.Join(err, err2); err != nil || last < first {
			t.Fatalf("BATON_SEQUENCE_SEED=%s: want numbers or ranges as 7,21-60 (%v)", asked, err)
		}
		for seed := first; seed <= last; seed++ {
			out = append(out, seed)
		}
	}
	return out
}

// named keeps the logs of two clusters of one test apart.
type named struct {
	*testing.T
	name string
}

func (n named) Name() string { return n.T.Name() + "/" + n.name }

func startPair(ctx context.Context, t *testing.T) sequence.Pair {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	o := kafka.Options{
		Version: kafka.DefaultVersion, IBP: "3.9", // whose newest requests are sent
		Brokers: 4, Racks: []string{"a", "b", "a", "b"}, LogDirs: 2,
		BrokerSession: 18 * time.Second, // nobody is missed by mistake
		Overrides: map[string]string{
			"controlled.shutdown.retry.backoff.ms": "100", "log.segment.delete.delay.ms": "200",
			"replica.fetch.wait.max.ms": "100", "replica.fetch.backoff.ms": "100",
		},
	}
	pair := sequence.Pair{Kafka: &sequence.Site{Name: "Kafka"}, Baton: &sequence.Site{Name: "Baton"}}
	errs := make(chan error, 2)
	for _, s := range []*sequence.Site{pair.Kafka, pair.Baton} {
		go func() {
			var err error
			s.Cluster, err = kafka.New(ctx, named{t, s.Name}, o)
			errs <- err
		}()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	s := &story{T: t, ctx: ctx, cluster: pair.Baton.Cluster}
	pair.Baton.Baton = batonproc.Start(t, batonproc.Options{Cluster: s.cluster})
	s.must(pair.Baton.Baton.WaitReady(ctx))
	s.must(s.knownAsController(pair.Baton.Baton))
	return pair
}
