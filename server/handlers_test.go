package server_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/partition"
	"baton/planner"
	"baton/server"
	"baton/server/servertest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAPIVersionsOfAnUnknownVersion(t *testing.T) {
	r := newRig(t, 0, nil)
	p := r.dial(t)
	high := kmsg.NewPtrApiVersionsRequest()
	high.Version = 5
	p.send(high)
	if got := p.readCorrelation(); got != 1 {
		t.Fatalf("correlation id %d", got)
	}
	bad := kmsg.NewPtrApiVersionsRequest()
	bad.Version, bad.ClientSoftwareName, bad.ClientSoftwareVersion = 3, "a b", "1"
	if got := ask[*kmsg.ApiVersionsResponse](p, bad); got.ErrorCode != 42 || len(got.ApiKeys) != 0 {
		t.Errorf("a software name with a blank: %+v", got)
	}
}

func metadataFor(version int16, names ...string) *kmsg.MetadataRequest {
	m := kmsg.NewPtrMetadataRequest()
	m.Version, m.AllowAutoTopicCreation = version, true
	m.Topics = []kmsg.MetadataRequestTopic{}
	for _, n := range names {
		m.Topics = append(m.Topics, kmsg.MetadataRequestTopic{Topic: &n})
	}
	return m
}

func codes(m *kmsg.MetadataResponse) map[string]int16 {
	out := map[string]int16{}
	for _, t := range m.Topics {
		if t.Topic != nil {
			out[*t.Topic] = t.ErrorCode
		}
	}
	return out
}

func TestMetadataListsBatonAsTheController(t *testing.T) {
	r := newRig(t, 2, nil)
	m := ask[*kmsg.MetadataResponse](r.dial(t), metadataFor(12))
	if len(m.Topics) != 0 || len(m.Brokers) != 3 || m.ControllerID != servertest.BatonID || *m.ClusterID != "cluster" {
		t.Errorf("got %+v", m)
	}
	if b := m.Brokers[2]; b.NodeID != servertest.BatonID || b.Rack == nil || *b.Rack != "r1" {
		t.Errorf("Baton's own entry: %+v", b)
	}
}

func TestMetadataPartitionCodes(t *testing.T) {
	r := newRig(t, 2, nil) // brokers 1 and 2 of three replicas are there
	r.view(t, func(v planner.View) {
		b := servertest.Broker(9, "x", 1, "")
		b.Endpoints[0].Listener = "INTERNAL"
		v.Image.PutBroker(b)
		v.Image.PutTopic(servertest.Topic("elsewhere", servertest.TopicID(7), 1, []int32{9, 1}))
		v.Image.PutTopic(servertest.Topic("fine", servertest.TopicID(8), 1, []int32{1, 2}))
		broken := servertest.Topic("broken", servertest.TopicID(9), 1, []int32{1})
		broken.Partitions[0].Broken = "not JSON"
		v.Image.PutTopic(broken)
	})
	p := r.dial(t)
	for version, want := range map[int16]map[string]int16{
		12: {"fine": 0, "elsewhere": kerr.ListenerNotFound.Code, "topic-0": 0, "broken": kerr.LeaderNotAvailable.Code},
		5:  {"fine": 0, "elsewhere": kerr.LeaderNotAvailable.Code, "topic-0": 0},
		0:  {"fine": 0, "elsewhere": kerr.LeaderNotAvailable.Code, "topic-0": kerr.ReplicaNotAvailable.Code},
	} {
		for _, topic := range ask[*kmsg.MetadataResponse](p, metadataAll(version)).Topics {
			if code, ok := want[*topic.Topic]; ok && topic.Partitions[0].ErrorCode != code {
				t.Errorf("v%d %s: code %d, want %d", version, *topic.Topic, topic.Partitions[0].ErrorCode, code)
			}
		}
	}
}

