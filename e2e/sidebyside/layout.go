package main

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	perTopic = 50
	factor   = 3
	// firstStub is the id of the first stub broker; the real one, idle or the controller, is 1.
	firstStub = 101
)

// layout is which replicas there are. Partitions are numbered through, those of topics that a scenario creates behind the
// others, so that all that is known of them fits into slices.
type layout struct {
	partitions int     // when the scenarios begin
	brokers    []int32 // the stubs
	created    int     // partitions that scenarios have created
	manyFrom   int     // the first of those that are topics of their own
}

func newLayout(partitions, stubs int) layout {
	l := layout{partitions: partitions}
	for i := range stubs {
		l.brokers = append(l.brokers, int32(firstStub+i))
	}
	return l
}

func (l *layout) total() int { return l.partitions + l.created }

// replicas of a partition: round robin, so every stub leads as much and follows as much as another.
func (l *layout) replicas(i int) []int32 {
	out := make([]int32, factor)
	for r := range out {
		out[r] = l.brokers[(i+r)%len(l.brokers)]
	}
	return out
}

func (l *layout) has(i int, broker int32) bool {
	at := int(broker) - firstStub - i%len(l.brokers)
	if at < 0 {
		at += len(l.brokers)
	}
	return at < factor
}

func topicName(n int) string { return fmt.Sprintf("base-%05d", n) }

// Topics that scenarios create.
const (
	oneTopic   = "one"
	manyPrefix = "many-"
)

// index finds a partition by its name; false for those that are none of ours.
func (l *layout) index(topic string, number int32) (int, bool) {
	kind, n, _ := strings.Cut(topic, "-")
	at, _ := strconv.Atoi(n)
	i := 0
	switch kind {
	case "base":
		i = at*perTopic + int(number)
	case oneTopic:
		i = l.partitions + int(number)
	case "many":
		i = l.manyFrom + at
	default:
		return 0, false
	}
	return i, i < l.total()
}
