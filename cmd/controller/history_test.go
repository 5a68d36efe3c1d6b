package main

import (
	"strings"
	"testing"
	"time"

	"baton/admin"
	"baton/journal/entry"
)

// recorded is what two Batons have on record of the death of broker 1, and of what came of it.
func recorded() entry.Answer {
	at := func(ms int) time.Time {
		return time.Date(2024, 5, 6, 3, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
	}
	const first, second = "2000001-1714950000000", "2000002-1714960000000"
	was := entry.State{Leader: 1, Epoch: 4, ISR: []int32{1, 2, 3}, Version: 7}
	dead := entry.State{Leader: 2, Epoch: 5, ISR: []int32{2, 3}, Version: 7}
	grown := entry.State{Leader: 2, Epoch: 5, ISR: []int32{2, 3, 1}, Version: 8}
	return entry.Answer{
		Entries: []entry.Entry{
			{Origin: first, Seq: 1, At: at(0), Kind: entry.Role, Epoch: 7, Text: "Baton 2000001 (one) claimed /controller: nobody holds"},
			{Origin: first, Seq: 2, At: at(900), Kind: entry.Noted, Epoch: 7, Notes: []entry.Note{{Kind: "broker", Text: "broker 1 is gone"}}},
			{Origin: first, Seq: 3, At: at(901), Kind: entry.Decided, Epoch: 7, Trigger: "BrokersChanged", Detail: "broker 1 is gone",
				Considered: [][]entry.Replica{{{ID: 1, InISR: true, Stood: "offline", Verdict: "is offline"}, {ID: 2, InISR: true, Stood: "alive", Verdict: "leads"},
					{ID: 3, InISR: true, Stood: "alive", Verdict: "could lead, but comes later"}}},
				Decisions: []entry.Decision{{Partition: "orders-3", Write: 9, Strategy: "offline", From: was, To: dead}}},
			{Origin: first, Seq: 4, At: at(908), Kind: entry.Learned, Epoch: 7, Outcomes: []entry.Outcome{{Partition: "orders-3", Write: 9, Result: entry.Applied, Version: 8, MS: 7}}},
			{Origin: first, Seq: 5, At: at(909), Kind: entry.Told, Epoch: 7, Broker: 2, Request: "LeaderAndIsr", ID: 12, Partitions: map[string]string{"orders": "3"}},
			{Origin: first, Seq: 6, At: at(909), Kind: entry.Told, Epoch: 7, Broker: 3, Request: "LeaderAndIsr", ID: 13, Partitions: map[string]string{"orders": "0-3"}},
			{Origin: first, Seq: 7, At: at(912), Kind: entry.Answered, Epoch: 7, Broker: 2, Request: "LeaderAndIsr", ID: 12, MS: 3},
			{Origin: first, Seq: 8, At: at(1400), Kind: entry.Command, Text: "handover to 2000002", Who: "ann@h1", Why: "maintenance of h1"},
			{Origin: second, Seq: 1, At: at(1500), Kind: entry.Role, Epoch: 8, Text: "Baton 2000002 (two) claimed /controller: handed over"},
			{Origin: second, Seq: 2, At: at(9000), Kind: entry.Decided, Epoch: 8, Trigger: "AlterPartition", Cause: "AlterPartition of broker 2",
				Considered: [][]entry.Replica{{{ID: 1, Stood: "alive", Verdict: "is not in the ISR"}, {ID: 2, InISR: true, Stood: "alive", Verdict: "leads"},
					{ID: 3, InISR: true, Stood: "alive", Verdict: "could lead, but the leader stays"}}},
				Decisions: []entry.Decision{{Partition: "orders-3", Write: 2, Strategy: "isr-change", To: grown,
					From: entry.State{Leader: 2, Epoch: 5, ISR: []int32{2, 3}, Version: 8}}}},
			{Origin: second, Seq: 3, At: at(9004), Kind: entry.Learned, Epoch: 8, Outcomes: []entry.Outcome{{Partition: "orders-3", Write: 2, Result: entry.Applied, Version: 9, MS: 4}}},
		},
		Journals: []entry.Holding{}, Unreached: []string{}, Missing: []string{},
		Gone: []string{"Baton 2000001 is not running; its journal is known up to entry 8, 2024-05-06T03:00:01.4Z"},
	}
}

func TestHistory(t *testing.T) {
	n := &fakeNode{answer: recorded()}
	socket := serve(t, n)
	for _, o := range outputs {
		r := command(t, nil, "history", "--socket", socket, "-o", o, "--topic", "orders", "--since", "2024-05-06T02:00:00Z", "--limit", "7")
		r.want(t, 0)
		golden(t, "history-"+o, r.out)
	}
	if f := n.filter; f.Topic != "orders" || f.Limit != 7 || f.Partition != nil || f.Tellings || f.Since.Hour() != 2 {
		t.Errorf("asked for %+v", f)
	}
	n.answer = entry.Answer{Unreached: []string{"Baton 2000002 (two): no route to host"}, Missing: []string{"entries 4 to 9 of the journal 2000001-1"}}
	r := command(t, nil, "history", "--socket", socket)
	r.want(t, 4, "No entries.", "Not reached: Baton 2000002 (two): no route to host", "Missing: entries 4 to 9")
	for _, bad := range [][]string{{"--since", "yesterday"}, {"--limit", "0"}} {
		command(t, nil, append([]string{"history", "--socket", socket}, bad...)...).want(t, 2, bad[0])
	}
	n.err = admin.Unreachable("no disk")
	command(t, nil, "history", "--socket", socket).want(t, 5, "no disk")
	command(t, nil, "history", "--socket", "/none").want(t, 5, "no running Baton answers")
}

func TestWhy(t *testing.T) {
	n := &fakeNode{answer: recorded()}
	socket := serve(t, n)
	for _, o := range outputs {
		r := command(t, nil, "why", "orders-3", "--socket", socket, "-o", o)
		r.want(t, 0)
		golden(t, "why-"+o, r.out)
	}
	if f := n.filter; f.Topic != "orders" || *f.Partition != 3 || !f.Tellings || !f.Until.IsZero() {
		t.Errorf("asked for %+v", f)
	}
	r := command(t, nil, "why", "orders-3", "--socket", socket, "--at", "2024-05-06T03:00:05Z")
	r.want(t, 0, "leader 2, ISR 2,3, leader epoch 5")
	if strings.Contains(r.out, "Its ISR") || n.filter.Until.IsZero() {
		t.Errorf("what came later is in it: %s", r.out)
	}
	command(t, nil, "why", "orders-3", "--socket", socket, "--at", "2024-05-06T03:00:00Z").want(t, 1, "nothing is known", "no journal that could be asked")
	n.answer.Unreached = []string{"Baton 2000002 (two): no route to host"}
	command(t, nil, "why", "orders-3", "--socket", socket).want(t, 4, "leader 2", "Not reached: Baton 2000002 (two)")
	n.answer = entry.Answer{}
	command(t, nil, "why", "orders-4", "--socket", socket).want(t, 1, "no journal that could be asked has a decision about orders-4")
	command(t, nil, "why", "orders", "--socket", socket).want(t, 2, "TOPIC-NUMBER")
	command(t, nil, "why", "orders-3", "--socket", socket, "--at", "noon").want(t, 2, "--at")
	command(t, nil, "why", "--socket", socket).want(t, 2)
}
