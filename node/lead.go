package node

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"baton/channel"
	"baton/cluster"
	"baton/config"
	"baton/controller"
	"baton/epoch"
	"baton/metrics"
	"baton/partition"
	"baton/planner"
	"baton/recovery"
	"baton/server"
	"baton/topicconfig"
	"baton/zkstore"
)

// maxPerRequest bounds the partitions in one LeaderAndIsr or UpdateMetadata, so that a broker's answer comes soon.
const maxPerRequest = 20_000

// bytesOfPartition is more than a partition takes in a request: a topic of its own, with the longest name, and 150 replicas
// that are all in sync take 1,600.
const bytesOfPartition = 2 << 10

// perRequest is how many partitions a request may name so that it stays below the brokers' socket.request.max.bytes, which
// shares its key with ours; a broker closes the connection on a larger one.
func perRequest(maxBytes int) int { return max(1, min(maxPerRequest, maxBytes/bytesOfPartition)) }

// lead starts a term on a claim. It returns at once; the term ends by itself or by endTerm.
func (n *Node) lead(ctx context.Context, s session, fence epoch.Fence) {
	c := n.config()
	start := time.Now()
	n.mu.Lock()
	check := newCrossCheck(n.check)
	n.mu.Unlock()
	o := &observer{node: n, id: n.id(), brokers: map[int32]bool{}}
	t := controller.NewTerm(fence, s.Store(fence), o)
	o.samples = n.newSampler(t)
	asBroker := n.newRegistration(ctx, s, t)
	channels := channel.NewManager(channel.Config{
		ControllerID: n.id(), Listener: c.ControllerListener(), InterBrokerListener: c.InterBrokerListener,
		Versions:       channel.Versions{LeaderAndISR: c.InterBrokerProtocol.LeaderAndIsr(), UpdateMetadata: c.InterBrokerProtocol.UpdateMetadata(), StopReplica: c.InterBrokerProtocol.StopReplica()},
		RequestTimeout: c.RequestTimeout, ConnectTimeout: min(c.ControllerSocketTimeout, 10*time.Second),
		Gate: gate(t, s),
		OnVersions: func(broker int32, keys map[int16][2]int16) {
			n.server.SetBrokerVersions(broker, keys)
			asBroker.learned(broker, keys)
			go n.crossCheck(ctx, t, check, broker)
		},
		Dial: n.network.Dial,
		Log:  n.log.Named("channel"), Metrics: channelMetrics{n.metrics},
	}, t.Push)
	t.SetChannels(channels)
	t.SetMeasurer(measurer{n})
	n.mu.Lock()
	n.term, n.asBroker, n.check, n.samples, n.force = t, asBroker, check, o.samples, false
	n.remarks = map[partition.ID][]string{}
	n.reason = ""
	n.broadcast()
	n.mu.Unlock()
	n.metrics.Claimed(int32(fence.Epoch))
	sampling, stopSampling := context.WithCancel(ctx)
	sampled := make(chan struct{})
	go func() { o.samples.Run(sampling); close(sampled) }()
	go func() {
		err := t.Run(ctx, func(loaded *planner.Claimed) {
			n.prepare(loaded)
			n.metrics.ClaimPhase(metrics.PhaseLoad, time.Since(start))
		})
		stopSampling()
		<-sampled
		o.close()
		asBroker.end()
		n.ended(ctx, s, t, err)
	}()
	go n.expireTokens(ctx, s, t, fence)
	go func() { // a term that has lasted was a good one
		select {
		case <-t.Done():
		case <-time.After(time.Minute):
			n.mu.Lock()
			n.failures = 0
			n.mu.Unlock()
		}
	}()
}

// gate says whether a frame may be started. A process that was stopped past its session
// wakes up with its lease run out, before any event could tell it: it must not.
func gate(t interface{ Open() bool }, s interface{ LeaseValid() bool }) func() bool {
	return func() bool { return t.Open() && s.LeaseValid() }
}

// prepare completes what was loaded with what only the process knows.
func (n *Node) prepare(loaded *planner.Claimed) {
	loaded.ID = n.id()
	loaded.Settings = n.settings()
	loaded.Self = n.self()
	n.warnListeners(loaded.Brokers)
}

// settings are the configuration's, with what the oldest broker in the cluster allows.
func (n *Node) settings() planner.Settings {
	c := n.config()
	n.mu.Lock()
	check := n.check
	n.mu.Unlock()
	return settings(c, check.lowest(c.InterBrokerProtocol))
}

