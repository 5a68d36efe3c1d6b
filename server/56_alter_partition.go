package server

import (
	"context"
	"errors"

	"baton/epoch"
	"baton/isr"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartition, v0-3: a leader's ISR changes. v0-1 name topics, v2+ carry ids; v1+
// has the recovery state; v3 lists members with epochs, which ZooKeeper mode ignores.
//
// A broker ends itself when it cannot parse an answer, and asks for ever about a
// partition that is missing in one: the answer has the request's shape, always.
func alterPartitionAPI() api {
	return api{key: keyAlterPartition, max: 3, active: typed(alterPartition), standby: typed(alterPartitionStandby)}
}

func alterPartition(ctx context.Context, r *request, req *kmsg.AlterPartitionRequest) (kmsg.Response, error) {
	call := planner.AlterPartition{Broker: req.BrokerID, BrokerEpoch: epoch.Broker(req.BrokerEpoch), Version: req.Version}
	for _, t := range req.Topics {
		for i := range t.Partitions {
			call.Items = append(call.Items, alterItem(req.Version, &t, &t.Partitions[i]))
		}
	}
	reply, err := callAs[planner.AlterPartitionReply](ctx, r, call)
	if errors.Is(err, ErrNotActive) {
		return alterPartitionStandby(ctx, r, req)
	}
	if err != nil {
		return nil, err
	}
	resp := newAlterPartition(req, reply.Err)
	if reply.Err != nil {
		return resp, nil
	}
	if len(reply.Items) != len(call.Items) {
		resp.ErrorCode = kerr.UnknownServerError.Code
		return resp, nil
	}
	items := reply.Items
	for _, t := range req.Topics {
		out := kmsg.NewAlterPartitionResponseTopic()
		out.Topic, out.TopidID = t.Topic, t.TopicID
		out.Partitions = make([]kmsg.AlterPartitionResponseTopicPartition, 0, len(t.Partitions))
		for _, p := range t.Partitions {
			out.Partitions = append(out.Partitions, alteredPartition(p.Partition, items[0]))
			items = items[1:]
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

func alterItem(version int16, t *kmsg.AlterPartitionRequestTopic, p *kmsg.AlterPartitionRequestTopicPartition) planner.AlterItem {
	members := make(isr.Set, 0, len(p.NewISR)+len(p.NewEpochISR))
	members = append(members, p.NewISR...)
	for _, m := range p.NewEpochISR {
		members = append(members, m.BrokerID)
	}
	item := planner.AlterItem{Topic: t.Topic, TopicID: t.TopicID, Number: p.Partition, Request: isr.AlterRequest{
		LeaderEpoch: epoch.Leader(p.LeaderEpoch), PartitionEpoch: epoch.Partition(p.PartitionEpoch), ISR: members,
	}}
	if version >= 1 {
		item.Request.Recovery = isr.Recovery(p.LeaderRecoveryState)
	}
	return item
}

func alteredPartition(number int32, re planner.AlterItemReply) kmsg.AlterPartitionResponseTopicPartition {
	p := kmsg.NewAlterPartitionResponseTopicPartition()
	p.Partition, p.ErrorCode, p.ISR = number, codeOf(re.Err), []int32{}
	if re.Err == nil {
		p.LeaderID, p.LeaderEpoch = re.State.Leader, int32(re.State.LeaderEpoch)
		p.ISR = append(p.ISR, re.State.ISR...)
		p.LeaderRecoveryState, p.PartitionEpoch = int8(re.State.Recovery), int32(re.State.PartitionEpoch)
	}
	return p
}

func alterPartitionStandby(_ context.Context, _ *request, req *kmsg.AlterPartitionRequest) (kmsg.Response, error) {
	return newAlterPartition(req, kerr.NotController), nil
}

func newAlterPartition(req *kmsg.AlterPartitionRequest, e *kerr.Error) *kmsg.AlterPartitionResponse {
	resp := respond[*kmsg.AlterPartitionResponse](req)
	resp.ErrorCode, resp.Topics = codeOf(e), []kmsg.AlterPartitionResponseTopic{}
	return resp
}
