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

// crossCheck is what one term has learned of the brokers' settings.
type crossCheck struct {
	mu     sync.Mutex
	warned map[string]bool
	lowest config.IBP
}

func newCrossCheck(c *config.Config) *crossCheck {
	return &crossCheck{warned: map[string]bool{}, lowest: c.InterBrokerProtocol}
}

// crossCheck asks a broker for the settings that ours should equal and names each
// difference once. The lowest inter-broker protocol in the cluster decides about topic
// ids and leader recovery.
func (n *Node) crossCheck(ctx context.Context, t *controller.Term, cc *crossCheck, broker int32) {
	c := n.config()
	var b *cluster.Broker
	err := t.View(ctx, func(v planner.View) {
		if found := v.Image.Broker(broker); found != nil {
			copied := *found
			b = &copied
		}
	})
	if err != nil || b == nil {
		return // the term is over, or the broker gone again
	}
	facts := check.Prober{Timeout: 10 * time.Second}.Broker(ctx, *b, c.ControllerListener())
	if facts.Configs == nil {
		n.log.Warn("a broker's settings could not be compared with ours", zap.Int32("broker", broker), zap.String("error", facts.Err+facts.ConfErr))
		return
	}
	cc.mu.Lock()
	defer cc.mu.Unlock()
	for _, d := range c.CompareWithBroker(facts.Configs) {
		if key := d.Key + "=" + d.Theirs; !cc.warned[key] {
			cc.warned[key] = true
			n.log.Warn("our setting differs from the brokers'", zap.String("key", d.Key), zap.String("ours", d.Ours), zap.String("theirs", d.Theirs), zap.Int32("broker", broker))
		}
	}
	ibp, err := config.ParseIBP(facts.Configs["inter.broker.protocol.version"])
	if err == nil && ibp.Compare(cc.lowest) < 0 {
		cc.lowest = ibp
		t.Push(planner.SettingsChanged{Settings: cc.bound(settings(c))})
	}
}

// bound takes from the settings what the lowest protocol does not have; cc.mu is held.
func (cc *crossCheck) bound(s planner.Settings) planner.Settings {
	s.TopicIDs, s.LeaderRecovery = s.TopicIDs && cc.lowest.TopicIDs(), s.LeaderRecovery && cc.lowest.LeaderRecovery()
	return s
}

// reloaded is bound for settings that were read again.
func (cc *crossCheck) reloaded(s planner.Settings) planner.Settings {
	if cc == nil {
		return s
	}
	cc.mu.Lock()
	defer cc.mu.Unlock()
	return cc.bound(s)
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
