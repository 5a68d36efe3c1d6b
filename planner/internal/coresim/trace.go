package coresim

import (
	"encoding/json"
	"fmt"
	"strings"

	"baton/planner"
)

// describeEvent is one line about an event.
func describeEvent(ev planner.Event) string {
	switch e := ev.(type) {
	case planner.Claimed:
		return fmt.Sprintf("claimed %v, brokers %s, %d topics, %d states", e.Fence, brokerList(e.Brokers), len(e.Topics), len(e.States))
	case planner.BrokersChanged:
		return fmt.Sprintf("brokers %s bad %v", brokerList(e.Brokers), e.BadIDs)
	case planner.TopicsChanged:
		return fmt.Sprintf("topics: %d, states: %d, gone: %v", len(e.Topics), len(e.States), e.Gone)
	case planner.Committed:
		r := e.Results[0]
		return fmt.Sprintf("write %d: outcome %d version %d found %v %s", r.Seq, r.Outcome, r.Version, r.Found.State, r.Reason)
	case planner.Refreshed:
		return fmt.Sprintf("refreshed %s", show(e.States))
	case planner.BrokerReplied:
		return fmt.Sprintf("broker %d answers %d: code %d %v", e.Broker, e.Seq, e.Code, e.Partitions)
	case planner.Call:
		return fmt.Sprintf("call %d: %s", e.Token, show(e.Body))
	}
	return show(ev)
}

// show prints a value with its type and, unlike %+v, no addresses.
func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%T%s", v, text)
}

func brokerList[B any](list []B) string { return fmt.Sprintf("%v", list) }

func (s *sim) tracePlan(b *baton, p planner.Plan) {
	for _, w := range p.Writes {
		s.trace("baton %d   write %d: %s", b.id, w.Seq, show(w.Body))
	}
	for _, r := range p.Reads {
		s.trace("baton %d   read %+v", b.id, r)
	}
	for _, r := range p.Requests {
		var sb strings.Builder
		for _, t := range r.Topics {
			for _, ps := range t.Partitions {
				fmt.Fprintf(&sb, " [%s-%d %v of %v]", t.Name, ps.Number, ps.State.LeaderAndISR, ps.Assignment.Replicas)
			}
		}
		live := make([]int32, len(r.Live))
		for i, l := range r.Live {
			live[i] = l.ID
		}
		s.trace("baton %d   %v -> %d seq %d epoch %d/%d live %v%s", b.id, r.Kind, r.Broker, r.Seq, r.ControllerEpoch, r.BrokerEpoch, live, sb.String())
	}
	for _, q := range p.Measures {
		s.trace("baton %d   measure %s", b.id, show(q))
	}
	for _, r := range p.Replies {
		s.trace("baton %d   reply %d: %s", b.id, r.Token, show(r.Body))
	}
	if p.Resign != "" {
		s.trace("baton %d   resigns: %s", b.id, p.Resign)
	}
}
