package main

import (
	"context"
	"strings"
	"time"

	"baton/check"
	"baton/cluster"
	"baton/config"
	batonnode "baton/node"
	"baton/planner"
	"baton/zkstore"
)

// newRealNode makes the node that `run` runs.
func newRealNode(p parts) (node, error) {
	return batonnode.New(p.config, batonnode.Options{
		Log: p.log, Metrics: p.metrics, States: p.states, Journal: p.journal, Level: p.level,
		Load: func() (*config.Config, error) {
			c, _, err := p.load()
			return c, err
		},
	}), nil
}

// realConnect opens the read-only ZooKeeper session of `check`, and of `status` where no
// Baton runs.
func realConnect(ctx context.Context, c *config.Config) (check.Reader, error) {
	s, err := zkstore.Connect(ctx, zkstore.Config{
		Servers: c.ZooKeeperServers, Chroot: c.ZooKeeperChroot,
		SessionTimeout: c.ZooKeeperSessionTimeout, ConnectTimeout: c.ZooKeeperConnectionTimeout,
	})
	if err != nil {
		return nil, err
	}
	return reader{s, strings.Join(c.ZooKeeperServers, ",")}, nil
}

// reader shows a session to `check`.
type reader struct {
	s       *zkstore.Session
	servers string
}

func (r reader) Session() (string, time.Duration)                       { return r.servers, r.s.Timeout() }
func (r reader) HasChroot(ctx context.Context) (bool, error)            { return r.s.HasRoot(ctx) }
func (r reader) ClusterID(ctx context.Context) (string, error)          { return r.s.ReadClusterID(ctx) }
func (r reader) ReadRole(ctx context.Context) (zkstore.RoleView, error) { return r.s.ReadRole(ctx) }
func (r reader) Batons(ctx context.Context) ([]int32, error)            { return r.s.ReadBatons(ctx) }
func (r reader) Deletions(ctx context.Context) ([]string, error)        { return r.s.ReadDeletions(ctx) }
func (r reader) Close()                                                 { r.s.Close() }

func (r reader) Brokers(ctx context.Context) ([]cluster.Broker, []planner.Bad, error) {
	return r.s.ReadBrokers(ctx)
}

func (r reader) Topics(ctx context.Context) ([]planner.TopicRead, []planner.StateRead, error) {
	return r.s.ReadTopics(ctx)
}
