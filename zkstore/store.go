package zkstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"baton/cluster"
	"baton/epoch"
	"baton/partition"
	"baton/planner"

	"github.com/go-zookeeper/zk"
)

// Store is the cluster's data under one claim. Load comes first, then Run; Commit and
// the reads may be called from any goroutine at any time.
type Store struct {
	s     *Session
	fence epoch.Fence
	slots chan struct{} // one for each multi under way

	unsubscribe func()

	mu    sync.Mutex
	dirty dirt
	wake  chan struct{}

	known known // Load's, then Run's
}

// dirt is what events have shown to be in need of reading.
type dirt struct {
	role, brokers, topicList, work, batons, logDirs, isrChanges bool
	resync                                                      bool // a reconnect: read everything
	// unasked: no event asked for this; a change that is found was not reported.
	unasked       bool
	rereadBrokers bool // asked for: deliver even if nothing is new
	topics        map[string]bool
	configs       map[string]need // by topic

	defaults, preferred, configChanges bool
}

func newDirt() dirt { return dirt{topics: map[string]bool{}, configs: map[string]need{}} }

// known is what was last delivered, to deliver differences only.
type known struct {
	brokers map[string]stamp
	topics  map[string]*knownTopic
	work    planner.WorkChanged
	batons  planner.BatonsChanged
	logDirs map[string]bool          // notifications that were delivered
	badDirs []planner.Bad            // those that cannot be understood
	configs map[string]settingsStamp // of topics, those ever asked for

	defaults, preferred settingsStamp
	// isrChanges has the ISR notifications that were read: what is wrong with it, or
	// nothing, then it was delivered.
	isrChanges    map[string]string
	badISRChanges []planner.Bad
	// changes has the announcements under /config/changes that were read, with what is wrong
	// with them; nil: none was looked at. quotas has the entities that have a quota, or might.
	changes map[string]string
	quotas  map[string]quotaRead
}

// stamp identifies a znode's incarnation and content.
type stamp struct{ czxid, mzxid int64 }

func stampOf(n node) stamp { return stamp{n.stat.Czxid, n.stat.Mzxid} }

type knownTopic struct {
	stamp
	numbers map[int32]bool // partitions that were delivered
}

// Store returns access to the cluster's data under a claim. Events are collected from
// this moment, so nothing is lost between Load and Run.
func (s *Session) Store(fence epoch.Fence) *Store {
	st := &Store{s: s, fence: fence, slots: make(chan struct{}, s.cfg.InFlight), wake: make(chan struct{}, 1)}
	st.dirty = newDirt()
	st.known = known{brokers: map[string]stamp{}, topics: map[string]*knownTopic{}, logDirs: map[string]bool{}, configs: map[string]settingsStamp{}, quotas: map[string]quotaRead{}}
	st.unsubscribe = s.subscribe(st.event)
	return st
}

// event notes what has to be read; it runs on the connection's receive goroutine.
func (st *Store) event(ev zk.Event) {
	st.mu.Lock()
	defer st.mu.Unlock()
	d := &st.dirty
	dir, name := "", ""
	if ev.Type != zk.EventSession {
		dir, name = parentOf(ev.Path), lastElement(ev.Path)
	}
	switch {
	case ev.Type == zk.EventSession:
		d.resync = true
	case ev.Path == pathController, ev.Path == pathControllerEpoch:
		d.role = true
	case ev.Path == pathBrokerIDs, dir == pathBrokerIDs:
		d.brokers = true
	case ev.Path == pathTopics:
		d.topicList = true
	case dir == pathTopics:
		if ev.Type == zk.EventNodeDeleted {
			d.topicList = true
		}
		d.topics[name] = true
	case ev.Path == pathDeleteTopics, ev.Path == pathReassign:
		d.work = true
	case ev.Path == pathConfigChanges:
		d.configChanges = true
	case ev.Path == pathBrokerDefaults:
		d.defaults = true
	case ev.Path == pathPreferred:
		d.preferred = true
	case dir == pathTopicConfigs:
		d.configs[name] = max(d.configs[name], needNews)
	case ev.Path == pathBatonIDs:
		d.batons = true
	case ev.Path == pathLogDirEvents, dir == pathLogDirEvents:
		d.logDirs = true
	case ev.Path == pathISRChanges, dir == pathISRChanges:
		d.isrChanges = true
	default:
		return
	}
	signal(st.wake)
}

