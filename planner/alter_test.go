package planner_test

import (
	"strings"
	"testing"

	"baton/isr"
	"baton/planner"
)

func manyUnknown(n int) planner.AlterPartition {
	call := planner.AlterPartition{Version: 1, Broker: 1, BrokerEpoch: 10}
	for i := range n {
		call.Items = append(call.Items, planner.AlterItem{Topic: "t", Number: int32(i + 1), Request: isr.AlterRequest{ISR: isr.Set{1}}})
	}
	return call
}

// A request may name as many partitions as it likes: what is said and remembered of it is
// bounded, whatever becomes of them.
func TestManyRefusalsAreOneNote(t *testing.T) {
	const n = 10_000
	w := newTold(t)
	call := manyUnknown(n)
	call.Items[1].Request.ISR = make(isr.Set, 100_000)
	p := w.m.Step(w.now, planner.Call{Token: 1, Body: call})
	if len(p.Notes) != 1 || len(p.Notes[0].Text) > 20_000 || p.Notes[0].Refused["OPERATION_NOT_ATTEMPTED"] != n || !strings.HasSuffix(p.Notes[0].Text, "; and 9995 more") {
		t.Errorf("%d notes, at first %.200v", len(p.Notes), p.Notes)
	}
	if r := p.Replies[0].Body.(planner.AlterPartitionReply); len(r.Items) != n {
		t.Errorf("%d items answered", len(r.Items))
	}
	call = manyUnknown(n)
	each := testing.AllocsPerRun(3, func() { w.m.Step(w.now, planner.Call{Token: 1, Body: call}) }) / n
	if each > 3 {
		t.Errorf("%.1f allocations for each partition", each)
	}
}

func BenchmarkAlterPartitionOfManyUnknown(b *testing.B) {
	w := newTold(b)
	call := manyUnknown(100_000)
	b.ReportAllocs()
	for b.Loop() {
		w.m.Step(w.now, planner.Call{Token: 1, Body: call})
	}
}
