package server

import (
	"context"
	"errors"
	"time"

	"baton/partition"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartitionReassignments, v0 (3.9 has no other). No replicas at all, null, cancels;
// an empty list is an error. Success means that the reassignment is accepted and written
// down, not that it is complete. A standby says NOT_CONTROLLER at the top, where clients
// look for it.
//
// Of a partition that is named twice the last entry counts and one is answered, as Kafka
// makes a map of them.
func alterReassignmentsAPI() api {
	return api{key: keyAlterReassignments, active: typed(alterReassignments), standby: typed(alterReassignmentsStandby)}
}

func alterReassignments(ctx context.Context, r *request, req *kmsg.AlterPartitionAssignmentsRequest) (kmsg.Response, error) {
	call := planner.AlterReassignments{Timeout: planner.Millis(min(max(req.TimeoutMillis, 0), 600_000)), ClientID: r.clientID}
	at := map[partition.ID]int{}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			it := planner.Reassignment{ID: partition.ID{Topic: t.Topic, Number: p.Partition}, Replicas: p.Replicas}
			if i, twice := at[it.ID]; twice {
				call.Items[i] = it
				continue
			}
			at[it.ID] = len(call.Items)
			call.Items = append(call.Items, it)
		}
	}
	// The planner answers REQUEST_TIMED_OUT at the client's timeout; this bound is behind it
	// and holds only while a claim is being loaded.
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout+time.Duration(call.Timeout)*time.Millisecond)
	defer cancel()
	reply, err := r.ctl.Call(ctx, call)
	switch {
	case errors.Is(err, ErrNotActive):
		return alterReassignmentsStandby(ctx, r, req)
	case errors.Is(err, context.DeadlineExceeded):
		return newAlterReassignments(req, kerr.RequestTimedOut, ""), nil
	case err != nil:
		return nil, err
	}
	re, ok := reply.(planner.AlterReassignmentsReply)
	if !ok || re.Err == nil && len(re.Items) != len(call.Items) {
		return newAlterReassignments(req, kerr.UnknownServerError, errReply.Error()), nil
	}
	if re.Err != nil {
		return newAlterReassignments(req, re.Err, ""), nil
	}
	resp := newAlterReassignments(req, nil, "")
	index := map[string]int{}
	for _, it := range re.Items {
		i, ok := index[it.ID.Topic]
		if !ok {
			i = len(resp.Topics)
			index[it.ID.Topic] = i
			t := kmsg.NewAlterPartitionAssignmentsResponseTopic()
			t.Topic = it.ID.Topic
			resp.Topics = append(resp.Topics, t)
		}
		p := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
		p.Partition, p.ErrorCode, p.ErrorMessage = it.ID.Number, codeOf(it.Err), messageOf(it.Err, it.Message)
		resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, p)
	}
	return resp, nil
}

func alterReassignmentsStandby(_ context.Context, _ *request, req *kmsg.AlterPartitionAssignmentsRequest) (kmsg.Response, error) {
	return newAlterReassignments(req, kerr.NotController, standbyMessage), nil
}

func newAlterReassignments(req *kmsg.AlterPartitionAssignmentsRequest, e *kerr.Error, message string) *kmsg.AlterPartitionAssignmentsResponse {
	resp := respond[*kmsg.AlterPartitionAssignmentsResponse](req)
	resp.Topics = []kmsg.AlterPartitionAssignmentsResponseTopic{}
	resp.ErrorMessage = noMessage()
	if e != nil {
		resp.ErrorCode, resp.ErrorMessage = e.Code, messageOf(e, message)
	}
	return resp
}

// noMessage is what Kafka says beside success at the top of answers about reassignments: an empty text, not none.
func noMessage() *string { return kmsg.StringPtr("") }
