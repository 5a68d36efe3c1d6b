package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"baton/controller"
	"baton/epoch"
	"baton/metrics"
	"baton/planner"
	"baton/zkstore"
)

// campaign acts on every change of the role view until the session or ctx ends. inner
// goes on for as long as an orderly stop takes.
func (n *Node) campaign(ctx, inner context.Context, s session) error {
	// Something may have to be tried again without any change in ZooKeeper: a claim
	// after a back-off, a release that met a lost connection.
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			n.stop(inner, s)
			return nil
		case <-s.Done():
			return zkstore.ErrSession
		case <-n.wake:
		case <-again.C:
		}
		n.act(ctx, inner, s)
		n.follow(s)
		n.publish(s)
	}
}

// follow has a standby keep an image of the cluster. The load of a claim ends it.
func (n *Node) follow(s session) {
	c := n.config()
	n.mu.Lock()
	standby := n.term == nil && n.viewSeen
	n.mu.Unlock()
	if standby && c.StandbyImage == "warm" {
		s.Follow(c.StandbyImageReads)
	}
}

func (n *Node) publish(s session) {
	img := s.Image()
	n.metrics.Image(img.Warm, img.Age, img.Partitions, img.Dirty)
	n.metrics.LeaseValid(s.LeaseValid())
	n.mu.Lock()
	v, holding := n.view, n.term != nil
	n.mu.Unlock()
	role := metrics.Standby
	switch {
	case holding:
		role = metrics.Active
	case v.Hold != nil:
		role = metrics.Held
	}
	n.publishBad(v, holding)
	n.metrics.SetRole(role)
	n.metrics.Hold(v.Hold != nil)
	standby, active := 0, 0
	for _, m := range v.Members {
		if m.Mode == string(Active) {
			active++
		} else {
			standby++
		}
	}
	n.metrics.Members(standby, active)
}

// publishBad names what decides about the role and cannot be understood. One that holds
// does not refuse for it, so it is said here.
func (n *Node) publishBad(v zkstore.RoleView, holding bool) {
	paths := slices.Sorted(maps.Keys(v.Bad))
	for _, path := range paths {
		if why := v.Bad[path]; holding && n.badSaid[path] != why {
			n.log.Error(string(planner.NoteBad), zap.String("text", path+": "+why))
			n.alarm(path + ": " + why)
		}
	}
	n.badSaid = v.Bad
	n.metrics.BadZnodes(metrics.SourceRole, paths)
	if !holding {
		n.metrics.BadZnodes(metrics.SourceCluster, nil)
	}
}

// stanceNow is what next needs to know of us; ok is false while nothing may be done.
func (n *Node) stanceNow(s session) (v zkstore.RoleView, st stance, ok bool) {
	c := n.config()
	n.mu.Lock()
	defer n.mu.Unlock()
	st = stance{id: n.id(), instance: c.InstanceName, session: s.ID(), mode: Mode(c.Mode), force: n.force}
	if n.term != nil {
		st.holding, st.version, st.cleared = true, n.term.Fence().Version, n.cleared
	}
	return n.view, st, n.viewSeen && !n.busy
}

// act takes one step. What it asks of ZooKeeper ends with ctx, so that a stop does not
// wait for servers that are away; a term that it starts lives as long as inner.
func (n *Node) act(ctx, inner context.Context, s session) {
	n.acting <- struct{}{}
	defer func() { <-n.acting }()
	v, st, ok := n.stanceNow(s)
	if !ok {
		return
	}
	todo, why := next(v, st)
	switch todo {
	case resign:
		n.log.Warn("resigning", zap.String("reason", why))
		n.recordRole(v.Epoch, "Baton %d resigns: %s", n.id(), why)
		n.endTerm(errors.New(why), false)
		n.setReason(why)
	case consent:
		n.consent(ctx, s, v, why)
	case withdraw:
		n.withdraw(ctx, s, why)
	case release:
		n.release(ctx, s, v, why)
	case claim:
		n.claim(ctx, inner, s, v, why)
	case refuse:
		if n.setReason(why) {
			n.log.Error("refusing to claim", zap.String("reason", why))
			n.alarm("refusing to claim: " + why)
		}
	case wait:
		if n.setReason(why) {
			n.log.Info("not claiming", zap.String("reason", why))
		}
	case keep:
	}
}

func (n *Node) consent(ctx context.Context, s session, v zkstore.RoleView, why string) {
	h := *v.Handover
	h.From, h.Consent = n.id(), v.Epoch
	n.log.Info("consenting to a handover", zap.String("reason", why))
	n.mu.Lock()
	t := n.term
	n.mu.Unlock()
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	if err := s.PutHandoverConsent(ctx, t.Fence(), h); err != nil {
		n.log.Warn("consenting failed", zap.Error(err))
	}
}

