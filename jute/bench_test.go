package jute

import (
	"fmt"
	"testing"
)

const (
	benchSets  = 500  // states of a multi
	benchReads = 1000 // states of a multiRead
	benchState = `{"controller_epoch":12,"leader":101,"version":1,"leader_epoch":100,"isr":[101,102,103]}`
)

func benchPath(i int) string {
	return fmt.Sprintf("/brokers/topics/base-%07d/partitions/%d/state", i/50, i%50)
}

// BenchmarkEncodeMulti makes the request that writes 500 states.
func BenchmarkEncodeMulti(b *testing.B) {
	r := &MultiRequest{Ops: []MultiOp{{OpCheck, &PathVersionRequest{Path: "/controller_epoch", Version: 3}}}}
	for i := range benchSets {
		r.Ops = append(r.Ops, MultiOp{OpSetData, &SetDataRequest{Path: benchPath(i), Data: []byte(benchState), Version: 1}})
	}
	b.ReportAllocs()
	var frame []byte
	for b.Loop() {
		frame = AppendFrame(frame[:0], &RequestHeader{Xid: 1, Op: OpMulti}, r)
	}
	b.SetBytes(int64(len(frame)))
}

// BenchmarkDecodeMultiRead reads the answer that has 1,000 states.
func BenchmarkDecodeMultiRead(b *testing.B) {
	r := &MultiResponse{}
	for range benchReads {
		r.Results = append(r.Results, MultiResult{Op: OpGetData, Response: &DataResponse{Data: []byte(benchState), Stat: Stat{Version: 1}}})
	}
	frame := r.Append(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		var got MultiResponse
		if err := Unmarshal(frame, &got); err != nil || len(got.Results) != benchReads {
			b.Fatal(len(got.Results), err)
		}
	}
}
