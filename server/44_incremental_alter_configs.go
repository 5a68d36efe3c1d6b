package server

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// IncrementalAlterConfigs, v0-1: as AlterConfigs.
func incrementalAlterConfigsAPI() api {
	return api{
		key: keyIncrementalAlterConfigs, inspect: true, max: 1, passing: true,
		active: typed(incrementalAlterConfigs), standby: typed(incrementalAlterConfigs),
	}
}

func incrementalAlterConfigs(_ context.Context, r *request, req *kmsg.IncrementalAlterConfigsRequest) (kmsg.Response, error) {
	if !slices.ContainsFunc(req.Resources, func(q kmsg.IncrementalAlterConfigsRequestResource) bool {
		return r.ours(q.ResourceType, q.ResourceName)
	}) {
		return nil, errProxy
	}
	resp := respond[*kmsg.IncrementalAlterConfigsResponse](req)
	for _, q := range req.Resources {
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = q.ResourceType, q.ResourceName
		out.ErrorCode, out.ErrorMessage = kerr.InvalidRequest.Code, kmsg.StringPtr(ownConfigMessage)
		resp.Resources = append(resp.Resources, out)
	}
	return resp, nil
}
