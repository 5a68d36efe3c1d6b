package server

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs, v0-4: answered here when it asks about Baton's own id as a broker,
// which tools do for every node; a broker answers all else. A request that mixes the
// two gets an error for what is not ours, as from a broker that is asked about another.
func describeConfigsAPI() api {
	return api{key: keyDescribeConfigs, inspect: true, max: 4, passing: true, active: typed(describeConfigs), standby: typed(describeConfigs)}
}

// ours reports whether a resource is Baton itself.
func (r *request) ours(kind kmsg.ConfigResourceType, name string) bool {
	return (kind == kmsg.ConfigResourceTypeBroker || kind == kmsg.ConfigResourceTypeBrokerLogger) && name == strconv.Itoa(int(r.cfg.ID))
}

func describeConfigs(_ context.Context, r *request, req *kmsg.DescribeConfigsRequest) (kmsg.Response, error) {
	if !slices.ContainsFunc(req.Resources, func(q kmsg.DescribeConfigsRequestResource) bool { return r.ours(q.ResourceType, q.ResourceName) }) {
		return nil, errProxy
	}
	resp := respond[*kmsg.DescribeConfigsResponse](req)
	for _, q := range req.Resources {
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = q.ResourceType, q.ResourceName
		out.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
		switch {
		case !r.ours(q.ResourceType, q.ResourceName):
			message := "only resources of node " + strconv.Itoa(int(r.cfg.ID)) + " can be described together with it"
			out.ErrorCode, out.ErrorMessage = kerr.InvalidRequest.Code, &message
		case q.ResourceType == kmsg.ConfigResourceTypeBroker:
			out.Configs = ownConfigs(r.cfg.BrokerConfig(), q.ConfigNames)
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp, nil
}

// ownConfigs lists settings by name; names nil means all.
func ownConfigs(all map[string]string, names []string) []kmsg.DescribeConfigsResponseResourceConfig {
	out := []kmsg.DescribeConfigsResponseResourceConfig{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if names != nil && !slices.Contains(names, name) {
			continue
		}
		value := all[name]
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.ReadOnly, c.Source = name, true, kmsg.ConfigSourceStaticBrokerConfig
		c.ConfigType = kmsg.ConfigTypeString
		c.ConfigSynonyms = []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{}
		if c.IsSensitive = secret(name); !c.IsSensitive {
			c.Value = &value
		}
		out = append(out, c)
	}
	return out
}

// secret reports whether a setting's value must not be shown.
func secret(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"password", "secret", "jaas", ".key", "credential"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