// withdraw takes back a consent that nobody is there to use: whoever comes back with
// that id later would claim without having been asked.
func (n *Node) withdraw(ctx context.Context, s session, why string) {
	n.log.Info("withdrawing the consent to a handover", zap.String("reason", why))
	ctx, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	if err := s.ClearHandover(ctx); err != nil {
		n.log.Warn("withdrawing failed", zap.Error(err))
	}
}

// release gives up /controller, which this session owns, with or without a term. If it
// fails the next look at the view tries again.
func (n *Node) release(ctx context.Context, s session, v zkstore.RoleView, why string) {
	if n.setReason(why) {
		n.log.Warn("giving up /controller", zap.String("reason", why))
	}
	n.endTerm(errors.New(why), true)
	err := s.Release(ctx, epoch.Fence{Epoch: epoch.Controller(v.Epoch), Version: v.EpochVersion})
	if err != nil && !isLost(err) {
		n.log.Warn("releasing /controller failed", zap.Error(err))
	}
}

func (n *Node) claim(ctx, inner context.Context, s session, v zkstore.RoleView, why string) {
	n.mu.Lock()
	early := time.Now().Before(n.notUntil)
	n.mu.Unlock()
	if early || !s.LeaseValid() {
		return
	}
	start := time.Now()
	// A claim that cannot be settled, because nothing is connected, must not hold up the
	// campaign: a stop, or the metrics. If it was won after all, the view will tell.
	try, cancel := context.WithTimeout(ctx, s.Timeout())
	defer cancel()
	fence, err := s.Claim(try, zkstore.Claim{ID: n.id(), Info: n.info(), Replace: v.Controller,
		EpochValue: v.Epoch, EpochVersion: v.EpochVersion, Handover: v.Handover != nil && v.Handover.To == n.id(), ClearHold: v.Hold != nil})
	switch {
	case errors.Is(err, zkstore.ErrTaken):
		n.log.Info("somebody else was first", zap.String("tried because", why))
		return // the view brings who
	case ctx.Err() != nil || errors.Is(err, zkstore.ErrSession):
		return // we stop, or begin anew with another session
	case err != nil:
		n.log.Warn("claiming failed", zap.Error(err))
		n.setReason("claiming failed: " + err.Error())
		n.mu.Lock()
		n.backOff()
		n.mu.Unlock()
		return
	}
	n.metrics.ClaimPhase(metrics.PhaseClaim, time.Since(start))
	n.recordRole(int32(fence.Epoch), "Baton %d (%s) claimed /controller: %s", n.id(), n.config().InstanceName, why)
	n.log.Info("claimed /controller", zap.Stringer("fence", fence), zap.String("reason", why), zap.Duration("took", time.Since(start)))
	n.mu.Lock()
	n.cleared = v.Hold
	n.mu.Unlock()
	n.lead(inner, s, fence)
}

// backOff keeps from claiming for a while that grows with failures in a row; n.mu is
// held.
func (n *Node) backOff() {
	n.notUntil = time.Now().Add(500 * time.Millisecond << min(n.failures, 7))
	n.failures++
}

// ended decides what follows a term that did not end by losing the role: after a
// reclaim we claim again over ourselves; after anything else the role is given up, so
// that a process that can lead does.
func (n *Node) ended(ctx context.Context, s session, t *controller.Term, err error) {
	lost := errors.Is(err, errEnded) || isLost(err)
	n.recordRole(int32(t.Fence().Epoch), "Baton %d (%s) does not lead any more: %v", n.id(), n.config().InstanceName, err)
	n.mu.Lock()
	if n.term == t {
		n.term = nil
	}
	if !lost {
		n.backOff() // before anybody sees that there is no term: the view still says ours
	}
	n.broadcast()
	n.mu.Unlock()
	n.nudge()
	if lost {
		n.log.Info("no longer the controller", zap.Error(err))
		return
	}
	n.alarm(err.Error())
	if errors.Is(err, controller.ErrReclaim) {
		n.metrics.Reclaim()
		n.log.Error("claiming again", zap.Error(err))
		return
	}
	n.log.Error("giving the role up", zap.Error(err))
	if err := s.Release(ctx, t.Fence()); err != nil {
		n.log.Warn("releasing /controller failed", zap.Error(err))
	}
}

// errEnded is the cause of a term that somebody here ended on purpose.
var errEnded = errors.New("ended")

// endTerm stops the term, if there is one, and waits for it: afterwards no frame is
// written any more.
func (n *Node) endTerm(reason error, drain bool) *controller.Term {
	n.mu.Lock()
	t, asBroker := n.term, n.asBroker
	n.mu.Unlock()
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	t.Stop(ctx, fmt.Errorf("%w: %w", errEnded, reason), drain)
	asBroker.end() // before the role is given up
	n.mu.Lock()
	if n.term == t {
		n.term = nil
		n.broadcast()
	}
	n.mu.Unlock()
	return t
}
