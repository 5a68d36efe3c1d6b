package zkstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"baton/partition"
	"baton/planner"

	"go.uber.org/zap"
)

// sortNames orders child names, numbers by value.
func sortNames(names []string) {
	slices.SortFunc(names, func(a, b string) int {
		x, xok := parseID(a)
		y, yok := parseID(b)
		if xok && yok {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(a, b)
	})
}

// Load reads everything under the claim and has changes reported from then on. The
// claim was written on this session, so the server is not behind it. Topics are read without watches, which Run sets when
// brokers have been told: it reads them again then and delivers what has changed. After an error the Store is of no more use.
func (st *Store) Load(ctx context.Context) (*planner.Claimed, error) {
	fail := func(err error) (*planner.Claimed, error) {
		st.unsubscribe()
		return nil, fmt.Errorf("loading the cluster: %w", err)
	}
	c := &planner.Claimed{Fence: st.fence}
	if err := st.checkRole(ctx, st.s.getW); err != nil {
		return fail(err)
	}
	brokers, stamps, err := st.readBrokers(ctx)
	if err != nil {
		return fail(err)
	}
	c.Brokers, c.BadBrokers, c.BadIDs, st.known.brokers = brokers.Brokers, brokers.Bad, brokers.BadIDs, stamps
	batons, err := st.readBatons(ctx)
	if err != nil {
		return fail(err)
	}
	c.Batons, st.known.batons.IDs = batons.IDs, batons.IDs
	work, err := st.readWork(ctx)
	if err != nil {
		return fail(err)
	}
	c.Deleting, c.Reassigning, st.known.work = work.Deleting, work.Reassigning, work
	st.known.work.Bad = nil
	if c.Defaults, st.known.defaults, err = st.readDefaults(ctx); err != nil {
		return fail(err)
	}
	news, err := st.loadTopics(ctx)
	if err != nil {
		return fail(err)
	}
	c.Topics, c.States = news.Topics, news.States
	// They came over another connection, perhaps from a server that is ahead of ours; Run must not take its older ones for news.
	if err := st.s.sync(ctx); err != nil {
		return fail(err)
	}
	st.mu.Lock()
	// Run delivers what is there already and not part of Claimed.
	st.dirty.logDirs, st.dirty.isrChanges, st.dirty.batons, st.dirty.work, st.dirty.preferred, st.dirty.configChanges = true, true, true, true, true, true
	st.mu.Unlock()
	signal(st.wake)
	return c, nil
}

// loadTopics takes topics and states from the standby's image, if it is proven to be as of the claim, and else reads them.
func (st *Store) loadTopics(ctx context.Context) (planner.TopicsChanged, error) {
	// Before the image is proven: what changes later is reported.
	names, err := st.s.childrenW(ctx, pathTopics)
	if err != nil {
		return planner.TopicsChanged{}, err
	}
	begun := time.Now()
	img, why := st.s.takeImage(ctx, st.s.claimed.Load())
	st.s.cfg.Metrics.Loaded(why == nil)
	if why != nil {
		st.s.log.Info("topics and states are read: there is no image of them", zap.String("reason", why.Error()), zap.Int("topics", len(names)))
		return st.topicsAtOnce(ctx, names)
	}
	st.s.log.Info("topics and states are those of the standby's image", zap.Int("topics", len(img.topics)), zap.Int("partitions", img.partitions),
		zap.Duration("proof", time.Since(begun)))
	st.mu.Lock()
	st.dirty.topicList = true // created or deleted since the proof
	st.mu.Unlock()
	reads, nodes := img.reads()
	return st.compare(reads, nodes, func(ids []partition.ID) ([]planner.StateRead, error) { return img.readStates(ids, time.Now()), nil })
}

// topicsAtOnce reads many topics, without watches, and what readTopics reads.
func (st *Store) topicsAtOnce(ctx context.Context, names []string) (planner.TopicsChanged, error) {
	sortNames(names)
	reads := make([]planner.TopicRead, len(names))
	nodes := make([]node, len(names))
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = topicPath(name)
	}
	err := st.s.getMany(ctx, paths, topicsOfBatch, func(i int, n node, err error) { reads[i], nodes[i] = topicRead(names[i], n, err) })
	if err != nil {
		return planner.TopicsChanged{}, fmt.Errorf("reading topics: %w", err)
	}
	return st.compare(reads, nodes, func(ids []partition.ID) ([]planner.StateRead, error) { return st.ReadStates(ctx, ids) })
}

// readTopics reads topics, sees to it that their changes are reported, compares them with what is known, and returns what is
// new, with the states of partitions that are new. It updates what is known.
func (st *Store) readTopics(ctx context.Context, names []string) (planner.TopicsChanged, error) {
	sortNames(names)
	reads := make([]planner.TopicRead, len(names))
	nodes := make([]node, len(names))
	err := parallel(ctx, len(names), st.s.cfg.reads(), func(ctx context.Context, i int) (err error) {
		reads[i], nodes[i], err = st.readTopic(ctx, names[i])
		return err
	})
	if err != nil {
		return planner.TopicsChanged{}, err
	}
	return st.compare(reads, nodes, func(ids []partition.ID) ([]planner.StateRead, error) { return st.ReadStates(ctx, ids) })
}

// compare makes news of what was read of topics, given a way to read states.
func (st *Store) compare(reads []planner.TopicRead, nodes []node, states func([]partition.ID) ([]planner.StateRead, error)) (out planner.TopicsChanged, err error) {
	var ids []partition.ID
	for i, t := range reads {
		n, old := nodes[i], st.known.topics[t.Name]
		switch {
		case !n.exists && old == nil:
			continue
		case !n.exists:
			out.Gone = append(out.Gone, t.Name)
			continue
		case older(n, old):
			continue
		case old != nil && old.stamp == stampOf(n):
			continue
		case old != nil && old.czxid != 0 && old.czxid != n.stat.Czxid && t.Bad == "":
			// Deleted and created again: two changes, of which the first is to be seen too.
			out.Gone = append(out.Gone, t.Name)
			old = nil
		}
		out.Topics = append(out.Topics, t)
		for _, p := range t.Partitions {
			if old == nil || !old.numbers[p.Number] {
				ids = append(ids, partition.ID{Topic: t.Name, Number: p.Number})
			}
		}
	}
	found, err := states(ids)
	if err != nil {
		return out, err
	}
	out.States = slices.DeleteFunc(found, func(s planner.StateRead) bool { return !s.Exists })
	// Only now: if the states could not be read, nothing was delivered.
	for i, t := range reads {
		if !nodes[i].exists {
			delete(st.known.topics, t.Name)
			delete(st.known.configs, t.Name)
			continue
		}
		k := st.known.topics[t.Name]
		if older(nodes[i], k) {
			continue
		}
		if k == nil || (k.czxid != nodes[i].stat.Czxid && t.Bad == "") {
			k = &knownTopic{numbers: map[int32]bool{}}
			st.known.topics[t.Name] = k
		}
		k.stamp = stampOf(nodes[i])
		for _, p := range t.Partitions {
			k.numbers[p.Number] = true
		}
	}
	return out, nil
}

// older: the read is of a state before the one that is known, from a server that had not caught up.
func older(n node, known *knownTopic) bool {
	return known != nil && n.stat.Mzxid != 0 && n.stat.Mzxid < known.mzxid
}
