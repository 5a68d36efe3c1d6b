package sequence

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/wire"
)

// Every operation is either a request that can be sent, or done to a process; none of what it says is left out.
func TestRequests(t *testing.T) {
	id := [16]byte{7}
	ids := func(name string) ([16]byte, error) {
		if name != "t" {
			return id, errors.New("no such topic")
		}
		return id, nil
	}
	processes := map[Kind]bool{Kill: true, ShutDown: true, Boot: true, Restart: true}
	moves := []Move{{ID{"t", 0}, []int32{1}}, {ID{"u", 0}, nil}, {ID{"t", 1}, []int32{}}}
	for _, kind := range Kinds {
		req, err := request(Op{Kind: kind, Topic: "t", ByID: true, Broker: 3, Assignment: [][]int32{{1, 2}}, Count: 4, Moves: moves,
			Partitions: []ID{{"t", 0}, {"u", 0}, {"t", 1}}, Settings: []Setting{setting("a", "b"), {Name: "c"}}}, ids)
		if err != nil || (req == nil) != processes[kind] {
			t.Errorf("%s: %v, %v", kind, req, err)
		}
		if req == nil {
			continue
		}
		if _, err := wire.AppendRequest(nil, nil, 1, req); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		switch r := req.(type) {
		case *kmsg.AlterPartitionAssignmentsRequest:
			if len(r.Topics) != 2 || len(r.Topics[0].Partitions) != 2 || r.Topics[1].Partitions[0].Replicas != nil || r.Topics[0].Partitions[1].Replicas == nil {
				t.Errorf("%s: %+v", kind, r.Topics)
			}
		case *kmsg.ElectLeadersRequest:
			if len(r.Topics) != 2 || len(r.Topics[0].Partitions) != 2 || (r.ElectionType == 1) != (kind == ElectUnclean) {
				t.Errorf("%s: %+v", kind, r)
			}
		case *kmsg.DeleteTopicsRequest:
			if r.Topics[0].TopicID != id || r.Topics[0].Topic != nil {
				t.Errorf("%s: %+v", kind, r)
			}
		case *kmsg.IncrementalAlterConfigsRequest:
			if c := r.Resources[0].Configs; len(c) != 2 || c[0].Op != kmsg.IncrementalAlterConfigOpSet || c[1].Op != kmsg.IncrementalAlterConfigOpDelete {
				t.Errorf("%s: %+v", kind, r)
			}
		}
	}
	if _, err := request(Op{Kind: Delete, Topic: "gone", ByID: true}, ids); err == nil {
		t.Error("the id of a topic that does not exist")
	}
}

// Answers differ by code and by word, not by topic ids, throttles, and the order of what has none.
func TestAnswer(t *testing.T) {
	say := func(code int16, message string, partitions ...int32) string {
		t.Helper()
		r := kmsg.NewPtrAlterPartitionAssignmentsResponse()
		r.ErrorCode, r.ErrorMessage, r.ThrottleMillis = code, &message, partitions[0]
		for _, n := range partitions {
			r.Topics = append(r.Topics, kmsg.AlterPartitionAssignmentsResponseTopic{Topic: string(rune('a' + n))})
		}
		text, err := answer(r)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if a, b := say(0, "of Set(2, 1)", 2, 1), say(0, "of Set(1, 2)", 1, 2); a != b {
		t.Errorf("%s\n%s", a, b)
	}
	for _, other := range []string{say(1, "of Set(1, 2)", 1, 2), say(0, "of Set(1, 3)", 1, 2), say(0, "Of Set(1, 2)", 1, 2), say(0, "of Set(1, 2)", 1)} {
		if other == say(0, "of Set(1, 2)", 1, 2) {
			t.Errorf("alike: %s", other)
		}
	}
	with := func(name string, configs ...string) string {
		r := kmsg.NewPtrCreateTopicsResponse()
		created := kmsg.CreateTopicsResponseTopic{Topic: name, Configs: []kmsg.CreateTopicsResponseTopicConfig{}}
		for _, c := range configs {
			created.Configs = append(created.Configs, kmsg.CreateTopicsResponseTopicConfig{Name: c, Value: &c})
		}
		r.Topics = append(r.Topics, created)
		text, err := answer(r)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if !sameAnswer(with("t", "x", "y"), with("t", "x", "y")) || !sameAnswer(with("t", "x", "y"), with("t")) {
		t.Error("Baton may leave configurations out")
	}
	if sameAnswer(with("t", "x", "y"), with("t", "x")) || sameAnswer(with("t"), with("t", "x")) || sameAnswer(with("t", "x"), with("u")) {
		t.Error("others are alike")
	}
	created := kmsg.NewPtrCreateTopicsResponse()
	created.Topics = []kmsg.CreateTopicsResponseTopic{{Topic: "t", TopicID: [16]byte{1}}}
	if text, err := answer(created); err != nil || strings.Contains(text, "[1,0") {
		t.Errorf("%s, %v", text, err)
	}
}

// The cluster's default may be read a moment later by one of the two; what a topic says itself may not differ.
func TestUncleanDefaultOfACreatedTopic(t *testing.T) {
	entry := func(value string, source int) string {
		return fmt.Sprintf(`{"Name":"unclean.leader.election.enable","Value":"%s","ReadOnly":false,"Source":%d,"IsSensitive":false}`, value, source)
	}
	if !sameAnswer(entry("true", 3), entry("false", 5)) {
		t.Error("the default is compared")
	}
	if sameAnswer(entry("true", 1), entry("false", 1)) || sameAnswer(entry("true", 1), entry("true", 5)) {
		t.Error("the topic's own setting is not compared")
	}
}
