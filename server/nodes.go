package server

import (
	"context"
	"fmt"

	"baton/cluster"
	"baton/planner"
)

// node is one entry of the lists of nodes that clients get.
type node struct {
	id   int32
	host string
	port int32
	rack *string
}

// nodesOn returns who can be reached on a listener: the brokers, then Baton.
func nodesOn(v planner.View, listener string) []node {
	var out []node
	for _, b := range v.Image.Brokers() {
		if n, ok := nodeOn(b, listener); ok && b.ID != v.Self.ID {
			out = append(out, n)
		}
	}
	if n, ok := nodeOn(&v.Self, listener); ok {
		out = append(out, n)
	}
	return out
}

func nodeOn(b *cluster.Broker, listener string) (node, bool) {
	e, ok := b.Endpoint(listener)
	if !ok {
		return node{}, false
	}
	n := node{id: b.ID, host: e.Host, port: e.Port}
	if b.HasRack {
		rack := b.Rack
		n.rack = &rack
	}
	return n, true
}

// view reads the image. When that is not possible now, a broker shall answer: clients
// must not wait for a claim to be loaded, or for a role that somebody else has.
func (r *request) view(ctx context.Context, f func(planner.View)) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout/6)
	defer cancel()
	if err := r.ctl.View(ctx, f); err != nil {
		return fmt.Errorf("%w: %w", errProxy, err)
	}
	return nil
}
