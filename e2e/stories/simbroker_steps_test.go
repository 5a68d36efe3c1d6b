package stories

import (
	"fmt"

	"baton/e2e/kafka"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// controlStep is one request, made for a broker of the given epoch.
type controlStep struct {
	name string
	make func(epoch int64) kmsg.Request
}

// draft is what options change: one of the three requests, and its partitions.
type draft struct {
	l     *kmsg.LeaderAndISRRequest
	u     *kmsg.UpdateMetadataRequest
	s     *kmsg.StopReplicaRequest
	epoch int64

	topic string
	id    [16]byte
	parts []kmsg.LeaderAndISRRequestTopicPartition
	stops []kmsg.StopReplicaRequestTopicPartitionState
	um    []kmsg.UpdateMetadataRequestTopicPartition
	live  []int32
}

type option func(*draft)

var idA, idB = [16]byte{0xaa, 1}, [16]byte{0xbb, 1}

// Each topic has an id of its own, derived from its name, or B's variant of it.
func topicID(topic string, base [16]byte) [16]byte {
	copy(base[2:], topic)
	return base
}

func topicA(topic string) option {
	return func(d *draft) { d.topic, d.id = topic, topicID(topic, idA) }
}
func topicB(topic string) option {
	return func(d *draft) { d.topic, d.id = topic, topicID(topic, idB) }
}
func noID(topic string) option { return func(d *draft) { d.topic = topic } }

// leads adds a partition: its leader, leader epoch, partition epoch. Replicas are 1, 2, 3.
func leads(leader, leaderEpoch, version int32) option {
	return func(d *draft) {
		ps := kmsg.NewLeaderAndISRRequestTopicPartition()
		ps.Partition, ps.ControllerEpoch, ps.Leader, ps.LeaderEpoch, ps.ZKVersion = int32(len(d.parts)), 10, leader, leaderEpoch, version
		ps.ISR, ps.Replicas, ps.IsNew = []int32{1, 2, 3}, []int32{1, 2, 3}, true
		ps.AddingReplicas, ps.RemovingReplicas = []int32{}, []int32{}
		d.parts = append(d.parts, ps)
	}
}

// last changes the partition added last.
func last(change func(*kmsg.LeaderAndISRRequestTopicPartition)) option {
	return func(d *draft) { change(&d.parts[len(d.parts)-1]) }
}

func elsewhere(ps *kmsg.LeaderAndISRRequestTopicPartition) {
	ps.Replicas, ps.ISR = []int32{2, 3}, []int32{2, 3}
}

func number(n int32) option {
	return last(func(ps *kmsg.LeaderAndISRRequestTopicPartition) { ps.Partition = n })
}

func stops(number, epoch int32, del bool) option {
	return func(d *draft) {
		d.stops = append(d.stops, kmsg.StopReplicaRequestTopicPartitionState{Partition: number, LeaderEpoch: epoch, Delete: del})
	}
}

func cached(leader int32) option {
	return func(d *draft) {
		ps := kmsg.NewUpdateMetadataRequestTopicPartition()
		ps.Leader, ps.Replicas, ps.ISR, ps.OfflineReplicas = leader, []int32{1, 2, 3}, []int32{1}, []int32{}
		d.um = append(d.um, ps)
	}
}

func alive(ids ...int32) option { return func(d *draft) { d.live = ids } }

func inVersion(version int16) option {
	return func(d *draft) {
		switch {
		case d.l != nil:
			d.l.Version = version
		case d.u != nil:
			d.u.Version = version
		default:
			d.s.Version = version
		}
	}
}

func controllerEpoch(e int32) option {
	return func(d *draft) {
		switch {
		case d.l != nil:
			d.l.ControllerEpoch = e
		case d.u != nil:
			d.u.ControllerEpoch = e
		default:
			d.s.ControllerEpoch = e
		}
	}
}

// brokerEpoch is added to the broker's own; absolute if base is false.
func brokerEpoch(e int64, base bool) option {
	return func(d *draft) {
		e := e
		if base {
			e += d.epoch
		}
		switch {
		case d.l != nil:
			d.l.BrokerEpoch = e
		case d.u != nil:
			d.u.BrokerEpoch = e
		default:
			d.s.BrokerEpoch = e
		}
	}
}

func kraft(d *draft) {
	switch {
	case d.l != nil:
		d.l.IsKRaftController = true
	case d.u != nil:
		d.u.IsKRaftController = true
	default:
		d.s.IsKRaftController = true
	}
}

func lai(name string, options ...option) controlStep {
	return controlStep{name, func(epoch int64) kmsg.Request {
		req := kmsg.NewPtrLeaderAndISRRequest()
		req.Version, req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = 7, 2000001, 10, epoch
		d := &draft{l: req, epoch: epoch}
		for _, o := range options {
			o(d)
		}
		for i := range d.parts {
			d.parts[i].Topic = d.topic
		}
		req.PartitionStates = d.parts
		req.TopicStates = []kmsg.LeaderAndISRRequestTopicState{{Topic: d.topic, TopicID: d.id, PartitionStates: d.parts}}
		return req
	}}
}

func um(name string, options ...option) controlStep {
	return controlStep{name, func(epoch int64) kmsg.Request {
		req := kmsg.NewPtrUpdateMetadataRequest()
		req.Version, req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = 8, 2000001, 10, epoch
		d := &draft{u: req, epoch: epoch, live: []int32{1, 2, 3}}
		for _, o := range options {
			o(d)
		}
		for i := range d.um {
			d.um[i].Topic, d.um[i].Partition = d.topic, int32(i)
		}
		req.PartitionStates = d.um
		if d.topic != "" {
			req.TopicStates = []kmsg.UpdateMetadataRequestTopicState{{Topic: d.topic, TopicID: d.id, PartitionStates: d.um}}
		}
		for _, id := range d.live {
			b := kmsg.NewUpdateMetadataRequestLiveBroker()
			b.ID, b.Host, b.Port = id, "127.0.0.1", 1 // nobody listens there
			name := kafka.Internal
			b.Endpoints = []kmsg.UpdateMetadataRequestLiveBrokerEndpoint{{Port: 1, Host: "127.0.0.1", ListenerName: name}}
			req.LiveBrokers = append(req.LiveBrokers, b)
		}
		return req
	}}
}

func sr(name string, options ...option) controlStep {
	return controlStep{name, func(epoch int64) kmsg.Request {
		req := kmsg.NewPtrStopReplicaRequest()
		req.Version, req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = 3, 2000001, 10, epoch
		d := &draft{s: req, epoch: epoch}
		for _, o := range options {
			o(d)
		}
		t := kmsg.StopReplicaRequestTopic{Topic: d.topic, PartitionStates: d.stops}
		for _, s := range d.stops {
			t.Partition, t.Partitions, req.DeletePartitions = s.Partition, append(t.Partitions, s.Partition), s.Delete
		}
		req.Topics = []kmsg.StopReplicaRequestTopic{t}
		return req
	}}
}

// controlSteps is the duel, in an order that both brokers' memories depend on.
func controlSteps() []controlStep {
	return slicesOf(requestSteps(), leaderSteps(), followerSteps(), topicIDSteps(), stopSteps(), versionSteps(), epochSteps())
}

func slicesOf(groups ...[]controlStep) (out []controlStep) {
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

// requestSteps is 10.1 but for controller epochs.
func requestSteps() []controlStep {
	return []controlStep{
		lai("the first request of all", topicA("first"), leads(1, 0, 0)),
		lai("follower before any live list", topicA("first"), leads(1, 0, 0), leads(2, 0, 0)),
		um("first live list"),
		lai("broker epoch -1 below own", topicA("req"), leads(1, 5, 7), leads(2, 5, 7), brokerEpoch(-1, true)),
		um("broker epoch -1 below own", brokerEpoch(-1, true)),
		sr("broker epoch -1 below own", noID("req"), stops(0, 5, false), brokerEpoch(-1, true)),
		lai("broker epoch 0", topicA("req"), leads(1, 5, 7), brokerEpoch(0, false)),
		lai("broker epoch -1: not compared", topicA("req"), leads(1, 5, 7), brokerEpoch(-1, false)),
		um("broker epoch -1: not compared", brokerEpoch(-1, false)),
		sr("broker epoch -1: not compared", noID("req"), stops(0, 5, false), brokerEpoch(-1, false)),
		lai("broker epoch above own", topicA("req"), leads(1, 6, 8), brokerEpoch(1000, true)),
		um("broker epoch above own", brokerEpoch(1000, true)),
		sr("broker epoch above own", noID("req"), stops(0, 6, false), brokerEpoch(1000, true)),
		lai("KRaft, own epoch", topicA("req"), leads(1, 7, 9), kraft),
		um("KRaft, own epoch", kraft),
		sr("KRaft, own epoch", noID("req"), stops(0, 7, false), inVersion(4), kraft),
		lai("KRaft, epoch -1, same leader epoch", topicA("req"), leads(1, 6, 8), kraft, brokerEpoch(-1, false)),
		um("KRaft, epoch -1", kraft, brokerEpoch(-1, false)),
		um("back from KRaft"),
		lai("no partition"),
	}
}

func leaderSteps() []controlStep {
	return []controlStep{
		lai("new leader, three partitions", topicA("lead"), leads(1, 5, 7), leads(1, 5, 7), leads(1, 0, 0)),
		lai("the same again", topicA("lead"), leads(1, 5, 7), leads(1, 5, 7), leads(1, 0, 0)),
		lai("lower leader epoch", topicA("lead"), leads(1, 4, 8)),
		lai("same leader epoch, higher partition epoch", topicA("lead"), leads(1, 5, 8)),
		lai("same leader epoch, another leader", topicA("lead"), leads(2, 5, 8)),
		lai("higher leader epoch", topicA("lead"), leads(1, 6, 8)),
		lai("higher leader epoch, lower partition epoch", topicA("lead"), leads(1, 7, 3)),
		lai("that leader epoch with a higher partition epoch", topicA("lead"), leads(1, 7, 9)),
		lai("mixed: same, higher, lower, new", topicA("lead"), leads(1, 7, 9), leads(1, 6, 8), leads(1, -1, 0), leads(1, 1, 1)),
		lai("one partition twice: new, then higher", topicA("twice"), leads(1, 3, 3), leads(1, 4, 4), number(0)),
		lai("one partition twice: higher, then lower", topicA("twice"), leads(1, 5, 5), leads(1, 3, 3), number(0)),
		lai("one partition twice: lower, then higher", topicA("twice"), leads(1, 3, 3), leads(1, 6, 6), number(0)),
		lai("one partition twice: which epoch it has now", topicA("twice"), leads(1, 6, 6)),
		lai("not among the replicas, new", topicA("gone"), leads(2, 5, 7), last(elsewhere)),
		lai("not among the replicas, again", topicA("gone"), leads(2, 5, 7), last(elsewhere)),
		lai("leader, but not among the replicas", topicA("gone"), leads(1, 5, 7), last(elsewhere)),
		lai("now among the replicas", topicA("gone"), leads(1, 5, 7)),
		lai("not among the replicas, same epoch", topicA("gone"), leads(1, 5, 7), last(elsewhere)),
		lai("not among the replicas, lower epoch", topicA("gone"), leads(1, 4, 7), last(elsewhere)),
	}
}

func followerSteps() []controlStep {
	return []controlStep{
		lai("follower of 2", topicA("follow"), leads(2, 5, 7)),
		lai("the same again", topicA("follow"), leads(2, 5, 7)),
		lai("leader 9 is not alive", topicA("follow"), leads(9, 6, 8)),
		lai("leader 9 again, same leader epoch", topicA("follow"), leads(9, 6, 8)),
		um("9 is alive", alive(1, 2, 3, 9)),
		lai("leader 9 is alive, same leader epoch", topicA("follow"), leads(9, 6, 8)),
		lai("and again", topicA("follow"), leads(9, 6, 8)),
		lai("no leader", topicA("follow"), leads(-1, 7, 9)),
		lai("no leader, again", topicA("follow"), leads(-1, 7, 9)),
		lai("becomes leader at that epoch", topicA("follow"), leads(1, 7, 9)),
		lai("new replica, no leader", topicA("follow"), leads(-1, 0, 0), number(1)),
		lai("new replica, unknown leader", topicA("follow"), leads(77, 0, 0), number(2)),
		lai("back to follower, lower partition epoch", topicA("follow"), leads(2, 8, 1)),
		lai("unknown leader, lower partition epoch", topicA("follow"), leads(77, 8, 1)),
		um("nobody is alive", alive()),
		lai("leader 2 is not alive now", topicA("follow"), leads(2, 8, 10)),
		um("all are back"),
	}
}

func topicIDSteps() []controlStep {
	return []controlStep{
		lai("no id", noID("ids"), leads(1, 5, 7), leads(2, 5, 7)),
		lai("id for a log that has none, same epoch", topicA("ids"), leads(1, 5, 7), leads(2, 5, 7)),
		lai("that again", topicA("ids"), leads(1, 5, 7), leads(2, 5, 7)),
		lai("another id, higher epoch", topicB("ids"), leads(1, 6, 8), leads(2, 6, 8)),
		lai("another id, lower epoch", topicB("ids"), leads(1, 4, 6)),
		lai("another id, not among the replicas", topicB("ids"), leads(2, 6, 6), last(elsewhere)),
		lai("no id, same epoch: leader, follower", noID("ids"), leads(1, 5, 7), leads(2, 5, 7)),
		lai("no id, higher epoch", noID("ids"), leads(1, 6, 8), leads(2, 6, 8)),
		um("topic id", topicA("ids"), cached(1)),
		um("topic id removed", noID("ids"), cached(1)),
		um("leader -2", topicA("ids"), cached(-2)),
	}
}

func stopSteps() []controlStep {
	return []controlStep{
		lai("partitions to stop", topicA("stop"), leads(1, 5, 7), leads(2, 5, 7), leads(1, 5, 7), leads(2, 5, 7)),
		sr("unknown partition, without and with deletion", noID("stop"), stops(8, 0, false), stops(9, 0, true)),
		sr("lower leader epoch", noID("stop"), stops(0, 4, true), stops(1, 4, false)),
		sr("same leader epoch, kept", noID("stop"), stops(0, 5, false), stops(1, 5, false)),
		lai("same leader epoch after the stop", topicA("stop"), leads(1, 5, 7), leads(2, 5, 7)),
		sr("higher leader epoch, kept", noID("stop"), stops(0, 6, false), stops(1, 6, false)),
		sr("leader epoch -1", noID("stop"), stops(0, -1, false), stops(1, -1, false)),
		sr("leader epoch -2", noID("stop"), stops(0, -2, false), stops(1, -2, false)),
		sr("leader epoch -3", noID("stop"), stops(0, -3, false)),
		sr("deleted", noID("stop"), stops(0, 5, true), stops(1, -2, true)),
		sr("deleted again, lower epoch", noID("stop"), stops(0, 0, true), stops(1, 0, true)),
		lai("new topic of that name, another id, epoch 0", topicB("stop"), leads(1, 0, 0), leads(2, 0, 0)),
		sr("old deletion arrives late, -2", noID("stop"), stops(0, -2, true)),
		lai("and its leader again", topicB("stop"), leads(1, 0, 0)),
	}
}

func versionSteps() (out []controlStep) {
	for v := int16(0); v <= 8; v++ {
		out = append(out, um("with one partition", topicA("versions"), cached(1), inVersion(v)))
	}
	for v := int16(0); v <= 7; v++ {
		topic := fmt.Sprint("lai-v", v)
		out = append(out, lai("new", topicA(topic), leads(1, 3, 3), leads(2, 3, 3), inVersion(v)),
			lai("again", topicA(topic), leads(1, 3, 3), leads(2, 3, 3), inVersion(v)))
	}
	for v := int16(0); v <= 4; v++ {
		topic := fmt.Sprint("lai-v", v)
		out = append(out, sr("lower epoch, kept", noID(topic), stops(0, 2, false), inVersion(v)),
			sr("same epoch, deleted", noID(topic), stops(0, 3, true), inVersion(v)),
			lai("made anew after that", topicB(topic), leads(1, 0, 0)))
	}
	return out
}

// epochSteps raise the controller epoch, so they come last but for storage.
func epochSteps() []controlStep {
	return []controlStep{
		lai("controller epoch below", topicA("epochs"), leads(1, 5, 7), leads(2, 5, 7), controllerEpoch(9)),
		um("controller epoch below", controllerEpoch(9)),
		sr("controller epoch below", noID("lead"), stops(0, -2, true), controllerEpoch(9)),
		lai("controller epoch below, v3", topicA("epochs"), leads(1, 5, 7), controllerEpoch(9), inVersion(3)),
		lai("stale broker epoch, controller epoch far above", topicA("epochs"), leads(1, 5, 7), controllerEpoch(99), brokerEpoch(-1, true)),
		um("which was not remembered"),
		sr("controller epoch raised by StopReplica", noID("epochs"), stops(0, 5, false), controllerEpoch(11)),
		lai("the old one is refused", topicA("epochs"), leads(1, 5, 7)),
		um("controller epoch raised by UpdateMetadata", controllerEpoch(12)),
		sr("the old one is refused", noID("epochs"), stops(0, 5, false), controllerEpoch(11)),
		lai("controller epoch raised by LeaderAndIsr", topicA("epochs"), leads(1, 5, 7), controllerEpoch(13)),
		um("the old one is refused", controllerEpoch(12)),
		um("controller epoch below and stale broker epoch", controllerEpoch(1), brokerEpoch(-1, true)),
		lai("a partition for the disk that will fail", topicA("disk"), leads(1, 5, 7), controllerEpoch(13)),
	}
}

// storageSteps come after the directory of disk-0 has failed.
func storageSteps() []controlStep {
	old := func(ps *kmsg.LeaderAndISRRequestTopicPartition) { ps.IsNew = false }
	e := controllerEpoch(13)
	return []controlStep{
		lai("failed directory, same epoch", topicA("disk"), leads(1, 5, 7), e),
		lai("failed directory, higher epoch", topicA("disk"), leads(1, 6, 8), e),
		lai("failed directory, lower epoch and another id", topicB("disk"), leads(1, 4, 6), e),
		sr("failed directory, kept", noID("disk"), stops(0, 6, false), e),
		sr("failed directory, deleted, lower epoch", noID("disk"), stops(0, -2, true), stops(0, 1, true), e),
		lai("not new: may be on the failed directory", topicA("after"), leads(1, 0, 0), last(old), e),
		lai("that again, now new", topicA("after"), leads(1, 1, 1), e),
		lai("new", topicA("fresh"), leads(1, 0, 0), leads(2, 0, 0), e),
		lai("not new, follower; new, leader", topicA("both"), leads(2, 0, 0), last(old), leads(1, 0, 0), e),
		lai("not new, unknown leader", topicA("nobody"), leads(77, 0, 0), last(old), e),
		um("after the failure", e),
	}
}
