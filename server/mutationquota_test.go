package server_test

import (
	"context"
	"testing"
	"time"

	"baton/planner"
	"baton/quota"
	"baton/server"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// caller is who the peers of these tests are.
func caller(strict bool) planner.Caller {
	return planner.Caller{Client: quota.Client{User: "ANONYMOUS", ID: "peer"}, Strict: strict}
}

// Each of the three APIs says who asks and from which version on it may be refused, says how long
// its client has to wait, and reads nothing from it meanwhile.
func TestMutationQuotas(t *testing.T) {
	const wait = 200 * time.Millisecond
	for _, c := range []struct {
		req         kmsg.Request
		strictFrom  int16
		reply       func(*kerr.Error) planner.ReplyBody
		callerOf    func(planner.CallBody) planner.Caller
		read        func(kmsg.Response) (millis int32, code int16)
		noFieldUpTo int16
	}{
		{&kmsg.CreateTopicsRequest{Topics: []kmsg.CreateTopicsRequestTopic{{Topic: "t"}}}, 6,
			func(e *kerr.Error) planner.ReplyBody {
				return planner.CreateTopicsReply{Throttle: 200, Topics: []planner.NewTopicReply{{Name: "t", Err: e}}}
			},
			func(b planner.CallBody) planner.Caller { return b.(planner.CreateTopics).Caller },
			func(r kmsg.Response) (int32, int16) {
				v := r.(*kmsg.CreateTopicsResponse)
				return v.ThrottleMillis, v.Topics[0].ErrorCode
			}, 1},
		{&kmsg.DeleteTopicsRequest{TopicNames: []string{"t"}, Topics: []kmsg.DeleteTopicsRequestTopic{{Topic: ptr("t")}}}, 5,
			func(e *kerr.Error) planner.ReplyBody {
				return planner.DeleteTopicsReply{Throttle: 200, Topics: []planner.DeletedTopic{{Name: "t", Err: e}}}
			},
			func(b planner.CallBody) planner.Caller { return b.(planner.DeleteTopics).Caller },
			func(r kmsg.Response) (int32, int16) {
				v := r.(*kmsg.DeleteTopicsResponse)
				return v.ThrottleMillis, v.Topics[0].ErrorCode
			}, 0},
		{&kmsg.CreatePartitionsRequest{Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: "t", Count: 2}}}, 3,
			func(e *kerr.Error) planner.ReplyBody {
				return planner.CreatePartitionsReply{Throttle: 200, Topics: []planner.GrownTopic{{Name: "t", Err: e}}}
			},
			func(b planner.CallBody) planner.Caller { return b.(planner.CreatePartitions).Caller },
			func(r kmsg.Response) (int32, int16) {
				v := r.(*kmsg.CreatePartitionsResponse)
				return v.ThrottleMillis, v.Topics[0].ErrorCode
			}, -1},
	} {
		r := newRig(t, 1, nil)
		p := r.dial(t)
		for _, version := range []int16{0, c.strictFrom - 1, c.strictFrom} {
			c.req.SetVersion(version)
			strict := version >= c.strictFrom
			r.ctl.Answer = func(_ context.Context, body planner.CallBody) (planner.ReplyBody, error) {
				if got := c.callerOf(body); got != caller(strict) {
					t.Errorf("key %d v%d: %+v", c.req.Key(), version, got)
				}
				if strict {
					return c.reply(kerr.ThrottlingQuotaExceeded), nil
				}
				return c.reply(nil), nil
			}
			start := time.Now()
			millis, code := c.read(p.ask(c.req))
			wantMillis, wantCode := int32(200), int16(0)
			if version <= c.noFieldUpTo {
				wantMillis = 0
			}
			if strict {
				wantCode = kerr.ThrottlingQuotaExceeded.Code
			}
			if millis != wantMillis || code != wantCode {
				t.Errorf("key %d v%d: %d ms, code %d", c.req.Key(), version, millis, code)
			}
			p.ask(kmsg.NewPtrApiVersionsRequest())
			if took := time.Since(start); took < wait {
				t.Errorf("key %d v%d: the next answer after %v", c.req.Key(), version, took)
			}
		}
	}
}

// The epoch of features is what brokers say, the version of /feature, and never with a feature.
func TestFeatureEpoch(t *testing.T) {
	for _, epoch := range []int64{-1, 0, 7} {
		r := newRig(t, 1, func(c *server.Config) { c.FeatureEpoch = func() int64 { return epoch } })
		for _, active := range []bool{true, false} {
			r.ctl.SetActive(active)
			req := kmsg.NewPtrApiVersionsRequest()
			req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 3, "s", "1"
			got := ask[*kmsg.ApiVersionsResponse](r.dial(t), req)
			if got.FinalizedFeaturesEpoch != epoch || len(got.SupportedFeatures)+len(got.FinalizedFeatures) != 0 {
				t.Errorf("active %v: %+v", active, got)
			}
		}
	}
}
