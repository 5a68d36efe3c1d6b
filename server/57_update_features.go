package server

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// UpdateFeatures, v0-1: no broker that uses ZooKeeper supports a feature, so none is finalized
// and each one named is refused, in Kafka's order and words. A standby says NOT_CONTROLLER at
// the top, where clients look for it.
func updateFeaturesAPI() api {
	return api{key: keyUpdateFeatures, max: 1, active: typed(updateFeatures), standby: typed(updateFeaturesStandby)}
}

// The kinds of change that requests of v1 name; v0 has a flag instead.
const (
	upgradeFeature         int8 = 1
	downgradeFeature       int8 = 2
	downgradeFeatureUnsafe int8 = 3
)

func updateFeatures(_ context.Context, r *request, req *kmsg.UpdateFeaturesRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.UpdateFeaturesResponse](req)
	resp.Results = []kmsg.UpdateFeaturesResponseResult{}
	if !r.cfg.Features() {
		resp.ErrorCode, resp.ErrorMessage = kerr.InvalidRequest.Code, kmsg.StringPtr("Feature versioning system is disabled.")
		return resp, nil
	}
	for _, f := range req.FeatureUpdates {
		kind := f.UpgradeType
		switch {
		case req.Version == 0 && f.AllowDowngrade:
			kind = downgradeFeature
		case req.Version == 0:
			kind = upgradeFeature
		}
		out := kmsg.NewUpdateFeaturesResponseResult()
		out.Feature, out.ErrorCode, out.ErrorMessage = f.Feature, kerr.InvalidRequest.Code, kmsg.StringPtr(whyNoFeature(f.Feature, f.MaxVersionLevel, kind))
		resp.Results = append(resp.Results, out)
	}
	return resp, nil
}

func whyNoFeature(name string, level int16, kind int8) string {
	switch {
	case name == "":
		return "Feature name can not be empty."
	case kind < upgradeFeature || kind > downgradeFeatureUnsafe:
		return "Received unknown upgrade type."
	case level < 1 && kind != upgradeFeature:
		return "Can not delete non-existing finalized feature."
	case level < 1:
		return fmt.Sprintf("Can not provide versionLevel: %d less than 1 without setting the SAFE downgradeType in the request.", level)
	}
	return "Could not apply finalized feature update because the provided feature is not supported."
}

func updateFeaturesStandby(_ context.Context, _ *request, req *kmsg.UpdateFeaturesRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.UpdateFeaturesResponse](req)
	resp.Results = []kmsg.UpdateFeaturesResponseResult{}
	resp.ErrorCode, resp.ErrorMessage = kerr.NotController.Code, kmsg.StringPtr(standbyMessage)
	return resp, nil
}
