package server

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/planner"
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
	sample := ""
	if req.ValidateOnly {
		sample = r.someTopic(ctx)
	}
	answer, err := r.askBroker(ctx, func(broker int32) kmsg.Request {
		question := kmsg.NewPtrDescribeConfigsRequest()
		question.Version = describeVersion
		switch {
		case !req.ValidateOnly:
			describe(question, kmsg.ConfigResourceTypeTopic, names...)
		case sample != "":
			describe(question, kmsg.ConfigResourceTypeTopic, sample)
			fallthrough
		default:
			describe(question, kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(broker)))
		}
		return question
	})
	described, ok := answer.(*kmsg.DescribeConfigsResponse)
	if err != nil || !ok {
		r.noise.warn(r.log, "CreateTopics is answered without configs", zap.Error(err))
		return
	}
	if req.ValidateOnly {
		validate(req, described, at)
		return
	}
	for _, d := range described.Resources {
		if t := at[d.ResourceName]; t != nil && d.ErrorCode == 0 {
			for _, c := range d.Configs {
				t.Configs = append(t.Configs, kmsg.CreateTopicsResponseTopicConfig{
					Name: c.Name, Value: c.Value, ReadOnly: c.ReadOnly, Source: int8(c.Source), IsSensitive: c.IsSensitive})
			}
		}
	}
}

// someTopic is a topic that a broker can describe, "" if there is none: it has the configs that
// a new one would have.
func (r *request) someTopic(ctx context.Context) (name string) {
	_ = r.view(ctx, func(v planner.View) { // without it the answer lacks a few configs
		for _, t := range v.Image.Topics() {
			if !t.Deleting && len(t.Partitions) > 0 {
				name = t.Name
				return
			}
		}
	})
	return name
}

// validate fills in the configs of topics that do not exist, from what a broker says of itself
// and of some topic.
func validate(req *kmsg.CreateTopicsRequest, described *kmsg.DescribeConfigsResponse, at map[string]*kmsg.CreateTopicsResponseTopic) {
	settings, known := map[string]setting{}, map[string]bool{}
	for _, d := range described.Resources {
		for _, c := range d.Configs {
			if d.ResourceType == kmsg.ConfigResourceTypeTopic {
				known[c.Name] = true
			} else {
				settings[c.Name] = c
			}
		}
	}
	if len(settings) == 0 {
		return // refused
	}
	for i := range req.Topics {
		if t := at[req.Topics[i].Topic]; t != nil {
			t.Configs = validated(settings, known, req.Topics[i].Configs)
		}
	}
}

func describe(req *kmsg.DescribeConfigsRequest, kind kmsg.ConfigResourceType, names ...string) {
	for _, name := range names {
		res := kmsg.NewDescribeConfigsRequestResource()
		res.ResourceType, res.ResourceName = kind, name
		req.Resources = append(req.Resources, res)
	}
}

type setting = kmsg.DescribeConfigsResponseResourceConfig

// validated is what holds for a topic that does not exist: its own configs over the settings
// of a broker. For remote.storage.enable and the other remote.* configs brokers have no
// setting, and which of them there are depends on the version: those known of another topic.
func validated(settings map[string]setting, known map[string]bool, own []kmsg.CreateTopicsRequestTopicConfig) []kmsg.CreateTopicsResponseTopicConfig {
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
		case known[def.Name], strings.HasSuffix(def.Name, ".replication.throttled.replicas"):
			c.Source, c.Value = int8(kmsg.ConfigSourceDefaultConfig), kmsg.StringPtr(def.Default)
		default:
			continue
		}
		out = append(out, c)
	}
	return out
}
