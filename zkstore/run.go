package zkstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"baton/planner"

	"github.com/go-zookeeper/zk"
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
	r := &runner{st: st, sink: sink, topics: map[string]bool{}, configs: map[string]need{}, quotas: map[string]bool{}}
	tick := time.NewTicker(reconcileEvery / reconcileSteps)
	defer tick.Stop()
	for {
		for r.busy || len(r.topics) > 0 || len(r.configs) > 0 || len(r.quotas) > 0 {
			r.busy = false
			if err := r.step(ctx, st.takeDirt()); err != nil {
				return fmt.Errorf("following the cluster: %w", err)
			}
		}
		select {
		case <-st.wake:
			r.busy = true
		case <-tick.C:
			r.watchTopics()
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
	st      *Store
	sink    func(planner.Event)
	busy    bool
	topics  map[string]bool // waiting to be read; true: no event asked for it
	configs map[string]need // topics whose configurations wait to be read
	quotas  map[string]bool // entities whose quotas wait to be read
	round   []string        // topics of the running reconcile that are still to come
	slice   int             // how many of them in each step
	ticks   int
	watches bool // topics' watches have been asked for
}

// step reads what is dirty, the most urgent first.
func (r *runner) step(ctx context.Context, d dirt) error {
	st := r.st
	if d.role || d.resync {
		if err := st.checkRole(ctx, st.s.getW); err != nil {
			return err
		}
	}
	unasked := d.unasked || d.resync
	lists := []struct {
		dirty bool
		read  func(context.Context) (changed bool, err error)
		below bool
		paths []string
	}{
		{d.brokers || d.rereadBrokers, func(ctx context.Context) (bool, error) { return r.brokers(ctx, d.rereadBrokers) }, true, []string{pathBrokerIDs}},
		{d.defaults, r.defaults, false, []string{pathBrokerDefaults}},
		{d.preferred, r.preferred, false, []string{pathPreferred}},
		{d.configChanges, r.quotaChanges, false, []string{pathConfigChanges}},
		{d.work, r.work, false, []string{pathDeleteTopics, pathReassign}},
		{d.batons, r.batons, false, []string{pathBatonIDs}},
		{d.logDirs, r.logDirs, true, []string{pathLogDirEvents}},
		{d.isrChanges, r.isrChanges, true, []string{pathISRChanges}},
		{d.topicList, func(ctx context.Context) (bool, error) { return r.topicList(ctx, d.resync) }, false, []string{pathTopics}},
	}
	for _, l := range lists {
		if !l.dirty && !d.resync {
			continue
		}
		changed, err := l.read(ctx)
		if err != nil {
			return err
		}
		if changed && unasked {
			r.unreported(l.below, l.paths...)
		}
	}
	for name := range d.topics {
		if st.known.topics[name] != nil {
			r.topics[name] = false
		}
	}
	if err := r.someTopics(ctx); err != nil {
		return err
	}
	r.wantConfigs(d.configs, unasked)
	if err := r.someConfigs(ctx); err != nil {
		return err
	}
	return r.someQuotas(ctx)
}

func (r *runner) brokers(ctx context.Context, asked bool) (changed bool, err error) {
	if asked {
		// Somebody has seen more than our server has.
		if err := r.st.s.sync(ctx); err != nil {
			return false, err
		}
	}
	ev, stamps, err := r.st.readBrokers(ctx)
	if err != nil {
		return false, err
	}
	changed = !maps.Equal(stamps, r.st.known.brokers)
	if asked || changed {
		r.st.known.brokers = stamps
		r.sink(ev)
	}
	return changed, nil
}

func (r *runner) work(ctx context.Context) (changed bool, err error) {
	w, err := r.st.readWork(ctx)
	if err != nil {
		return false, err
	}
	known := r.st.known.work
	changed = !slices.Equal(w.Deleting, known.Deleting) ||
		w.Reassigning.Exists != known.Reassigning.Exists || w.Reassigning.Zxid != known.Reassigning.Zxid || !slices.Equal(w.Bad, known.Bad)
	if changed {
		r.st.known.work = w
		r.sink(w)
	}
	return changed, nil
}

func (r *runner) batons(ctx context.Context) (changed bool, err error) {
	b, err := r.st.readBatons(ctx)
	if err != nil {
		return false, err
	}
	changed = !slices.Equal(b.IDs, r.st.known.batons.IDs) || !slices.Equal(b.Bad, r.st.known.batons.Bad)
	if changed {
		r.st.known.batons = b
		r.sink(b)
	}
	return changed, nil
}

// logDirs delivers each notification once. One that cannot be understood stays where it
// is, watched, in case somebody mends it.
func (r *runner) logDirs(ctx context.Context) (changed bool, err error) {
	names, err := r.st.s.childrenW(ctx, pathLogDirEvents)
	if err != nil {
		return false, err
	}
	sortNames(names)
	var ev planner.LogDirFailed
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if r.st.known.logDirs[name] {
			seen[name] = true
			continue
		}
		path := childPath(pathLogDirEvents, name)
		n, err := r.st.s.getExistingW(ctx, path)
		switch {
		case classify(err) == classRefused:
			ev.Bad = append(ev.Bad, planner.Bad{Path: path, Reason: err.Error()})
			continue
		case err != nil:
			return false, err
		case !n.exists:
			continue
		}
		broker, err := decodeLogDirEvent(n.data)
		if err != nil {
			ev.Bad = append(ev.Bad, planner.Bad{Path: path, Reason: err.Error()})
			continue
		}
		seen[name] = true
		ev.Paths = append(ev.Paths, path)
		if !slices.Contains(ev.Brokers, broker) {
			ev.Brokers = append(ev.Brokers, broker)
		}
	}
	changed = len(ev.Paths) > 0 || !slices.Equal(ev.Bad, r.st.known.badDirs)
	r.st.known.logDirs, r.st.known.badDirs = seen, ev.Bad
	if changed {
		r.sink(ev)
	}
	return changed, nil
}

