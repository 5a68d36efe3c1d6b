package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkDecodeAlterPartition reads what a leader of 1,000 partitions asks when a follower falls behind.
func BenchmarkDecodeAlterPartition(b *testing.B) {
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version, req.BrokerID = 3, 101
	for t := range 20 {
		topic := kmsg.NewAlterPartitionRequestTopic()
		topic.TopicID = [16]byte{1, byte(t)}
		for p := range int32(50) {
			one := kmsg.NewAlterPartitionRequestTopicPartition()
			one.Partition, one.NewEpochISR = p, []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{{BrokerID: 101, BrokerEpoch: 1}, {BrokerID: 102, BrokerEpoch: 2}}
			topic.Partitions = append(topic.Partitions, one)
		}
		req.Topics = append(req.Topics, topic)
	}
	body := req.AppendTo(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := DecodeRequest(AlterPartition, 3, body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeLeaderAndISRResponse reads a broker's answer about 60,000 partitions.
func BenchmarkDecodeLeaderAndISRResponse(b *testing.B) {
	resp := kmsg.NewPtrLeaderAndISRResponse()
	resp.Version = 7
	for t := range 1200 {
		topic := kmsg.LeaderAndISRResponseTopic{TopicID: [16]byte{1, byte(t >> 8), byte(t)}}
		for p := range int32(50) {
			topic.Partitions = append(topic.Partitions, kmsg.LeaderAndISRResponseTopicPartition{Partition: p})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	body := resp.AppendTo(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := DecodeResponse(LeaderAndIsr, 7, body); err != nil {
			b.Fatal(err)
		}
	}
}
