package server_test

import (
	"strings"
	"testing"
	"time"

	"baton/server/servertest"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describing makes a broker answer DescribeConfigs by f.
func describing(b *servertest.FakeBroker, f func(*kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse) {
	b.Answer = func(key, version int16, correlation int32, frame []byte) []byte {
		if key != 32 {
			return servertest.DefaultAnswer(key, version, correlation, frame)
		}
		_, body, _ := wire.ParseRequestHeader(frame)
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Version = version
		if err := req.ReadFrom(body); err != nil {
			return nil
		}
		resp := f(req)
		if resp == nil {
			return nil
		}
		resp.Version = version
		return wire.AppendResponse(nil, correlation, resp)
	}
}

func creating(version int16, names ...string) *kmsg.CreateTopicsRequest {
	c := kmsg.NewPtrCreateTopicsRequest()
	c.Version, c.TimeoutMillis = version, 1000
	for _, n := range names {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = n, 1, 1
		t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "index.interval.bytes", Value: ptr(" 999")}}
		c.Topics = append(c.Topics, t)
	}
	return c
}

func TestCreatedTopicsAreDescribedByABroker(t *testing.T) {
	r := newRig(t, 2, nil)
	describing(r.brokers[0], func(*kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse { return nil }) // the other is asked then
	describing(r.brokers[1], func(req *kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse {
		if len(req.Resources) != 2 || req.Resources[0].ResourceType != kmsg.ConfigResourceTypeTopic || req.Resources[0].ConfigNames != nil {
			t.Errorf("asked for %+v", req.Resources)
		}
		return servertest.DescribeAll(req, 3)
	})
	p := r.dial(t)
	for range 8 { // whichever broker is first
		for _, topic := range ask[*kmsg.CreateTopicsResponse](p, creating(5, "a", "b")).Topics {
			if topic.ErrorCode != 0 || len(topic.Configs) != 3 || topic.ConfigErrorCode != 0 {
				t.Fatalf("%+v", topic)
			}
			if c := topic.Configs[1]; c.Name != "config.1" || *c.Value != "v" || c.Source != 2 || !c.ReadOnly || c.IsSensitive {
				t.Errorf("%+v", c)
			}
		}
	}
}

func TestValidatedTopicsHaveTheBrokersDefaults(t *testing.T) {
	r := newRig(t, 1, nil)
	describing(r.brokers[0], func(req *kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse {
		resp := kmsg.NewPtrDescribeConfigsResponse()
		res := kmsg.NewDescribeConfigsResponseResource()
		if len(req.Resources) != 2 || req.Resources[0].ResourceType != kmsg.ConfigResourceTypeTopic {
			t.Errorf("asked for %+v", req.Resources)
		}
		other := kmsg.NewDescribeConfigsResponseResource()
		other.ResourceType, other.ResourceName = req.Resources[0].ResourceType, req.Resources[0].ResourceName
		for _, name := range []string{"retention.ms", "remote.storage.enable"} {
			other.Configs = append(other.Configs, kmsg.DescribeConfigsResponseResourceConfig{Name: name, Value: ptr("its own"), Source: kmsg.ConfigSourceDynamicTopicConfig})
		}
		resp.Resources = append(resp.Resources, other)
		res.ResourceType, res.ResourceName = req.Resources[1].ResourceType, req.Resources[1].ResourceName
		add := func(name string, value *string, source kmsg.ConfigSource) {
			c := kmsg.NewDescribeConfigsResponseResourceConfig()
			c.Name, c.Value, c.Source = name, value, source
			res.Configs = append(res.Configs, c)
		}
		add("log.retention.ms", nil, kmsg.ConfigSourceStaticBrokerConfig)
		add("log.retention.minutes", nil, kmsg.ConfigSourceStaticBrokerConfig)
		add("log.retention.hours", ptr("24"), kmsg.ConfigSourceStaticBrokerConfig)
		add("log.index.interval.bytes", ptr("4096"), kmsg.ConfigSourceDefaultConfig)
		add("log.cleaner.delete.retention.ms", ptr("34"), kmsg.ConfigSourceDynamicBrokerConfig)
		add("broker.id", ptr("1"), kmsg.ConfigSourceStaticBrokerConfig)
		resp.Resources = append(resp.Resources, res)
		return resp
	})
	req := creating(7, "a")
	req.ValidateOnly = true
	got := ask[*kmsg.CreateTopicsResponse](r.dial(t), req).Topics[0]
	var found []string
	for _, c := range got.Configs {
		found = append(found, c.Name+"="+*c.Value+" "+kmsg.ConfigSource(c.Source).String())
	}
	want := "delete.retention.ms=34 DYNAMIC_BROKER_CONFIG, follower.replication.throttled.replicas= DEFAULT_CONFIG, " +
		"index.interval.bytes=999 DYNAMIC_TOPIC_CONFIG, leader.replication.throttled.replicas= DEFAULT_CONFIG, " +
		"remote.storage.enable=false DEFAULT_CONFIG, retention.ms=86400000 STATIC_BROKER_CONFIG"
	if s := strings.Join(found, ", "); s != want || got.NumPartitions != 1 || got.ReplicationFactor != 1 {
		t.Errorf("%s\nwant %s", s, want)
	}
}

func TestCreateTopicsIsAnsweredThoughNoBrokerIs(t *testing.T) {
	r := newRig(t, 1, nil)
	quiet := make(chan struct{})
	describing(r.brokers[0], func(*kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse { <-quiet; return nil })
	t.Cleanup(func() { close(quiet) })
	begun := time.Now()
	got := ask[*kmsg.CreateTopicsResponse](r.dial(t), creating(5, "a")).Topics[0]
	if took := time.Since(begun); got.ErrorCode != 0 || len(got.Configs) != 0 || took > 5*time.Second {
		t.Errorf("after %s: %+v", took, got)
	}
	begun = time.Now()
	if ask[*kmsg.CreateTopicsResponse](r.dial(t), creating(4, "b")); time.Since(begun) > time.Second {
		t.Error("a version without configs waited for them")
	}
}
