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
	var wanted []measure.Wanted
	var out []planner.MeasuredLog
	listener := x.n.config().InterBrokerListener
	for _, a := range q.Asks {
		w := measure.Wanted{Broker: a.Broker.ID, Addr: brokerAddr(a.Broker, listener)}
		compared := measure.Wanted{Broker: w.Broker, Addr: w.Addr}
		var with []measure.Against
		for _, l := range a.Logs {
			log := measure.Partition{ID: l.ID, Epoch: int32(l.Epoch)}
			if l.Leader == nil {
				w.Logs = append(w.Logs, log)
				continue
			}
			compared.Logs = append(compared.Logs, log)
			with = append(with, measure.Against{Addr: brokerAddr(*l.Leader, listener), Epoch: log.Epoch})
		}
		wanted = append(wanted, w)
		for i, got := range (measure.Measurer{Dial: x.n.network.Dial, Timeout: measureWait}).Parted(ctx, compared, with) {
			out = append(out, planner.MeasuredLog{Broker: w.Broker, ID: compared.Logs[i].ID, Log: got.Log, Silent: got.Silent, Parted: got.At})
		}
	}
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
