package zkstore

import (
	"context"
	"maps"
	"reflect"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

const roleReread = 30 * time.Second

// WatchRole calls back with the view as it is now and after every change, never
// concurrently with itself and always with the newest view; views in between may be
// left out. It returns when ctx is done or the session has ended.
func (s *Session) WatchRole(ctx context.Context, callback func(RoleView)) error {
	w := &roleWatch{s: s, dirty: make(chan struct{}, 1), news: make(chan struct{}, 1)}
	defer s.subscribe(w.event)()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { w.deliver(ctx, callback) })
	err := w.read(ctx)
	cancel()
	return err
}

// roleWatch has one goroutine that reads and one that calls back, so that the deletion
// of /controller gets to the callback while a read is still under way.
type roleWatch struct {
	s     *Session
	dirty chan struct{} // something has to be read again
	news  chan struct{} // view has not been called back with

	mu     sync.Mutex
	view   *RoleView
	moved  uint64 // counts events of /controller: a read that began before one is stale
	barred uint64 // counts events of what may forbid claiming
	seen   uint64 // barred when the read of view began
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (w *roleWatch) event(ev zk.Event) {
	if ev.Type != zk.EventSession && !rolePath(ev.Path) {
		return
	}
	defer signal(w.dirty)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ev.Type == zk.EventSession {
		w.barred++ // what was missed while disconnected comes in any order
	}
	switch ev.Path {
	case pathController:
		w.moved++
	case pathControllerEpoch: // a claim made from an old one fails
	case pathHold, pathHandover, pathMigration:
		w.barred++
	}
	if ev.Path == pathController && ev.Type == zk.EventNodeDeleted && w.view != nil && w.seen == w.barred {
		// A standby races the brokers, which need a read before they can claim; the
		// cached epoch and its version are enough for us, and if they are old the claim
		// fails. A hold that was written just before the role was given up has to have
		// been read, though.
		v := *w.view
		v.Controller = nil
		v.Bad = maps.Clone(v.Bad) // the callback may be looking at the old one
		delete(v.Bad, pathController)
		w.view = &v
		signal(w.news)
	}
}

func (w *roleWatch) read(ctx context.Context) error {
	tick := time.NewTicker(roleReread)
	defer tick.Stop()
	for unasked := false; ; {
		w.mu.Lock()
		moved, barred := w.moved, w.barred
		w.mu.Unlock()
		v, err := w.s.readRole(ctx, w.s.getW, w.s.childrenW)
		if err != nil {
			return err
		}
		w.mu.Lock()
		if moved == w.moved {
			if unasked && w.view != nil && !reflect.DeepEqual(*w.view, v) {
				// Not reported, or just about to be: set the watches again.
				w.s.arms.lost(true, pathController, pathControllerEpoch, pathHold, pathHandover,
					pathMigration, pathBatonMembers)
				signal(w.dirty)
			}
			w.view, w.seen = &v, barred
			signal(w.news)
		}
		w.mu.Unlock()
		select {
		case <-w.dirty:
			unasked = false
		case <-tick.C:
			unasked = true
		case <-ctx.Done():
			return ctx.Err()
		case <-w.s.done:
			return w.s.sessionError()
		}
	}
}

func (w *roleWatch) deliver(ctx context.Context, callback func(RoleView)) {
	for {
		select {
		case <-w.news:
		case <-ctx.Done():
			return
		}
		w.mu.Lock()
		v := *w.view
		w.mu.Unlock()
		callback(v)
	}
}
