package server

import "github.com/twmb/franz-go/pkg/kmsg"

// CreatePartitions, v0-3: not built; refused for every topic.
func createPartitionsAPI() api {
	active, standby := refuse(refuseCreatePartitions)
	return api{key: keyCreatePartitions, max: 3, active: active, standby: standby}
}

func refuseCreatePartitions(req *kmsg.CreatePartitionsRequest, no refusal) kmsg.Response {
	resp := respond[*kmsg.CreatePartitionsResponse](req)
	resp.Topics = []kmsg.CreatePartitionsResponseTopic{}
	for _, t := range req.Topics {
		out := kmsg.NewCreatePartitionsResponseTopic()
		out.Topic, out.ErrorCode, out.ErrorMessage = t.Topic, no.code, no.message
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
