package node

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"baton/check"
	"baton/cluster"
	"baton/epoch"
	"baton/planner"
	"baton/server"
)

// directoryAge is how old the list of brokers may be. A stale entry costs a client one
// failed proxy attempt, not more.
const directoryAge = 2 * time.Second

// directory knows where live brokers are, also on a standby, so that a client whose
// metadata still names this Baton can be served by a broker.
type directory struct {
	n  *Node
	mu sync.Mutex

	brokers    []cluster.Broker
	read       time.Time
	clusterID  string
	clusterErr string                 // why it could not be read, as logged last
	asked      map[int32]epoch.Broker // whose versions were learned while standby
}

func newDirectory(n *Node) *directory { return &directory{n: n} }

// Endpoints implements server.Brokers.
func (d *directory) Endpoints(listener string) []server.Endpoint {
	var out []server.Endpoint
	for _, b := range d.list() {
		if e, ok := b.Endpoint(listener); ok {
			out = append(out, server.Endpoint{ID: b.ID, Addr: net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))})
		}
	}
	return out
}

// list returns the live brokers, from the image if we lead, else from ZooKeeper.
func (d *directory) list() []cluster.Broker {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.read) < directoryAge {
		return d.brokers
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if brokers, err := d.fetch(ctx); err == nil {
		d.brokers, d.read = brokers, time.Now()
	} else {
		d.n.log.Debug("reading the list of brokers failed", zap.Error(err))
	}
	return d.brokers
}

func (d *directory) fetch(ctx context.Context) (out []cluster.Broker, err error) {
	if t := d.n.current(); t != nil {
		err = t.View(ctx, func(v planner.View) {
			for _, b := range v.Image.Brokers() {
				out = append(out, *b)
			}
		})
		return out, err
	}
	s := d.n.currentSession()
	if s == nil {
		return nil, errNoSession
	}
	out, _, err = s.ReadBrokers(ctx)
	d.learn(ctx, out)
	return out, err
}

// learn asks brokers that are new for the versions they read, so that a standby's
// endpoint offers no more than what it can pass on. The active one learns it from its
// channels.
func (d *directory) learn(ctx context.Context, brokers []cluster.Broker) {
	listener := d.n.config().ControllerListener()
	var wg sync.WaitGroup
	seen := map[int32]epoch.Broker{}
	for _, b := range brokers {
		seen[b.ID] = b.Epoch
		if d.asked[b.ID] == b.Epoch {
			continue
		}
		wg.Go(func() {
			facts := check.Prober{Timeout: time.Second}.APIs(ctx, b, listener)
			if facts == nil {
				d.n.log.Debug("a broker did not say which versions it reads", zap.Int32("broker", b.ID))
				return
			}
			d.n.server.SetBrokerVersions(b.ID, facts)
		})
	}
	wg.Wait()
	for id := range d.asked {
		if _, ok := seen[id]; !ok {
			d.n.server.ForgetBroker(id)
		}
	}
	d.asked = seen
}

// ClusterID returns the id in /cluster/id, empty until it could be read.
func (d *directory) ClusterID() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clusterID != "" {
		return d.clusterID
	}
	if s := d.n.currentSession(); s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		id, err := s.ReadClusterID(ctx)
		d.clusterID = id
		if err != nil && err.Error() != d.clusterErr {
			d.clusterErr = err.Error()
			d.n.log.Error("clients are not told the cluster's id", zap.Error(err))
		}
	}
	return d.clusterID
}
