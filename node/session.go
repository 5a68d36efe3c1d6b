package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"baton/cluster"
	"baton/controller"
	"baton/epoch"
	"baton/planner"
	"baton/zkstore"
)

// session is what a node needs of one ZooKeeper session; zkSession makes one of
// zkstore's. Tests have their own, so that every scenario of the campaign runs without
// a server.
type session interface {
	roleSession
	ID() int64
	Timeout() time.Duration
	Connected() bool
	LeaseValid() bool
	Done() <-chan struct{}
	Close()
	EnsurePaths(ctx context.Context) error
	Register(ctx context.Context, m zkstore.Member) error
	// Follow keeps an image for the next claim, unless that is done already.
	Follow(readsPerSecond int)
	Image() zkstore.ImageStatus
	ReadBrokers(ctx context.Context) ([]cluster.Broker, []planner.Bad, error)
	ReadClusterID(ctx context.Context) (string, error)
	ReadFacts(ctx context.Context, want zkstore.FactsWanted) (zkstore.Facts, error)
	ReadFeatures(ctx context.Context) (version int32, enabled bool, err error)
	ExpireTokens(ctx context.Context, fence epoch.Fence, now time.Time) (int, error)
	// Store gives access to the cluster's data under a claim.
	Store(fence epoch.Fence) controller.Store
}

// roleSession is what deciding about the role needs.
type roleSession interface {
	WatchRole(ctx context.Context, callback func(zkstore.RoleView)) error
	ReadRole(ctx context.Context) (zkstore.RoleView, error)
	Claim(ctx context.Context, c zkstore.Claim) (epoch.Fence, error)
	Release(ctx context.Context, fence epoch.Fence) error
	PutHold(ctx context.Context, h zkstore.Hold) error
	PutHandover(ctx context.Context, h zkstore.Handover) error
	ClearHandover(ctx context.Context) error
	PutHandoverConsent(ctx context.Context, fence epoch.Fence, h zkstore.Handover) error
	OfferHandover(ctx context.Context, fence epoch.Fence, h zkstore.Handover) error
	RegisterBroker(ctx context.Context, fence epoch.Fence, b cluster.Broker, info zkstore.BatonInfo) error
	UnregisterBroker(ctx context.Context, id int32) error
}

// zkSession is a zkstore.Session whose Store is what a term takes.
type zkSession struct{ *zkstore.Session }

// Store implements session.
func (s zkSession) Store(fence epoch.Fence) controller.Store { return s.Session.Store(fence) }

// connectZooKeeper opens a session as the configuration says.
func (n *Node) connectZooKeeper(ctx context.Context) (session, error) {
	c := n.config()
	s, err := zkstore.Connect(ctx, zkstore.Config{
		Servers: c.ZooKeeperServers, Chroot: c.ZooKeeperChroot, Log: n.log.Named("zookeeper"),
		SessionTimeout: c.ZooKeeperSessionTimeout, ConnectTimeout: c.ZooKeeperConnectionTimeout, Metrics: n.metrics.ZooKeeper(),
		Dialer: n.dialZooKeeper,
	})
	if err != nil {
		return nil, err
	}
	return zkSession{s}, nil
}

// runSession lives one ZooKeeper session. The session outlives ctx for as long as an
// orderly stop takes.
func (n *Node) runSession(ctx context.Context) error {
	c := n.config()
	s, err := n.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.EnsurePaths(ctx); err != nil {
		return fmt.Errorf("preparing ZooKeeper: %w", err)
	}
	host, _ := os.Hostname()
	me := zkstore.Member{ID: n.id(), BatonInfo: n.info(), Mode: string(c.Mode), Host: host, PID: os.Getpid(), Admin: n.adminAt}
	if err := s.Register(ctx, me); err != nil {
		return err
	}
	n.log.Info("ZooKeeper session", zap.String("id", fmt.Sprintf("0x%x", s.ID())), zap.Duration("timeout", s.Timeout()))
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	n.enter(s)
	defer n.leave()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		n.watchRole(inner, s)
	}()
	err = n.campaign(ctx, inner, s)
	cancel()
	<-watched
	return err
}

// watchRole keeps the role view up to date until the session or ctx ends. While the
// role cannot be read, by a missing permission for example, nothing is decided from
// what was read before.
func (n *Node) watchRole(ctx context.Context, s session) {
	for {
		err := s.WatchRole(ctx, n.setView)
		if ctx.Err() != nil || errors.Is(err, zkstore.ErrSession) {
			return
		}
		n.mu.Lock()
		n.viewSeen = false
		n.mu.Unlock()
		if why := fmt.Sprintf("the role cannot be read: %v", err); n.setReason(why) {
			n.log.Error("following the role failed", zap.Error(err))
			n.alarm(why)
		}
		pause(ctx, time.Second)
	}
}

func (n *Node) info() zkstore.BatonInfo {
	return zkstore.BatonInfo{Name: n.config().InstanceName, Version: n.version}
}

func (n *Node) enter(s session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.session, n.viewSeen = s, false
	// A registration that is spoilt later is then known as it was.
	go n.dir.list()
}

// leave ends what stood on the session.
func (n *Node) leave() {
	n.endTerm(errors.New("the ZooKeeper session is over"), false)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.session, n.viewSeen, n.view = nil, false, zkstore.RoleView{}
	n.reason = "not connected to ZooKeeper"
}

// setView takes in what decides about the role and wakes the campaign.
func (n *Node) setView(v zkstore.RoleView) {
	n.mu.Lock()
	n.view, n.viewSeen = v, true
	n.broadcast()
	n.mu.Unlock()
	n.nudge()
}

// broadcast wakes everybody in await; n.mu is held.
func (n *Node) broadcast() {
	close(n.changed)
	n.changed = make(chan struct{})
}
