package admin

import (
	"reflect"
	"testing"

	"go.uber.org/zap"
)

// TestElectTravels sends a measurement and the choice made from it there and back.
func TestElectTravels(t *testing.T) {
	two := int64(2)
	n := &fakeNode{measured: Measurement{Topic: "t", Partition: 3, LeaderEpoch: 5, PartitionEpoch: 9, ISR: []int32{1}, Leader: 2, Doubts: []string{},
		Replicas: []Measured{{Broker: 1, InISR: true}, {Broker: 2, Epoch: 12, Log: &MeasuredLog{End: 7, EpochMin: 4, EpochMax: 4}},
			{Broker: 3, Epoch: 13, Log: &MeasuredLog{End: 5, EpochMin: 4, EpochMax: 4, LossMin: &two, From: "replica 2"}}}}}
	cl, _ := start(t, n, zap.NewAtomicLevel())
	q := Question{Topic: "t", Partition: 3, Candidate: "longest"}
	m, err := cl.Measure(t.Context(), q, Request{Who: "ann"})
	if err != nil || !reflect.DeepEqual(m, n.measured) || n.question != q {
		t.Fatalf("%+v, %v; asked %+v", m, err, n.question)
	}
	want := Choice{Topic: "t", Partition: 3, Unclean: true, Leader: 2, PartitionEpoch: 9, Live: map[int32]int64{2: 12, 3: 13}}
	e, err := cl.Elect(t.Context(), m.Choice(), Request{Who: "ann", Why: "night"})
	if err != nil || e != (Elected{Leader: 2}) || !reflect.DeepEqual(n.choice, want) || n.reqs[0].Why != "night" {
		t.Fatalf("%+v, %v; asked %+v %+v", e, err, n.choice, n.reqs)
	}
	n.elected = Refused("nothing was changed: replica 3 has restarted")
	if _, err := cl.Elect(t.Context(), want, Request{}); KindOf(err) != KindRefused {
		t.Errorf("%v", err)
	}
	if err := cl.command(t.Context(), PathElect, body{}, nil, nil); KindOf(err) != KindUsage {
		t.Errorf("a body without a choice: %v", err)
	}
}
