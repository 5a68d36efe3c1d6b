package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"baton/partition"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ElectLeaders, v0-2. v0 has no type and means preferred; null names all partitions, and
// then those that need no election are left out of the answer. There is a code for each
// partition; v1+ has one at the top too, where NOT_CONTROLLER is given because some
// clients look for it there, and because nothing is named by null.
func electLeadersAPI() api {
	return api{key: keyElectLeaders, max: 2, active: typed(electLeaders), standby: typed(electLeadersStandby)}
}

func electLeaders(ctx context.Context, r *request, req *kmsg.ElectLeadersRequest) (kmsg.Response, error) {
	call := planner.ElectLeaders{Type: planner.ElectionType(req.ElectionType), All: req.Topics == nil, Timeout: planner.Millis(req.TimeoutMillis)}
	if r.clientID != "" {
		call.Who = fmt.Sprintf("a client with id %q", r.clientID)
	}
	if req.Version == 0 {
		call.Type = planner.Preferred
	}
	if call.Type != planner.Preferred && call.Type != planner.Unclean {
		return noElection(req, kerr.UnknownServerError, ""), nil // as a broker does
	}
	for _, t := range req.Topics {
		for _, n := range t.Partitions {
			call.Partitions = append(call.Partitions, partition.ID{Topic: t.Topic, Number: n})
		}
	}
	// The planner answers REQUEST_TIMED_OUT at the client's timeout; this bound is behind
	// it and holds only while a claim is being loaded.
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout+time.Duration(min(max(call.Timeout, 0), 600_000))*time.Millisecond)
	defer cancel()
	answer, err := r.ctl.Call(ctx, call)
	reply, ok := answer.(planner.ElectLeadersReply)
	switch {
	case errors.Is(err, ErrNotActive), reply.Err == kerr.NotController:
		return noElection(req, kerr.NotController, standbyMessage), nil
	case errors.Is(err, context.DeadlineExceeded):
		return noElection(req, kerr.RequestTimedOut, ""), nil
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("%w: %T", errReply, answer)
	}
	resp := respond[*kmsg.ElectLeadersResponse](req)
	resp.Topics = []kmsg.ElectLeadersResponseTopic{}
	for _, e := range reply.Results {
		addElection(resp, e.ID, e.Err, e.Message)
	}
	return resp, nil
}

// addElection adds a partition; those of a topic come together.
func addElection(resp *kmsg.ElectLeadersResponse, id partition.ID, e *kerr.Error, message string) {
	if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != id.Topic {
		t := kmsg.NewElectLeadersResponseTopic()
		t.Topic = id.Topic
		resp.Topics = append(resp.Topics, t)
	}
	p := kmsg.NewElectLeadersResponseTopicPartition()
	p.Partition, p.ErrorCode = id.Number, codeOf(e)
	switch {
	case message != "":
		p.ErrorMessage = &message
	case e == kerr.ElectionNotNeeded:
		p.ErrorMessage = &electionNotNeeded
	}
	last := &resp.Topics[len(resp.Topics)-1]
	last.Partitions = append(last.Partitions, p)
}

// electionNotNeeded is Kafka's text for the code; the others that have none go without.
var electionNotNeeded = "Leader election not needed for topic partition."

// noElection gives one code for the request and all it names.
func noElection(req *kmsg.ElectLeadersRequest, e *kerr.Error, message string) kmsg.Response {
	resp := respond[*kmsg.ElectLeadersResponse](req)
	resp.Topics, resp.ErrorCode = []kmsg.ElectLeadersResponseTopic{}, e.Code
	for _, t := range req.Topics {
		for _, n := range t.Partitions {
			addElection(resp, partition.ID{Topic: t.Topic, Number: n}, e, message)
		}
	}
	return resp
}

func electLeadersStandby(_ context.Context, _ *request, req *kmsg.ElectLeadersRequest) (kmsg.Response, error) {
	return noElection(req, kerr.NotController, standbyMessage), nil
}
