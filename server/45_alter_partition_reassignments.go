package server

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartitionReassignments, v0: not built; refused for every partition. A standby
// says NOT_CONTROLLER at the top, where clients look for it.
func alterReassignmentsAPI() api {
	active, standby := refuse(refuseReassignments)
	return api{key: keyAlterReassignments, active: active, standby: standby}
}

func refuseReassignments(req *kmsg.AlterPartitionAssignmentsRequest, no refusal) kmsg.Response {
	resp := respond[*kmsg.AlterPartitionAssignmentsResponse](req)
	resp.Topics = []kmsg.AlterPartitionAssignmentsResponseTopic{}
	if no.code == kerr.NotController.Code {
		resp.ErrorCode, resp.ErrorMessage = no.code, no.message
	}
	for _, t := range req.Topics {
		out := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		out.Topic, out.Partitions = t.Topic, []kmsg.AlterPartitionAssignmentsResponseTopicPartition{}
		for _, q := range t.Partitions {
			p := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			p.Partition, p.ErrorCode, p.ErrorMessage = q.Partition, no.code, no.message
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
