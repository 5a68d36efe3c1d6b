package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"baton/journal"
	"baton/partition"
	"baton/planner"
	"baton/quota"
)

// noMetrics hears nothing.
type noMetrics struct{}

func (noMetrics) Written(int)       {}
func (noMetrics) Dropped(int)       {}
func (noMetrics) Failing(bool)      {}
func (noMetrics) Size(int64, int64) {}

// TestWhatClientsAskForIsOnRecord: what was asked for, by whom, and what was refused; not what is only looked at.
func TestWhatClientsAskForIsOnRecord(t *testing.T) {
	var out bytes.Buffer
	n := &Node{journal: journal.New(journal.Options{Baton: 7, Log: zap.NewNop(), Metrics: noMetrics{}, Sink: &out})}
	caller := planner.Caller{Client: quota.Client{ID: "etl"}}
	var many planner.DeleteTopicsReply
	for i := range maxRecorded + 3 {
		many.Topics = append(many.Topics, planner.DeletedTopic{Name: fmt.Sprintf("t%02d", i)})
	}
	id := partition.ID{Topic: "a", Number: 3}
	for _, w := range []struct {
		body  planner.CallBody
		reply planner.ReplyBody
		err   error
	}{
		{planner.CreateTopics{Caller: caller}, planner.CreateTopicsReply{Topics: []planner.NewTopicReply{{Name: "a"}, {Name: "b", Err: kerr.TopicAlreadyExists}}}, nil},
		{planner.CreateTopics{Caller: caller, ValidateOnly: true}, planner.CreateTopicsReply{Topics: []planner.NewTopicReply{{Name: "only-looked"}}}, nil},
		{planner.CreateTopics{Caller: caller}, planner.CreateTopicsReply{Topics: []planner.NewTopicReply{{Name: "only-refused", Err: kerr.TopicAlreadyExists}}}, nil},
		{planner.CreatePartitions{Caller: caller}, planner.CreatePartitionsReply{Topics: []planner.GrownTopic{{Name: "a"}}}, nil},
		{planner.AlterReassignments{Items: []planner.Reassignment{{ID: id, Replicas: []int32{2, 1}}}, ClientID: "rack"},
			planner.AlterReassignmentsReply{Items: []planner.AlterReassignmentsItem{{ID: id}}}, nil},
		{planner.AlterReassignments{Items: []planner.Reassignment{{ID: id}}}, planner.AlterReassignmentsReply{Items: []planner.AlterReassignmentsItem{{ID: id}}}, nil},
		{planner.DeleteTopics{Caller: caller}, many, nil},
		{planner.DeleteTopics{Caller: caller}, nil, errors.New("no answer")},
		{planner.AllocateProducerIDs{}, planner.AllocateProducerIDsReply{}, nil},
	} {
		n.recordWrite(w.body, w.reply, time.Now(), w.err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.journal.Run(ctx) // it writes what there is, and ends
	text := out.String()
	for _, want := range []string{`"who":"a client with id \"etl\"","text":"create topics a"`, `"error":"refused: b: TOPIC_ALREADY_EXISTS"`, `"text":"create partitions of a"`,
		`"who":"a client with id \"rack\"","text":"reassign a-3 to [2 1]"`, `"text":"reassign a-3 as it was"`, `t19 and 3 more"`, `"text":"delete topics nothing"`, `"error":"no answer"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if lines := strings.Count(text, `"kind":"command"`); lines != 6 || strings.Contains(text, "only-") {
		t.Errorf("%d entries", lines)
	}
	if t.Failed() {
		t.Log(text)
	}
}
