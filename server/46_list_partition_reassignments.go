package server

import (
	"context"
	"errors"

	"baton/cluster"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListPartitionReassignments, v0: what is in progress of everything (null) or of the
// partitions asked for; those that do not exist are left out, as Kafka does. A standby says
// NOT_CONTROLLER.
func listReassignmentsAPI() api {
	return api{key: keyListReassignments, active: typed(listReassignments), standby: typed(listReassignmentsStandby)}
}

func listReassignments(ctx context.Context, r *request, req *kmsg.ListPartitionReassignmentsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.ListPartitionReassignmentsResponse](req)
	resp.Topics, resp.ErrorMessage = []kmsg.ListPartitionReassignmentsResponseTopic{}, noMessage()
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	err := r.ctl.View(ctx, func(v planner.View) {
		if req.Topics == nil {
			for _, t := range v.Image.Topics() {
				addReassigning(resp, t.Name, t.Partitions)
			}
			return
		}
		for _, q := range req.Topics {
			var asked []cluster.Partition
			if t := v.Image.Topic(q.Topic); t != nil {
				for _, n := range q.Partitions {
					if p := t.Partition(n); p != nil {
						asked = append(asked, *p)
					}
				}
			}
			addReassigning(resp, q.Topic, asked)
		}
	})
	switch {
	case errors.Is(err, ErrNotActive):
		return listReassignmentsStandby(ctx, r, req)
	case errors.Is(err, context.DeadlineExceeded):
		resp.ErrorCode, resp.ErrorMessage = kerr.RequestTimedOut.Code, messageOf(kerr.RequestTimedOut, "")
	case err != nil:
		return nil, err
	}
	return resp, nil
}

// addReassigning appends the topic if any of the partitions is being reassigned.
func addReassigning(resp *kmsg.ListPartitionReassignmentsResponse, topic string, parts []cluster.Partition) {
	out := kmsg.NewListPartitionReassignmentsResponseTopic()
	out.Topic = topic
	for i := range parts {
		if a := parts[i].Assignment; a.Reassigning() {
			p := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
			p.Partition = parts[i].Number
			p.Replicas = append([]int32{}, a.Replicas...)
			p.AddingReplicas = append([]int32{}, a.Adding...)
			p.RemovingReplicas = append([]int32{}, a.Removing...)
			out.Partitions = append(out.Partitions, p)
		}
	}
	if len(out.Partitions) > 0 {
		resp.Topics = append(resp.Topics, out)
	}
}

func listReassignmentsStandby(_ context.Context, _ *request, req *kmsg.ListPartitionReassignmentsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.ListPartitionReassignmentsResponse](req)
	resp.Topics = []kmsg.ListPartitionReassignmentsResponseTopic{}
	resp.ErrorCode, resp.ErrorMessage = kerr.NotController.Code, kmsg.StringPtr(standbyMessage)
	return resp, nil
}