// topicList finds new and missing topics; with all, the others are read as well.
func (r *runner) topicList(ctx context.Context, all bool) (changed bool, err error) {
	names, err := r.st.s.childrenW(ctx, pathTopics)
	if err != nil {
		return false, err
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
		changed = changed || r.st.known.topics[name] == nil
		if _, waits := r.topics[name]; !waits && (all || r.st.known.topics[name] == nil) {
			r.topics[name] = all
		}
	}
	for name := range r.st.known.topics {
		if !there[name] {
			changed = true
			r.topics[name] = false // the read finds it gone, or back again
		}
	}
	return changed, nil
}

// unreported is called when a change was found without an event: unless the event is
// just on its way, its watch was lost over a reconnect, so it is set again, and what it
// watches is read once more.
func (r *runner) unreported(below bool, paths ...string) {
	r.st.s.arms.lost(below, paths...)
	for _, p := range paths {
		r.st.event(zk.Event{Type: zk.EventNodeDataChanged, Path: p})
	}
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
	for _, t := range ev.Topics {
		if r.topics[t.Name] {
			r.unreported(false, topicPath(t.Name))
		}
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

// watchTopics has all topics read once, which sets the watches that Load has left out.
func (r *runner) watchTopics() {
	if r.watches {
		return
	}
	r.watches = true
	for name := range r.st.known.topics {
		r.topics[name] = false
	}
}

// reconcile looks at a slice of everything, in case a watch did not report.
func (r *runner) reconcile() {
	if r.ticks%reconcileSteps == 0 {
		r.round = sortedKeys(r.st.known.topics)
		r.slice = (len(r.round) + reconcileSteps - 1) / reconcileSteps
		r.st.mu.Lock()
		d := &r.st.dirty
		d.role, d.brokers, d.topicList, d.work, d.batons, d.logDirs, d.unasked = true, true, true, true, true, true, true
		d.defaults, d.preferred, d.isrChanges, d.configChanges = true, true, true, true
		r.st.mu.Unlock()
		r.busy = true
	}
	r.ticks++
	n := min(r.slice, len(r.round))
	for _, name := range r.round[:n] {
		if _, waits := r.topics[name]; !waits {
			r.topics[name] = true
		}
	}
	r.round = r.round[n:]
}
