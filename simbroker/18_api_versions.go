package simbroker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions, v0-4: what is served. A version above that is answered with v0 and
// UNSUPPORTED_VERSION, from which clients fall back.
func apiVersions(_ *process, _ *request, req *kmsg.ApiVersionsRequest) kmsg.Response {
	resp := respond[*kmsg.ApiVersionsResponse](req)
	resp.ApiKeys = apiKeys()
	return resp
}

func apiKeys() []kmsg.ApiVersionsResponseApiKey {
	var out []kmsg.ApiVersionsResponseApiKey
	for _, a := range apis() {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = a.key, a.min, a.max
		out = append(out, k)
	}
	return out
}

func unsupportedApiVersions() kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode, resp.ApiKeys = kerr.UnsupportedVersion.Code, apiKeys()
	return resp
}
