package server

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListPartitionReassignments, v0: Baton does not claim while a reassignment runs and
// starts none, so the list is empty. A standby says NOT_CONTROLLER.
func listReassignmentsAPI() api {
	return api{key: keyListReassignments, active: typed(listReassignments), standby: typed(listReassignmentsStandby)}
}

func listReassignments(_ context.Context, _ *request, req *kmsg.ListPartitionReassignmentsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.ListPartitionReassignmentsResponse](req)
	resp.Topics = []kmsg.ListPartitionReassignmentsResponseTopic{}
	return resp, nil
}

func listReassignmentsStandby(_ context.Context, _ *request, req *kmsg.ListPartitionReassignmentsRequest) (kmsg.Response, error) {
	resp := respond[*kmsg.ListPartitionReassignmentsResponse](req)
	resp.Topics = []kmsg.ListPartitionReassignmentsResponseTopic{}
	resp.ErrorCode, resp.ErrorMessage = kerr.NotController.Code, kmsg.StringPtr(standbyMessage)
	return resp, nil
}
