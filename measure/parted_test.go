package measure

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/partition"
)

// record is one of a log's: the leader epoch it was written in, and what nobody else has written.
type record struct {
	epoch int32
	by    int
}

// replica is a log that begins at an offset, in batches of up to so many records. It leads in an epoch, or follows (-1).
type replica struct {
	records []record
	start   int
	most    int
	leads   int32
	code    int16 // of a leader that refuses
}

func (r *replica) batch(at int) (from, to int) {
	for from = r.start; ; from = to {
		to = from + 1
		for to < len(r.records) && to-from < r.most && r.records[to].epoch == r.records[from].epoch {
			to++
		}
		if at < to {
			return from, to
		}
	}
}

// epochEnd is Kafka's answer: the newest epoch up to the one asked for that has records, or is the leader's own, and where the
// next one begins; if there is none up to it, the one asked for.
func (r *replica) epochEnd(asked int32) (epoch int32, end int64) {
	if asked >= r.leads {
		return r.leads, int64(len(r.records))
	}
	at := len(r.records)
	for at > r.start && r.records[at-1].epoch > asked {
		at--
	}
	if at == r.start {
		return asked, int64(at)
	}
	return r.records[at-1].epoch, int64(at)
}

func (r *replica) answer(req kmsg.Request) kmsg.Response {
	switch q := req.(type) {
	case *kmsg.ListOffsetsRequest:
		resp := q.ResponseKind().(*kmsg.ListOffsetsResponse)
		a := kmsg.NewListOffsetsResponseTopicPartition()
		if a.Offset = int64(len(r.records)); q.Topics[0].Partitions[0].Timestamp == earliest {
			a.Offset = int64(r.start)
		}
		resp.Topics = []kmsg.ListOffsetsResponseTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsResponseTopicPartition{a}}}
		return resp
	case *kmsg.FetchRequest:
		resp := q.ResponseKind().(*kmsg.FetchResponse)
		a := kmsg.NewFetchResponseTopicPartition()
		from, to := r.batch(int(q.Topics[0].Partitions[0].FetchOffset))
		a.RecordBatches = batch(r.records[from].epoch, 2)
		binary.BigEndian.PutUint64(a.RecordBatches, uint64(from))
		binary.BigEndian.PutUint32(a.RecordBatches[atDelta:], uint32(to-from-1))
		resp.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: []kmsg.FetchResponseTopicPartition{a}}}
		return resp
	case *kmsg.OffsetForLeaderEpochRequest:
		resp := q.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		a := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
		asked := q.Topics[0].Partitions[0]
		a.LeaderEpoch, a.EndOffset = r.epochEnd(asked.LeaderEpoch)
		if a.ErrorCode = r.code; asked.CurrentLeaderEpoch != r.leads {
			a.ErrorCode = kerr.FencedLeaderEpoch.Code
		}
		resp.Topics = []kmsg.OffsetForLeaderEpochResponseTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochResponseTopicPartition{a}}}
		return resp
	}
	return nil
}

func parts(own, leader *replica) Parted {
	m := Measurer{Dial: func(_ context.Context, addr string) (net.Conn, error) {
		return served(map[string]*replica{"own": own, "leader": leader}[addr].answer), nil
	}}
	w := Wanted{Broker: 1, Addr: "own", Logs: []Partition{{ID: partition.ID{Topic: "t"}, Epoch: leader.leads}}}
	return m.Parted(context.Background(), w, []Against{{"leader", leader.leads}})[0]
}

// common is how many records two logs have in common.
func common(a, b []record) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// TestParted plays histories of three replicas, some of whose leaders were elected uncleanly, and compares each with the last
// leader.
func TestParted(t *testing.T) {
	asked := 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 7))
		var logs [3][]record
		leader, epoch := 0, int32(0)
		for epoch = range int32(2 + r.IntN(8)) {
			leader = r.IntN(3)
			for range r.IntN(6) {
				logs[leader] = append(logs[leader], record{epoch, r.Int()})
			}
			for id := range logs {
				if id != leader && r.IntN(3) > 0 {
					n := common(logs[id], logs[leader])
					logs[id] = append([]record{}, logs[leader][:n+r.IntN(len(logs[leader])-n+1)]...)
				}
			}
		}
		for id, l := range logs {
			if id == leader {
				continue
			}
			n := common(l, logs[leader])
			own := &replica{records: l, start: r.IntN(max(min(n, 2, len(l)-1), 0) + 1), most: 1 + r.IntN(4), leads: -1}
			got := parts(own, &replica{records: logs[leader], most: 1, leads: epoch})
			if got.Log == nil || got.At != int64(n) {
				t.Fatalf("seed %d: parted at %d (%s), want %d: %v, of leader %v", seed, got.At, got.Silent, n, l, logs[leader])
			}
			asked++
		}
	}
	t.Logf("%d logs compared", asked)
}

// TestNotParted: what cannot be compared says why.
func TestNotParted(t *testing.T) {
	one := []record{{0, 1}, {1, 2}}
	refuses := &replica{records: one, most: 1, leads: 3, code: kerr.NotLeaderForPartition.Code}
	if got := parts(&replica{records: one, most: 1}, refuses); !strings.HasPrefix(got.Silent, "its leader: ") || got.Log != nil {
		t.Errorf("%+v", got)
	}
	if got := parts(&replica{records: one, most: 1, start: 2}, &replica{records: one, most: 1, leads: 3}); !strings.HasPrefix(got.Silent, "the epoch of its last record is not known") {
		t.Errorf("%+v", got)
	}
}
