package server

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/topicconfig"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

const (
	// configsTime bounds how long the answer to CreateTopics waits for a broker to say which
	// configs hold; without them the answer is as good for everything but display.
	configsTime = 1500 * time.Millisecond
	// describeVersion has sources, and is taken by every supported broker.
	describeVersion int16 = 2
)

// addConfigs fills in the configs that hold for topics that were created, or would have been.
// Only a broker knows its defaults: of a created topic it says itself what holds, and for one
// that was only validated its own settings are taken, see validated. Where no broker answers
// in time configs stay empty (never null: Java's AdminClient fails on that).
func (r *request) addConfigs(ctx context.Context, req *kmsg.CreateTopicsRequest, topics []kmsg.CreateTopicsResponseTopic) {
	at := map[string]*kmsg.CreateTopicsResponseTopic{}
	var names []string
	for i := range topics {
		if t := &topics[i]; t.ErrorCode == 0 {
			at[t.Topic], names = t, append(names, t.Topic)
		}
	}
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, configsTime)
	defer cancel()
	answer, err := r.askBroker(ctx, func(broker int32) kmsg.Request {
		if req.ValidateOnly {
			return describe(kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(broker)))
		}
		return describe(kmsg.ConfigResourceTypeTopic, names...)
	})
	described, ok := answer.(*kmsg.DescribeConfigsResponse)
	if err != nil || !ok {
		r.noise.warn(r.log, "CreateTopics is answered without configs", zap.Error(err))
		return
	}
	for _, d := range described.Resources {
		switch t := at[d.ResourceName]; {
		case d.ErrorCode != 0:
		case req.ValidateOnly:
			for i := range req.Topics {
				if t := at[req.Topics[i].Topic]; t != nil {
					t.Configs = validated(d.Configs, req.Topics[i].Configs)
				}
			}
		case t != nil:
			for _, c := range d.Configs {
				t.Configs = append(t.Configs, kmsg.CreateTopicsResponseTopicConfig{
					Name: c.Name, Value: c.Value, ReadOnly: c.ReadOnly, Source: int8(c.Source), IsSensitive: c.IsSensitive})
			}
		}
	}
}

func describe(kind kmsg.ConfigResourceType, names ...string) *kmsg.DescribeConfigsRequest {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = describeVersion
	for _, name := range names {
		res := kmsg.NewDescribeConfigsRequestResource()
		res.ResourceType, res.ResourceName = kind, name
		req.Resources = append(req.Resources, res)
	}
	return req
}

// validated is what holds for a topic that does not exist: its own configs over the settings
// of a broker. A broker lists no setting for remote.storage.enable and the other remote.*
// configs of topics, so they are not in it.
func validated(broker []kmsg.DescribeConfigsResponseResourceConfig, own []kmsg.CreateTopicsRequestTopicConfig) []kmsg.CreateTopicsResponseTopicConfig {
	settings := map[string]kmsg.DescribeConfigsResponseResourceConfig{}
	for _, c := range broker {
		settings[c.Name] = c
	}
	out := []kmsg.CreateTopicsResponseTopicConfig{}
	for _, def := range topicconfig.All() {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name = def.Name
		counterparts := topicconfig.BrokerSettings(def.Name)
		i := slices.IndexFunc(own, func(o kmsg.CreateTopicsRequestTopicConfig) bool { return o.Name == def.Name })
		switch {
		case i >= 0 && own[i].Value != nil:
			c.Source, c.Value = int8(kmsg.ConfigSourceDynamicTopicConfig), kmsg.StringPtr(strings.TrimSpace(*own[i].Value))
		case len(counterparts) > 0:
			first, ok := settings[counterparts[0].Name]
			if !ok {
				continue // a config that this broker does not have
			}
			c.Source = int8(first.Source)
			for _, b := range counterparts {
				if v := settings[b.Name].Value; v != nil {
					c.Value = kmsg.StringPtr(b.Convert(*v))
					break
				}
			}
		case strings.HasSuffix(def.Name, ".replication.throttled.replicas"):
			c.Source, c.Value = int8(kmsg.ConfigSourceDefaultConfig), kmsg.StringPtr(def.Default)
		default:
			continue
		}
		out = append(out, c)
	}
	return out
}