func TestMetadataCreatesTopicsAsABrokerDoes(t *testing.T) {
	on := true
	r := newRig(t, 2, func(c *server.Config) { c.AutoCreate = func() bool { return on } })
	p := r.dial(t)
	got := codes(ask[*kmsg.MetadataResponse](p, metadataFor(12, "fresh", "fresh", "not valid", "__transaction_state", "fine")))
	if got["fresh"] != 5 || got["not valid"] != 17 || got["__transaction_state"] != 5 {
		t.Errorf("codes %v", got)
	}
	call, _ := r.ctl.Calls()[0].(planner.CreateTopics)
	if len(call.Topics) != 3 || call.Timeout != 0 || call.ValidateOnly {
		t.Fatalf("call %+v", call)
	}
	if f := call.Topics[0]; f.Partitions != -1 || f.Factor != -1 || f.ID.IsZero() || len(f.Configs) != 0 {
		t.Errorf("an ordinary topic: %+v", f)
	}
	tx := call.Topics[1]
	var configs []string
	for _, c := range tx.Configs {
		configs = append(configs, c.Name+"="+*c.Value)
	}
	want := "cleanup.policy=compact compression.type=uncompressed min.insync.replicas=2 segment.bytes=104857600 unclean.leader.election.enable=false"
	if s := strings.Join(configs, " "); tx.Partitions != 50 || tx.Factor != 3 || s != want {
		t.Errorf("__transaction_state: %d partitions, factor %d, %s", tx.Partitions, tx.Factor, s)
	}
	if got := codes(ask[*kmsg.MetadataResponse](p, metadataFor(12, "fresh"))); got["fresh"] != 0 {
		t.Errorf("once created: %v", got)
	}

	asks := len(r.ctl.Calls())
	notAllowed := metadataFor(12, "other")
	notAllowed.AllowAutoTopicCreation = false
	if got := codes(ask[*kmsg.MetadataResponse](p, notAllowed)); got["other"] != 3 {
		t.Errorf("not allowed by the client: %v", got)
	}
	on = false
	if got := codes(ask[*kmsg.MetadataResponse](p, metadataFor(3, "other"))); got["other"] != 3 {
		t.Errorf("not allowed by the configuration: %v", got)
	}
	if len(r.ctl.Calls()) != asks {
		t.Error("created all the same")
	}
}

func TestMetadataCreationErrorsAreTold(t *testing.T) {
	r := newRig(t, 1, nil)
	r.ctl.Answer = func(_ context.Context, body planner.CallBody) (planner.ReplyBody, error) {
		return planner.CreateTopicsReply{Topics: []planner.NewTopicReply{{Err: kerr.InvalidReplicationFactor}, {Err: kerr.TopicAlreadyExists}}}, nil
	}
	got := codes(ask[*kmsg.MetadataResponse](r.dial(t), metadataFor(9, "a", "b", "c")))
	if got["a"] != 38 || got["b"] != 5 || got["c"] != -1 {
		t.Errorf("codes %v", got)
	}
}

func TestMetadataByID(t *testing.T) {
	r := newRig(t, 1, nil)
	p := r.dial(t)
	m := kmsg.NewPtrMetadataRequest()
	m.Version, m.AllowAutoTopicCreation = 12, true
	m.Topics = []kmsg.MetadataRequestTopic{{TopicID: servertest.TopicID(0)}, {TopicID: servertest.TopicID(4040)}}
	got := ask[*kmsg.MetadataResponse](p, m).Topics
	if len(got) != 2 || *got[0].Topic != "topic-0" || got[1].Topic != nil || got[1].ErrorCode != 100 {
		t.Errorf("v12: %+v", got)
	}
	m.Version = 11
	got = ask[*kmsg.MetadataResponse](p, m).Topics
	if len(got) != 2 || got[0].ErrorCode != 42 || got[1].ErrorCode != 42 {
		t.Errorf("v11: %+v", got)
	}
}

func TestFindCoordinator(t *testing.T) {
	r := newRig(t, 1, nil)
	p := r.dial(t)
	f := kmsg.NewPtrFindCoordinatorRequest()
	f.Version, f.CoordinatorKeys = 4, []string{"abc", "polygenelubricants"}
	for _, c := range ask[*kmsg.FindCoordinatorResponse](p, f).Coordinators {
		if c.NodeID != 1 || c.ErrorCode != 0 || c.Port != r.brokers[0].Port() {
			t.Errorf("%+v", c)
		}
	}
	f.CoordinatorType = 1
	for range 2 {
		got := ask[*kmsg.FindCoordinatorResponse](p, f).Coordinators
		if len(r.ctl.Calls()) != 1 {
			t.Fatalf("%d calls, want one creation", len(r.ctl.Calls()))
		}
		if got[0].ErrorCode == 0 {
			return
		}
		if got[0].ErrorCode != kerr.CoordinatorNotAvailable.Code {
			t.Fatalf("%+v", got[0])
		}
	}
	t.Error("no coordinator after its topic was created")
}

