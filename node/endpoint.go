package node

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/config"
	"baton/metrics"
	"baton/server"
)

// serverConfig derives the endpoint's configuration from the node's.
func (n *Node) serverConfig() server.Config {
	c := n.config()
	out := server.Config{
		ID: n.id(), ClusterID: n.dir.ClusterID,
		AutoCreate:   func() bool { return n.config().AutoCreateTopics },
		Features:     func() bool { return n.settings().FeatureVersion > 0 },
		FeatureEpoch: n.dir.FeatureEpoch,
		Offsets:      func() server.InternalTopic { return internalTopic(n.config().OffsetsTopic, 0) },
		Transactions: func() server.InternalTopic {
			c := n.config()
			return internalTopic(c.TransactionTopic, c.TransactionMinISR)
		},
		Listen:   n.network.Listen,
		Dial:     func(ctx context.Context, _, addr string) (net.Conn, error) { return n.network.Dial(ctx, addr) },
		MaxFrame: c.SocketRequestMaxBytes,
		Log:      n.log.Named("endpoint"), Metrics: endpointMetrics{n.metrics},
		BrokerConfig: func() map[string]string {
			m := map[string]string{}
			for _, e := range n.config().Effective() {
				m[e.Key] = e.Value
			}
			return m
		},
	}
	for _, l := range c.Servable() {
		out.Listeners = append(out.Listeners, server.Listener{Name: l.Name, Bind: net.JoinHostPort(l.Host, strconv.Itoa(l.Port))})
	}
	return out
}

func internalTopic(t config.InternalTopic, minISR int) server.InternalTopic {
	return server.InternalTopic{Partitions: int32(t.Partitions), Factor: int16(t.ReplicationFactor), SegmentBytes: int32(t.SegmentBytes), MinISR: int32(minISR)}
}

// endpointMetrics adapts the metrics to what the endpoint tells.
type endpointMetrics struct{ m *metrics.Set }

// Request implements server.Metrics.
func (e endpointMetrics) Request(key int16, proxied bool, took time.Duration) {
	how := "served"
	if proxied {
		how = "proxied"
	}
	e.m.EndpointRequest(kmsg.NameForKey(key), how, took)
}

// Dropped implements server.Metrics.
func (e endpointMetrics) Dropped(reason string) { e.m.EndpointRequest("none", "dropped: "+reason, 0) }

// Throttled implements server.Metrics.
func (e endpointMetrics) Throttled(key int16) { e.m.Throttled(kmsg.NameForKey(key)) }

// Connections implements server.Metrics.
func (e endpointMetrics) Connections(delta int) { e.m.EndpointConnections(delta) }
