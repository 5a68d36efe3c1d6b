package server

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// UpdateFeatures, v0-1: no feature exists in ZooKeeper mode, so each one named is
// refused. A standby says NOT_CONTROLLER at the top, where clients look for it.
func updateFeaturesAPI() api {
	active, standby := refuse(refuseUpdateFeatures)
	return api{key: keyUpdateFeatures, max: 1, active: active, standby: standby}
}

func refuseUpdateFeatures(req *kmsg.UpdateFeaturesRequest, no refusal) kmsg.Response {
	resp := respond[*kmsg.UpdateFeaturesResponse](req)
	resp.Results = []kmsg.UpdateFeaturesResponseResult{}
	if no.code == kerr.NotController.Code {
		resp.ErrorCode, resp.ErrorMessage = no.code, no.message
		return resp
	}
	for _, f := range req.FeatureUpdates {
		out := kmsg.NewUpdateFeaturesResponseResult()
		out.Feature, out.ErrorCode, out.ErrorMessage = f.Feature, no.code, no.message
		resp.Results = append(resp.Results, out)
	}
	return resp
}
