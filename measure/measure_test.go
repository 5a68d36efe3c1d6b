package measure

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/partition"
	"baton/recovery"
	"baton/wire/wiretest"
)

// held is a log of the fake broker's.
type held struct {
	start, end int64
	first      int32  // epoch of the records at the start
	last       []byte // what a Fetch at the end reads
	code       int16
	grows      int64 // between the first and the last question
	left       bool  // out of every answer
}

// broker answers from what it holds, partition numbers being indexes.
type broker struct {
	held  []held
	asked int
	mute  bool
	whole int // bytes of an answer after which only what fits is given
}

func (b *broker) answer(req kmsg.Request) kmsg.Response {
	switch r := req.(type) {
	case *kmsg.ListOffsetsRequest:
		return b.offsets(r)
	case *kmsg.FetchRequest:
		return b.fetch(r)
	}
	return nil
}

func (b *broker) offsets(r *kmsg.ListOffsetsRequest) kmsg.Response {
	b.asked++
	resp := r.ResponseKind().(*kmsg.ListOffsetsResponse)
	for _, t := range r.Topics {
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			h := b.held[p.Partition]
			a := kmsg.NewListOffsetsResponseTopicPartition()
			a.Partition, a.ErrorCode, a.Offset, a.LeaderEpoch = p.Partition, h.code, h.start, h.first
			if p.Timestamp == latest {
				a.Offset, a.LeaderEpoch = h.end, 99
			}
			if b.asked > 2 {
				a.Offset += h.grows
			}
			if r.ReplicaID != debugging {
				a.ErrorCode = kerr.NotLeaderForPartition.Code
			}
			if !h.left {
				out.Partitions = append(out.Partitions, a)
			}
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// fetch gives the first in full, as brokers do, and others as far as there is room.
func (b *broker) fetch(r *kmsg.FetchRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.FetchResponse)
	size := 0
	for _, t := range r.Topics {
		out := kmsg.NewFetchResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			h := b.held[p.Partition]
			a := kmsg.NewFetchResponseTopicPartition()
			a.Partition = p.Partition
			if p.FetchOffset != h.end-1 || r.ReplicaID != futureLocal {
				a.ErrorCode = kerr.OffsetOutOfRange.Code
			}
			if size == 0 || b.whole == 0 || size+len(h.last) <= b.whole {
				a.RecordBatches = h.last
			}
			size += len(a.RecordBatches)
			out.Partitions = append(out.Partitions, a)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func (b *broker) dial(ctx context.Context, addr string) (net.Conn, error) {
	if b.mute {
		return answering(func(kmsg.Request) kmsg.Response { return nil })(ctx, addr)
	}
	return answering(b.answer)(ctx, addr)
}

// answering is a dialer to brokers that answer so; nil closes the connection.
func answering(answer func(kmsg.Request) kmsg.Response) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) { return served(answer), nil }
}

// served is a connection to somebody who answers so.
func served(answer func(kmsg.Request) kmsg.Response) net.Conn {
	ours, theirs := net.Pipe()
	go wiretest.Serve(theirs, func(req kmsg.Request) (kmsg.Response, bool) {
		resp := answer(req)
		return resp, resp != nil
	})
	return ours
}

// batch is a header of a batch that a leader of this epoch has written.
func batch(epoch int32, magic byte) []byte {
	raw := make([]byte, 61)
	binary.BigEndian.PutUint32(raw[atLength:], 49)
	binary.BigEndian.PutUint32(raw[atEpoch:], uint32(epoch))
	raw[atMagic] = magic
	return raw
}

func measureOne(b *broker, epochs int32) []Measured {
	w := Wanted{Broker: 1}
	for i := range b.held {
		w.Logs = append(w.Logs, Partition{ID: partition.ID{Topic: "t", Number: int32(i)}, Epoch: epochs})
	}
	return Measurer{Dial: b.dial}.Measure(context.Background(), []Wanted{w})[0]
}

func text(m Measured) string {
	if m.Log == nil {
		return m.Silent
	}
	return fmt.Sprintf("%d…%d epoch %v", m.Log.Start, m.Log.End, m.Log.Last)
}

func TestMeasure(t *testing.T) {
	cases := []struct {
		held held
		want string
	}{
		{held{start: 0, end: 10, first: 2, last: batch(7, 2)}, "0…10 epoch 7"},
		{held{start: 3, end: 10, first: 2, last: append(batch(6, 2), batch(7, 2)...)}, "3…10 epoch 7"},
		{held{start: 0, end: 10, first: 2, last: append(batch(6, 2), batch(7, 2)[:30]...)}, "0…10 epoch 6"},
		{held{start: 0, end: 10, first: -1, last: batch(0, 1)}, "0…10 epoch -1…9"},
		{held{start: 0, end: 10, first: 2}, "0…10 epoch 2…9"},
		{held{start: 0, end: 0, first: 3}, "0…0 epoch -1"},
		{held{start: 5, end: 5, first: 2}, "5…5 epoch 2…9"},
		{held{start: 0, end: 10, first: 2, last: batch(11, 2)}, "its last record is of leader epoch 11, and ZooKeeper knows of none after 9"},
		{held{start: 0, end: 10, first: 2, last: batch(7, 2), grows: 2}, "its log changes: its end was 10, and is 12"},
		{held{code: kerr.UnknownTopicOrPartition.Code}, "it has not opened the log: " + kerr.UnknownTopicOrPartition.Message},
		{held{code: kerr.KafkaStorageError.Code}, kerr.KafkaStorageError.Message},
		{held{left: true}, "it leaves the partition out of its answer"},
	}
	for _, whole := range []int{0, 61} { // all at once, and a batch an answer
		b := &broker{whole: whole}
		for _, c := range cases {
			b.held = append(b.held, c.held)
		}
		if whole > 0 { // what nothing is read of is settled when it is alone
			b.held[4].last = batch(2, 2)
		}
		for i, m := range measureOne(b, 9) {
			want := cases[i].want
			if whole > 0 && i == 4 {
				want = "0…10 epoch 2"
			}
			if got := text(m); got != want {
				t.Errorf("%d (answers of %d bytes): %s, want %s", i, whole, got, want)
			}
		}
	}
}

// TestSilentBrokers keeps those that answer apart from those that do not.
func TestSilentBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := &broker{held: []held{{end: 10, last: batch(7, 2)}}}
		hangs := func(ctx context.Context, _ string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			context.AfterFunc(ctx, func() { _ = theirs.Close() })
			return ours, nil
		}
		dial := map[string]func(context.Context, string) (net.Conn, error){
			"good": good.dial, "hangs": hangs, "closes": (&broker{mute: true}).dial,
			"refuses": func(context.Context, string) (net.Conn, error) { return nil, errors.New("connection refused") },
		}
		m := Measurer{Timeout: time.Second, Dial: func(ctx context.Context, addr string) (net.Conn, error) { return dial[addr](ctx, addr) }}
		var wanted []Wanted
		for _, addr := range []string{"hangs", "good", "closes", "refuses"} {
			wanted = append(wanted, Wanted{Addr: addr, Logs: []Partition{{ID: partition.ID{Topic: "t"}, Epoch: 9}}})
		}
		start := time.Now()
		got := m.Measure(context.Background(), wanted)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s", took)
		}
		for i, want := range []string{"no answer within 1s", "0…10 epoch 7", "ListOffsets: ", "connect: connection refused"} {
			if text := text(got[i][0]); !strings.HasPrefix(text, want) {
				t.Errorf("%s: %s, want %s", wanted[i].Addr, text, want)
			}
		}
		if *got[1][0].Log != (recovery.Log{End: 10, Last: recovery.Exactly(7)}) {
			t.Error(got[1][0].Log)
		}
	})
}
