package simbroker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeCluster, v0-1. 3.7+ name a controller only if it is among the nodes (10.4).
func describeCluster(p *process, r *request, req *kmsg.DescribeClusterRequest) kmsg.Response {
	resp := respond[*kmsg.DescribeClusterResponse](req)
	resp.ClusterID, resp.ControllerID = p.clusterID, -1
	nodes := p.cache.nodes(r.listener)
	for _, b := range nodes {
		n := kmsg.NewDescribeClusterResponseBroker()
		n.NodeID, n.Rack = b.id, b.rack
		n.Host, n.Port = hostPort(b.endpoints[r.listener])
		resp.Brokers = append(resp.Brokers, n)
	}
	if slices.ContainsFunc(nodes, func(b liveBroker) bool { return b.id == p.cache.controller }) {
		resp.ControllerID = p.cache.controller
	}
	return resp
}
