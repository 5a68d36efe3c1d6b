package server

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteTopics, v0-6: not built. While active every topic gets what a cluster with
// delete.topic.enable=false says: TOPIC_DELETION_DISABLED, or INVALID_REQUEST below v3.
// v6 names topics by name or by id, and the answer has what the request had.
func deleteTopicsAPI() api {
	active, standby := refuse(refuseDeleteTopics)
	return api{key: keyDeleteTopics, max: 6, active: active, standby: standby}
}

func refuseDeleteTopics(req *kmsg.DeleteTopicsRequest, no refusal) kmsg.Response {
	if req.Version >= 3 && no.code == kerr.InvalidRequest.Code {
		no.code = kerr.TopicDeletionDisabled.Code
	}
	resp := respond[*kmsg.DeleteTopicsResponse](req)
	resp.Topics = []kmsg.DeleteTopicsResponseTopic{}
	add := func(name *string, id [16]byte) {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.TopicID, t.ErrorCode, t.ErrorMessage = name, id, no.code, no.message
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
