package zkstore

import (
	"context"
	"fmt"
	"reflect"

	"baton/cluster"
	"baton/planner"
)

// setTopic rewrites a topic's znode on condition of its version.
func (c *commit) setTopic(ctx context.Context, seq uint64, w planner.SetTopic) error {
	path, data := topicPath(w.Name), encodeTopic(w.ID, w.Partitions)
	if len(data) > maxZnode {
		c.failed(seq, fmt.Errorf("%s: %w: %d bytes", path, errTooLarge, len(data)))
		return nil
	}
	for tries := 0; ; tries++ {
		if tries > giveUpAfter {
			c.failed(seq, fmt.Errorf("%s: %w", path, errUnstable))
			return nil
		}
		a, err := c.attempt(ctx, "rewriting "+path, []any{c.s.opSet(path, data, w.Version)})
		switch {
		case err != nil:
			return err
		case a.ok:
			c.result(planner.Result{Seq: seq, Outcome: planner.Applied, Version: a.stats[0].Version})
			return nil
		case !a.moved():
			c.failed(seq, fmt.Errorf("%s: %w", path, a.err))
			return nil
		}
		n, err := c.s.get(ctx, path)
		switch {
		case err != nil:
			return err
		case n.exists && n.stat.Version == w.Version && a.unclear:
			continue // not applied
		case n.exists && n.stat.Version == w.Version+1 && sameTopic(n.data, w.ID, w.Partitions):
			c.result(planner.Result{Seq: seq, Outcome: planner.Applied, Version: n.stat.Version})
		default:
			c.result(planner.Result{Seq: seq, Outcome: planner.Conflict, Reason: path + ": found another version"})
		}
		return nil
	}
}

// sameTopic reports whether a znode's content is what was to be written.
func sameTopic(data []byte, id cluster.TopicID, parts []planner.PartitionRead) bool {
	foundID, found, err := decodeTopic(data)
	if err != nil {
		return false
	}
	wantID, want, err := decodeTopic(encodeTopic(id, parts))
	return err == nil && foundID == wantID && reflect.DeepEqual(found, want)
}

// createTopic creates a topic and its configuration together. A configuration may be
// there already, left over or prepared; it is replaced, as a broker does.
func (c *commit) createTopic(ctx context.Context, seq uint64, w planner.CreateTopic) error {
	path, data := topicPath(w.Name), encodeTopic(w.ID, w.Partitions)
	configPath, config := topicConfigPath(w.Name), encodeTopicConfig(w.Configs)
	if len(data)+len(config) > maxZnode {
		c.failed(seq, fmt.Errorf("%s: %w: %d bytes", path, errTooLarge, len(data)+len(config)))
		return nil
	}
	create, tried := true, false
	for tries := 0; ; tries++ {
		if tries > giveUpAfter {
			c.failed(seq, fmt.Errorf("%s: %w", path, errUnstable))
			return nil
		}
		first := any(c.s.opCreate(configPath, config, 0))
		if !create {
			first = c.s.opSet(configPath, config, -1)
		}
		a, err := c.attempt(ctx, "creating "+path, []any{first, c.s.opCreate(path, data, 0)})
		switch {
		case err != nil:
			return err
		case a.ok:
			c.result(planner.Result{Seq: seq, Outcome: planner.Applied})
			return nil
		case a.failed == 0 && create && a.class == classNodeExists:
			if err := c.mayReplaceConfig(ctx, w.Name); err != nil {
				if classify(err) == classEnded || ctx.Err() != nil {
					return err
				}
				c.failed(seq, err)
				return nil
			}
			create = false
			continue
		case a.failed == 0 && !create && a.class == classNoNode:
			create = true
			continue
		case !a.unclear && a.class != classNodeExists:
			c.failed(seq, fmt.Errorf("%s: %w", []string{configPath, path}[max(a.failed, 0)], a.err))
			return nil
		}
		tried = tried || a.unclear
		n, err := c.s.get(ctx, path)
		switch {
		case err != nil:
			return err
		case !n.exists:
			continue // not applied, or deleted again
		case c.isOurs(n.data, w, tried):
			c.result(planner.Result{Seq: seq, Outcome: planner.Applied, Version: n.stat.Version})
		default:
			c.result(planner.Result{Seq: seq, Outcome: planner.Conflict, Reason: path + ": exists"})
		}
		return nil
	}
}

// mayReplaceConfig: a configuration that cannot be understood is never overwritten.
func (c *commit) mayReplaceConfig(ctx context.Context, topic string) error {
	n, err := c.s.get(ctx, topicConfigPath(topic))
	if err == nil && n.exists {
		_, err = decodeConfig(n.data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", topicConfigPath(topic), err)
	}
	return nil
}

// isOurs: our random topic id can only be there by our own write; without one, equal
// content counts only if an earlier outcome is unknown.
func (c *commit) isOurs(data []byte, w planner.CreateTopic, tried bool) bool {
	if w.ID.IsZero() {
		return tried && sameTopic(data, w.ID, w.Partitions)
	}
	id, _, err := decodeTopic(data)
	return err == nil && id == w.ID
}

// nextProducerIDs takes the block after the one stored. If a reply is lost, a block is
// left unused, which is harmless; taking one twice would not be.
func (c *commit) nextProducerIDs(ctx context.Context, seq uint64, w planner.NextProducerIDs) error {
	return c.rounds(ctx, seq, pathProducerIDs, func(n node) (bool, error) {
		start, err := nextBlock(n.data, n.stat.Version)
		if err != nil {
			c.result(planner.Result{Seq: seq, Outcome: planner.Failed, Reason: pathProducerIDs + ": " + err.Error(),
				Bad: []planner.Bad{{Path: pathProducerIDs, Reason: err.Error()}}})
			return true, nil
		}
		data := encodeBlock(w.Broker, start)
		op := any(c.s.opSet(pathProducerIDs, data, n.stat.Version))
		if !n.exists {
			op = c.s.opCreate(pathProducerIDs, data, 0)
		}
		a, err := c.attempt(ctx, "taking producer ids", []any{op})
		if err != nil {
			return false, err
		}
		return c.settled(pathProducerIDs, a, planner.Result{Seq: seq, Outcome: planner.Applied, Start: start, Length: blockSize}), nil
	})
}

// deleteNotifications removes handled notifications; a missing one is as good.
func (c *commit) deleteNotifications(ctx context.Context, seq uint64, w planner.DeleteNotifications) error {
	left := append([]string{}, w.Paths...)
	for len(left) > 0 {
		n := min(len(left), c.s.cfg.MaxBatch)
		ops := make([]any, n)
		for i, p := range left[:n] {
			ops[i] = c.s.opDelete(p, -1)
		}
		a, err := c.attempt(ctx, "deleting notifications", ops)
		switch {
		case err != nil:
			return err
		case a.ok:
			left = left[n:]
		case a.unclear: // deleting again finds out
		case a.failed >= 0 && a.class == classNoNode:
			left = append(left[:a.failed], left[a.failed+1:]...)
		default:
			c.failed(seq, fmt.Errorf("%s: %w", left[max(a.failed, 0)], a.err))
			return nil
		}
	}
	c.result(planner.Result{Seq: seq, Outcome: planner.Applied})
	return nil
}
