package node

import (
	"context"
	"net"
	"strconv"

	"baton/cluster"
	"baton/measure"
	"baton/planner"
)

// measurer asks brokers for what a term's machine wants to know of their logs.
type measurer struct{ n *Node }

// Measure implements controller.Measurer.
func (x measurer) Measure(ctx context.Context, q planner.Measure) []planner.MeasuredLog {
	wanted := make([]measure.Wanted, len(q.Asks))
	for i, a := range q.Asks {
		wanted[i] = measure.Wanted{Broker: a.Broker.ID, Addr: brokerAddr(a.Broker, x.n.config().InterBrokerListener)}
		for _, l := range a.Logs {
			wanted[i].Logs = append(wanted[i].Logs, measure.Partition{ID: l.ID, Epoch: int32(l.Epoch)})
		}
	}
	var out []planner.MeasuredLog
	for i, logs := range (measure.Measurer{Dial: x.n.network.Dial, Timeout: measureWait}).Measure(ctx, wanted) {
		for j, got := range logs {
			out = append(out, planner.MeasuredLog{Broker: wanted[i].Broker, ID: wanted[i].Logs[j].ID, Log: got.Log, Silent: got.Silent})
		}
	}
	return out
}

// brokerAddr is a broker's address on a listener, empty if it does not publish that one: then it is silent.
func brokerAddr(b cluster.Broker, listener string) string {
	e, ok := b.Endpoint(listener)
	if !ok {
		return ""
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}
