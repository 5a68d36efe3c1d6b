package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"baton/e2e/kafka"
)

// Both controllers play all scenarios on a small cluster, and end with the same states. How long they take is not judged.
func TestBothArriveAtTheSame(t *testing.T) {
	kafka.RequireJava(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	var all []result
	names := []string{"kafka", "baton"}
	for _, who := range contenders {
		if who.name == "tuned" {
			continue
		}
		if err := round(ctx, who, newLayout(500, 5), 100, func(r result) { all = append(all, r) }); err != nil {
			t.Fatalf("%s: %v", who.name, err)
		}
	}
	var text, picture bytes.Buffer
	if err := table(&text, all, names); err != nil {
		t.Fatal(err)
	}
	if err := plot(&picture, all, names); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	for _, k := range rows(all) {
		for _, n := range names {
			if _, ok := median(all, k, n, seconds); !ok {
				t.Errorf("%s has no figure for %s", n, k.scenario)
			}
		}
		if k.scenario != "memory" && !strings.Contains(k.scenario, ",") && !strings.Contains(picture.String(), ">"+k.scenario+",") {
			t.Errorf("%s is not in the plot", k.scenario)
		}
	}
}

func TestTold(t *testing.T) {
	l := newLayout(50, 5)
	a := &audience{layout: &l, stubs: []*stub{{id: 101}, {id: 102}}}
	g := &goal{name: "g", needs: func(broker int32, i int) (bool, bool) { return l.has(i, broker), i == 0 },
		met: func(_ int, h *heard) bool { return h.leader == 102 && !h.inSync(101) }}
	a.begin(0, g)
	if g.missing[0] != 31 || g.missing[1] != 31 { // three of five partitions each, and one in the metadata
		t.Fatal(g.missing)
	}
	at := time.Now()
	hear := func(n, kind, i int, leader int32, isr ...int32) {
		a.hear(n, kind, at, topicName(0), int32(i), heard{leader: leader}, isr, []*goal{g})
	}
	hear(0, 1, 0, 101, 101, 102) // the state of before
	hear(0, 1, 0, 102, 101, 102)
	if g.missing[0] != 31 {
		t.Error("taken for the goal:", g.missing)
	}
	hear(0, 1, 0, 102, 102)
	hear(0, 1, 0, 102, 102)
	if g.missing[0] != 30 || !g.first.Equal(at) {
		t.Error("not taken for it:", g.missing)
	}
	for n := range a.stubs {
		for i := range l.partitions {
			hear(n, 0, i, 102, 102)
			hear(n, 1, i, 102, 102)
		}
	}
	if progress([]*goal{g}) != "" || !g.last().Equal(at) {
		t.Error(progress([]*goal{g}), g.at)
	}
}

func TestLayout(t *testing.T) {
	l := newLayout(100, 7)
	for i := range l.partitions {
		for _, b := range l.brokers {
			named := false
			for _, r := range l.replicas(i) {
				named = named || r == b
			}
			if l.has(i, b) != named {
				t.Fatalf("partition %d on %v: %d", i, l.replicas(i), b)
			}
		}
		if at, ok := l.index(topicName(i/perTopic), int32(i%perTopic)); at != i || !ok {
			t.Fatal(i, at, ok)
		}
	}
	l.created, l.manyFrom = 30, 110
	for _, c := range []struct {
		topic  string
		number int32
		want   int
		ok     bool
	}{{oneTopic, 3, 103, true}, {manyPrefix + "00004", 0, 114, true}, {manyPrefix + "00020", 0, 130, false}, {"__consumer_offsets", 1, 0, false}} {
		if at, ok := l.index(c.topic, c.number); ok != c.ok || ok && at != c.want {
			t.Errorf("%s-%d: %d, %v", c.topic, c.number, at, ok)
		}
	}
}