// takeDirt returns what is dirty and resets it.
func (st *Store) takeDirt() dirt {
	st.mu.Lock()
	defer st.mu.Unlock()
	d := st.dirty
	st.dirty = newDirt()
	return d
}

// RereadBrokers asks Run to read /brokers/ids again, from a server that has caught up,
// and to deliver it even if nothing is new.
func (st *Store) RereadBrokers() {
	st.mu.Lock()
	st.dirty.rereadBrokers = true
	st.mu.Unlock()
	signal(st.wake)
}

// VerifyFence asks the quorum whether the claim still holds.
func (st *Store) VerifyFence(ctx context.Context) error {
	if err := st.s.sync(ctx); err != nil {
		return fmt.Errorf("verifying the fence: %w", err)
	}
	return st.checkRole(ctx, st.s.get)
}

// checkRole compares /controller and /controller_epoch with the claim.
func (st *Store) checkRole(ctx context.Context, get func(context.Context, string) (node, error)) error {
	e, err := get(ctx, pathControllerEpoch)
	if err != nil {
		return err
	}
	if !e.exists || e.stat.Version != st.fence.Version {
		return epoch.ErrFenced
	}
	st.s.claimed.Store(e.stat.Mzxid) // as the claim is what has written this version
	n, err := get(ctx, pathController)
	switch {
	case err != nil:
		return err
	case !n.exists:
		return fmt.Errorf("%w: it is gone", ErrRoleLost)
	case n.stat.EphemeralOwner != st.s.ID():
		return fmt.Errorf("%w: session 0x%x owns it", ErrRoleLost, uint64(n.stat.EphemeralOwner))
	}
	return nil
}

// ReadStates reads state znodes; the result has the order of ids.
func (st *Store) ReadStates(ctx context.Context, ids []partition.ID) ([]planner.StateRead, error) {
	out := make([]planner.StateRead, len(ids))
	paths := make([]string, len(ids))
	for i, id := range ids {
		paths[i] = statePath(id)
	}
	err := st.s.getMany(ctx, paths, readsOfBatch, func(i int, n node, err error) { out[i] = stateRead(ids[i], n, err) })
	if err != nil {
		return nil, fmt.Errorf("reading partition states: %w", err)
	}
	return out, nil
}

func stateRead(id partition.ID, n node, err error) planner.StateRead {
	r := planner.StateRead{ID: id, Exists: n.exists || err != nil, Zxid: n.stat.Mzxid}
	switch {
	case err != nil:
		r.Bad = err.Error()
	case n.exists:
		r.Age = stateAge(n.stat.Mtime, time.Now())
		if r.State, err = decodeState(n.data, n.stat.Version); err != nil {
			r.Bad = statePath(id) + ": " + err.Error()
		}
	}
	return r
}

// readTopic reads a topic's znode and has its changes reported.
func (st *Store) readTopic(ctx context.Context, name string) (planner.TopicRead, node, error) {
	n, err := st.s.getExistingW(ctx, topicPath(name))
	if err != nil && classify(err) != classRefused {
		return planner.TopicRead{Name: name}, n, err
	}
	t, n := topicRead(name, n, err)
	return t, n, nil
}

// topicRead makes a topic of its znode, or of the server's refusal to let us read it.
func topicRead(name string, n node, err error) (planner.TopicRead, node) {
	t := planner.TopicRead{Name: name, FreshID: freshTopicID()}
	if err != nil {
		t.Bad = err.Error()
		return t, node{exists: true}
	}
	if !n.exists {
		return t, n
	}
	t.Version, t.Created, t.Zxid = n.stat.Version, n.stat.Czxid, n.stat.Mzxid
	if t.ID, t.Partitions, err = decodeTopic(n.data); err != nil {
		t.ID, t.Partitions, t.Bad = cluster.TopicID{}, nil, topicPath(name)+": "+err.Error()
	}
	return t, n
}

