package node

import (
	"context"
	"maps"
	"net"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"baton/cluster"
	"baton/config"
	"baton/controller"
	"baton/epoch"
	"baton/planner"
)

// crossCheck is what has been learned of the brokers' settings, one for each term.
type crossCheck struct {
	mu     sync.Mutex
	warned map[string]bool
	asked  map[int32]epoch.Broker // incarnations that were asked, or are being asked
	ibps   map[int32]config.IBP
}

// newCrossCheck asks everybody again, but until they have answered goes by what was
// known before.
func newCrossCheck(before *crossCheck) *crossCheck {
	cc := &crossCheck{warned: map[string]bool{}, asked: map[int32]epoch.Broker{}, ibps: map[int32]config.IBP{}}
	if before != nil {
		before.mu.Lock()
		defer before.mu.Unlock()
		cc.warned, cc.ibps = maps.Clone(before.warned), maps.Clone(before.ibps)
	}
	return cc
}

// begin reports whether a broker's incarnation is still to be asked, and marks it;
// brokers that are not live any more are forgotten.
func (cc *crossCheck) begin(broker int32, live map[int32]epoch.Broker) bool {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	gone := func(id int32) bool { _, ok := live[id]; return !ok }
	maps.DeleteFunc(cc.ibps, func(id int32, _ config.IBP) bool { return gone(id) })
	maps.DeleteFunc(cc.asked, func(id int32, _ epoch.Broker) bool { return gone(id) })
	e, ok := live[broker]
	if !ok || cc.asked[broker] == e {
		return false
	}
	cc.asked[broker] = e
	return true
}

// failed has the broker asked again at its next connection.
func (cc *crossCheck) failed(broker int32) {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	delete(cc.asked, broker)
}

// learned notes a broker's inter-broker protocol.
func (cc *crossCheck) learned(broker int32, ibp config.IBP) {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	cc.ibps[broker] = ibp
}

// lowest returns the lowest protocol of ours and the brokers'.
func (cc *crossCheck) lowest(own config.IBP) config.IBP {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	for _, ibp := range cc.ibps {
		if ibp.Compare(own) < 0 {
			own = ibp
		}
	}
	return own
}

// news reports whether a difference was not warned of yet.
func (cc *crossCheck) news(d string) bool {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	defer func() { cc.warned[d] = true }()
	return !cc.warned[d]
}

// crossCheck asks a broker for the settings that ours should equal and names each
// difference once. The lowest inter-broker protocol in the cluster decides about topic
// ids and leader recovery. It is called for every connection to a broker and asks once
// for each registration.
func (n *Node) crossCheck(ctx context.Context, t *controller.Term, cc *crossCheck, broker int32) {
	c := n.config()
	var b cluster.Broker
	live := map[int32]epoch.Broker{}
	err := t.View(ctx, func(v planner.View) {
		for _, found := range v.Image.Brokers() {
			live[found.ID] = found.Epoch
			if found.ID == broker {
				b = *found
			}
		}
	})
	if err != nil {
		return // the term is over
	}
	before := cc.lowest(c.InterBrokerProtocol)
	defer func() {
		if cc.lowest(c.InterBrokerProtocol) != before {
			t.Push(planner.SettingsChanged{Settings: n.settings()})
		}
	}()
	if !cc.begin(broker, live) {
		return // the broker is gone again, or was asked already
	}
	facts := n.prober(10*time.Second).Broker(ctx, b, c.ControllerListener())
	if facts.Configs == nil {
		cc.failed(broker)
		n.log.Warn("a broker's settings could not be compared with ours", zap.Int32("broker", broker), zap.String("error", facts.Err+facts.ConfErr))
		return
	}
	for _, d := range c.CompareWithBroker(facts.Configs) {
		if cc.news(d.Key + "=" + d.Theirs) {
			n.log.Warn("our setting differs from the brokers'", zap.String("key", d.Key), zap.String("ours", d.Ours), zap.String("theirs", d.Theirs), zap.Int32("broker", broker))
		}
	}
	if ibp, err := config.ParseIBP(facts.Configs["inter.broker.protocol.version"]); err == nil {
		cc.learned(broker, ibp)
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
			got, err := n.prober(3*time.Second).Controller(ctx, net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))))
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
