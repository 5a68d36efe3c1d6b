package dev

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"baton/simbroker"
	"baton/zkserver"
)

// Times are those of a cluster in a hurry: a person is waiting.
const (
	tick       = 200 * time.Millisecond
	replicaLag = 4 * time.Second
)

const listener = "PLAINTEXT"

// simulated brings up an embedded ZooKeeper and simulated brokers.
func simulated(ctx context.Context, s Site) (c *Cluster, err error) {
	zk, err := zkserver.New(zkserver.Options{TickTime: tick, MaxSession: max(s.Session, 20*tick), OnTxn: s.Apply})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = zk.Serve(l) })
	c = &Cluster{Text: fmt.Sprintf("an embedded ZooKeeper and %d simulated brokers", s.Brokers), ZooKeeper: l.Addr().String(), Session: s.Session,
		Baton:  "listeners=" + listener + "://127.0.0.1:0\ninter.broker.protocol.version=3.9\n",
		CutOff: "from ZooKeeper, the other brokers and the Batons"}
	s.Net.Own(zooKeeperHost, c.ZooKeeper)
	c.Close = func() {
		var wg sync.WaitGroup
		for _, b := range c.Brokers {
			_ = b.Resume() // a paused one would not end
			wg.Go(b.(simulatedBroker).Close)
		}
		wg.Go(func() { _ = zk.Close() })
		wg.Wait()
		serving.Wait()
	}
	for id := int32(1); int(id) <= s.Brokers; id++ {
		b := newSimulated(id, s, c.ZooKeeper)
		c.Brokers = append(c.Brokers, b)
		if err := b.Start(ctx); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// simulatedBroker is a simbroker with one listener, on the loopback network with a switch.
type simulatedBroker struct{ *simbroker.Broker }

// newSimulated returns a broker with an empty disk.
func newSimulated(id int32, s Site, zooKeeper string) simulatedBroker {
	return simulatedBroker{simbroker.New(simbroker.Options{ID: id, Network: s.Net.Host(brokerHost(id)), LagTime: replicaLag,
		FetchWait: 200 * time.Millisecond, FetchBackoff: 200 * time.Millisecond, RequestTimeout: 10 * time.Second,
		ZooKeeper: simbroker.ZooKeeper{Servers: []string{zooKeeper}, SessionTimeout: s.Session}})}
}

func (b simulatedBroker) Addr() string { return b.Broker.Addr(listener) }

func (b simulatedBroker) Kill() error { return b.Crash(simbroker.CrashOptions{}) }

func (b simulatedBroker) Cut(bool) error { return nil } // the network's switch does it all
