package server

import (
	"context"
	"errors"

	"baton/epoch"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ControlledShutdown, v1-3 (v0 has a header of its own and is refused). v2+ carries the
// broker's epoch. A standby answers STALE_CONTROLLER_EPOCH, as a broker that is not the
// controller does; the stopping broker then looks for the controller again.
func controlledShutdownAPI() api {
	return api{key: keyControlledShutdown, min: 1, max: 3, active: typed(controlledShutdown), standby: typed(controlledShutdownStandby)}
}

func controlledShutdown(ctx context.Context, r *request, req *kmsg.ControlledShutdownRequest) (kmsg.Response, error) {
	call := planner.ControlledShutdown{Broker: req.BrokerID, BrokerEpoch: epoch.Unknown}
	if req.Version >= 2 {
		call.BrokerEpoch = epoch.Broker(req.BrokerEpoch)
	}
	reply, err := callAs[planner.ControlledShutdownReply](ctx, r, call)
	if errors.Is(err, ErrNotActive) {
		return controlledShutdownStandby(ctx, r, req)
	}
	if err != nil {
		return nil, err
	}
	resp := newControlledShutdown(req, codeOf(reply.Err))
	if resp.ErrorCode == kerr.NotController.Code {
		resp.ErrorCode = kerr.StaleControllerEpoch.Code
	}
	for _, id := range reply.Remaining {
		p := kmsg.NewControlledShutdownResponsePartitionsRemaining()
		p.Topic, p.Partition = id.Topic, id.Number
		resp.PartitionsRemaining = append(resp.PartitionsRemaining, p)
	}
	return resp, nil
}

func controlledShutdownStandby(_ context.Context, _ *request, req *kmsg.ControlledShutdownRequest) (kmsg.Response, error) {
	return newControlledShutdown(req, kerr.StaleControllerEpoch.Code), nil
}

func newControlledShutdown(req *kmsg.ControlledShutdownRequest, code int16) *kmsg.ControlledShutdownResponse {
	resp := respond[*kmsg.ControlledShutdownResponse](req)
	resp.ErrorCode = code
	resp.PartitionsRemaining = []kmsg.ControlledShutdownResponsePartitionsRemaining{}
	return resp
}
