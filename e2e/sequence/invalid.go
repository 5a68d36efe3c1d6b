package sequence

import (
	"slices"
	"strings"
)

// nobody is a broker that does not exist.
const nobody = 77

// invalid draws an operation that has to be refused. A topic whose partition has no replicas is not among them: Kafka's controller
// takes it, and its auto rebalance then fails for ever (docs/defects.md).
func (g *generator) invalid() (Op, bool) {
	names := g.quiet()
	if len(names) == 0 {
		return Op{}, false
	}
	topic := pick(g, names)
	t := g.model.topics[topic]
	next, live := int32(len(t.partitions)), g.model.live()
	known, missing := ID{topic, 0}, ID{topic, next + 7}
	add := func(why string, count int32, assignment ...[]int32) Op {
		return Op{Kind: AddPartitions, Invalid: why, Topic: topic, Count: count, Assignment: assignment}
	}
	create := func(why, name string, assignment ...[]int32) Op {
		return Op{Kind: Create, Invalid: why, Topic: name, Assignment: assignment}
	}
	move := func(why string, id ID, to ...int32) Op {
		return Op{Kind: Reassign, Invalid: why, Moves: []Move{{id, to}}}
	}
	full := g.some(len(t.partitions[0].replicas), live)
	ops := []Op{
		create("it exists", topic, []int32{live[0]}),
		create("not a name", "no/name", []int32{live[0]}),
		create("too long a name", strings.Repeat("x", 250), []int32{live[0]}),
		create("a replica twice", "s-none", []int32{live[0], live[0]}),
		create("different numbers of replicas", "s-none", []int32{live[0]}, []int32{live[1], live[0]}),
		create("a directory's name", "..", []int32{live[0]}),
		{Kind: Create, Invalid: "not a number", Topic: "s-none", Assignment: [][]int32{{live[0]}}, Settings: []Setting{setting("retention.ms", "long")}},
		{Kind: Create, Invalid: "unknown setting", Topic: "s-none", Assignment: [][]int32{{live[0]}}, Settings: []Setting{setting("no.such.thing", "1")}},
		add("as many as there are", next),
		add("fewer than there are", max(1, next-1)),
		add("not as many as assigned", next+2, full),
		add("an unknown broker", next+1, append(slices.Clone(full[1:]), nobody)),
		add("a replica twice", next+1, []int32{live[0], live[0]}),
		{Kind: AddPartitions, Invalid: "unknown topic", Topic: "s-none", Count: 3, Assignment: [][]int32{{live[0]}}},
		{Kind: Delete, Invalid: "unknown topic", Topic: "s-none"},
		{Kind: Delete, Invalid: "unknown id", Topic: "s-none", ByID: true},
		move("a replica twice", known, live[0], live[0]),
		move("an unknown broker", known, live[0], nobody),
		move("a negative broker", known, live[0], -3),
		move("unknown partition", missing, live[0]),
		move("unknown topic", ID{"s-none", 0}, live[0]),
		{Kind: Cancel, Invalid: "nothing is in progress", Moves: []Move{{ID: known}}},
		{Kind: Cancel, Invalid: "unknown partition", Moves: []Move{{ID: missing}}},
		{Kind: ElectPreferred, Invalid: "unknown partition", Partitions: []ID{missing}},
		{Kind: ElectUnclean, Invalid: "unknown topic", Partitions: []ID{{"s-none", 0}}},
		{Kind: TopicConfig, Invalid: "unknown topic", Topic: "s-none", Settings: []Setting{setting("retention.ms", "1000")}},
		{Kind: TopicConfig, Invalid: "not a policy", Topic: topic, Settings: []Setting{setting("cleanup.policy", "burn")}},
		{Kind: DefaultConfig, Invalid: "not to be changed", Settings: []Setting{setting("broker.id", "9")}},
	}
	for _, b := range g.model.dead() {
		if !slices.Contains(t.partitions[0].replicas, b) {
			ops = append(ops, move("a dead broker", known, live[0], b))
		}
	}
	return pick(g, ops), true
}
