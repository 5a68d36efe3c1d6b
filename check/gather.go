package check

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"baton/cluster"
	"baton/config"
	"baton/isr"
	"baton/planner"
	"baton/zkstore"
)

// Reader is what is needed of a ZooKeeper session. Nothing in it writes.
type Reader interface {
	// Session is the server connected to and the timeout negotiated.
	Session() (server string, timeout time.Duration)
	HasChroot(ctx context.Context) (bool, error)
	ClusterID(ctx context.Context) (string, error) // "" if there is none
	ReadRole(ctx context.Context) (zkstore.RoleView, error)
	Batons(ctx context.Context) ([]int32, error)
	Deletions(ctx context.Context) ([]string, error) // the markers in /admin/delete_topics
	Brokers(ctx context.Context) ([]cluster.Broker, []planner.Bad, error)
	Topics(ctx context.Context) ([]planner.TopicRead, []planner.StateRead, error)
	Close()
}

// Connect opens a session for reading.
type Connect func(ctx context.Context, c *config.Config) (Reader, error)

// Prober asks servers and brokers over plain connections. Its zero value is ready for use.
type Prober struct {
	Timeout time.Duration // for one server or broker; 0 means 5 s
	// Dial opens a connection; nil dials TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

// Gather collects the facts. It fails never: what cannot be had is a fact, too.
func (p Prober) Gather(ctx context.Context, c *config.Config, connect Connect) *Facts {
	f := &Facts{Config: c}
	f.Servers = make([]Server, len(c.ZooKeeperServers))
	each(len(f.Servers), func(i int) { f.Servers[i] = p.zooKeeper(ctx, c.ZooKeeperServers[i]) })
	r, err := connect(ctx, c)
	if err != nil {
		f.Session.Err = err.Error()
		return f
	}
	defer r.Close()
	f.read(ctx, r)
	listener := c.ControllerListener()
	each(len(f.Brokers), func(i int) { p.broker(ctx, &f.Brokers[i], listener) })
	return f
}

// each calls f for 0 … n-1, some at a time: a cluster may have hundreds of brokers that all take their time.
func each(n int, f func(i int)) {
	const atOnce = 16
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}

func (f *Facts) read(ctx context.Context, r Reader) {
	f.Session.Server, f.Session.Timeout = r.Session()
	failed := func(what string, err error) bool {
		if err != nil {
			f.ReadErrs = append(f.ReadErrs, fmt.Sprintf("%s: %v", what, err))
		}
		return err != nil
	}
	var err error
	f.Session.HasChroot, err = r.HasChroot(ctx)
	if failed("chroot", err) || !f.Session.HasChroot {
		return
	}
	f.ClusterID, err = r.ClusterID(ctx)
	failed("/cluster/id", err)
	f.Role, err = r.ReadRole(ctx)
	failed("/controller", err)
	f.Batons, err = r.Batons(ctx)
	failed("/baton/ids", err)
	brokers, bad, err := r.Brokers(ctx)
	failed("/brokers/ids", err)
	f.BadBrokers = bad
	for _, b := range brokers {
		f.Brokers = append(f.Brokers, Broker{Broker: b, Baton: f.isBaton(b.ID)})
	}
	topics, states, err := r.Topics(ctx)
	failed("/brokers/topics", err)
	f.Topics = sum(topics, states, append([]int32{int32(f.Config.NodeID)}, f.Batons...))
	f.Topics.Deleting, err = r.Deletions(ctx)
	failed("/admin/delete_topics", err)
}

func (f *Facts) isBaton(id int32) bool {
	return slices.Contains(f.Batons, id) || slices.ContainsFunc(f.Role.Members, func(m zkstore.Member) bool { return m.ID == id })
}

// sum counts topics, and names those that need a person's attention.
func sum(topics []planner.TopicRead, states []planner.StateRead, batons []int32) Topics {
	out := Topics{Count: len(topics), OnBatons: map[int32][]string{}}
	for _, t := range topics {
		out.Names = append(out.Names, t.Name)
		if t.Bad != "" {
			out.Bad = append(out.Bad, planner.Bad{Path: "/brokers/topics/" + t.Name, Reason: t.Bad})
			continue
		}
		out.Partitions += len(t.Partitions)
		if slices.ContainsFunc(t.Partitions, func(p planner.PartitionRead) bool { return p.Assignment.Reassigning() }) {
			out.Reassigning = append(out.Reassigning, t.Name)
		}
		on := map[int32]bool{}
		for _, p := range t.Partitions {
			for _, id := range p.Assignment.Replicas {
				if slices.Contains(batons, id) && !on[id] {
					on[id] = true
					out.OnBatons[id] = append(out.OnBatons[id], t.Name)
				}
			}
		}
	}
	for _, s := range states {
		switch {
		case s.Bad != "":
			out.Bad = append(out.Bad, planner.Bad{Path: fmt.Sprintf("/brokers/topics/%s/partitions/%d/state", s.ID.Topic, s.ID.Number), Reason: s.Bad})
		case s.Exists && s.State.Leader == isr.NoLeader:
			out.Leaderless++
		}
	}
	slices.SortFunc(out.Bad, func(a, b planner.Bad) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(out.Names)
	slices.Sort(out.Reassigning)
	return out
}
