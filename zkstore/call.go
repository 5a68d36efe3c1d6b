package zkstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// node is a znode as read.
type node struct {
	data   []byte
	stat   zk.Stat
	exists bool
}

// call runs one blocking request of the library so that ctx can end the wait for it.
// Errors carry the operation and the path. Once the session has ended nothing is sent.
func call[T any](ctx context.Context, s *Session, op, path string, f func(zkConn) (T, error)) (T, error) {
	var zero T
	if s.ended.Load() {
		return zero, s.sessionError()
	}
	type answer struct {
		v   T
		err error
	}
	ch := make(chan answer, 1)
	issued := time.Now()
	go func() {
		v, err := f(s.conn)
		ch <- answer{v, err}
	}()
	var a answer
	select {
	case a = <-ch:
	case <-ctx.Done():
		return zero, fmt.Errorf("%s %s: %w", op, path, ctx.Err())
	}
	s.cfg.Metrics.RequestLatency(time.Since(issued))
	if a.err == nil {
		return a.v, nil
	}
	if classify(a.err) == classEnded {
		// The server says so on a live connection: do not wait for the library to notice.
		s.end("expired")
		go s.closeConn()
	}
	if s.ended.Load() && classify(a.err) != classRefused {
		return a.v, fmt.Errorf("%s %s: %w", op, path, s.sessionError())
	}
	return a.v, fmt.Errorf("%s %s: %w", op, path, a.err)
}

// again is call for requests that may be repeated: it waits for a reconnect and asks
// again until there is a definite answer, the session has ended or ctx is done.
func again[T any](ctx context.Context, s *Session, op, path string, f func(zkConn) (T, error)) (T, error) {
	for {
		v, err := call(ctx, s, op, path, f)
		if ctx.Err() != nil {
			return v, err
		}
		if c := classify(err); c != classNotSent && c != classUnknown {
			return v, err
		}
		if werr := s.waitConnected(ctx); werr != nil {
			return v, fmt.Errorf("%s %s: %w", op, path, werr)
		}
	}
}

// abs puts a path under the chroot.
func (s *Session) abs(path string) string {
	if path == "/" && s.cfg.Chroot != "" {
		return s.cfg.Chroot
	}
	return s.cfg.Chroot + path
}

// relative takes the chroot off a path.
func (s *Session) relative(path string) string { return strings.TrimPrefix(path, s.cfg.Chroot) }

func (s *Session) get(ctx context.Context, path string) (node, error) {
	n, err := again(ctx, s, "get", path, func(c zkConn) (node, error) {
		data, stat, err := c.Get(s.abs(path))
		if err != nil {
			return node{}, err
		}
		return node{data, *stat, true}, nil
	})
	if classify(err) == classNoNode {
		return node{}, nil
	}
	return n, err
}

func (s *Session) children(ctx context.Context, path string) ([]string, error) {
	names, err := again(ctx, s, "list", path, func(c zkConn) ([]string, error) {
		names, _, err := c.Children(s.abs(path))
		return names, err
	})
	if classify(err) == classNoNode {
		return nil, nil
	}
	return names, err
}

// sync makes the server we are connected to catch up with the leader.
func (s *Session) sync(ctx context.Context) error {
	_, err := again(ctx, s, "sync", "/", func(c zkConn) (string, error) { return c.Sync(s.abs("/")) })
	return err
}

// multi sends a transaction once; its outcome may be unknown.
func (s *Session) multi(ctx context.Context, what string, ops []any) ([]zk.MultiResponse, error) {
	return call(ctx, s, "multi", what, func(c zkConn) ([]zk.MultiResponse, error) { return c.Multi(ops...) })
}

func (s *Session) opCreate(path string, data []byte, flags int32) *zk.CreateRequest {
	return &zk.CreateRequest{Path: s.abs(path), Data: data, Acl: zk.WorldACL(zk.PermAll), Flags: flags}
}

func (s *Session) opSet(path string, data []byte, version int32) *zk.SetDataRequest {
	return &zk.SetDataRequest{Path: s.abs(path), Data: data, Version: version}
}

func (s *Session) opDelete(path string, version int32) *zk.DeleteRequest {
	return &zk.DeleteRequest{Path: s.abs(path), Version: version}
}

func (s *Session) opCheck(path string, version int32) *zk.CheckVersionRequest {
	return &zk.CheckVersionRequest{Path: s.abs(path), Version: version}
}

// parallel calls f for 0…n-1 from at most width goroutines and returns the first
// error, after all calls that were started have come back.
func parallel(ctx context.Context, n, width int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, width) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(ctx, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
