package server

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterConfigs, v0-2: refused for Baton's own id, whose settings are in its file; a
// broker answers for all else. A request that names Baton is refused as a whole, since
// half of it applied would be worse.
func alterConfigsAPI() api {
	return api{key: keyAlterConfigs, inspect: true, max: 2, passing: true, active: typed(alterConfigs), standby: typed(alterConfigs)}
}

const ownConfigMessage = "This node is Baton; its settings are changed in its configuration file and by SIGHUP."

func alterConfigs(_ context.Context, r *request, req *kmsg.AlterConfigsRequest) (kmsg.Response, error) {
	if !slices.ContainsFunc(req.Resources, func(q kmsg.AlterConfigsRequestResource) bool { return r.ours(q.ResourceType, q.ResourceName) }) {
		return nil, errProxy
	}
	resp := respond[*kmsg.AlterConfigsResponse](req)
	for _, q := range req.Resources {
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = q.ResourceType, q.ResourceName
		out.ErrorCode, out.ErrorMessage = kerr.InvalidRequest.Code, kmsg.StringPtr(ownConfigMessage)
		resp.Resources = append(resp.Resources, out)
	}
	return resp, nil
}
