package channel

import (
	"reflect"
	"testing"

	"baton/partition"
	"baton/planner"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func codes(t *testing.T, r planner.Request, version int16, resp kmsg.Response) []planner.PartitionCode {
	t.Helper()
	resp.SetVersion(version)
	got, err := answer(&r, version, resp.AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got.Broker != r.Broker || got.Conn != r.Conn || got.Seq != r.Seq {
		t.Errorf("%+v", got)
	}
	return got.Partitions
}

func pc(topic string, n int32, c int16) planner.PartitionCode {
	return planner.PartitionCode{ID: partition.ID{Topic: topic, Number: n}, Code: c}
}

func TestAnswerByName(t *testing.T) {
	resp := &kmsg.LeaderAndISRResponse{Partitions: []kmsg.LeaderAndISRResponseTopicPartition{
		{Topic: "beta", Partition: 0, ErrorCode: 56}, {Topic: "alpha", Partition: 3, ErrorCode: 11},
	}}
	got := codes(t, goldenRequest(planner.LeaderAndISR, 4), 4, resp)
	if want := []planner.PartitionCode{pc("beta", 0, 56), pc("alpha", 3, 11)}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestAnswerByTopicID(t *testing.T) {
	resp := &kmsg.LeaderAndISRResponse{Topics: []kmsg.LeaderAndISRResponseTopic{
		{Partitions: []kmsg.LeaderAndISRResponseTopicPartition{{Partition: 0, ErrorCode: 56}}},
		{TopicID: alphaID(), Partitions: []kmsg.LeaderAndISRResponseTopicPartition{{Partition: 3, ErrorCode: 103}}},
		{TopicID: [16]byte{1}, Partitions: []kmsg.LeaderAndISRResponseTopicPartition{{Partition: 0}}},
	}}
	got := codes(t, goldenRequest(planner.LeaderAndISR, 7), 7, resp)
	if want := []planner.PartitionCode{pc("beta", 0, 56), pc("alpha", 3, 103)}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// Two topics without ids: the broker's answers for them carry numbers only.
func TestAnswerOfTopicsWithoutID(t *testing.T) {
	r := planner.Request{Kind: planner.LeaderAndISR, Topics: []planner.TopicStates{
		{Name: "a", Partitions: []planner.PartitionState{{Number: 0}, {Number: 1}, {Number: 2}}},
		{Name: "b", Partitions: []planner.PartitionState{{Number: 0}, {Number: 2}, {Number: 3}}},
		{Name: "c", ID: alphaID(), Partitions: []planner.PartitionState{{Number: 0}}},
	}}
	resp := &kmsg.LeaderAndISRResponse{Topics: []kmsg.LeaderAndISRResponseTopic{
		{Partitions: []kmsg.LeaderAndISRResponseTopicPartition{
			{Partition: 0}, {Partition: 0}, // both well
			{Partition: 1, ErrorCode: 56},                 // only one was asked
			{Partition: 2}, {Partition: 2, ErrorCode: 56}, // one of them: which?
			{Partition: 9}, // not asked
		}},
	}}
	got := codes(t, r, 5, resp)
	if want := []planner.PartitionCode{pc("a", 0, 0), pc("a", 1, 56), pc("b", 0, 0)}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	resp.Topics[0].Partitions = resp.Topics[0].Partitions[1:] // one answer for two partitions 0
	if got, want := codes(t, r, 5, resp), []planner.PartitionCode{pc("a", 1, 56)}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestTopLevelCodes(t *testing.T) {
	for kind, resp := range map[planner.RequestKind]kmsg.Response{
		planner.LeaderAndISR:   &kmsg.LeaderAndISRResponse{ErrorCode: 77},
		planner.UpdateMetadata: &kmsg.UpdateMetadataResponse{ErrorCode: 77},
		planner.StopReplica:    &kmsg.StopReplicaResponse{ErrorCode: 77},
	} {
		r := planner.Request{Kind: kind, Broker: 1, Conn: 2, Seq: 3}
		for v := range int16(4) {
			resp.SetVersion(v)
			got, err := answer(&r, v, resp.AppendTo(nil))
			if want := (planner.BrokerReplied{Broker: 1, Conn: 2, Seq: 3, Kind: kind, Code: 77}); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%v v%d: %+v %v", kind, v, got, err)
			}
		}
	}
}
