package server

import (
	"context"

	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreatePartitions, v0-3; v3: a quota refuses. A topic that occurs twice in a request is refused here and
// answered once, as brokers do; all other checks are the planner's.
func createPartitionsAPI() api {
	return api{key: keyCreatePartitions, max: 3, active: typed(createPartitions), standby: typed(createPartitionsStandby)}
}

func createPartitions(ctx context.Context, r *request, req *kmsg.CreatePartitionsRequest) (kmsg.Response, error) {
	count := map[string]int{}
	for _, t := range req.Topics {
		count[t.Topic]++
	}
	resp := respond[*kmsg.CreatePartitionsResponse](req)
	resp.Topics = []kmsg.CreatePartitionsResponseTopic{}
	call := planner.CreatePartitions{Caller: r.caller(3), ValidateOnly: req.ValidateOnly, Timeout: planner.Millis(req.TimeoutMillis)}
	var at []int
	for _, t := range req.Topics {
		switch n := count[t.Topic]; {
		case n == 1:
			at = append(at, len(resp.Topics))
			want := planner.MorePartitions{Name: t.Topic, Count: t.Count}
			if t.Assignment != nil {
				want.Assignments = [][]int32{}
				for _, a := range t.Assignment {
					want.Assignments = append(want.Assignments, a.Replicas)
				}
			}
			call.Topics = append(call.Topics, want)
			resp.Topics = append(resp.Topics, grownTopic(t.Topic, nil, ""))
		case n > 1:
			resp.Topics = append(resp.Topics, grownTopic(t.Topic, kerr.InvalidRequest, "Duplicate topic in request."))
			count[t.Topic] = 0
		}
	}
	if len(at) == 0 {
		return resp, nil
	}
	reply, failed, err := callTimed[planner.CreatePartitionsReply](ctx, r, call, call.Timeout)
	switch {
	case err != nil:
		return nil, err
	case failed == nil && len(reply.Topics) != len(at):
		return nil, errReply
	}
	resp.ThrottleMillis = int32(reply.Throttle) //nolint:gosec // the planner has a bound for it
	for n, i := range at {
		out := &resp.Topics[i]
		if failed != nil {
			*out = grownTopic(out.Topic, failed, "")
			continue
		}
		*out = grownTopic(out.Topic, reply.Topics[n].Err, reply.Topics[n].Message)
	}
	return resp, nil
}

// grownTopic has a message only where there is something to explain.
func grownTopic(name string, e *kerr.Error, message string) kmsg.CreatePartitionsResponseTopic {
	t := kmsg.NewCreatePartitionsResponseTopic()
	t.Topic, t.ErrorCode = name, codeOf(e)
	if message != "" {
		t.ErrorMessage = &message
	}
	return t
}

func createPartitionsStandby(_ context.Context, _ *request, req *kmsg.CreatePartitionsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.CreatePartitionsResponse](req)
	resp.Topics = []kmsg.CreatePartitionsResponseTopic{}
	for _, t := range req.Topics {
		resp.Topics = append(resp.Topics, grownTopic(t.Topic, kerr.NotController, standbyMessage))
	}
	return resp, nil
}
