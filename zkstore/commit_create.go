package zkstore

import (
	"context"
	"fmt"

	"baton/planner"
)

// creation is one operation of a multi of createStates and what it is for.
type creation struct {
	op    any
	item  *stateItem // nil: the parent of a topic's partitions
	topic string
	state bool // the state itself, not its parent
}

// createStates creates state znodes and what is missing above them in one multi.
func (c *commit) createStates(ctx context.Context, items []*stateItem) error {
	missing := map[string]bool{} // topics whose partitions znode is to be created
	for _, it := range items {
		missing[it.id.Topic] = true
	}
	unclear, looked := 0, 0
	for len(items) > 0 {
		if unclear >= splitAfter && len(items) > 1 {
			half := len(items) / 2
			if err := c.createStates(ctx, items[:half]); err != nil {
				return err
			}
			items, unclear = items[half:], 0
			continue
		}
		if unclear > giveUpAfter {
			c.failItems(items, errUnstable)
			return nil
		}
		ops, what := c.creations(items, missing)
		a, err := c.attempt(ctx, fmt.Sprintf("creating %d states", len(items)), ops)
		switch {
		case err != nil:
			return err
		case a.ok:
			c.applied(items, func(int) int32 { return 0 }) // a new znode's version
			return nil
		case a.unclear:
			unclear++
			if items, err = c.readBackCreates(ctx, items, true); err == nil {
				err = c.findParents(ctx, items, missing)
			}
		case a.failed < 0:
			c.failItems(items, a.err)
			return nil
		case a.class == classNodeExists && what[a.failed].state:
			// Where one exists others may: reading the batch costs one round trip.
			items, err = c.readBackCreates(ctx, items, false)
		case a.class == classNodeExists, a.class == classNoNode:
			looked++
			items, err = c.parentsMoved(ctx, items, missing, what[a.failed], a, looked)
		default:
			items = c.dropFailed(items, what[a.failed], a.err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// creations lists the operations, parents first.
func (c *commit) creations(items []*stateItem, missing map[string]bool) (ops []any, what []creation) {
	add := func(k creation) {
		ops = append(ops, k.op)
		what = append(what, k)
	}
	begun := map[string]bool{}
	for _, it := range items {
		t := it.id.Topic
		if missing[t] && !begun[t] {
			begun[t] = true
			add(creation{op: c.s.opCreate(partitionsPath(t), nil, 0), topic: t})
		}
		if it.parent || missing[t] {
			add(creation{op: c.s.opCreate(partitionPath(it.id), nil, 0), item: it, topic: t})
		}
		add(creation{op: c.s.opCreate(statePath(it.id), it.data, 0), item: it, topic: t, state: true})
	}
	return ops, what
}

// parentsMoved finds out which parents exist after a create of, or under, one failed.
func (c *commit) parentsMoved(ctx context.Context, items []*stateItem, missing map[string]bool,
	failed creation, a attempt, looked int) ([]*stateItem, error) {
	if failed.item == nil && a.class == classNoNode {
		return c.dropFailed(items, failed, errNoTopic), nil
	}
	if looked > parentRounds {
		return c.dropFailed(items, failed, a.err), nil
	}
	return items, c.findParents(ctx, items, missing)
}

// dropFailed reports what cannot be created: one item, or a whole topic's.
func (c *commit) dropFailed(items []*stateItem, failed creation, err error) []*stateItem {
	var rest, bad []*stateItem
	for _, it := range items {
		if it == failed.item || (failed.item == nil && it.id.Topic == failed.topic) {
			bad = append(bad, it)
		} else {
			rest = append(rest, it)
		}
	}
	c.failItems(bad, err)
	return rest
}

// findParents reads which parents exist.
func (c *commit) findParents(ctx context.Context, items []*stateItem, missing map[string]bool) error {
	for t := range missing {
		there, err := c.exists(ctx, partitionsPath(t))
		if err != nil {
			return err
		}
		missing[t] = !there
	}
	return parallel(ctx, len(items), c.s.cfg.reads(), func(ctx context.Context, i int) error {
		there, err := c.exists(ctx, partitionPath(items[i].id))
		items[i].parent = !there
		return err
	})
}

func (c *commit) exists(ctx context.Context, path string) (bool, error) {
	return again(ctx, c.s, "exists", path, func(conn zkConn) (bool, error) {
		there, _, err := conn.Exists(c.s.abs(path))
		return there, err
	})
}

// readBackCreates reports the items whose state exists and returns the others.
func (c *commit) readBackCreates(ctx context.Context, items []*stateItem, tried bool) ([]*stateItem, error) {
	found, err := c.st.ReadStates(ctx, idsOf(items))
	if err != nil {
		return nil, err
	}
	var rest []*stateItem
	var out []planner.Result
	for i, it := range items {
		it.tried = it.tried || tried
		if !found[i].Exists {
			rest = append(rest, it)
			continue
		}
		out = append(out, it.outcomeOfCreate(found[i], c.st.fence.Epoch))
	}
	if len(out) > 0 {
		c.done(out)
	}
	return rest, nil
}
