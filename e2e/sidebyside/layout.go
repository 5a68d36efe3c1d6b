package main

import (
	"bytes"
	"fmt"
	"strconv"
)

const (
	perTopic = 50
	factor   = 3
	// firstStub is the id of the first stub broker; the real one, idle or the controller, is 1.
	firstStub = 101
)

// span is a row of topics of the same shape, whose partitions are numbered through.
type span struct {
	kind   string // what their names begin with
	from   int    // number of the first partition
	topics int
	per    int // partitions of each
}

func (s *span) topic(n int) string { return fmt.Sprintf("%s-%07d", s.kind, n) }

func (s *span) end() int { return s.from + s.topics*s.per }

// layout is which replicas there are. Partitions are numbered through, those of topics that a scenario creates behind the
// others, so that all that is known of them fits into slices.
type layout struct {
	partitions int     // when the scenarios begin
	brokers    []int32 // the stubs
	spans      []span  // the first one is there when the scenarios begin
}

func newLayout(partitions, stubs int) *layout {
	l := &layout{partitions: partitions, spans: []span{{"base", 0, partitions / perTopic, perTopic}}}
	for i := range stubs {
		l.brokers = append(l.brokers, int32(firstStub+i))
	}
	return l
}

func (l *layout) total() int { return l.spans[len(l.spans)-1].end() }

// grow adds topics that a scenario creates.
func (l *layout) grow(kind string, topics, per int) span {
	s := span{kind, l.total(), topics, per}
	l.spans = append(l.spans, s)
	return s
}

// spot is a partition's topic and its number there.
func (l *layout) spot(i int) (topic string, number int) {
	for n := range l.spans {
		if s := &l.spans[n]; i < s.end() {
			return s.topic((i - s.from) / s.per), (i - s.from) % s.per
		}
	}
	panic(fmt.Sprintf("partition %d of %d", i, l.total())) // a mistake of a scenario
}

// replicas of a partition: round robin, so every stub leads as much and follows as much as another.
func (l *layout) replicas(i int) []int32 {
	out := make([]int32, factor)
	for r := range out {
		out[r] = l.brokers[(i+r)%len(l.brokers)]
	}
	return out
}

func (l *layout) first(i int) int32 { return l.brokers[i%len(l.brokers)] }

func (l *layout) has(i int, broker int32) bool {
	at := int(broker) - firstStub - i%len(l.brokers)
	if at < 0 {
		at += len(l.brokers)
	}
	return at < factor
}

// find returns the number of a topic's first partition, and how many it has; none for a topic that is not ours.
func (l *layout) find(topic []byte) (from, n int) {
	kind, number, ok := bytes.Cut(topic, []byte("-"))
	at, err := strconv.Atoi(string(number))
	if !ok || err != nil {
		return 0, 0
	}
	for i := range l.spans {
		if s := &l.spans[i]; s.kind == string(kind) && at < s.topics {
			return s.from + at*s.per, s.per
		}
	}
	return 0, 0
}
