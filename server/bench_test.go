package server_test

import (
	"context"
	"fmt"
	"testing"

	"baton/cluster"
	"baton/planner"
	"baton/server"
	"baton/server/servertest"
	"baton/wire"
)

// BenchmarkMetadataOfEverything is what one "describe all topics" costs; most of it is
// spent while the controller's loop waits.
func BenchmarkMetadataOfEverything(b *testing.B) {
	im := cluster.NewImage(nil)
	for id := range int32(30) {
		im.PutBroker(servertest.Broker(id, "broker.example", 9092, ""))
	}
	for i := range 5000 {
		replicas := []int32{int32(i % 30), int32((i + 1) % 30), int32((i + 2) % 30)}
		im.PutTopic(servertest.Topic(fmt.Sprintf("topic-%d", i), servertest.TopicID(i), 20, replicas))
	}
	v := planner.View{Image: im, Self: servertest.Broker(servertest.BatonID, "baton.example", 9092, "")}
	s := server.New(server.Config{ID: servertest.BatonID}, servertest.NewController(v), servertest.Brokers(nil))
	frame, err := wire.AppendRequest(nil, nil, 1, metadataAll(12))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Handle(context.Background(), listener, frame[4:]); err != nil {
			b.Fatal(err)
		}
	}
}
