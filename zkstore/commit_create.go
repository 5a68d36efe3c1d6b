package zkstore

import (
	"context"
	"fmt"
	"sync"

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
	missing := c.parents.missing(items)
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
			c.parents.made(missing)
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
		add(creation{op: c.s.opCreate(statePath(it.id), encodeState(it.state), 0), item: it, topic: t, state: true})
	}
	return ops, what
}

// parentsMoved finds out which parents exist after a create of, or under, one failed. In a batch of one topic that its
// partitions znode is there says nothing of what is below: another batch of the same new topic has made it just now.
func (c *commit) parentsMoved(ctx context.Context, items []*stateItem, missing map[string]bool,
	failed creation, a attempt, looked int) ([]*stateItem, error) {
	switch {
	case failed.item == nil && a.class == classNoNode:
		return c.dropFailed(items, failed, errNoTopic), nil
	case failed.item == nil && len(missing) == 1:
		c.parents.made(missing)
		missing[failed.topic] = false
		return items, nil
	case looked > parentRounds:
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
	topics := sortedKeys(missing)
	paths := make([]string, 0, len(topics)+len(items))
	for _, t := range topics {
		paths = append(paths, partitionsPath(t))
	}
	for _, it := range items {
		paths = append(paths, partitionPath(it.id))
	}
	nodes, refused, err := c.nodes(ctx, paths)
	if err != nil {
		return err
	}
	there := func(i int) bool { return nodes[i].exists || refused[i] != nil } // who may not read it knows that it is there
	for i, t := range topics {
		missing[t] = !there(i)
	}
	for i, it := range items {
		it.parent = !there(len(topics) + i)
	}
	return nil
}

// parents are the topics whose partitions znode a batch of this commit has made, which the next need not make.
type parents struct {
	mu sync.Mutex
	of map[string]bool
}

// missing are the items' topics, true for those whose partitions znode is to be created as far as is known.
func (p *parents) missing(items []*stateItem) map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	missing := map[string]bool{}
	for _, it := range items {
		missing[it.id.Topic] = !p.of[it.id.Topic]
	}
	return missing
}

func (p *parents) made(topics map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range topics {
		p.of[t] = true
	}
}

// readBackCreates reports the items whose state exists and returns the others.
func (c *commit) readBackCreates(ctx context.Context, items []*stateItem, tried bool) ([]*stateItem, error) {
	found, err := c.readStates(ctx, items)
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
