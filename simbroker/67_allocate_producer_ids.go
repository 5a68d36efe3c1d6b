package simbroker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AllocateProducerIds, v0: brokers since 3.0 list it, by which a controller tells them from older ones; only the
// controller serves it, which is never a simulated broker.
func allocateProducerIDs(_ *process, _ *request, req *kmsg.AllocateProducerIDsRequest) kmsg.Response {
	resp := respond[*kmsg.AllocateProducerIDsResponse](req)
	resp.ErrorCode = kerr.NotController.Code
	return resp
}
