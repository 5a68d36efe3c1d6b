package server

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// IncrementalAlterConfigs, v0-1: as AlterConfigs; but kafka-reassign-partitions --verify
// takes its throttles away from every node of the metadata, and Baton has none.
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
		if len(req.Resources) > 1 || !clearsThrottles(q) {
			out.ErrorCode, out.ErrorMessage = kerr.InvalidRequest.Code, kmsg.StringPtr(ownConfigMessage)
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp, nil
}

var throttles = []string{
	"leader.replication.throttled.rate", "follower.replication.throttled.rate", "replica.alter.log.dirs.io.max.bytes.per.second",
}

// clearsThrottles reports whether all that is asked for is that replication throttles go.
func clearsThrottles(q kmsg.IncrementalAlterConfigsRequestResource) bool {
	return len(q.Configs) > 0 && !slices.ContainsFunc(q.Configs, func(c kmsg.IncrementalAlterConfigsRequestResourceConfig) bool {
		return c.Op != kmsg.IncrementalAlterConfigOpDelete || !slices.Contains(throttles, c.Name)
	})
}
