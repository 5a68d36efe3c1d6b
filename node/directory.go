package node

import (
	"context"
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

	mu       sync.Mutex
	brokers  []cluster.Broker
	tried    time.Time     // when the list was last read, or could not be
	fetching chan struct{} // closed when the read under way has ended; nil: none
	changes  int           // how often brokers have come or gone while we led

	clusterID  string
	idTried    time.Time
	idReading  chan struct{} // as fetching
	clusterErr string        // why it could not be read, as logged last

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

func newDirectory(n *Node) *directory { return &directory{n: n, asked: map[int32]asked{}} }

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

// list returns the live brokers, from the image if we lead, else from ZooKeeper. One
// caller reads; meanwhile the others go by the list there is, and after a failure
// nobody tries for a while: with ZooKeeper away each client would wait for it in turn.
func (d *directory) list() []cluster.Broker {
	d.mu.Lock()
	if !d.tried.IsZero() && (time.Since(d.tried) < directoryAge || d.fetching != nil) {
		defer d.mu.Unlock()
		return d.brokers
	}
	if first := d.fetching; first != nil {
		d.mu.Unlock()
		<-first
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.brokers
	}
	done, changes := make(chan struct{}), d.changes
	d.fetching = done
	d.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	brokers, err := d.fetch(ctx)

	d.mu.Lock()
	defer d.mu.Unlock()
	d.fetching, d.tried = nil, time.Now()
	if changes != d.changes {
		d.tried = time.Time{}
	}
	close(done)
	if err != nil {
		d.n.log.Debug("reading the list of brokers failed", zap.Error(err))
	} else {
		d.brokers = brokers
	}
	return d.brokers
}

// outdate has the list made anew when it is next wanted: the image of the leading controller has
// other brokers now. The first requests of clients come within seconds of a broker's start.
func (d *directory) outdate() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tried = time.Time{}
	d.changes++
}

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

// ClusterID returns the id in /cluster/id, empty until it could be read. One caller reads it and the others wait for
// that, no longer than five seconds.
func (d *directory) ClusterID() string {
	d.mu.Lock()
	if d.clusterID != "" || (!d.idTried.IsZero() && time.Since(d.idTried) < directoryAge) {
		defer d.mu.Unlock()
		return d.clusterID
	}
	reading := d.idReading
	if reading != nil {
		d.mu.Unlock()
		<-reading
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.clusterID
	}
	s := d.n.currentSession()
	if s == nil {
		d.mu.Unlock()
		return ""
	}
	reading = make(chan struct{})
	d.idReading = reading
	d.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	id, err := s.ReadClusterID(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clusterID, d.idTried, d.idReading = id, time.Now(), nil
	close(reading)
	if err != nil && err.Error() != d.clusterErr {
		d.clusterErr = err.Error()
		d.n.log.Error("clients are not told the cluster's id", zap.Error(err))
	}
	return id
}
