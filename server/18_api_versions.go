package server

import (
	"cmp"
	"context"
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions, v0-4: always answered here.
//
//   - A higher version is answered in v0 with UNSUPPORTED_VERSION and our own range, so
//     that the client can ask again.
//   - v3+ carries the client's software name and version, which have to fit a pattern.
//   - No feature is offered, and ZkMigrationReady is never set: brokers would take us
//     for a KRaft controller in a migration. The epoch is /feature's version, as brokers have it.
func apiVersionsAPI() api {
	return api{key: keyAPIVersions, max: 4, active: typed(apiVersions), standby: typed(apiVersions)}
}

var software = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func apiVersions(_ context.Context, r *request, req *kmsg.ApiVersionsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.ApiVersionsResponse](req)
	if req.Version >= 3 && (!software.MatchString(req.ClientSoftwareName) || !software.MatchString(req.ClientSoftwareVersion)) {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return resp, nil
	}
	resp.FinalizedFeaturesEpoch = r.cfg.FeatureEpoch()
	for key, v := range r.offered() {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = key, v[0], v[1]
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	slices.SortFunc(resp.ApiKeys, func(a, b kmsg.ApiVersionsResponseApiKey) int { return cmp.Compare(a.ApiKey, b.ApiKey) })
	return resp, nil
}

func unsupportedAPIVersions(a *api) kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = a.key, a.min, a.max
	resp.ApiKeys = append(resp.ApiKeys, k)
	return resp
}