func TestCreateTopicsMapsTheRequest(t *testing.T) {
	r := newRig(t, 2, nil)
	c := kmsg.NewPtrCreateTopicsRequest()
	c.Version, c.TimeoutMillis, c.ValidateOnly = 7, 1234, true
	c.Topics = []kmsg.CreateTopicsRequestTopic{
		{Topic: "a", NumPartitions: 4, ReplicationFactor: 2, Configs: []kmsg.CreateTopicsRequestTopicConfig{{Name: "x"}}},
		{Topic: "twice", NumPartitions: 1}, {Topic: "twice", NumPartitions: 2},
		{Topic: "b", NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: []int32{2, 1}}}},
	}
	got := ask[*kmsg.CreateTopicsResponse](r.dial(t), c).Topics
	call, _ := r.ctl.Calls()[0].(planner.CreateTopics)
	if len(call.Topics) != 2 || call.Timeout != 1234 || !call.ValidateOnly || call.Topics[0].Configs[0].Value != nil || call.Topics[1].Assignment[0][0] != 2 {
		t.Errorf("call %+v", call)
	}
	if len(got) != 3 || got[0].ErrorCode != 0 || got[0].NumPartitions != 4 || got[1].Topic != "twice" || got[1].ErrorCode != 42 || got[2].Topic != "b" || got[2].TopicID != call.Topics[1].ID {
		t.Errorf("got %+v", got)
	}
}

func TestCreateTopicsThatTakeTooLongHaveNoMessage(t *testing.T) {
	r := newRig(t, 1, nil)
	r.ctl.Answer = func(context.Context, planner.CallBody) (planner.ReplyBody, error) {
		return planner.CreateTopicsReply{Topics: []planner.NewTopicReply{{Name: "a", Err: kerr.RequestTimedOut}}}, nil
	}
	if got := ask[*kmsg.CreateTopicsResponse](r.dial(t), creating(5, "a")).Topics[0]; got.ErrorCode != kerr.RequestTimedOut.Code || got.ErrorMessage != nil {
		t.Errorf("%+v", got)
	}
}

func TestAlterPartitionKeepsTheRequestsShape(t *testing.T) {
	r := newRig(t, 1, nil)
	p := r.dial(t)
	for v := int16(0); v <= 3; v++ {
		req, _ := servertest.Request(56, v, servertest.Full).(*kmsg.AlterPartitionRequest)
		got := ask[*kmsg.AlterPartitionResponse](p, req)
		if len(got.Topics) != len(req.Topics) || got.ErrorCode != 0 {
			t.Fatalf("v%d: %+v", v, got)
		}
		for i, topic := range got.Topics {
			if (v < 2 && topic.Topic != req.Topics[i].Topic) || (v >= 2 && topic.TopidID != req.Topics[i].TopicID) || len(topic.Partitions) != 2 {
				t.Errorf("v%d: topic %d is %+v", v, i, topic)
			}
			if q := topic.Partitions[1]; q.Partition != 1 || len(q.ISR) != 3 || q.PartitionEpoch != 4 || q.LeaderID != 1 || q.LeaderEpoch != 7 {
				t.Errorf("v%d: partition %+v", v, q)
			}
		}
	}
}

