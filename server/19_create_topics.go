package server

import (
	"context"

	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics, v0-7. v1+: validate-only and messages; v5+: what was created is
// described, with the configs that hold; v6: a quota refuses; v7: with its id.
//
// A name that occurs twice in a request is refused here, because the planner's replies
// are in the request's order; all other checks are the planner's. configs is never
// null: Java's AdminClient fails on that.
func createTopicsAPI() api {
	return api{key: keyCreateTopics, max: 7, active: typed(createTopics), standby: typed(createTopicsStandby)}
}

func createTopics(ctx context.Context, r *request, req *kmsg.CreateTopicsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.CreateTopicsResponse](req)
	resp.Topics = []kmsg.CreateTopicsResponseTopic{}
	count := map[string]int{}
	for _, t := range req.Topics {
		count[t.Topic]++
	}
	call := planner.CreateTopics{Caller: r.caller(6), ValidateOnly: req.ValidateOnly, Timeout: planner.Millis(req.TimeoutMillis)}
	var at []int
	for i := range req.Topics {
		t := &req.Topics[i]
		switch n := count[t.Topic]; {
		case n == 1:
			at = append(at, len(resp.Topics))
			call.Topics = append(call.Topics, askedTopic(t))
			resp.Topics = append(resp.Topics, createdTopic(t.Topic, nil, ""))
		case n > 1:
			resp.Topics = append(resp.Topics, createdTopic(t.Topic, kerr.InvalidRequest, "Duplicate topic name."))
			count[t.Topic] = 0 // one answer for all of them
		}
	}
	if len(at) == 0 {
		return resp, nil
	}
	reply, failed, err := callTimed[planner.CreateTopicsReply](ctx, r, call, call.Timeout)
	if err != nil {
		return nil, err
	}
	resp.ThrottleMillis = int32(reply.Throttle) //nolint:gosec // the planner has a bound for it
	for n, i := range at {
		out := &resp.Topics[i]
		switch {
		case failed != nil:
			*out = createdTopic(out.Topic, failed, "")
			continue
		case n >= len(reply.Topics):
			*out = createdTopic(out.Topic, kerr.UnknownServerError, errReply.Error())
			continue
		}
		re := reply.Topics[n]
		*out = createdTopic(out.Topic, re.Err, re.Message)
		if re.Err == nil {
			out.TopicID, out.NumPartitions, out.ReplicationFactor = re.ID, re.Partitions, re.Factor
		}
	}
	if req.Version >= 5 {
		r.addConfigs(ctx, req, resp.Topics)
	}
	return resp, nil
}

func askedTopic(t *kmsg.CreateTopicsRequestTopic) planner.NewTopic {
	out := planner.NewTopic{Name: t.Topic, Partitions: t.NumPartitions, Factor: t.ReplicationFactor, ID: freshID(), Seed: freshSeed()}
	if len(t.ReplicaAssignment) > 0 {
		out.Assignment = make(map[int32][]int32, len(t.ReplicaAssignment))
		for _, a := range t.ReplicaAssignment {
			out.Assignment[a.Partition] = a.Replicas
		}
	}
	for _, c := range t.Configs {
		out.Configs = append(out.Configs, planner.TopicConfig{Name: c.Name, Value: c.Value})
	}
	return out
}

func createdTopic(name string, e *kerr.Error, message string) kmsg.CreateTopicsResponseTopic {
	t := kmsg.NewCreateTopicsResponseTopic()
	t.Topic, t.ErrorCode = name, codeOf(e)
	if e != kerr.RequestTimedOut { // beside which Kafka has no message
		t.ErrorMessage = messageOf(e, message)
	}
	t.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	return t
}

// messageOf explains an error; success has no message.
func messageOf(e *kerr.Error, message string) *string {
	switch {
	case e == nil:
		return nil
	case message == "":
		return &e.Description
	}
	return &message
}

func createTopicsStandby(_ context.Context, _ *request, req *kmsg.CreateTopicsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.CreateTopicsResponse](req)
	resp.Topics = []kmsg.CreateTopicsResponseTopic{}
	for _, t := range req.Topics {
		resp.Topics = append(resp.Topics, createdTopic(t.Topic, kerr.NotController, ""))
	}
	return resp, nil
}
