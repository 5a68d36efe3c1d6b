package simbroker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkLeaderAndISR tells a broker of 10,000 new partitions.
func BenchmarkLeaderAndISR(b *testing.B) {
	req := lisr(nil).(*lreq)
	one := req.TopicStates[0].PartitionStates[0]
	var all []kmsg.LeaderAndISRRequestTopicPartition
	for n := range int32(10_000) {
		ps := one
		ps.Partition = n
		all = append(all, ps)
	}
	req.TopicStates[0].PartitionStates = all
	b.ReportAllocs()
	for b.Loop() {
		p := testProcess(1)
		leaderAndISR(p, nil, req)
	}
}