// Null cancels and an empty list is an error: the planner must see which it was. Of a
// partition that is named twice the last counts.
func TestAlterReassignmentsMapsTheRequest(t *testing.T) {
	r := newRig(t, 1, nil)
	r.ctl.Answer = func(_ context.Context, body planner.CallBody) (planner.ReplyBody, error) {
		b, _ := body.(planner.AlterReassignments)
		re := planner.AlterReassignmentsReply{}
		for _, it := range b.Items {
			re.Items = append(re.Items, planner.AlterReassignmentsItem{ID: it.ID})
		}
		re.Items[1].Err = kerr.NoReassignmentInProgress
		return re, nil
	}
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis = 1234
	for topic, parts := range map[string][]kmsg.AlterPartitionAssignmentsRequestTopicPartition{
		"a": {{Partition: 0, Replicas: []int32{9}}, {Partition: 1}, {Partition: 2, Replicas: []int32{}}, {Partition: 0, Replicas: []int32{1, 2}}},
	} {
		req.Topics = append(req.Topics, kmsg.AlterPartitionAssignmentsRequestTopic{Topic: topic, Partitions: parts})
	}
	p := r.dial(t)
	got := ask[*kmsg.AlterPartitionAssignmentsResponse](p, req)
	call, _ := r.ctl.Calls()[0].(planner.AlterReassignments)
	if len(call.Items) != 3 || call.Timeout != 1234 || len(call.Items[0].Replicas) != 2 || call.Items[1].Replicas != nil || call.Items[2].Replicas == nil {
		t.Errorf("call %+v", call)
	}
	if len(got.Topics) != 1 || len(got.Topics[0].Partitions) != 3 || got.ErrorCode != 0 || *got.ErrorMessage != "" {
		t.Fatalf("%+v", got)
	}
	if q := got.Topics[0].Partitions; q[0].ErrorCode != 0 || q[0].ErrorMessage != nil || q[1].ErrorCode != 85 || *q[1].ErrorMessage != kerr.NoReassignmentInProgress.Description {
		t.Errorf("%+v", q)
	}
	r.ctl.SetActive(false)
	if got := ask[*kmsg.AlterPartitionAssignmentsResponse](p, req); got.ErrorCode != kerr.NotController.Code || len(got.Topics) != 0 {
		t.Errorf("standby: %+v", got)
	}
}

func TestListReassignments(t *testing.T) {
	r := newRig(t, 1, nil)
	p := r.dial(t)
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	got := ask[*kmsg.ListPartitionReassignmentsResponse](p, req)
	if len(got.Topics) != 1 || got.Topics[0].Topic != "moving" || len(got.Topics[0].Partitions) != 3 || *got.ErrorMessage != "" {
		t.Fatalf("all: %+v", got)
	}
	q := got.Topics[0].Partitions[2]
	if !slices.Equal(q.Replicas, []int32{2, 3, 1}) || !slices.Equal(q.AddingReplicas, []int32{3}) || !slices.Equal(q.RemovingReplicas, []int32{1}) {
		t.Errorf("%+v", q)
	}
	req.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: "moving", Partitions: []int32{3, 1, 9}}, {Topic: "topic-0", Partitions: []int32{0}}, {Topic: "none"}}
	got = ask[*kmsg.ListPartitionReassignmentsResponse](p, req)
	if len(got.Topics) != 1 || len(got.Topics[0].Partitions) != 1 || got.Topics[0].Partitions[0].Partition != 1 {
		t.Errorf("asked: %+v", got)
	}
	req.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{}
	if got = ask[*kmsg.ListPartitionReassignmentsResponse](p, req); len(got.Topics) != 0 || got.ErrorCode != 0 {
		t.Errorf("none: %+v", got)
	}
	r.ctl.SetActive(false)
	if got := ask[*kmsg.ListPartitionReassignmentsResponse](p, req); got.ErrorCode != kerr.NotController.Code {
		t.Errorf("standby: %+v", got)
	}
}

