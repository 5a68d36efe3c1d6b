package simbroker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FindCoordinator, v0-6: there are neither groups nor transactions.
func findCoordinator(_ *process, _ *request, req *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := respond[*kmsg.FindCoordinatorResponse](req)
	resp.NodeID = -1
	if req.Version < 4 {
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp
	}
	for _, key := range req.CoordinatorKeys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.ErrorCode = key, -1, kerr.CoordinatorNotAvailable.Code
		resp.Coordinators = append(resp.Coordinators, c)
	}
	return resp
}
