package zkstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"baton/planner"

	"github.com/go-zookeeper/zk"
)

func markerPath(topic string) string { return childPath(pathDeleteTopics, topic) }

// confirmMarker asks whether a topic and its marker are both there.
func (c *commit) confirmMarker(ctx context.Context, seq uint64, w planner.ConfirmMarker) error {
	return c.marker(ctx, seq, w.Topic, c.s.opCheck(topicPath(w.Topic), -1), c.s.opCheck(markerPath(w.Topic), -1))
}

// markTopic creates a marker, if the topic is there.
func (c *commit) markTopic(ctx context.Context, seq uint64, w planner.MarkTopic) error {
	return c.marker(ctx, seq, w.Topic, c.s.opCheck(topicPath(w.Topic), -1), c.s.opCreate(markerPath(w.Topic), nil, 0))
}

// marker carries out a multi about a marker that may be repeated: what it does is there
// then already.
func (c *commit) marker(ctx context.Context, seq uint64, topic string, ops ...any) error {
	for tries := 0; ; tries++ {
		a, err := c.attempt(ctx, "marker of topic "+topic, ops)
		switch {
		case err != nil:
			return err
		case a.ok, a.class == classNodeExists:
			c.result(planner.Result{Seq: seq, Outcome: planner.Applied})
		case a.class == classNoNode:
			c.result(planner.Result{Seq: seq, Outcome: planner.Conflict, Reason: "topic " + topic + " or its marker is gone"})
		case a.unclear && tries < giveUpAfter:
			continue
		default:
			c.failed(seq, fmt.Errorf("%s: %w", markerPath(topic), a.err))
		}
		return nil
	}
}

// dropMarker removes a marker unless the topic turns out to exist. Nobody creates a topic
// while its marker is there, so looking before is enough. Kafka's controller removes topic,
// configuration and marker one after the other: what it was stopped in the middle of is
// finished here, or the next topic of that name would find the configuration.
func (c *commit) dropMarker(ctx context.Context, seq uint64, w planner.DropMarker) error {
	paths := []string{markerPath(w.Topic)}
	if !w.Known {
		switch there, err := c.exists(ctx, topicPath(w.Topic)); {
		case err != nil:
			return err
		case there:
			c.result(planner.Result{Seq: seq, Outcome: planner.Conflict, Reason: topicPath(w.Topic) + " exists"})
			return nil
		}
		paths = []string{topicConfigPath(w.Topic), paths[0]}
	}
	return c.deleteNotifications(ctx, seq, planner.DeleteNotifications{Paths: paths})
}

// removal is a slice of a topic's znodes under way.
type removal struct {
	*commit
	planner.DeleteTopic
	paths []string // to be deleted, in order
	ops   []any    // a check of the topic's version, if it is still there, and the deletions
	more  bool
	there bool // the topic's znode is
}

// expandRounds bounds how often what was found below a znode that should have been empty
// is added to a slice.
const expandRounds = 20

// deleteTopic removes one slice of a topic's znodes, depth first (05.5): the states and
// partitions, as many as one multi takes; in the last one the topic, its configuration and
// its marker, so that none of these is left without the others.
func (c *commit) deleteTopic(ctx context.Context, seq uint64, w planner.DeleteTopic) error {
	r := removal{commit: c, DeleteTopic: w}
	if err := r.choose(ctx); err != nil {
		return err
	}
	unclear, expanded := 0, 0
	for len(r.paths) > 0 {
		r.operations()
		a, err := c.attempt(ctx, "deleting topic "+w.Name, r.ops)
		if err != nil {
			return err
		}
		at := a.failed
		if r.there {
			at-- // the check of its version
		}
		switch {
		case a.ok:
			r.paths = nil
		case a.unclear && unclear < giveUpAfter:
			unclear++
			if err := r.choose(ctx); err != nil {
				return err
			}
		case a.failed >= 0 && at < 0:
			return r.moved(ctx, seq, a)
		case at >= 0 && a.class == classNoNode:
			r.paths = append(r.paths[:at:at], r.paths[at+1:]...)
		case at >= 0 && errors.Is(a.err, zk.ErrNotEmpty) && expanded < expandRounds:
			expanded++
			if err := r.expand(ctx, at); err != nil {
				return err
			}
		default:
			c.failed(seq, fmt.Errorf("%s: %w", r.paths[max(at, 0)], a.err))
			return nil
		}
	}
	c.result(planner.Result{Seq: seq, Outcome: planner.Applied, More: r.more})
	return nil
}

// choose picks what goes next.
func (r *removal) choose(ctx context.Context) error {
	var err error
	if r.there, err = r.exists(ctx, topicPath(r.Name)); err != nil {
		return err
	}
	names, err := r.s.children(ctx, partitionsPath(r.Name))
	if err != nil {
		return err
	}
	sortNames(names)
	each := max(1, r.s.cfg.MaxBatch/2-2) // two deletions each, and room for the last ones
	r.more = len(names) > each
	r.paths = nil
	for _, name := range names[:min(each, len(names))] {
		partition := childPath(partitionsPath(r.Name), name)
		if n, err := strconv.Atoi(name); err == nil && strconv.Itoa(n) == name {
			r.paths = append(r.paths, partition+"/state")
		}
		r.paths = append(r.paths, partition)
	}
	if !r.more {
		r.paths = append(r.paths, partitionsPath(r.Name), topicPath(r.Name), topicConfigPath(r.Name), markerPath(r.Name))
	}
	return nil
}

func (r *removal) operations() {
	r.ops = r.ops[:0]
	if r.there {
		r.ops = append(r.ops, r.s.opCheck(topicPath(r.Name), r.Version))
	}
	for _, p := range r.paths {
		r.ops = append(r.ops, r.s.opDelete(p, -1))
	}
}

// moved: the topic's znode is gone, or not at the version that the deletion is about.
func (r *removal) moved(ctx context.Context, seq uint64, a attempt) error {
	if a.class == classNoNode {
		return r.deleteTopic(ctx, seq, r.DeleteTopic)
	}
	r.result(planner.Result{Seq: seq, Outcome: planner.Conflict, Reason: topicPath(r.Name) + ": found another version"})
	return nil
}

// expand puts what is below a znode before it. Only one level is listed: what is below
// that shows itself in the same way.
func (r *removal) expand(ctx context.Context, at int) error {
	names, err := r.s.children(ctx, r.paths[at])
	if err != nil {
		return err
	}
	sortNames(names)
	most := r.s.cfg.MaxBatch
	if len(names) > most {
		names, r.more = names[:most], true
	}
	var below []string
	for _, name := range names {
		below = append(below, childPath(r.paths[at], name))
	}
	if r.more && len(names) == most {
		r.paths = below // the rest comes with the next slice
		return nil
	}
	r.paths = append(r.paths[:at:at], append(below, r.paths[at:]...)...)
	return nil
}

func (c *commit) exists(ctx context.Context, path string) (bool, error) {
	return again(ctx, c.s, "exists", path, func(conn zkConn) (bool, error) {
		there, _, err := conn.Exists(c.s.abs(path))
		return there, err
	})
}