func TestWaitingForTheControllerIsBounded(t *testing.T) {
	r := newRig(t, 1, func(c *server.Config) { c.CallTimeout = 30 * time.Millisecond })
	r.ctl.Answer = func(ctx context.Context, _ planner.CallBody) (planner.ReplyBody, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c := kmsg.NewPtrCreateTopicsRequest()
	c.TimeoutMillis, c.Topics = 1, []kmsg.CreateTopicsRequestTopic{{Topic: "a"}}
	p := r.dial(t)
	if got := ask[*kmsg.CreateTopicsResponse](p, c).Topics[0].ErrorCode; got != 7 {
		t.Errorf("CreateTopics: code %d, want REQUEST_TIMED_OUT", got)
	}
	p.send(kmsg.NewPtrAlterPartitionRequest()) // a broker asks again upon a disconnect
	p.closed()
}

func TestControlledShutdownNamesWhatIsLeft(t *testing.T) {
	r := newRig(t, 1, nil)
	r.ctl.Answer = func(_ context.Context, body planner.CallBody) (planner.ReplyBody, error) {
		if b, _ := body.(planner.ControlledShutdown); b.BrokerEpoch != -1 {
			return planner.ControlledShutdownReply{Err: kerr.NotController}, nil
		}
		return planner.ControlledShutdownReply{Remaining: []partition.ID{{Topic: "a", Number: 3}}}, nil
	}
	p := r.dial(t)
	for version, code := range map[int16]int16{1: 0, 2: 11, 3: 11} { // v1 has no epoch
		req := kmsg.NewPtrControlledShutdownRequest()
		req.Version, req.BrokerEpoch = version, 55
		got := ask[*kmsg.ControlledShutdownResponse](p, req)
		if got.ErrorCode != code || (code == 0) != (len(got.PartitionsRemaining) == 1) {
			t.Errorf("v%d: %+v", version, got)
		}
	}
}

func TestElectLeadersMapsTheRequest(t *testing.T) {
	r := newRig(t, 1, nil)
	p := r.dial(t)
	var call planner.ElectLeaders
	r.ctl.Answer = func(_ context.Context, body planner.CallBody) (planner.ReplyBody, error) {
		call, _ = body.(planner.ElectLeaders)
		id := func(topic string, n int32) partition.ID { return partition.ID{Topic: topic, Number: n} }
		return planner.ElectLeadersReply{Results: []planner.ElectionResult{
			{ID: id("a", 0)}, {ID: id("a", 3), Err: kerr.ElectionNotNeeded}, {ID: id("b", 1), Err: kerr.RequestTimedOut},
			{ID: id("b", 2), Err: kerr.UnknownTopicOrPartition, Message: "The partition does not exist."}}}, nil
	}
	for version := int16(0); version <= 2; version++ {
		req := kmsg.NewPtrElectLeadersRequest()
		req.Version, req.ElectionType, req.TimeoutMillis = version, 1, 1234
		req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "b", Partitions: []int32{1, 2}}, {Topic: "a", Partitions: []int32{3, 0}}}
		got := ask[*kmsg.ElectLeadersResponse](p, req)
		want := planner.Unclean
		if version == 0 {
			want = planner.Preferred
		}
		if call.Type != want || call.All || call.Timeout != 1234 || len(call.Partitions) != 4 || call.Partitions[0].String() != "b-1" {
			t.Errorf("v%d: call %+v", version, call)
		}
		if got.ErrorCode != 0 || len(got.Topics) != 2 || len(got.Topics[0].Partitions) != 2 || len(got.Topics[1].Partitions) != 2 {
			t.Fatalf("v%d: %+v", version, got)
		}
		a, b := got.Topics[0].Partitions, got.Topics[1].Partitions
		if a[0].ErrorCode != 0 || a[0].ErrorMessage != nil || a[1].ErrorCode != 84 || *a[1].ErrorMessage != "Leader election not needed for topic partition." ||
			b[0].ErrorCode != 7 || b[0].ErrorMessage != nil || b[1].ErrorCode != 3 || *b[1].ErrorMessage != "The partition does not exist." {
			t.Errorf("v%d: %+v", version, got)
		}
		req.Topics = nil
		if ask[*kmsg.ElectLeadersResponse](p, req); !call.All || len(call.Partitions) != 0 {
			t.Errorf("v%d: call for all %+v", version, call)
		}
	}
}

func TestElectLeadersThatCannotBe(t *testing.T) {
	r := newRig(t, 1, func(c *server.Config) { c.CallTimeout = 30 * time.Millisecond })
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version, req.ElectionType, req.TimeoutMillis = 2, 7, 1
	req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "a", Partitions: []int32{3}}}
	p := r.dial(t)
	want := func(code int16) {
		t.Helper()
		got := ask[*kmsg.ElectLeadersResponse](p, req)
		if got.ErrorCode != code || len(got.Topics) != 1 || got.Topics[0].Partitions[0].ErrorCode != code {
			t.Errorf("want code %d, got %+v", code, got)
		}
	}
	want(-1) // there is no such type
	if len(r.ctl.Calls()) != 0 {
		t.Error("asked for all the same")
	}
	req.ElectionType = 0
	r.ctl.Answer = func(context.Context, planner.CallBody) (planner.ReplyBody, error) {
		return planner.ElectLeadersReply{Err: kerr.NotController}, nil
	}
	want(41)
	r.ctl.Answer = func(ctx context.Context, _ planner.CallBody) (planner.ReplyBody, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	want(7)
	r.ctl.Answer = func(ctx context.Context, _ planner.CallBody) (planner.ReplyBody, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(60 * time.Millisecond): // longer than other calls may take
			return planner.ElectLeadersReply{Results: []planner.ElectionResult{{ID: partition.ID{Topic: "a", Number: 3}}}}, nil
		}
	}
	req.TimeoutMillis = 60_000
	want(0)
	r.ctl.SetActive(false)
	want(41)
}
