package zkstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"baton/epoch"
	"baton/partition"
	"baton/planner"

	"github.com/go-zookeeper/zk"
)

// stateItem is one state znode to be set or created.
type stateItem struct {
	seq   uint64
	id    partition.ID
	state partition.State
	// tried: an earlier multi with this item has an unknown outcome, so what is there may
	// be ours.
	tried bool
	// parent: the znode above the state does not exist as far as is known.
	parent bool
}

// size is the most that one operation of an item takes in a multi, without the chroot: paths and contents are made when
// their batch is, so that the first goes out at once.
func (it *stateItem) size() int { return 256 + len(it.id.Topic) + 11*len(it.state.ISR) }

func sortByTopic(items []*stateItem) {
	slices.SortStableFunc(items, func(a, b *stateItem) int { return partition.Compare(a.id, b.id) })
}

func (c *commit) applied(items []*stateItem, version func(i int) int32) {
	out := make([]planner.Result, len(items))
	for i, it := range items {
		out[i] = planner.Result{Seq: it.seq, Outcome: planner.Applied, Version: version(i)}
	}
	c.done(out)
}

func (c *commit) failItems(items []*stateItem, err error) {
	out := make([]planner.Result, len(items))
	for i, it := range items {
		out[i] = planner.Result{Seq: it.seq, Outcome: planner.Failed, Reason: statePath(it.id) + ": " + err.Error(), Gone: errors.Is(err, errNoTopic)}
	}
	c.done(out)
}

// setStates replaces state znodes in one multi. When one has moved others may have: all of the batch are read at once,
// what has moved is reported, and the rest sent again.
func (c *commit) setStates(ctx context.Context, items []*stateItem) error {
	stalled, unclear := 0, 0
	for len(items) > 0 {
		if unclear >= splitAfter && len(items) > 1 {
			half := len(items) / 2
			if err := c.setStates(ctx, items[:half]); err != nil {
				return err
			}
			items, unclear = items[half:], 0
			continue
		}
		if max(unclear, stalled) > giveUpAfter {
			c.failItems(items, errUnstable)
			return nil
		}
		a, err := c.attempt(ctx, fmt.Sprintf("setting %d states", len(items)), c.setOps(items))
		switch {
		case err != nil:
			return err
		case a.ok:
			c.applied(items, func(i int) int32 { return a.stats[i].Version })
			return nil
		case a.unclear:
			unclear++
			for _, it := range items {
				it.tried = true
			}
			if items, err = c.readBackSets(ctx, items); err != nil {
				return err
			}
		case a.failed < 0:
			c.failItems(items, a.err)
			return nil
		case a.class == classBadVersion || a.class == classNoNode:
			rest, err := c.readBackSets(ctx, items)
			if err != nil {
				return err
			}
			if stalled++; len(rest) < len(items) {
				stalled = 0
			}
			items = rest
		default:
			c.failItems(items[a.failed:a.failed+1], a.err)
			items = without(items, a.failed)
		}
	}
	return nil
}

// setOps are the operations of a batch; their contents share one buffer.
func (c *commit) setOps(items []*stateItem) []any {
	size := 0
	for _, it := range items {
		size += it.size()
	}
	ops, sets, data := make([]any, len(items)), make([]zk.SetDataRequest, len(items)), make([]byte, 0, size)
	for i, it := range items {
		at := len(data)
		data = appendState(data, it.state)
		sets[i] = zk.SetDataRequest{Path: c.s.abs(statePath(it.id)), Data: data[at:len(data):len(data)], Version: int32(it.state.PartitionEpoch)}
		ops[i] = &sets[i]
	}
	return ops
}

func without(items []*stateItem, i int) []*stateItem {
	return slices.Concat(items[:i], items[i+1:])
}

// outcomeOfSet compares what was found with what was to be written. Content with our
// epoch, one version on, is this very write, whose reply was lost.
func (it *stateItem) outcomeOfSet(found planner.StateRead) planner.Result {
	if found.Exists && found.Bad == "" && sameState(found.State, it.state) &&
		found.State.PartitionEpoch == it.state.PartitionEpoch+1 {
		return planner.Result{Seq: it.seq, Outcome: planner.Applied, Version: int32(found.State.PartitionEpoch)}
	}
	return planner.Result{Seq: it.seq, Outcome: planner.Conflict, Found: found, Reason: "found another version"}
}

// readBackSets reads all znodes of a batch, reports those that are settled, and
// returns those that are still at the expected version.
func (c *commit) readBackSets(ctx context.Context, items []*stateItem) ([]*stateItem, error) {
	found, err := c.readStates(ctx, items)
	if err != nil {
		return nil, err
	}
	var rest []*stateItem
	var out []planner.Result
	for i, it := range items {
		// A znode that cannot be understood has State's zero value; it is never overwritten.
		if f := found[i]; f.Exists && f.Bad == "" && f.State.PartitionEpoch == it.state.PartitionEpoch {
			rest = append(rest, it)
			continue
		}
		out = append(out, it.outcomeOfSet(found[i]))
	}
	if len(out) > 0 {
		c.done(out)
	}
	return rest, nil
}

// outcomeOfCreate: a state that nobody but this claim can have written is ours.
func (it *stateItem) outcomeOfCreate(found planner.StateRead, ours epoch.Controller) planner.Result {
	if found.Bad == "" && sameState(found.State, it.state) && (it.tried || found.State.ControllerEpoch == ours) {
		return planner.Result{Seq: it.seq, Outcome: planner.Applied, Version: int32(found.State.PartitionEpoch)}
	}
	return planner.Result{Seq: it.seq, Outcome: planner.Conflict, Found: found, Reason: "found a state already"}
}
