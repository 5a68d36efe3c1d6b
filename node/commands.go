package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"baton/admin"
	"baton/controller"
	"baton/planner"
	"baton/zkstore"
)

var errNoSession = errors.New("not connected to ZooKeeper")

func (n *Node) currentSession() session {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.session
}

func (n *Node) ready(ctx context.Context) (session, zkstore.RoleView, error) {
	s := n.currentSession()
	if s == nil {
		return nil, zkstore.RoleView{}, admin.Unreachable("%s", errNoSession)
	}
	v, err := s.ReadRole(ctx)
	if err != nil {
		return nil, v, admin.Unreachable("reading ZooKeeper: %v", err)
	}
	return s, v, nil
}

// Takeover clears the hold and claims, also from a broker if this process is a standby.
func (n *Node) Takeover(ctx context.Context, req admin.Request, progress func(string)) (err error) {
	begun := time.Now()
	defer func() { n.recordCommand("takeover", req, begun, err) }()
	_, v, err := n.ready(ctx)
	if err != nil {
		return err
	}
	if why := unsafe(v); why != "" {
		return admin.Refused("not taking over: %s", why)
	}
	id := n.id()
	if v.Controller != nil && v.Controller.Baton != nil && v.Controller.BrokerID != id {
		return admin.Refused("%s holds the role; use `controller handover`", holder(v))
	}
	n.log.Info("takeover asked for", zap.String("who", req.Who), zap.String("why", req.Why))
	progress("holder is " + holder(v))
	n.setForce(true)
	defer n.setForce(false)
	n.nudge()
	// For the term, not for the znode: that may be one of an earlier session, and the view
	// often shows a claim before the claim's own answer is back.
	var t *controller.Term
	first := ""
	err = n.awaitState(ctx, func() bool {
		n.nudge()
		if c := n.view.Controller; c != nil && c.Baton != nil && c.BrokerID != id {
			first = holder(n.view)
		}
		t = n.term
		return t != nil || first != ""
	})
	switch {
	case err != nil:
		return fmt.Errorf("not claimed: %w (%s)", err, n.why())
	case t == nil:
		return admin.Refused("%s was first; use `controller handover`", first)
	}
	progress("claimed /controller")
	if v.Hold != nil {
		progress("hold of " + v.Hold.Who + " cleared")
	}
	return n.awaitLoaded(ctx, t, progress)
}

func (n *Node) setForce(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.force = on
	if on {
		n.notUntil, n.failures = time.Time{}, 0
	}
}

func (n *Node) why() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reason
}

func (n *Node) awaitLoaded(ctx context.Context, t *controller.Term, progress func(string)) error {
	select {
	case <-t.Ready():
	case <-t.Done():
		return errors.New("the role was lost again: " + n.why())
	case <-ctx.Done():
		return ctx.Err()
	}
	var text string
	err := t.View(ctx, func(v planner.View) {
		text = fmt.Sprintf("leading at epoch %d: %d brokers, %d topics, %d partitions", v.Fence.Epoch, v.Image.BrokerCount(), v.Image.TopicCount(), v.Image.PartitionCount())
	})
	if err == nil {
		progress(text) // not in the view: the loop must not wait for an operator's terminal
	}
	return err
}

// Handback gives the role to Kafka's own controller and keeps every Baton from taking
// it until a takeover. Order: hold, finish the writes in flight, fenced delete of
// /controller, wait for a broker's claim and its first UpdateMetadata.
func (n *Node) Handback(ctx context.Context, req admin.Request, progress func(string)) (_ admin.Handback, err error) {
	start := time.Now()
	defer func() { n.recordCommand("handback", req, start, err) }()
	s, v, err := n.ready(ctx)
	if err != nil {
		return admin.Handback{}, err
	}
	id := n.id()
	if v.Controller != nil && v.Controller.Baton != nil && v.Controller.BrokerID != id {
		return admin.Handback{}, admin.Refused("%s holds the role: ask that one", holder(v))
	}
	n.log.Info("handback asked for", zap.String("who", req.Who), zap.String("why", req.Why))
	n.setBusy(true)
	defer n.setBusy(false)
	if err := n.awaitIdle(ctx); err != nil {
		return admin.Handback{}, err
	}
	if err := s.PutHold(ctx, zkstore.Hold{Who: req.Who, When: time.Now(), Why: req.Why}); err != nil {
		return admin.Handback{}, fmt.Errorf("writing the hold: %w", err)
	}
	progress("hold written: no Baton claims until `controller takeover`")
	epoch := v.Epoch
	if t := n.endTerm(errors.New("handed back"), true); t != nil {
		progress("writes in flight finished, channels closed")
		epoch = int32(t.Fence().Epoch)
		if err := s.Release(ctx, t.Fence()); err != nil && !isLost(err) {
			return admin.Handback{}, fmt.Errorf("deleting /controller: %w; the hold stays, and deleting is tried again", err)
		}
		progress("/controller released")
	}
	out := admin.Handback{Broker: -1}
	err = n.await(ctx, func(v zkstore.RoleView) bool {
		if v.Controller == nil || v.Controller.Baton != nil {
			return false
		}
		out.Broker, out.Epoch = v.Controller.BrokerID, v.Epoch
		return true
	})
	if err != nil {
		return out, admin.Partly("the role is released but no broker has claimed it yet: %v", err)
	}
	progress(fmt.Sprintf("broker %d claimed at epoch %d (ours was %d)", out.Broker, out.Epoch, epoch))
	if err := n.awaitAnnounced(ctx, out.Broker); err != nil {
		return out, admin.Partly("broker %d claimed, but no broker names it as controller yet: %v", out.Broker, err)
	}
	out.Took = time.Since(start)
	progress(fmt.Sprintf("broker %d has informed the brokers", out.Broker))
	return out, nil
}

