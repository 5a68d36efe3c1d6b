package zkstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"baton/planner"
)

// rereads is how the batches of one commit look again at what has moved, or may have been written: one multiRead for a
// whole batch, over one connection for all batches, which is opened by the first that needs it. So a commit with conflicts in
// every batch costs a multi, a sync and a read more for each, whatever number of conflicts.
type rereads struct {
	mu   sync.Mutex
	conn *readConn // nil until it is needed, and after a failure
}

// nodes reads znodes; each has the error with which the server refused it. Nothing is older than what had been
// acknowledged to anybody when it was called.
func (c *commit) nodes(ctx context.Context, paths []string) ([]node, []error, error) {
	nodes, refused := make([]node, len(paths)), make([]error, len(paths))
	take := func(i int, n node, err error) { nodes[i], refused[i] = n, err }
	if len(paths) > 1 && !c.s.noMultiRead.Load() {
		err := c.again.read(ctx, c.s, paths, take)
		switch {
		case err == nil:
			return nodes, refused, nil
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case errors.Is(err, errNoMultiRead):
			c.s.noMultiRead.Store(true)
		}
		c.s.log.Info("reading one by one", zap.Int("znodes", len(paths)), zap.Error(err))
	}
	err := parallel(ctx, len(paths), c.s.cfg.reads(), func(ctx context.Context, i int) error {
		n, err := c.s.get(ctx, paths[i])
		if err != nil && classify(err) != classRefused {
			return err
		}
		take(i, n, err)
		return nil
	})
	return nodes, refused, err
}

// read is tried on a new connection if it fails on one that has been idle: its session may have expired.
func (r *rereads) read(ctx context.Context, s *Session, paths []string, take func(i int, n node, err error)) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		if err = r.conn.sync(s); err == nil {
			if err = r.conn.readAll(s, paths, take); err == nil {
				return nil
			}
		}
		r.drop()
	}
	if r.conn, err = s.dialReads(ctx); err != nil {
		return err
	}
	if err = r.conn.readAll(s, paths, take); err != nil {
		r.drop()
	}
	return err
}

func (r *rereads) drop() {
	r.conn.close()
	r.conn = nil
}

// close ends what read has opened; no read is under way.
func (r *rereads) close() {
	if r.conn != nil {
		r.drop()
	}
}

// readAll is for batches, which take one request, hardly ever two.
func (c *readConn) readAll(s *Session, paths []string, take func(i int, n node, err error)) error {
	var sizes []int
	err := c.askAll(s, paths, readsOfBatch, func(n int) bool { sizes = append(sizes, n); return true })
	done := 0
	for _, n := range sizes {
		if err == nil {
			err = c.answers(paths[done:done+n], func(i int, n node, err error) { take(done+i, n, err) })
		}
		done += n
	}
	return err
}

// readStates reads a batch's state znodes, in its order.
func (c *commit) readStates(ctx context.Context, items []*stateItem) ([]planner.StateRead, error) {
	paths := make([]string, len(items))
	for i, it := range items {
		paths[i] = statePath(it.id)
	}
	nodes, refused, err := c.nodes(ctx, paths)
	if err != nil {
		return nil, fmt.Errorf("reading partition states: %w", err)
	}
	out := make([]planner.StateRead, len(items))
	for i, it := range items {
		out[i] = stateRead(it.id, nodes[i], refused[i])
	}
	return out, nil
}
