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
	"baton/config"
	"baton/controller"
	"baton/planner"
)

// crossCheck asks the brokers for the settings that ours should equal and names each
// difference. The lowest inter-broker protocol in the cluster decides about topic ids
// and leader recovery.
func (n *Node) crossCheck(ctx context.Context, t *controller.Term, brokers []cluster.Broker) {
	c := n.config()
	lowest := c.InterBrokerProtocol
	warned := map[string]bool{}
	for _, b := range brokers {
		facts := check.Prober{Timeout: 5 * time.Second}.Broker(ctx, b, c.ControllerListener())
		if facts.Configs == nil {
			n.log.Warn("a broker's settings could not be compared with ours", zap.Int32("broker", b.ID), zap.String("error", facts.Err+facts.ConfErr))
			continue
		}
		for _, d := range c.CompareWithBroker(facts.Configs) {
			if key := d.Key + d.Theirs; !warned[key] {
				warned[key] = true
				n.log.Warn("our setting differs from the brokers'", zap.String("key", d.Key), zap.String("ours", d.Ours), zap.String("theirs", d.Theirs), zap.Int32("broker", b.ID))
			}
		}
		if ibp, err := config.ParseIBP(facts.Configs["inter.broker.protocol.version"]); err == nil && ibp.Compare(lowest) < 0 {
			lowest = ibp
		}
	}
	if lowest.Compare(c.InterBrokerProtocol) < 0 {
		s := settings(c)
		s.TopicIDs, s.LeaderRecovery = lowest.TopicIDs(), lowest.LeaderRecovery()
		t.Push(planner.SettingsChanged{Settings: s})
	}
}

// askController asks every live broker whom it takes for the controller and counts
// those that answered and those that named id.
func (n *Node) askController(ctx context.Context, id int32) (answered, named int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	listener := n.config().ControllerListener()
	for _, b := range n.dir.list() {
		e, ok := b.Endpoint(listener)
		if !ok {
			continue
		}
		wg.Go(func() {
			got, err := check.Prober{Timeout: 3 * time.Second}.Controller(ctx, net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))))
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			answered++
			if got == id {
				named++
			}
		})
	}
	wg.Wait()
	return answered, named
}