func settings(c *config.Config, protocol config.IBP) planner.Settings {
	return planner.Settings{
		UncleanElection: c.UncleanLeaderElection,
		Partitions:      int32(c.NumPartitions),
		Factor:          int16(c.DefaultReplicationFactor),
		DeleteTopics:    c.DeleteTopic,
		Inherited:       topicconfig.Inherit(c.Value),
		TopicIDs:        protocol.TopicIDs(),
		LeaderRecovery:  protocol.LeaderRecovery(),
		LeadersWriteISR: !protocol.AlterPartition(),
		FeatureVersion:  protocol.FeatureNode(),
		MinISR:          int32(c.MinInsyncReplicas),
		MaxPerRequest:   perRequest(c.SocketRequestMaxBytes),
		RetryAfter:      500,
		ToldWait:        3_000,

		Recovery: recoveryPolicy(c), MeasureReturned: planner.Millis(c.ReturnedLogTimeout.Milliseconds()),
		QuotaWindow:   planner.Millis(c.QuotaWindows) * planner.Millis(c.QuotaWindowSize.Milliseconds()),
		AutoRebalance: c.AutoLeaderRebalance, RebalanceEvery: planner.Millis(c.ImbalanceCheckInterval.Milliseconds()), RebalancePercent: c.ImbalancePercentage,
	}
}

func recoveryPolicy(c *config.Config) recovery.Policy {
	p := recovery.Policy{Default: recovery.Strategy(c.UncleanRecovery), WaitMS: c.UncleanRecoveryWait.Milliseconds()}
	for _, t := range c.UncleanRecoveryTopics {
		p.Topics = append(p.Topics, recovery.Rule{Topic: t.Topic, Strategy: recovery.Strategy(t.Strategy)})
	}
	return p
}

// self is Baton's entry in the live list: one endpoint for each listener it serves.
func (n *Node) self() cluster.Broker {
	c := n.config()
	bound := map[string]int{}
	for _, l := range c.Servable() {
		if p, ok := port(n.server.Addr(l.Name)); ok {
			bound[l.Name] = p
		}
	}
	b := cluster.Broker{ID: n.id()}
	for _, l := range c.Publishable(bound) {
		b.Endpoints = append(b.Endpoints, cluster.Endpoint{Listener: l.Name, Protocol: cluster.Plaintext, Host: l.Host, Port: int32(l.Port)})
	}
	return b
}

// warnListeners names the brokers' listeners that Baton does not publish: clients on
// them cannot reach the controller.
func (n *Node) warnListeners(brokers []cluster.Broker) {
	self, missing := n.self(), map[string]bool{}
	for _, b := range brokers {
		for _, e := range b.Endpoints {
			if _, ok := self.Endpoint(e.Listener); !ok && !missing[e.Listener] {
				missing[e.Listener] = true
				n.log.Warn("brokers publish a listener that this Baton does not serve; clients on it cannot reach the controller", zap.String("listener", e.Listener))
			}
		}
	}
}

// isLost reports whether a term ended because the role was gone already.
func isLost(err error) bool {
	return errors.Is(err, epoch.ErrFenced) || errors.Is(err, zkstore.ErrRoleLost) || errors.Is(err, zkstore.ErrSession) || errors.Is(err, context.Canceled)
}

// endpointController lets the endpoint reach the term that leads now.
type endpointController struct{ n *Node }

// Active implements server.Controller.
func (e endpointController) Active() bool { return e.n.current() != nil }

// Call implements server.Controller.
func (e endpointController) Call(ctx context.Context, body planner.CallBody) (planner.ReplyBody, error) {
	t := e.n.current()
	if t == nil {
		return nil, server.ErrNotActive
	}
	begun := time.Now()
	r, err := t.Call(ctx, body)
	if errors.Is(err, controller.ErrNotActive) {
		return r, server.ErrNotActive
	}
	e.n.recordWrite(body, r, begun, err)
	return r, err
}

// View implements server.Controller.
func (e endpointController) View(ctx context.Context, f func(planner.View)) error {
	t := e.n.current()
	if t == nil {
		return server.ErrNotActive
	}
	select {
	case <-t.Ready():
	default:
		return server.ErrNotActive // a broker can answer now, we only after the load
	}
	err := t.View(ctx, f)
	if errors.Is(err, controller.ErrNotActive) {
		err = server.ErrNotActive
	}
	return err
}
