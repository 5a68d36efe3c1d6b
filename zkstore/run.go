package zkstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"baton/planner"

	"go.uber.org/zap"
)

const (
	// topicSlice is how many topics are read before other news is looked at again: a
	// broker's death must not wait for ten thousand topics.
	topicSlice = 512
	// A full reconcile takes reconcileEvery, in reconcileSteps slices.
	reconcileEvery = 60 * time.Second
	reconcileSteps = 60
)

// Run delivers what changes after Load until the claim is over: epoch.ErrFenced,
// ErrRoleLost, ErrSession, or ctx's error.
func (st *Store) Run(ctx context.Context, sink func(planner.Event)) error {
	defer st.unsubscribe()
	r := &runner{st: st, sink: sink, topics: map[string]bool{}}
	tick := time.NewTicker(reconcileEvery / reconcileSteps)
	defer tick.Stop()
	for {
		for r.busy || len(r.topics) > 0 {
			r.busy = false
			if err := r.step(ctx, st.takeDirt()); err != nil {
				return fmt.Errorf("following the cluster: %w", err)
			}
		}
		select {
		case <-st.wake:
			r.busy = true
		case <-tick.C:
			r.reconcile()
		case <-st.s.done:
			return fmt.Errorf("following the cluster: %w", st.s.sessionError())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// runner is Run's state.
type runner struct {
	st     *Store
	sink   func(planner.Event)
	busy   bool
	topics map[string]bool // waiting to be read
	round  []string        // topics of the running reconcile that are still to come
	slice  int             // how many of them in each step
	ticks  int
}

// step reads what is dirty, the most urgent first.
func (r *runner) step(ctx context.Context, d dirt) error {
	st := r.st
	if d.role || d.resync {
		if err := st.checkRole(ctx, st.s.getW); err != nil {
			return err
		}
	}
	if d.brokers || d.resync || d.rereadBrokers {
		if err := r.brokers(ctx, d.rereadBrokers); err != nil {
			return err
		}
	}
	if d.work || d.resync {
		if err := r.work(ctx); err != nil {
			return err
		}
	}
	if d.batons || d.resync {
		if err := r.batons(ctx); err != nil {
			return err
		}
	}
	if d.logDirs || d.resync {
		if err := r.logDirs(ctx); err != nil {
			return err
		}
	}
	if d.topicList || d.resync {
		if err := r.topicList(ctx, d.resync); err != nil {
			return err
		}
	}
	for name := range d.topics {
		if st.known.topics[name] != nil {
			r.topics[name] = true
		}
	}
	return r.someTopics(ctx)
}

func (r *runner) brokers(ctx context.Context, asked bool) error {
	if asked {
		// Somebody has seen more than our server has.
		if err := r.st.s.sync(ctx); err != nil {
			return err
		}
	}
	ev, stamps, err := r.st.readBrokers(ctx)
	if err != nil {
		return err
	}
	if asked || !maps.Equal(stamps, r.st.known.brokers) {
		r.st.known.brokers = stamps
		r.sink(ev)
	}
	return nil
}

func (r *runner) work(ctx context.Context) error {
	w, err := r.st.readWork(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(w.Deleting, r.st.known.work.Deleting) || !slices.Equal(w.Reassigning, r.st.known.work.Reassigning) {
		r.st.known.work = w
		r.sink(w)
	}
	return nil
}

func (r *runner) batons(ctx context.Context) error {
	ids, err := r.st.readBatons(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(ids, r.st.known.batons) {
		r.st.known.batons = ids
		r.sink(planner.BatonsChanged{IDs: ids})
	}
	return nil
}

func (r *runner) logDirs(ctx context.Context) error {
	names, err := r.st.s.childrenW(ctx, pathLogDirEvents)
	if err != nil {
		return err
	}
	sortNames(names)
	var ev planner.LogDirFailed
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		seen[name] = true
		if r.st.known.logDirs[name] {
			continue
		}
		path := childPath(pathLogDirEvents, name)
		n, err := r.st.s.get(ctx, path)
		if err != nil {
			return err
		}
		if !n.exists {
			continue
		}
		broker, err := decodeLogDirEvent(n.data)
		if err != nil {
			r.st.s.log.Warn("cannot understand a znode", zap.String("path", path), zap.Error(err))
			continue
		}
		ev.Paths = append(ev.Paths, path)
		if !slices.Contains(ev.Brokers, broker) {
			ev.Brokers = append(ev.Brokers, broker)
		}
	}
	r.st.known.logDirs = seen
	if len(ev.Paths) > 0 {
		r.sink(ev)
	}
	return nil
}

// topicList finds new and missing topics; with all, the others are read as well.
func (r *runner) topicList(ctx context.Context, all bool) error {
	names, err := r.st.s.childrenW(ctx, pathTopics)
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
		if all || r.st.known.topics[name] == nil {
			r.topics[name] = true
		}
	}
	for name := range r.st.known.topics {
		if !there[name] {
			r.topics[name] = true // the read finds it gone, or back again
		}
	}
	return nil
}

// someTopics reads one slice of the topics that wait.
func (r *runner) someTopics(ctx context.Context) error {
	if len(r.topics) == 0 {
		return nil
	}
	names := sortedKeys(r.topics)
	names = names[:min(len(names), topicSlice)]
	ev, err := r.st.readTopics(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		delete(r.topics, name)
	}
	again := func(name string) bool {
		return slices.ContainsFunc(ev.Topics, func(t planner.TopicRead) bool { return t.Name == name })
	}
	if slices.ContainsFunc(ev.Gone, again) {
		r.sink(planner.TopicsChanged{Gone: ev.Gone})
		ev.Gone = nil
	}
	if len(ev.Topics)+len(ev.Gone) > 0 {
		r.sink(ev)
	}
	return nil
}

// reconcile looks at a slice of everything, in case a watch did not report.
func (r *runner) reconcile() {
	if r.ticks%reconcileSteps == 0 {
		r.round = sortedKeys(r.st.known.topics)
		r.slice = (len(r.round) + reconcileSteps - 1) / reconcileSteps
		r.st.mu.Lock()
		d := &r.st.dirty
		d.role, d.brokers, d.topicList, d.work, d.batons, d.logDirs = true, true, true, true, true, true
		r.st.mu.Unlock()
		r.busy = true
	}
	r.ticks++
	n := min(r.slice, len(r.round))
	for _, name := range r.round[:n] {
		r.topics[name] = true
	}
	r.round = r.round[n:]
}
