package node

import (
	"strings"
	"testing"

	"baton/channel"
	"baton/cluster"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// Requests stay below what brokers accept: at Kafka's default by far, and where somebody has set less.
func TestPerRequest(t *testing.T) {
	for maxBytes, want := range map[int]int{100 << 20: maxPerRequest, 4 << 20: 2048, 1: 1} {
		if got := perRequest(maxBytes); got != want {
			t.Errorf("%d bytes: %d partitions, want %d", maxBytes, got, want)
		}
	}
	replicas := make([]int32, 150)
	p := planner.PartitionState{State: partition.State{LeaderAndISR: isr.LeaderAndISR{ISR: replicas}}, Assignment: partition.Assignment{Replicas: replicas}}
	for _, kind := range []planner.RequestKind{planner.LeaderAndISR, planner.UpdateMetadata} {
		r := planner.Request{Kind: kind}
		for range 100 {
			r.Topics = append(r.Topics, planner.TopicStates{Name: strings.Repeat("x", 249), ID: cluster.TopicID{1}, Partitions: []planner.PartitionState{p}})
		}
		frame, err := channel.Encode(&r, 7, "", "1", 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(frame) > 100*bytesOfPartition {
			t.Errorf("%v: %d bytes a partition", kind, len(frame)/100)
		}
	}
}
