package server

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ElectLeaders, v0-2: not built; refused for every partition named. A request for all
// partitions (null) names none, so there the code is the answer's own, which v1+ has;
// it is POLICY_VIOLATION, as no message goes with it and Java's text for INVALID_REQUEST
// blames the client. NOT_CONTROLLER is given there too, because clients look for it there.
func electLeadersAPI() api {
	active, standby := refuse(refuseElectLeaders)
	return api{key: keyElectLeaders, max: 2, active: active, standby: standby}
}

func refuseElectLeaders(req *kmsg.ElectLeadersRequest, no refusal) kmsg.Response {
	resp := respond[*kmsg.ElectLeadersResponse](req)
	resp.Topics = []kmsg.ElectLeadersResponseTopic{}
	switch {
	case no.code == kerr.NotController.Code:
		resp.ErrorCode = no.code
	case req.Topics == nil:
		resp.ErrorCode = kerr.PolicyViolation.Code
	}
	for _, t := range req.Topics {
		out := kmsg.NewElectLeadersResponseTopic()
		out.Topic, out.Partitions = t.Topic, []kmsg.ElectLeadersResponseTopicPartition{}
		for _, n := range t.Partitions {
			p := kmsg.NewElectLeadersResponseTopicPartition()
			p.Partition, p.ErrorCode, p.ErrorMessage = n, no.code, no.message
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
