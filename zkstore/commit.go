package zkstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"baton/epoch"
	"baton/partition"
	"baton/planner"

	"github.com/go-zookeeper/zk"
)

const (
	// firstBatch is the size of a commit's first multi: brokers are told as soon as it is acknowledged, and the rest is on its way.
	firstBatch = 32
	// splitAfter unknown outcomes in a row a batch is halved, in case its size is what
	// makes the server drop the connection.
	splitAfter = 3
	// giveUpAfter unknown outcomes in a row a single write fails: a server that is set to a
	// smaller jute.maxbuffer drops the connection each time.
	giveUpAfter = 10
	// parentRounds bounds how often the parents of new state znodes are looked for.
	parentRounds = 5
)

// Commit carries out writes under the fence, in any order and several at once, and
// calls done, from any goroutine, as they are settled. An outcome is never left
// unknown: it is read back over the same session. An error (epoch.ErrFenced,
// ErrSession, ctx's) means that writes without a result have none.
func (st *Store) Commit(ctx context.Context, writes []planner.Write, done func([]planner.Result)) error {
	c := &commit{st: st, s: st.s, done: done, parents: parents{of: map[string]bool{}}}
	tasks := c.plan(writes)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer c.again.close()
	var wg sync.WaitGroup
	for _, task := range tasks {
		// The slots are the store's, so that several commits together keep to the limit.
		held := false
		select {
		case st.slots <- struct{}{}:
			held = true
		case <-ctx.Done():
		case <-st.s.done:
			cancel(st.s.sessionError())
		}
		if ctx.Err() != nil {
			if held {
				<-st.slots
			}
			break
		}
		wg.Go(func() {
			defer func() { <-st.slots }()
			if err := task(ctx); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("committing: %w", context.Cause(ctx))
	}
	return nil
}

// commit is one call of Commit.
type commit struct {
	st   *Store
	s    *Session
	done func([]planner.Result)

	again   rereads
	parents parents
}

// plan groups the writes into tasks, each of which is one multi if all goes well.
func (c *commit) plan(writes []planner.Write) []func(context.Context) error {
	var sets, creates []*stateItem
	items := make([]stateItem, 0, len(writes)) // one piece of memory for all; it does not move
	item := func(seq uint64, id partition.ID, state partition.State) *stateItem {
		items = append(items, stateItem{seq: seq, id: id, state: state, parent: true})
		return &items[len(items)-1]
	}
	var tasks []func(context.Context) error
	add := func(f func(context.Context) error) { tasks = append(tasks, f) }
	for _, w := range writes {
		switch b := w.Body.(type) {
		case planner.SetState:
			sets = append(sets, item(w.Seq, b.ID, b.State))
		case planner.CreateState:
			creates = append(creates, item(w.Seq, b.ID, b.State))
		case planner.SetTopic:
			add(func(ctx context.Context) error { return c.setTopic(ctx, w.Seq, b) })
		case planner.CreateTopic:
			add(func(ctx context.Context) error { return c.createTopic(ctx, w.Seq, b) })
		case planner.NextProducerIDs:
			add(func(ctx context.Context) error { return c.nextProducerIDs(ctx, w.Seq, b) })
		case planner.SetLegacyReassignments:
			add(func(ctx context.Context) error { return c.setReassign(ctx, w.Seq, b) })
		case planner.DeleteNotifications:
			add(func(ctx context.Context) error { return c.deleteNotifications(ctx, w.Seq, b) })
		case planner.ConfirmMarker:
			add(func(ctx context.Context) error { return c.confirmMarker(ctx, w.Seq, b) })
		case planner.MarkTopic:
			add(func(ctx context.Context) error { return c.markTopic(ctx, w.Seq, b) })
		case planner.DropMarker:
			add(func(ctx context.Context) error { return c.dropMarker(ctx, w.Seq, b) })
		case planner.DeleteTopic:
			add(func(ctx context.Context) error { return c.deleteTopic(ctx, w.Seq, b) })
		case planner.EnableFeatures:
			add(func(ctx context.Context) error { return c.enableFeatures(ctx, w.Seq, b) })
		case planner.AlterUser:
			add(func(ctx context.Context) error { return c.alterUser(ctx, w.Seq, b) })
		}
	}
	sortByTopic(creates)
	first := 0
	if len(sets) > c.s.cfg.MaxBatch {
		first = min(len(sets), firstBatch)
	}
	for _, batch := range slices.Concat(pack(sets[:first], c.s.cfg.MaxBatch, opsOfSet), pack(sets[first:], c.s.cfg.MaxBatch, opsOfSet)) {
		add(func(ctx context.Context) error { return c.setStates(ctx, batch) })
	}
	for _, batch := range pack(creates, 2*c.s.cfg.MaxBatch, opsOfCreate) { // about as many states as are set at once
		add(func(ctx context.Context) error { return c.createStates(ctx, batch) })
	}
	return tasks
}

// pack cuts items into batches of bounded operations and bytes; opsOf says how many
// operations an item takes after another one in the same batch, nil for the first.
func pack(items []*stateItem, maxOps int, opsOf func(before, it *stateItem) int) [][]*stateItem {
	var out [][]*stateItem
	begin, ops, size := 0, 0, 0
	var before *stateItem
	for i, it := range items {
		n := opsOf(before, it)
		if i > begin && (ops+n > maxOps || size+n*it.size() > maxRequest) {
			out = append(out, items[begin:i])
			begin, ops, size, n = i, 0, 0, opsOf(nil, it)
		}
		ops += n
		size += n * it.size()
		before = it
	}
	if begin < len(items) {
		out = append(out, items[begin:])
	}
	return out
}

func opsOfSet(_, _ *stateItem) int { return 1 }

// opsOfCreate counts the state, its parent, and the topic's partitions znode.
func opsOfCreate(before, it *stateItem) int {
	if before != nil && before.id.Topic == it.id.Topic {
		return 2
	}
	return 3
}

func (c *commit) result(r planner.Result) { c.done([]planner.Result{r}) }

func (c *commit) failed(seq uint64, err error) {
	c.result(planner.Result{Seq: seq, Outcome: planner.Failed, Reason: err.Error()})
}

// attempt is how a fenced multi ended.
type attempt struct {
	ok      bool
	stats   []*zk.Stat // one for each operation, the check not counted
	failed  int        // index of the operation that failed, the check not counted; -1: none
	class   class      // why it failed
	err     error      // the same
	unclear bool       // the outcome is unknown; connected again
}

// attempt sends one multi under the fence. Its error ends the commit: fenced, session
// over, ctx done. After an unknown outcome it returns when a server is connected and has
// caught up, so that what is read next tells what became of the multi.
func (c *commit) attempt(ctx context.Context, what string, ops []any) (attempt, error) {
	all := append([]any{c.s.opCheck(pathControllerEpoch, c.st.fence.Version)}, ops...)
	for {
		res, err := c.s.multi(ctx, what, all)
		if err == nil {
			a := attempt{ok: true, failed: -1, stats: make([]*zk.Stat, len(ops))}
			for i := range ops {
				a.stats[i] = res[i+1].Stat
			}
			return a, nil
		}
		if ctx.Err() != nil {
			return attempt{}, context.Cause(ctx)
		}
		at, opErr := failedOp(res)
		switch {
		case at == 0 && (classify(opErr) == classBadVersion || classify(opErr) == classNoNode):
			return attempt{}, fmt.Errorf("%s: %w", what, epoch.ErrFenced)
		case at > 0:
			return attempt{failed: at - 1, class: classify(opErr), err: opErr}, nil
		}
		switch classify(err) {
		case classEnded:
			return attempt{}, err
		case classNotSent:
			if err := c.s.waitConnected(ctx); err != nil {
				return attempt{}, fmt.Errorf("%s: %w", what, err)
			}
		case classUnknown:
			if err := c.s.sync(ctx); err != nil {
				return attempt{}, fmt.Errorf("%s: after a lost reply: %w", what, err)
			}
			return attempt{unclear: true, failed: -1, class: classUnknown, err: err}, nil
		default:
			return attempt{failed: -1, class: classify(err), err: err}, nil
		}
	}
}

// moved: what was there was not what was expected, or it is not known. Reading tells.
func (a attempt) moved() bool {
	return a.unclear || a.class == classBadVersion || a.class == classNoNode || a.class == classNodeExists
}

// rounds reads a znode and has it changed accordingly, again until that is settled.
func (c *commit) rounds(ctx context.Context, seq uint64, path string, change func(node) (settled bool, err error)) error {
	for range giveUpAfter + 1 {
		n, err := c.s.get(ctx, path)
		if classify(err) == classRefused {
			c.failed(seq, err)
			return nil
		}
		if err != nil {
			return err
		}
		if settled, err := change(n); settled || err != nil {
			return err
		}
	}
	c.failed(seq, fmt.Errorf("%s: %w", path, errUnstable))
	return nil
}

// settled reports an attempt that was applied, as applied says, or failed for a reason that
// reading again does not change.
func (c *commit) settled(path string, a attempt, applied planner.Result) bool {
	switch {
	case a.ok:
		c.result(applied)
	case a.moved():
		return false
	default:
		c.failed(applied.Seq, fmt.Errorf("%s: %w", path, a.err))
	}
	return true
}

var (
	errTooLarge = errors.New("too large for a znode")
	errUnstable = errors.New("the connection was lost at each attempt")
	errNoTopic  = errors.New("the topic's znode does not exist")
)
