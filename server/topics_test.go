package server_test

import (
	"context"
	"reflect"
	"testing"

	"baton/cluster"
	"baton/planner"
	"baton/server/servertest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDeleteTopicsMapsTheRequest(t *testing.T) {
	r := newRig(t, 2, nil)
	id := servertest.TopicID(0)
	r.ctl.Answer = func(_ context.Context, body planner.CallBody) (planner.ReplyBody, error) {
		want := planner.DeleteTopics{Caller: caller(true), Timeout: 1234, Topics: []planner.DoomedTopic{{Name: "a"}, {ID: id}, {ID: cluster.TopicID{9}}, {Name: "a"}}}
		if !reflect.DeepEqual(body, want) {
			t.Errorf("call %+v", body)
		}
		return planner.DeleteTopicsReply{Topics: []planner.DeletedTopic{{Name: "a"}, {Name: "topic-0", ID: id, Err: kerr.RequestTimedOut},
			{ID: cluster.TopicID{9}, Err: kerr.UnknownTopicID}, {Name: "a"}}}, nil
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = 6, 1234
	req.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: ptr("a")}, {TopicID: id}, {TopicID: [16]byte{9}}, {Topic: ptr("a")}}
	got := ask[*kmsg.DeleteTopicsResponse](r.dial(t), req).Topics
	if len(got) != 4 || *got[0].Topic != "a" || got[0].ErrorCode != 0 || got[0].TopicID != [16]byte{} || got[0].ErrorMessage != nil {
		t.Fatalf("%+v", got)
	}
	if *got[1].Topic != "topic-0" || got[1].TopicID != id || got[1].ErrorCode != kerr.RequestTimedOut.Code {
		t.Errorf("by id: %+v", got[1])
	}
	if got[2].Topic != nil || got[2].TopicID != [16]byte{9} || got[2].ErrorCode != kerr.UnknownTopicID.Code {
		t.Errorf("by an id that nothing has: %+v", got[2])
	}
	if *got[3].Topic != "a" || got[3].ErrorCode != 0 {
		t.Errorf("named twice: %+v", got[3])
	}
}

func TestDeleteTopicsRefusals(t *testing.T) {
	r := newRig(t, 2, nil)
	p := r.dial(t)
	both := kmsg.NewPtrDeleteTopicsRequest()
	both.Version = 6
	both.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: ptr("topic-0")}, {Topic: ptr("topic-1"), TopicID: servertest.TopicID(1)}}
	for _, topic := range ask[*kmsg.DeleteTopicsResponse](p, both).Topics {
		if topic.ErrorCode != kerr.InvalidRequest.Code {
			t.Errorf("name and id: %+v", topic)
		}
	}
	if n := len(r.ctl.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
	r.ctl.Answer = func(context.Context, planner.CallBody) (planner.ReplyBody, error) {
		return planner.DeleteTopicsReply{Topics: []planner.DeletedTopic{{Name: "a", Err: kerr.TopicDeletionDisabled}}}, nil
	}
	for version, want := range map[int16]int16{0: 42, 2: 42, 3: 73, 5: 73, 6: 73} {
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Version, req.TopicNames = version, []string{"a"}
		req.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: ptr("a")}}
		if got := ask[*kmsg.DeleteTopicsResponse](p, req).Topics; len(got) != 1 || got[0].ErrorCode != want {
			t.Errorf("disabled, v%d: %+v, want %d", version, got, want)
		}
	}
	r.ctl.SetActive(false)
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TopicNames = 4, []string{"a", "b"}
	if got := ask[*kmsg.DeleteTopicsResponse](p, req).Topics; len(got) != 2 || got[1].ErrorCode != kerr.NotController.Code {
		t.Errorf("standby: %+v", got)
	}
}

