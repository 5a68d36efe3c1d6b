package zkstore

import (
	"bytes"
	"context"
	"fmt"

	"baton/planner"
)

// setReassign takes what is complete out of /admin/reassign_partitions, and deletes it when
// nothing is left: that is how the tools that wrote it see that it is done.
func (c *commit) setReassign(ctx context.Context, seq uint64, w planner.SetLegacyReassignments) error {
	data := encodeReassign(w.Left)
	op := any(c.s.opSet(pathReassign, data, w.Version))
	if len(w.Left) == 0 {
		op = c.s.opDelete(pathReassign, w.Version)
	}
	unclear := false
	for tries := 0; ; tries++ {
		if tries > giveUpAfter {
			c.failed(seq, fmt.Errorf("%s: %w", pathReassign, errUnstable))
			return nil
		}
		a, err := c.attempt(ctx, "shrinking "+pathReassign, []any{op})
		switch {
		case err != nil:
			return err
		case a.ok:
			c.result(planner.Result{Seq: seq, Outcome: planner.Applied, Version: w.Version + 1})
			return nil
		case !a.moved():
			c.failed(seq, fmt.Errorf("%s: %w", pathReassign, a.err))
			return nil
		}
		unclear = unclear || a.unclear
		n, err := c.s.get(ctx, pathReassign)
		switch {
		case err != nil:
			return err
		case n.exists && n.stat.Version == w.Version && a.unclear:
			continue // not applied
		case unclear && (!n.exists && len(w.Left) == 0 || n.exists && n.stat.Version == w.Version+1 && bytes.Equal(n.data, data)):
			c.result(planner.Result{Seq: seq, Outcome: planner.Applied, Version: w.Version + 1})
		default:
			c.result(planner.Result{Seq: seq, Outcome: planner.Conflict, Reason: pathReassign + ": found another version"})
		}
		return nil
	}
}
