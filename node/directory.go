package node

import (
	"context"
	"math"
	"net"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"baton/cluster"
	"baton/epoch"
	"baton/planner"
	"baton/server"
)

// directoryAge is how old the list of brokers may be where nobody says that it has changed.
// A stale entry costs a client one failed proxy attempt, not more.
const directoryAge = 2 * time.Second

// askAgain is when a broker that did not say which versions it reads is asked again.
const askAgain = 10 * time.Second

// directory knows where live brokers are, also on a standby, so that a client whose
// metadata still names this Baton can be served by a broker.
type directory struct {
	n *Node

	brokers    fresh[[]cluster.Broker]
	cluster    fresh[string]
	features   fresh[int64]
	clusterErr string // why the cluster's id could not be read, as logged last

	// Of whoever fetches:
	listed map[int32]bool  // the ids in the last list
	asked  map[int32]asked // whose versions were asked for while standby
}

// asked is when an incarnation of a broker was asked for its versions.
type asked struct {
	epoch    epoch.Broker
	when     time.Time
	answered bool
}

func newDirectory(n *Node) *directory {
	d := &directory{n: n, asked: map[int32]asked{}}
	d.brokers = fresh[[]cluster.Broker]{good: directoryAge, read: d.readBrokers}
	d.cluster = fresh[string]{good: math.MaxInt64, read: d.readClusterID} // it never changes
	d.features = fresh[int64]{good: directoryAge, read: d.readFeatures, value: noFeatures}
	return d
}

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
func (d *directory) list() []cluster.Broker { return d.brokers.get() }

func (d *directory) readBrokers(ctx context.Context) ([]cluster.Broker, bool) {
	brokers, err := d.fetch(ctx)
	if err != nil {
		d.n.log.Debug("reading the list of brokers failed", zap.Error(err))
	}
	return brokers, err == nil
}

// outdate has the list made anew when it is next wanted: the image of the leading controller has
// other brokers now. The first requests of clients come within seconds of a broker's start.
func (d *directory) outdate() { d.brokers.outdate() }

func (d *directory) fetch(ctx context.Context) (out []cluster.Broker, err error) {
	t := d.n.current()
	if t != nil {
		err = t.View(ctx, func(v planner.View) {
			for _, b := range v.Image.Brokers() {
				out = append(out, *b)
			}
		})
	} else if s := d.n.currentSession(); s != nil {
		out, _, err = s.ReadBrokers(ctx)
	} else {
		err = errNoSession
	}
	if err != nil {
		return nil, err
	}
	d.forget(out)
	if t == nil { // the active one learns versions from its channels
		d.learn(ctx, out)
	}
	return out, nil
}

// forget drops the versions of brokers that are not listed any more: the endpoint
// offers what all have in common.
func (d *directory) forget(brokers []cluster.Broker) {
	now := map[int32]bool{}
	for _, b := range brokers {
		now[b.ID] = true
	}
	for id := range d.listed {
		if !now[id] {
			d.n.server.ForgetBroker(id)
			delete(d.asked, id)
		}
	}
	d.listed = now
}

// learn asks brokers that are new for the versions they read, so that a standby's
// endpoint offers no more than what it can pass on.
func (d *directory) learn(ctx context.Context, brokers []cluster.Broker) {
	listener := d.n.config().ControllerListener()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, b := range brokers {
		mu.Lock()
		was := d.asked[b.ID]
		mu.Unlock()
		if was.epoch == b.Epoch && (was.answered || time.Since(was.when) < askAgain) {
			continue
		}
		wg.Go(func() {
			facts := d.n.prober(time.Second).APIs(ctx, b, listener)
			mu.Lock()
			d.asked[b.ID] = asked{epoch: b.Epoch, when: time.Now(), answered: facts != nil}
			mu.Unlock()
			if facts == nil {
				d.n.log.Debug("a broker did not say which versions it reads", zap.Int32("broker", b.ID))
				return
			}
			d.n.server.SetBrokerVersions(b.ID, facts)
		})
	}
	wg.Wait()
}

// ClusterID returns the id in /cluster/id, empty until it could be read.
func (d *directory) ClusterID() string {
	if d.n.currentSession() == nil {
		return "" // a failure would keep it from being read as soon as there is one
	}
	return d.cluster.get()
}

func (d *directory) readClusterID(ctx context.Context) (string, bool) {
	s := d.n.currentSession()
	if s == nil {
		return "", false
	}
	id, err := s.ReadClusterID(ctx)
	if err != nil && err.Error() != d.clusterErr {
		d.clusterErr = err.Error()
		d.n.log.Error("clients are not told the cluster's id", zap.Error(err))
	}
	return id, id != ""
}

// noFeatures is the epoch of no /feature, and of one that is disabled.
const noFeatures = -1

// FeatureEpoch returns the version of /feature, as brokers say it.
func (d *directory) FeatureEpoch() int64 {
	if d.n.settings().FeatureVersion == 0 || d.n.currentSession() == nil {
		return noFeatures // a failure would keep it from being read as soon as there is a session
	}
	return d.features.get()
}

func (d *directory) readFeatures(ctx context.Context) (int64, bool) {
	s := d.n.currentSession()
	if s == nil {
		return noFeatures, false
	}
	version, enabled, err := s.ReadFeatures(ctx)
	if err != nil {
		d.n.log.Debug("reading the features' epoch failed", zap.Error(err))
	}
	if !enabled {
		return noFeatures, err == nil
	}
	return int64(version), err == nil
}
