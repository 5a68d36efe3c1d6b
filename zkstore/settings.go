package zkstore

import (
	"context"

	"baton/planner"
)

// settingsSlice is how many topic configurations are read before other news is looked at.
const settingsSlice = 512

// need says why a topic's configuration is to be read.
type need int

const (
	needNews    need = iota // it has changed
	needAsked               // delivered whatever is found
	needUnasked             // no event asked for it: a change was not reported
)

// settingsStamp is what was delivered of a configuration.
type settingsStamp struct {
	stamp
	bad string
}

// WatchTopicConfig has a topic's configuration delivered, now and whenever it changes.
// All deliveries come from Run, so that none overtakes a newer one.
func (st *Store) WatchTopicConfig(topic string) {
	st.mu.Lock()
	st.dirty.configs[topic] = needAsked
	st.mu.Unlock()
	signal(st.wake)
}

// readUnclean reads a configuration's unclean.leader.election.enable and has changes of
// it reported.
func (st *Store) readUnclean(ctx context.Context, path string) (unclean *bool, found settingsStamp, err error) {
	n, err := st.s.getW(ctx, path)
	if err != nil && classify(err) != classRefused {
		return nil, settingsStamp{}, err
	}
	if err == nil && n.exists {
		found.stamp = stampOf(n)
		unclean, err = decodeUnclean(n.data)
	}
	if err != nil {
		found.bad = err.Error()
	}
	return unclean, found, nil
}

func (st *Store) readDefaults(ctx context.Context) (planner.DefaultsChanged, settingsStamp, error) {
	unclean, found, err := st.readUnclean(ctx, pathBrokerDefaults)
	return planner.DefaultsChanged{Unclean: unclean, Bad: found.bad}, found, err
}

func (r *runner) defaults(ctx context.Context) (changed bool, err error) {
	d, found, err := r.st.readDefaults(ctx)
	if err != nil || found == r.st.known.defaults {
		return false, err
	}
	r.st.known.defaults = found
	r.sink(d)
	return true, nil
}

// wantConfigs notes which configurations are to be read; with all, those that were ever
// asked for.
func (r *runner) wantConfigs(news map[string]need, all bool) {
	if all {
		for topic := range r.st.known.configs {
			if _, waits := r.configs[topic]; !waits {
				r.configs[topic] = needUnasked
			}
		}
	}
	for topic, n := range news {
		if _, asked := r.st.known.configs[topic]; !asked && n != needAsked {
			continue // its topic is gone
		}
		if r.configs[topic] != needAsked {
			r.configs[topic] = n
		}
	}
}

// someConfigs reads one slice of the configurations that wait.
func (r *runner) someConfigs(ctx context.Context) error {
	topics := sortedKeys(r.configs)
	topics = topics[:min(len(topics), settingsSlice)]
	reads := make([]planner.TopicConfigRead, len(topics))
	stamps := make([]settingsStamp, len(topics))
	err := parallel(ctx, len(topics), r.st.s.cfg.reads(), func(ctx context.Context, i int) (err error) {
		reads[i].Topic = topics[i]
		reads[i].Unclean, stamps[i], err = r.st.readUnclean(ctx, topicConfigPath(topics[i]))
		reads[i].Bad = stamps[i].bad
		return err
	})
	if err != nil {
		return err
	}
	for i, topic := range topics {
		known, ok := r.st.known.configs[topic]
		why := r.configs[topic]
		delete(r.configs, topic)
		r.st.known.configs[topic] = stamps[i]
		changed := !ok || known != stamps[i]
		if changed && why == needUnasked {
			r.unreported(false, topicConfigPath(topic))
		}
		if changed || why == needAsked {
			r.sink(reads[i])
		}
	}
	return nil
}

// preferred delivers /admin/preferred_replica_election once for each time it is written.
func (r *runner) preferred(ctx context.Context) (changed bool, err error) {
	n, err := r.st.s.getW(ctx, pathPreferred)
	refused := classify(err) == classRefused
	if err != nil && !refused {
		return false, err
	}
	ev := planner.PreferredRequested{Exists: n.exists || refused}
	var found settingsStamp
	switch {
	case refused:
		found.bad = err.Error()
	case n.exists:
		found.stamp = stampOf(n)
		if ev.Partitions, err = decodePreferred(n.data); err != nil {
			found.bad = err.Error()
		}
	}
	if found == r.st.known.preferred {
		return false, nil
	}
	ev.Bad = found.bad
	r.st.known.preferred = found
	r.sink(ev)
	return true, nil
}
