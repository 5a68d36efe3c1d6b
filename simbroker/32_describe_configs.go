package simbroker

import (
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// defaultConfigs are the settings that a controller compares with its own: Kafka's
// defaults, and the inter-broker protocol that the rules of this package are for.
var defaultConfigs = map[string]string{
	"inter.broker.protocol.version":            "3.9-IV0",
	"auto.create.topics.enable":                "true",
	"default.replication.factor":               "1",
	"delete.topic.enable":                      "true",
	"min.insync.replicas":                      "1",
	"num.partitions":                           "1",
	"offsets.topic.compression.codec":          "0",
	"offsets.topic.num.partitions":             "50",
	"offsets.topic.replication.factor":         "3",
	"offsets.topic.segment.bytes":              "104857600",
	"transaction.state.log.min.isr":            "2",
	"transaction.state.log.num.partitions":     "50",
	"transaction.state.log.replication.factor": "3",
	"transaction.state.log.segment.bytes":      "104857600",
	"unclean.leader.election.enable":           "false",
}

// DescribeConfigs, v0-4: of this broker only. Other resources have no configs here.
func describeConfigs(p *process, _ *request, req *kmsg.DescribeConfigsRequest) kmsg.Response {
	resp := respond[*kmsg.DescribeConfigsResponse](req)
	own := maps.Clone(defaultConfigs)
	own["broker.id"] = strconv.Itoa(int(p.opts.ID))
	own["inter.broker.listener.name"] = p.opts.InterBroker
	own["min.insync.replicas"] = strconv.Itoa(p.opts.MinISR)
	own["replica.lag.time.max.ms"] = strconv.FormatInt(p.opts.LagTime.Milliseconds(), 10)
	maps.Copy(own, p.opts.Configs)
	for _, res := range req.Resources {
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = res.ResourceType, res.ResourceName
		if res.ResourceType == kmsg.ConfigResourceTypeBroker {
			if res.ResourceName != own["broker.id"] {
				out.ErrorCode = kerr.InvalidRequest.Code // only a broker knows its own
			} else {
				out.Configs = describeOwn(own, res.ConfigNames)
			}
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

func describeOwn(own map[string]string, names []string) (out []kmsg.DescribeConfigsResponseResourceConfig) {
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if names != nil && !slices.Contains(names, key) {
			continue
		}
		value := own[key]
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.Value, c.ReadOnly, c.Source = key, &value, true, kmsg.ConfigSourceStaticBrokerConfig
		out = append(out, c)
	}
	return out
}
