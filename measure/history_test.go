package measure

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/partition"
	"baton/recovery"
)

// kept is a log of batches, some of which have been compacted away.
type kept struct {
	batches []head
	old     bool // of a format without epochs
	reads   int
}

func (k *kept) answer(req kmsg.Request) kmsg.Response {
	r := req.(*kmsg.FetchRequest)
	k.reads++
	resp := r.ResponseKind().(*kmsg.FetchResponse)
	a := kmsg.NewFetchResponseTopicPartition()
	from := r.Topics[0].Partitions[0].FetchOffset
	for _, b := range k.batches {
		if b.next > from {
			a.RecordBatches = whole(b, k.old)
			break
		}
	}
	if r.ReplicaID != futureLocal {
		a.ErrorCode = kerr.NotLeaderForPartition.Code
	}
	resp.Topics = []kmsg.FetchResponseTopic{{Topic: r.Topics[0].Topic, Partitions: []kmsg.FetchResponseTopicPartition{a}}}
	return resp
}

// whole is the header of a batch, cut as a broker with a small buffer cuts the next one.
func whole(b head, old bool) []byte {
	raw := batch(b.epoch, 2)
	binary.BigEndian.PutUint64(raw, uint64(b.base))
	binary.BigEndian.PutUint32(raw[atLastDelta:], uint32(b.next-b.base-1))
	if old {
		raw[atMagic] = 1
	}
	return append(raw, raw[:20]...)
}

func (k *kept) history(l recovery.Log) Heard {
	m := Measurer{Dial: answering(k.answer)}
	return m.Histories(context.Background(), []Asked{{ID: partition.ID{Topic: "t"}, Log: l}})[0]
}

// TestHistories compares what is found by halves with what is there, in logs with gaps.
func TestHistories(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var k kept
		var want recovery.History
		start, at, epoch := rnd.Int64N(100), int64(0), int32(0)
		at = start
		for range 1 + rnd.IntN(60) {
			if rnd.IntN(4) == 0 {
				epoch += 1 + rnd.Int32N(3)
			}
			b := head{epoch: epoch, base: at, next: at + 1 + rnd.Int64N(20)}
			if at = b.next; rnd.IntN(5) == 0 {
				at += rnd.Int64N(50) // a gap
			}
			if len(want) == 0 || want[len(want)-1].Epoch != epoch {
				want = append(want, recovery.Began{Epoch: epoch, Offset: b.base})
			}
			k.batches = append(k.batches, b)
		}
		last := k.batches[len(k.batches)-1]
		got := k.history(recovery.Log{Start: start, End: last.next, Last: recovery.Exactly(last.epoch)})
		if want = want[max(0, len(want)-Depth):]; got.Silent != "" || !slices.Equal(got.History, want) {
			t.Fatalf("found %v %s, want %v in %v", got.History, got.Silent, want, k.batches)
		}
	}
}

func TestHistoryOfALargeLog(t *testing.T) {
	k := kept{batches: []head{{0, 0, 400_000_000}, {3, 400_000_000, 1_000_000_000}}}
	for i := range int64(1000) {
		k.batches = append(k.batches, head{4, 1_000_000_000 + 100*i, 1_000_000_100 + 100*i})
	}
	got := k.history(recovery.Log{End: 1_000_100_000, Last: recovery.Exactly(4)})
	if want := (recovery.History{{Epoch: 0}, {Epoch: 3, Offset: 400_000_000}, {Epoch: 4, Offset: 1_000_000_000}}); !slices.Equal(got.History, want) || k.reads > 100 {
		t.Errorf("%v after %d reads", got, k.reads)
	}
}

func TestHistoriesThatAreNotKnown(t *testing.T) {
	old := kept{batches: []head{{0, 0, 10}}, old: true}
	if got := old.history(recovery.Log{End: 10, Last: recovery.Exactly(4)}); !strings.Contains(got.Silent, "knows no epochs") || len(got.History) > 0 {
		t.Error(got)
	}
	for _, l := range []recovery.Log{{End: 10, Last: recovery.Epochs{Min: 1, Max: 2}}, {Start: 5, End: 5, Last: recovery.Exactly(2)}} {
		if got := old.history(l); got.Silent != "" || len(got.History) > 0 {
			t.Error(got)
		}
	}
	refuses := answering(func(req kmsg.Request) kmsg.Response {
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		resp.ErrorCode = kerr.UnknownServerError.Code
		return resp
	})
	got := Measurer{Dial: refuses}.Histories(context.Background(), []Asked{{Log: recovery.Log{End: 10, Last: recovery.Exactly(4)}}})
	if !strings.HasPrefix(got[0].Silent, "Fetch: ") {
		t.Error(got)
	}
}
