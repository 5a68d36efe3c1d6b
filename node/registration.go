package node

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"go.uber.org/zap"

	"baton/cluster"
	"baton/controller"
	"baton/epoch"
	"baton/planner"
	"baton/zkstore"
)

// allocateProducerIDsKey is an API that brokers have since 3.0.
const allocateProducerIDsKey int16 = 67

// registration is Baton's own entry in /brokers/ids during one term. Brokers up to 2.8
// look for the controller there when they shut down, and stop uncleanly without it; later
// ones know it from UpdateMetadata (10.4). Others would see one broker too many: so it is
// made only for old brokers, only after the claim, and removed before the role is given up.
type registration struct {
	s     registrar
	fence epoch.Fence
	info  zkstore.BatonInfo
	view  func(context.Context) (self cluster.Broker, live map[int32]bool, err error)
	log   *zap.Logger
	wake  chan struct{}
	stop  context.CancelFunc
	done  chan struct{} // closed when run has returned

	mu  sync.Mutex
	old map[int32]bool // by broker: it is older than 3.0
}

// registrar is what registering needs of a session.
type registrar interface {
	RegisterBroker(ctx context.Context, f epoch.Fence, b cluster.Broker, info zkstore.BatonInfo) error
	UnregisterBroker(ctx context.Context, id int32) error
	Done() <-chan struct{}
}

func (n *Node) newRegistration(ctx context.Context, s session, t *controller.Term) *registration {
	r := &registration{s: s, fence: t.Fence(), info: n.info(), log: n.log, wake: make(chan struct{}, 1), done: make(chan struct{}), old: map[int32]bool{}}
	r.view = func(ctx context.Context) (self cluster.Broker, live map[int32]bool, err error) {
		err = t.View(ctx, func(v planner.View) {
			self, live = v.Self, map[int32]bool{}
			for _, b := range v.Image.Brokers() {
				live[b.ID] = true
			}
		})
		return self, live, err
	}
	ctx, r.stop = context.WithCancel(ctx)
	go r.run(ctx)
	return r
}

// learned notes what a broker's binary supports, as it said on a new connection.
func (r *registration) learned(broker int32, keys map[int16][2]int16) {
	_, has := keys[allocateProducerIDsKey]
	r.mu.Lock()
	r.old[broker] = !has
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// wanted reports whether an old broker is live, and forgets those that are not.
func (r *registration) wanted(live map[int32]bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.old, func(id int32, _ bool) bool { return !live[id] })
	for _, old := range r.old {
		if old {
			return true
		}
	}
	return false
}

// run keeps the entry as it is wanted until ctx ends, and removes it then.
func (r *registration) run(ctx context.Context) {
	defer close(r.done)
	var id int32
	there, sure := false, true // it may be in ZooKeeper; and that is known
	retry := time.NewTimer(0)
	defer retry.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-r.wake:
		case <-retry.C:
		}
		self, live, err := r.view(ctx)
		if err != nil {
			continue // the term is over
		}
		switch want := r.wanted(live); {
		case want && !(there && sure):
			there, id = true, self.ID
			if err = r.s.RegisterBroker(ctx, r.fence, self, r.info); err == nil {
				r.log.Info("registered under /brokers/ids, where brokers up to 2.8 look for the controller")
			}
		case !want && there:
			if err = r.s.UnregisterBroker(ctx, id); err == nil {
				there = false
				r.log.Info("removed from /brokers/ids: no broker up to 2.8 is left")
			}
		}
		if sure = err == nil; !sure && ctx.Err() == nil && !errors.Is(err, epoch.ErrFenced) {
			r.log.Warn("the registration under /brokers/ids failed, tried again", zap.Error(err))
			retry.Reset(time.Second)
		}
	}
	if there {
		r.remove(id)
	}
}

// remove does not come back before the entry is gone, or some time has passed; then it is
// tried for as long as the session lives: a broker's controller would count us as a broker.
func (r *registration) remove(id int32) {
	attempt := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return r.s.UnregisterBroker(ctx, id)
	}
	err := attempt(2 * time.Second)
	if err == nil || errors.Is(err, zkstore.ErrSession) {
		return
	}
	r.log.Warn("removing the registration under /brokers/ids failed, tried again", zap.Error(err))
	go func() {
		for {
			select {
			case <-r.s.Done():
				return
			case <-time.After(time.Second):
			}
			if attempt(5*time.Second) == nil {
				return
			}
		}
	}()
}

// end removes the entry. It may be called more than once.
func (r *registration) end() {
	r.stop()
	<-r.done
}