// readBrokers reads all registrations; stamps are by the znodes' names.
func (st *Store) readBrokers(ctx context.Context) (planner.BrokersChanged, map[string]stamp, error) {
	var out planner.BrokersChanged
	names, err := st.s.childrenW(ctx, pathBrokerIDs)
	if err != nil {
		return out, nil, err
	}
	sortNames(names)
	nodes := make([]node, len(names))
	refused := make([]error, len(names))
	err = parallel(ctx, len(names), st.s.cfg.reads(), func(ctx context.Context, i int) (err error) {
		nodes[i], err = st.s.getExistingW(ctx, childPath(pathBrokerIDs, names[i]))
		if classify(err) == classRefused {
			nodes[i].exists, refused[i], err = true, err, nil
		}
		return err
	})
	if err != nil {
		return out, nil, err
	}
	stamps := make(map[string]stamp, len(names))
	for i, n := range nodes {
		if !n.exists || refused[i] == nil && isBatons(n.data) {
			continue // gone since; the child list's watch tells. Or a Baton, for old brokers
		}
		stamps[names[i]] = stampOf(n)
		id, numeric := parseID(names[i])
		b, err := decodeBroker(n.data)
		switch {
		case refused[i] != nil:
			err = refused[i]
		case !numeric:
			err = fmt.Errorf("expected a broker id as the znode's name, found %s", excerpt([]byte(names[i])))
		}
		if err != nil {
			out.Bad = append(out.Bad, planner.Bad{Path: childPath(pathBrokerIDs, names[i]), Reason: err.Error()})
			if !numeric {
				continue
			}
			out.BadIDs = append(out.BadIDs, id)
			// Spoilt while a claim was not ours: what this session has read of the same
			// incarnation is still true.
			if old, ok := st.s.good.Load(names[i]); ok && old.(cluster.Broker).Epoch == epoch.Broker(n.stat.Czxid) {
				out.Brokers = append(out.Brokers, old.(cluster.Broker))
			}
			continue
		}
		b.ID, b.Epoch = id, epoch.Broker(n.stat.Czxid)
		st.s.good.Store(names[i], b)
		out.Brokers = append(out.Brokers, b)
	}
	return out, stamps, nil
}

// readWork reads what is asked for under /admin.
func (st *Store) readWork(ctx context.Context) (planner.WorkChanged, error) {
	var w planner.WorkChanged
	names, err := st.s.childrenW(ctx, pathDeleteTopics)
	if err != nil {
		return w, err
	}
	sortNames(names)
	w.Deleting = names
	n, err := st.s.getW(ctx, pathReassign)
	if classify(err) != classRefused && (err != nil || !n.exists) {
		return w, err
	}
	var items []planner.Reassignment
	if err == nil {
		items, err = decodeReassign(n.data)
	}
	if err != nil {
		// It is left where it is; what it named before goes on. One that is put right later
		// is noticed, unlike by Kafka's own controller.
		w.Bad = []planner.Bad{{Path: pathReassign, Reason: err.Error()}}
		w.Reassigning = st.known.work.Reassigning
		return w, nil
	}
	w.Reassigning = planner.LegacyReassignments{Exists: true, Version: n.stat.Version, Zxid: n.stat.Mzxid, Items: items}
	return w, nil
}

// readBatons reads every id that was ever a Baton's.
func (st *Store) readBatons(ctx context.Context) (planner.BatonsChanged, error) {
	names, err := st.s.childrenW(ctx, pathBatonIDs)
	if err != nil {
		return planner.BatonsChanged{}, err
	}
	sortNames(names)
	out := planner.BatonsChanged{IDs: make([]int32, 0, len(names))}
	for _, name := range names {
		if id, ok := parseID(name); ok {
			out.IDs = append(out.IDs, id)
			continue
		}
		out.Bad = append(out.Bad, planner.Bad{Path: childPath(pathBatonIDs, name),
			Reason: "expected a Baton's id as the znode's name, found " + excerpt([]byte(name))})
	}
	return out, nil
}
