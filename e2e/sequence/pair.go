package sequence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"baton/e2e/kafka"
)

// Pair is two clusters of the same brokers.
type Pair struct {
	Kafka, Baton *Site
}

// agrees bounds how long the last news, of a configuration for instance, may take to come to all brokers.
const agrees = 30 * time.Second

// Play does the same operations to both clusters, which have to be empty, and lists what differs: answers, and how they end. It
// leaves them empty again. An error says that one of them did not get to where its operations lead.
func (p Pair) Play(ctx context.Context, ops []Op) (diffs []string, err error) {
	var said [2][]string
	var models [2]*Model
	err = p.both(func(i int, s *Site) error {
		if err := s.Begin(); err != nil {
			return err
		}
		models[i] = NewModel(s.brokers()...)
		var err error
		said[i], err = s.Run(ctx, models[i], ops)
		return err
	})
	for i := range min(len(said[0]), len(said[1])) {
		if !sameAnswer(said[0][i], said[1][i]) {
			diffs = append(diffs, fmt.Sprintf("operation %d, %v:\n  Kafka %s\n  Baton %s", i+1, ops[i], said[0][i], said[1][i]))
		}
	}
	if err != nil {
		return diffs, err
	}
	diffs = append(diffs, p.differ(ctx, Allowed(ops))...)
	if err := p.both(func(i int, s *Site) error { return s.CleanUp(ctx, models[i]) }); err != nil {
		return diffs, err
	}
	for _, d := range p.differ(ctx, nil) {
		diffs = append(diffs, "after cleaning up: "+d)
	}
	return diffs, nil
}

func (p Pair) both(do func(i int, s *Site) error) error {
	var errs [2]error
	var wg sync.WaitGroup
	for i, s := range []*Site{p.Kafka, p.Baton} {
		wg.Go(func() { errs[i] = do(i, s) })
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}

// differ waits until the clusters are equal and lists what is different to the end.
func (p Pair) differ(ctx context.Context, allowed map[ID]Range) (diffs []string) {
	ctx, cancel := context.WithTimeout(ctx, agrees)
	defer cancel()
	err := kafka.Eventually(ctx, "both clusters to be equal", func(ctx context.Context) (bool, error) {
		var now [2]Snapshot
		err := p.both(func(i int, s *Site) (err error) {
			now[i], err = s.Observe(ctx)
			return err
		})
		if err != nil {
			return false, err
		}
		diffs = Compare(now[0], now[1], allowed)
		return len(diffs) == 0, errors.New(strings.Join(diffs, "\n"))
	})
	if err != nil && len(diffs) == 0 {
		diffs = []string{err.Error()}
	}
	return diffs
}

func (s *Site) brokers() (ids []int32) {
	for _, b := range s.Cluster.Brokers {
		ids = append(ids, int32(b.ID()))
	}
	return ids
}