// awaitIdle waits for a step of the campaign that was begun before busy was set: a
// claim under way would otherwise win the role that is being given up.
func (n *Node) awaitIdle(ctx context.Context) error {
	select {
	case n.acting <- struct{}{}:
		<-n.acting
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the campaign: %w", ctx.Err())
	}
}

// awaitAnnounced waits until every reachable broker names the controller in its own
// metadata, which it learns only from that controller's UpdateMetadata.
func (n *Node) awaitAnnounced(ctx context.Context, id int32) error {
	ticker := time.NewTicker(50 * time.Millisecond) // brokers have no way to be asked to tell us
	defer ticker.Stop()
	for {
		answered, named := n.askController(ctx, id)
		if answered > 0 && answered == named {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d brokers that answered name it: %w", named, answered, ctx.Err())
		}
	}
}

// Handover gives the role to another Baton, or asks the holder to give it to one.
func (n *Node) Handover(ctx context.Context, to int32, req admin.Request, progress func(string)) (err error) {
	begun := time.Now()
	defer func() { n.recordCommand(fmt.Sprintf("handover to %d", to), req, begun, err) }()
	s, v, err := n.ready(ctx)
	if err != nil {
		return err
	}
	if v.Controller == nil || v.Controller.Baton == nil {
		return admin.Refused("%s; a handover goes from Baton to Baton, use `controller takeover`", holder(v))
	}
	id := n.id()
	holds := v.Controller.BrokerID
	if to == admin.AnyMember {
		to = anyOther(v, holds, id)
	}
	switch {
	case to == holds:
		return admin.Refused("%d holds the role already", to)
	case to < 0 || !isMember(v, to):
		return admin.Refused("no other live Baton to hand over to (asked for %d)", to)
	}
	n.log.Info("handover asked for", zap.Int32("to", to), zap.String("who", req.Who), zap.String("why", req.Why))
	progress(fmt.Sprintf("handing over from %d to %d", holds, to))
	if holds == id {
		if err := n.handOver(ctx, s, to); err != nil {
			return err
		}
	} else if err := n.askHandover(ctx, s, holds, to); err != nil {
		return err
	}
	progress(fmt.Sprintf("%d holds the role", to))
	return nil
}

func (n *Node) askHandover(ctx context.Context, s session, from, to int32) error {
	if err := s.PutHandover(ctx, zkstore.Handover{From: from, To: to, When: time.Now()}); err != nil {
		return fmt.Errorf("asking for the handover: %w", err)
	}
	err := n.await(ctx, func(v zkstore.RoleView) bool { return v.Controller != nil && v.Controller.BrokerID == to })
	if err != nil {
		return errors.Join(fmt.Errorf("%d did not take over: %w", to, err), clearHandover(ctx, s))
	}
	return nil
}

// anyOther prefers this process if it does not hold, else the first other member.
func anyOther(v zkstore.RoleView, holds, self int32) int32 {
	if holds != self {
		return self
	}
	for _, m := range v.Members {
		if m.ID != holds {
			return m.ID
		}
	}
	return -1
}

// Reload reads the configuration again and applies what can be applied.
func (n *Node) Reload(_ context.Context, req admin.Request) (applied, needsRestart []string, err error) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	begun := time.Now()
	defer func() {
		n.recordCommand(fmt.Sprintf("config reload: applied %s; need a restart: %s", some(applied), some(needsRestart)), req, begun, err)
	}()
	next, err := n.load()
	if err != nil {
		return nil, nil, err
	}
	now := n.config()
	a, r := now.Reloadable(next)
	merged := now.Reload(next)
	n.cfg.Store(merged)
	if merged.LogLevel != now.LogLevel { // else a level set at run time stays
		if err := n.level.UnmarshalText([]byte(merged.LogLevel)); err != nil {
			return nil, nil, err
		}
	}
	n.mu.Lock()
	t := n.term // also one whose lease is in doubt: it may go on
	n.mu.Unlock()
	if t != nil {
		t.Push(planner.SettingsChanged{Settings: n.settings()})
	}
	for _, c := range a {
		applied = append(applied, c.String())
		n.log.Info("configuration changed", zap.Stringer("key", c))
	}
	for _, c := range r {
		needsRestart = append(needsRestart, c.String())
		n.log.Warn("configuration change needs a restart", zap.Stringer("key", c))
	}
	n.nudge()
	return applied, needsRestart, nil
}
