package server

import (
	"context"

	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteTopics, v0-6. v5: a quota refuses. v6 names topics by name or by id, and the answer has what the request
// had, with the name that belongs to an id. Every topic is answered, one that is named twice
// twice; as brokers do, without messages.
//
//   - One topic with both a name and an id makes the whole request INVALID_REQUEST.
//   - delete.topic.enable=false is TOPIC_DELETION_DISABLED, or INVALID_REQUEST below v3.
//   - The answer waits until the topic is gone; see the planner.
func deleteTopicsAPI() api {
	return api{key: keyDeleteTopics, max: 6, active: typed(deleteTopics), standby: typed(deleteTopicsStandby)}
}

func deleteTopics(ctx context.Context, r *request, req *kmsg.DeleteTopicsRequest) (kmsg.Response, error) {
	call := planner.DeleteTopics{Caller: r.caller(5), Timeout: planner.Millis(req.TimeoutMillis)}
	for _, name := range req.TopicNames { // v0-5
		call.Topics = append(call.Topics, planner.DoomedTopic{Name: name})
	}
	for _, t := range req.Topics {
		want := planner.DoomedTopic{ID: t.TopicID}
		if t.Topic != nil {
			want.Name = *t.Topic
		}
		if t.Topic != nil && !want.ID.IsZero() {
			return deleteTopicsFailed(req, kerr.InvalidRequest), nil
		}
		call.Topics = append(call.Topics, want)
	}
	if len(call.Topics) == 0 {
		return deleteTopicsFailed(req, nil), nil
	}
	reply, failed, err := callTimed[planner.DeleteTopicsReply](ctx, r, call, call.Timeout)
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return deleteTopicsFailed(req, failed), nil
	case len(reply.Topics) != len(call.Topics):
		return nil, errReply
	}
	resp := deleteTopicsFailed(req, nil)
	resp.ThrottleMillis = int32(reply.Throttle) //nolint:gosec // the planner has a bound for it
	for i, t := range reply.Topics {
		out := &resp.Topics[i]
		out.ErrorCode = codeOf(t.Err)
		if t.Err == kerr.TopicDeletionDisabled && req.Version < 3 {
			out.ErrorCode = kerr.InvalidRequest.Code
		}
		if name := t.Name; !t.ID.IsZero() && name != "" {
			out.Topic = &name
		}
	}
	return resp, nil
}

// deleteTopicsFailed answers every topic with one code, nil for none.
func deleteTopicsFailed(req *kmsg.DeleteTopicsRequest, e *kerr.Error) *kmsg.DeleteTopicsResponse {
	resp := respond[*kmsg.DeleteTopicsResponse](req)
	resp.Topics = []kmsg.DeleteTopicsResponseTopic{}
	add := func(name *string, id [16]byte) {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.TopicID, t.ErrorCode = name, id, codeOf(e)
		resp.Topics = append(resp.Topics, t)
	}
	for i := range req.TopicNames {
		add(&req.TopicNames[i], [16]byte{})
	}
	for _, t := range req.Topics {
		add(t.Topic, t.TopicID)
	}
	return resp
}

func deleteTopicsStandby(_ context.Context, _ *request, req *kmsg.DeleteTopicsRequest) (kmsg.Response, error) {
	return deleteTopicsFailed(req, kerr.NotController), nil
}
