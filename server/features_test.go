package server_test

import (
	"testing"

	"baton/server"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestUpdateFeaturesRefusesInKafkasWords(t *testing.T) {
	enabled := true
	r := newRig(t, 1, func(c *server.Config) { c.Features = func() bool { return enabled } })
	p := r.dial(t)
	update := func(version int16, f kmsg.UpdateFeaturesRequestFeatureUpdate) *kmsg.UpdateFeaturesResponse {
		req := kmsg.NewPtrUpdateFeaturesRequest()
		req.Version, req.FeatureUpdates = version, []kmsg.UpdateFeaturesRequestFeatureUpdate{f}
		return ask[*kmsg.UpdateFeaturesResponse](p, req)
	}
	for _, tt := range []struct {
		version int16
		f       kmsg.UpdateFeaturesRequestFeatureUpdate
		want    string
	}{
		{1, kmsg.UpdateFeaturesRequestFeatureUpdate{MaxVersionLevel: 1, UpgradeType: 1}, "Feature name can not be empty."},
		{1, kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: "f", MaxVersionLevel: 1}, "Received unknown upgrade type."},
		{1, kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: "f", UpgradeType: 3}, "Can not delete non-existing finalized feature."},
		{1, kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: "f", UpgradeType: 1}, "Can not provide versionLevel: 0 less than 1 without setting the SAFE downgradeType in the request."},
		{1, kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: "f", MaxVersionLevel: 2, UpgradeType: 1}, "Could not apply finalized feature update because the provided feature is not supported."},
		{0, kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: "f", AllowDowngrade: true}, "Can not delete non-existing finalized feature."},
		{0, kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: "f", MaxVersionLevel: 2}, "Could not apply finalized feature update because the provided feature is not supported."},
	} {
		resp := update(tt.version, tt.f)
		if len(resp.Results) != 1 || resp.ErrorCode != 0 || resp.Results[0].ErrorCode != kerr.InvalidRequest.Code || *resp.Results[0].ErrorMessage != tt.want {
			t.Errorf("v%d %+v: %+v", tt.version, tt.f, resp)
		}
	}
	enabled = false
	if resp := update(1, kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: "f"}); resp.ErrorCode != kerr.InvalidRequest.Code || len(resp.Results) != 0 || *resp.ErrorMessage != "Feature versioning system is disabled." {
		t.Errorf("below 2.7: %+v", resp)
	}
	r.ctl.SetActive(false)
	if resp := update(1, kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: "f"}); resp.ErrorCode != kerr.NotController.Code || len(resp.Results) != 0 {
		t.Errorf("standby: %+v", resp)
	}
}
