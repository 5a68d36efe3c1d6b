package controller

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"baton/cluster"
	"baton/planner"
)

// phasesAt runs steps, each a millisecond after the one before, and returns what was timed.
func phasesAt(steps ...func() (planner.Event, planner.Plan)) (out []Phases) {
	began := time.Unix(1000, 0)
	p := newPhases(began, func(ph Phases) { out = append(out, ph) })
	for i, step := range steps {
		now := began.Add(time.Duration(i+1) * time.Millisecond)
		ev, plan := step()
		p.step(ev, now, now, &plan)
	}
	return out
}

func then(ev planner.Event, plan planner.Plan) func() (planner.Event, planner.Plan) {
	return func() (planner.Event, planner.Plan) { return ev, plan }
}

func told(kind planner.RequestKind, broker int32, seq uint64) planner.Plan {
	return planner.Plan{Requests: []planner.Request{{Kind: kind, Broker: broker, Seq: seq}}}
}

func acknowledged(seqs ...uint64) planner.Committed {
	var c planner.Committed
	for _, s := range seqs {
		c.Results = append(c.Results, planner.Result{Seq: s})
	}
	return c
}

func writes(seqs ...uint64) (out []planner.Write) {
	for _, s := range seqs {
		out = append(out, planner.Write{Seq: s})
	}
	return out
}

func TestPhasesOfALostBroker(t *testing.T) {
	lost := planner.Plan{Channels: []planner.ChannelChange{{Broker: cluster.Broker{ID: 9}, Close: true}}, Writes: writes(1, 2, 3), Again: true}
	got := phasesAt(
		then(planner.Tick{}, told(planner.UpdateMetadata, 1, 90)), // is out when it begins
		then(planner.BrokersChanged{}, lost),                      // 2 ms
		then(planner.Continue{}, planner.Plan{Writes: writes(4, 5)}),
		then(planner.Call{Body: planner.AlterPartition{}}, planner.Plan{Writes: writes(6)}),
		then(acknowledged(1, 2, 6), told(planner.LeaderAndISR, 2, 91)), // 5 ms
		then(planner.BrokerReplied{Broker: 1, Seq: 90}, told(planner.LeaderAndISR, 1, 92)),
		then(planner.BrokerReplied{Broker: 2, Seq: 91}, planner.Plan{}), // 7 ms
		then(acknowledged(4, 3, 5), told(planner.UpdateMetadata, 2, 93)),
		then(planner.BrokerReplied{Broker: 2, Seq: 93}, planner.Plan{}),
		then(planner.BrokerReplied{Broker: 1, Seq: 92}, told(planner.UpdateMetadata, 1, 94)),
		then(planner.BrokerReplied{Broker: 1, Seq: 94}, planner.Plan{}), // 11 ms
	)
	ms := time.Millisecond
	want := []Phases{{Trigger: TriggerBrokerLost, Decide: 1 * ms, Write: 6 * ms, FirstTold: 5 * ms, LastTold: 9 * ms, Writes: 5, Requests: 4}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestPhasesOfAClaim(t *testing.T) {
	opened := planner.Plan{Channels: []planner.ChannelChange{{Broker: cluster.Broker{ID: 1}}, {Broker: cluster.Broker{ID: 2}}}}
	got := phasesAt(
		then(planner.Claimed{}, opened), // 1 ms
		then(planner.ChannelUp{Broker: 1}, told(planner.UpdateMetadata, 1, 1)),
		then(planner.BrokerReplied{Broker: 1, Seq: 1}, told(planner.LeaderAndISR, 1, 2)),
		then(planner.BrokerReplied{Broker: 1, Seq: 2}, planner.Plan{}), // 4 ms
		then(planner.ChannelDown{Broker: 2}, planner.Plan{}))           // 5 ms
	ms := time.Millisecond
	want := []Phases{{Trigger: TriggerClaim, Read: ms, Decide: ms, FirstTold: 4 * ms, LastTold: 5 * ms, Requests: 2}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A call that changes nothing is not worth a line, and what a broker never answers is not waited for.
func TestPhasesThatComeToNothing(t *testing.T) {
	began := time.Unix(1000, 0)
	var got []Phases
	p := newPhases(began, func(ph Phases) { got = append(got, ph) })
	elect := planner.Call{Body: planner.ElectLeaders{}}
	p.step(elect, began, began, &planner.Plan{Again: true})
	p.step(planner.Continue{}, began, began, &planner.Plan{})
	if len(got) > 0 || len(p.works) > 0 {
		t.Errorf("%+v, %d under way", got, len(p.works))
	}
	p.step(elect, began, began, &planner.Plan{Writes: writes(1)})
	later := began.Add(giveUpPhases)
	p.step(planner.Tick{}, later, later, &planner.Plan{})
	if len(got) != 1 || got[0].Writes != 1 || got[0].LastTold != 0 || len(p.works) > 0 {
		t.Errorf("%+v, %d under way", got, len(p.works))
	}
}

func TestTermTimesItsClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(t)
		r.Push(planner.ChannelDown{Broker: 1})
		r.Push(planner.ChannelDown{Broker: 2})
		synctest.Wait()
		stop(r)
		if got := r.observer.timed; len(got) != 1 || got[0].Trigger != TriggerClaim {
			t.Errorf("%+v", got)
		}
	})
}
