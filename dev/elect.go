package dev

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/partition"
)

// The election types of ElectLeaders (KIP-460).
const (
	electPreferred int8 = 0
	electUnclean   int8 = 1
)

// Elect asks the controller that the brokers name for an election, as kafka-leader-election.sh does, and tells its answer
// for each partition. Which is a topic, a partition or all; an unclean election, which may lose records, takes one
// partition only.
func (w *World) Elect(ctx context.Context, kind int8, which string) error {
	ids, err := w.named(which)
	if err != nil {
		return err
	}
	if kind != electUnclean {
		_, err := w.elect(ctx, kind, ids)
		return err
	}
	if len(ids) != 1 {
		return fmt.Errorf("%s: an unclean election may lose records: name one partition, TOPIC-N", which)
	}
	before := w.unclean[ids[0]]
	w.allowUnclean(ids[0], true)
	elected, err := w.elect(ctx, kind, ids)
	w.allowUnclean(ids[0], before || elected || err != nil) // without an answer it may have taken place
	return err
}

func (w *World) elect(ctx context.Context, kind int8, ids []partition.ID) (elected bool, err error) {
	client, err := w.client()
	if err != nil {
		return false, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, w.o.Patience)
	defer cancel()
	resp, err := electRequest(kind, ids).RequestWith(ctx, client)
	if err != nil {
		return false, fmt.Errorf("electing leaders: %w", err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			elected = elected || p.ErrorCode == 0 || p.ErrorCode == kerr.RequestTimedOut.Code
		}
	}
	w.out.Text(electAnswer(resp, ids))
	return elected, nil
}

// allowUnclean says whether a partition may lose records and have a leader from outside of its ISR.
func (w *World) allowUnclean(id partition.ID, yes bool) {
	if yes {
		w.unclean[id] = true
	} else {
		delete(w.unclean, id)
	}
	w.history.AllowUnclean(id, yes)
}

// named returns the partitions of a topic, one partition, or all. A topic's own name may end like a partition's.
func (w *World) named(which string) (ids []partition.ID, err error) {
	for _, p := range w.history.Partitions() {
		if which == "all" || which == p.ID.Topic {
			ids = append(ids, p.ID)
		}
	}
	if len(ids) > 0 {
		return ids, nil
	}
	id, err := parsePartition(which)
	if err != nil {
		return nil, err
	}
	if _, ok := w.history.Partition(id); !ok {
		return nil, fmt.Errorf("no partition %v", id)
	}
	return []partition.ID{id}, nil
}

func parsePartition(text string) (partition.ID, error) {
	at := strings.LastIndexByte(text, '-')
	n, err := strconv.ParseInt(text[at+1:], 10, 32)
	if at < 0 || err != nil {
		return partition.ID{}, fmt.Errorf("%s: expected TOPIC-N", text)
	}
	return partition.ID{Topic: text[:at], Number: int32(n)}, nil
}

// electRequest names each partition, so that each gets an answer. ids are in order.
func electRequest(kind int8, ids []partition.ID) *kmsg.ElectLeadersRequest {
	req := kmsg.NewPtrElectLeadersRequest()
	req.ElectionType, req.TimeoutMillis = kind, 30_000
	for _, id := range ids {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != id.Topic {
			t := kmsg.NewElectLeadersRequestTopic()
			t.Topic = id.Topic
			req.Topics = append(req.Topics, t)
		}
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, id.Number)
	}
	return req
}

// electAnswer has a line for each partition: elected, or Kafka's error with its message.
func electAnswer(resp *kmsg.ElectLeadersResponse, ids []partition.ID) string {
	answers := map[partition.ID]string{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			answers[partition.ID{Topic: t.Topic, Number: p.Partition}] = outcome(p.ErrorCode, p.ErrorMessage)
		}
	}
	var lines []string
	for _, id := range ids {
		text, ok := answers[id]
		if !ok {
			text = "no answer"
			if resp.ErrorCode != 0 {
				text = outcome(resp.ErrorCode, nil)
			}
		}
		lines = append(lines, fmt.Sprintf("  %v: %s", id, text))
	}
	return strings.Join(lines, "\n")
}

func outcome(code int16, message *string) string {
	var e *kerr.Error
	switch err := kerr.ErrorForCode(code); {
	case err == nil:
		return "elected"
	case !errors.As(err, &e):
		return err.Error()
	case message != nil:
		return e.Message + ": " + *message
	default:
		return e.Message + ": " + e.Description
	}
}