func TestCreatePartitionsMapsTheRequest(t *testing.T) {
	r := newRig(t, 2, nil)
	r.ctl.Answer = func(_ context.Context, body planner.CallBody) (planner.ReplyBody, error) {
		want := planner.CreatePartitions{Caller: caller(true), Timeout: 1234, ValidateOnly: true, Topics: []planner.MorePartitions{
			{Name: "a", Count: 4}, {Name: "b", Count: 5, Assignments: [][]int32{{2, 1}, {1}}}, {Name: "c", Count: 6, Assignments: [][]int32{}}}}
		if !reflect.DeepEqual(body, want) {
			t.Errorf("call %+v", body)
		}
		return planner.CreatePartitionsReply{Topics: []planner.GrownTopic{{Name: "a"}, {Name: "b", Err: kerr.InvalidPartitions, Message: "why"},
			{Name: "c", Err: kerr.RequestTimedOut}}}, nil
	}
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Version, req.TimeoutMillis, req.ValidateOnly = 3, 1234, true
	req.Topics = []kmsg.CreatePartitionsRequestTopic{
		{Topic: "a", Count: 4}, {Topic: "twice", Count: 1}, {Topic: "twice", Count: 2},
		{Topic: "b", Count: 5, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{2, 1}}, {Replicas: []int32{1}}}},
		{Topic: "c", Count: 6, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{}},
	}
	got := ask[*kmsg.CreatePartitionsResponse](r.dial(t), req).Topics
	if len(got) != 4 || got[0].Topic != "a" || got[0].ErrorCode != 0 || got[0].ErrorMessage != nil {
		t.Fatalf("%+v", got)
	}
	if got[1].Topic != "twice" || got[1].ErrorCode != kerr.InvalidRequest.Code || *got[1].ErrorMessage != "Duplicate topic in request." {
		t.Errorf("%+v", got[1])
	}
	if got[2].ErrorCode != kerr.InvalidPartitions.Code || *got[2].ErrorMessage != "why" || got[3].ErrorCode != kerr.RequestTimedOut.Code || got[3].ErrorMessage != nil {
		t.Errorf("%+v %+v", got[2], got[3])
	}
}

// Brokers have forgotten a topic that is being deleted, and so have we.
func TestMetadataHasNoTopicThatIsBeingDeleted(t *testing.T) {
	r := newRig(t, 1, nil)
	r.view(t, func(v planner.View) { v.Image.Topic("topic-0").Deleting = true })
	p := r.dial(t)
	if got := codes(ask[*kmsg.MetadataResponse](p, metadataAll(12))); len(got) == 0 {
		t.Error("no other topics")
	} else if _, there := got["topic-0"]; there {
		t.Error("it is listed")
	}
	m := kmsg.NewPtrMetadataRequest()
	m.Version, m.Topics = 12, []kmsg.MetadataRequestTopic{{TopicID: servertest.TopicID(0)}}
	if got := ask[*kmsg.MetadataResponse](p, m).Topics; got[0].ErrorCode != kerr.UnknownTopicID.Code {
		t.Errorf("by id: %+v", got)
	}
	named := metadataFor(12, "topic-0")
	named.AllowAutoTopicCreation = false
	if got := codes(ask[*kmsg.MetadataResponse](p, named)); got["topic-0"] != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("by name: %v", got)
	}
}

// Brokers are told of a partition when somebody leads it; until then nobody knows it, and no topic that has no other.
func TestMetadataHasNoPartitionThatNobodyEverLed(t *testing.T) {
	r := newRig(t, 1, nil)
	r.view(t, func(v planner.View) {
		unled := servertest.Topic("unled", servertest.TopicID(6), 1, []int32{1})
		unled.Partitions[0].Known = false
		v.Image.PutTopic(unled)
		grown := servertest.Topic("grown", servertest.TopicID(7), 3, []int32{1})
		grown.Partitions[1].Known = false
		v.Image.PutTopic(grown)
	})
	p := r.dial(t)
	for _, topic := range ask[*kmsg.MetadataResponse](p, metadataAll(12)).Topics {
		switch *topic.Topic {
		case "unled":
			t.Error("it is listed")
		case "grown":
			if got := topic.Partitions; len(got) != 2 || got[0].Partition != 0 || got[1].Partition != 2 {
				t.Errorf("partitions %+v", got)
			}
		}
	}
	byID := kmsg.NewPtrMetadataRequest()
	byID.Version, byID.Topics = 12, []kmsg.MetadataRequestTopic{{TopicID: servertest.TopicID(6)}}
	if got := ask[*kmsg.MetadataResponse](p, byID).Topics; got[0].ErrorCode != kerr.UnknownTopicID.Code {
		t.Errorf("by id: %+v", got)
	}
	named := metadataFor(12, "unled", "grown")
	named.AllowAutoTopicCreation = false
	if got := codes(ask[*kmsg.MetadataResponse](p, named)); got["unled"] != kerr.UnknownTopicOrPartition.Code || got["grown"] != 0 {
		t.Errorf("by name: %v", got)
	}
}
