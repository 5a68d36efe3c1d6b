package server

import (
	"context"
	"fmt"

	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeCluster, v0-1: as the nodes of Metadata. v1 says whether it wants brokers or
// KRaft controllers; there are none of the latter.
func describeClusterAPI() api {
	return api{key: keyDescribeCluster, max: 1, active: typed(describeCluster)}
}

func describeCluster(ctx context.Context, r *request, req *kmsg.DescribeClusterRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.DescribeClusterResponse](req)
	resp.Brokers = []kmsg.DescribeClusterResponseBroker{}
	if req.Version >= 1 && req.EndpointType != 1 {
		e, message := kerr.MismatchedEndpointType, "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
		if req.EndpointType != 2 {
			e, message = kerr.UnsupportedEndpointType, fmt.Sprintf("Unsupported endpoint type %d", req.EndpointType)
		}
		resp.ErrorCode, resp.ErrorMessage = e.Code, &message
		return resp, nil
	}
	err := r.view(ctx, func(v planner.View) {
		for _, n := range nodesOn(v, r.listener) {
			out := kmsg.NewDescribeClusterResponseBroker()
			out.NodeID, out.Host, out.Port, out.Rack = n.id, n.host, n.port, n.rack
			resp.Brokers = append(resp.Brokers, out)
		}
	})
	if err != nil {
		return nil, err
	}
	resp.ClusterID, resp.ControllerID = r.cfg.ClusterID(), r.cfg.ID
	resp.ClusterAuthorizedOperations = noOperations
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	return resp, nil
}
