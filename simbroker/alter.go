package simbroker

import (
	"slices"

	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// alterItem is one ISR change that was asked for. While it is a replica's pending one no
// other is asked for; frozen says that the controller's answer left it that way.
type alterItem struct {
	id             partition.ID
	isr            []int32
	expand         bool
	leaderEpoch    int32
	partitionEpoch int32
	frozen         bool
}

// alterQueue holds at most one item of each partition, and one request is in flight for
// the whole broker (08.3).
type alterQueue struct {
	items map[partition.ID]*alterItem
	busy  bool
}

const (
	alterRetry      = 50 * ms // after a top-level error
	maxAlterVersion = 3
)

// alterISR asks for a change. One of the same partition that is still on its way, from
// an older leader epoch, comes first; the caller will try again.
func (p *process) alterISR(r *replica, isr []int32, expand bool) {
	if p.isr.items[r.id] != nil {
		return
	}
	r.pending = &alterItem{id: r.id, isr: isr, expand: expand, leaderEpoch: r.leaderEpoch, partitionEpoch: r.partitionEpoch}
	p.isr.items[r.id] = r.pending
	p.sendAlters()
}

// sendAlters sends everything that waits, if nothing is in flight.
func (p *process) sendAlters() {
	if p.isr.busy || len(p.isr.items) == 0 {
		return
	}
	p.isr.busy = true
	sent := make([]*alterItem, 0, len(p.isr.items))
	ids := map[string][16]byte{}
	for _, it := range p.isr.items {
		sent = append(sent, it)
		ids[it.id.Topic] = p.cache.ids[it.id.Topic]
	}
	slices.SortFunc(sent, func(a, b *alterItem) int { return partition.Compare(a.id, b.id) })
	broker := p.epoch
	p.alters.send(controllerCall{
		build: func(version versionsOf) (kmsg.Request, bool) {
			v, ok := version(keyAlterPartition, maxAlterVersion)
			return alterRequest(p.opts.ID, broker, v, sent, ids), ok
		},
		moved: func(resp kmsg.Response) bool { return alterMoved(resp.(*kmsg.AlterPartitionResponse)) },
		done:  func(resp kmsg.Response) { p.altered(resp.(*kmsg.AlterPartitionResponse), sent, ids) },
	})
}

// alterRequest: v2+ name topics by id, so one topic without an id brings the request
// down to v1; v3 gives each member an epoch, which is -1 in ZooKeeper mode.
func alterRequest(broker int32, epoch int64, version int16, items []*alterItem, ids map[string][16]byte) kmsg.Request {
	for _, id := range ids {
		if id == ([16]byte{}) {
			version = min(version, 1)
		}
	}
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version, req.BrokerID, req.BrokerEpoch = version, broker, epoch
	for _, it := range items {
		n := len(req.Topics)
		if n == 0 || req.Topics[n-1].Topic != it.id.Topic {
			t := kmsg.NewAlterPartitionRequestTopic()
			t.Topic, t.TopicID = it.id.Topic, ids[it.id.Topic]
			req.Topics = append(req.Topics, t)
			n++
		}
		ap := kmsg.NewAlterPartitionRequestTopicPartition()
		ap.Partition, ap.LeaderEpoch, ap.PartitionEpoch, ap.NewISR = it.id.Number, it.leaderEpoch, it.partitionEpoch, it.isr
		for _, id := range it.isr {
			m := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
			m.BrokerID = id
			ap.NewEpochISR = append(ap.NewEpochISR, m)
		}
		req.Topics[n-1].Partitions = append(req.Topics[n-1].Partitions, ap)
	}
	return req
}

// alterMoved: NOT_CONTROLLER anywhere makes the channel look for the controller again.
func alterMoved(resp *kmsg.AlterPartitionResponse) bool {
	if resp.ErrorCode == kerr.NotController.Code {
		return true
	}
	for _, t := range resp.Topics {
		for _, ap := range t.Partitions {
			if ap.ErrorCode == kerr.NotController.Code {
				return true
			}
		}
	}
	return false
}

// altered takes an answer in. What was sent and is not in it stays and is sent again.
func (p *process) altered(resp *kmsg.AlterPartitionResponse, sent []*alterItem, ids map[string][16]byte) {
	retry := func() {
		p.isr.busy = false
		p.sendAlters()
	}
	if resp.ErrorCode != 0 {
		p.logf("AlterPartition: %v", kerr.ErrorForCode(resp.ErrorCode))
		p.after(alterRetry, retry)
		return
	}
	for _, t := range resp.Topics {
		for i := range t.Partitions {
			for _, it := range sent {
				named := resp.Version < 2 && t.Topic == it.id.Topic || resp.Version >= 2 && t.TopidID == ids[it.id.Topic]
				if named && t.Partitions[i].Partition == it.id.Number && p.isr.items[it.id] == it {
					delete(p.isr.items, it.id)
					p.alteredOne(it, &t.Partitions[i])
				}
			}
		}
	}
	retry()
}

// alteredOne is what a 3.3-3.9 leader does with one partition's answer (08.3).
func (p *process) alteredOne(it *alterItem, ap *kmsg.AlterPartitionResponseTopicPartition) {
	r := p.parts[it.id]
	if r == nil || r.role != leading || r.pending != it {
		return // a newer LeaderAndIsr was faster
	}
	switch ap.ErrorCode {
	case 0:
		if ap.LeaderEpoch != r.leaderEpoch || ap.PartitionEpoch < r.partitionEpoch {
			return
		}
		r.isr, r.partitionEpoch, r.pending = slices.Clone(ap.ISR), ap.PartitionEpoch, nil
		p.advance(r)
		p.settleProduces(r)
		p.wake(r.id)
	case kerr.OperationNotAttempted.Code, kerr.IneligibleReplica.Code:
		r.pending = nil // back to what is committed; asked again when a fetch says so
		p.advance(r)
	case kerr.UnknownTopicOrPartition.Code, kerr.FencedLeaderEpoch.Code, kerr.InvalidUpdateVersion.Code,
		kerr.InvalidRequest.Code, kerr.UnknownTopicID.Code, codeNewLeaderElected:
		it.frozen = true // until the next leader epoch
		p.logf("%v: ISR frozen by %v", it.id, kerr.ErrorForCode(ap.ErrorCode))
	default:
		p.isr.items[it.id] = it // at once
	}
}

const codeNewLeaderElected int16 = 108
