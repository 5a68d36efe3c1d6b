package server

import (
	"context"
	"errors"

	"baton/epoch"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AllocateProducerIds, v0: a broker's next block of producer ids. It must be advertised
// whatever happens: a broker that does not find it never asks again until it restarts.
func allocateProducerIDsAPI() api {
	return api{key: keyAllocateProducerIDs, active: typed(allocateProducerIDs), standby: typed(allocateProducerIDsStandby)}
}

func allocateProducerIDs(ctx context.Context, r *request, req *kmsg.AllocateProducerIDsRequest) (kmsg.Response, error) {
	call := planner.AllocateProducerIDs{Broker: req.BrokerID, BrokerEpoch: epoch.Broker(req.BrokerEpoch)}
	reply, err := callAs[planner.AllocateProducerIDsReply](ctx, r, call)
	if errors.Is(err, ErrNotActive) {
		return allocateProducerIDsStandby(ctx, r, req)
	}
	if err != nil {
		return nil, err
	}
	resp := respond[*kmsg.AllocateProducerIDsResponse](req)
	resp.ErrorCode = codeOf(reply.Err)
	if reply.Err == nil {
		resp.ProducerIDStart, resp.ProducerIDLen = reply.Start, reply.Length
	}
	return resp, nil
}

func allocateProducerIDsStandby(_ context.Context, _ *request, req *kmsg.AllocateProducerIDsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.AllocateProducerIDsResponse](req)
	resp.ErrorCode = kerr.NotController.Code
	return resp, nil
}
