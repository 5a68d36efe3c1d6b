package sequence

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// generator draws operations. Most are valid; the others have to be refused in the same words by either controller.
type generator struct {
	*rand.Rand
	model *Model
	seed  uint64
	lives int // broker processes that may still be ended
	born  int // topics that were created
	gone  []string
	left  map[string]bool // topics of which a broker that is away may keep a log it is none of the replicas of any more
}

const (
	maxTopics     = 4
	maxDown       = 2
	maxPartitions = 6
)

// Generate makes the operations of a seed for a cluster with these brokers. Every second seed ends the process of a broker, some
// end two, because bringing one back takes longer than everything else.
func Generate(seed uint64, brokers ...int32) []Op {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 5)), model: NewModel(brokers...), seed: seed, left: map[string]bool{}}
	n := 10 + g.IntN(6)
	breaks := map[int]bool{}
	if seed%2 == 0 {
		g.lives = 1 + g.IntN(2)
		for range g.lives {
			breaks[2+g.IntN(n-4)] = true
		}
	}
	var ops []Op
	take := func(o Op) {
		o.Touches = g.model.touches(o)
		g.model.Apply(o)
		ops = append(ops, o)
	}
	take(g.create())
	take(g.create())
	for i := 2; i < n; i++ {
		if o, ok := g.next(breaks[i]); ok {
			take(o)
		}
	}
	return append(ops, g.model.Heal()...)
}

// choice is a kind of operation and how often it is drawn; draw says no where there is nothing to do it to.
type choice struct {
	weight int
	draw   func() (Op, bool)
}

func (g *generator) next(breaks bool) (Op, bool) {
	// Most of the time there is nothing to be cancelled.
	choices := []choice{
		{5, g.mayCreate}, {4, g.addPartitions}, {4, g.delete}, {9, g.reassign}, {20, g.cancel}, {4, g.electPreferred}, {3, g.electUnclean},
		{5, g.topicConfig}, {2, g.defaultConfig}, {1, g.brokerConfig}, {6, g.invalid}, {2, g.boot},
	}
	if breaks {
		choices = []choice{{4, g.reassignAndKill}, {2, g.ending(Kill)}, {3, g.ending(ShutDown)}, {3, g.ending(Restart)}}
	}
	for range 50 {
		if o, ok := g.draw(choices); ok {
			return o, true
		}
	}
	return Op{}, false
}

func (g *generator) draw(choices []choice) (Op, bool) {
	sum := 0
	for _, c := range choices {
		sum += c.weight
	}
	n := g.IntN(sum)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			return c.draw()
		}
	}
	panic("the weights do not add up")
}

// some are n of these brokers, in any order.
func (g *generator) some(n int, of []int32) []int32 {
	out := slices.Clone(of)
	g.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(n, len(out))]
}

func pick[T any](g *generator, of []T) T { return of[g.IntN(len(of))] }

func (g *generator) assignment(partitions, replicas int, of []int32) (out [][]int32) {
	for range partitions {
		out = append(out, g.some(replicas, of))
	}
	return out
}

func setting(name, value string) Setting { return Setting{name, &value} }

func (g *generator) create() Op {
	o := Op{Kind: Create, Topic: fmt.Sprintf("s%d-%c", g.seed, 'a'+g.born)}
	if len(g.gone) > 0 && g.IntN(2) == 0 { // a topic of a deleted one's name
		o.Topic, g.gone = g.gone[0], g.gone[1:]
	} else {
		g.born++
	}
	of := g.model.live()
	if g.IntN(3) == 0 { // Kafka takes replicas on dead brokers, if the assignment is manual
		of = g.model.Brokers
	}
	o.Assignment = g.assignment(1+g.IntN(3), 1+g.IntN(3), of)
	o.Waits = slices.ContainsFunc(o.Assignment, func(replicas []int32) bool { return len(g.model.alive(replicas)) == 0 }) // for a leader
	switch g.IntN(4) {
	case 0:
		o.Settings = []Setting{setting("retention.ms", "86400000"), setting("cleanup.policy", "compact,delete")}
	case 1:
		o.Settings = []Setting{setting(unclean, fmt.Sprint(g.IntN(2) == 0))}
	}
	return o
}

func (g *generator) mayCreate() (Op, bool) {
	if len(g.model.topics) >= maxTopics {
		return Op{}, false
	}
	return g.create(), true
}

// quiet are topics without a reassignment in progress.
func (g *generator) quiet() []string {
	return slices.DeleteFunc(g.model.names(), func(name string) bool {
		return slices.ContainsFunc(g.model.topics[name].partitions, func(p partition) bool { return p.target != nil })
	})
}

func (g *generator) addPartitions() (Op, bool) {
	names := slices.DeleteFunc(g.quiet(), func(name string) bool { return len(g.model.topics[name].partitions) >= maxPartitions })
	if len(names) == 0 {
		return Op{}, false
	}
	o := Op{Kind: AddPartitions, Topic: pick(g, names)}
	t := g.model.topics[o.Topic]
	// Kafka compares with the first partition's replicas.
	replicas := len(t.partitions[0].replicas)
	if replicas > len(g.model.live()) {
		return Op{}, false
	}
	o.Assignment = g.assignment(1+g.IntN(2), replicas, g.model.live())
	o.Count = int32(len(t.partitions) + len(o.Assignment))
	return o, true
}

func (g *generator) delete() (Op, bool) {
	// Kafka's brokers do not know a topic of which no partition was ever led, so they refuse to delete it; Baton does not.
	names := slices.DeleteFunc(g.model.names(), func(name string) bool {
		return !slices.ContainsFunc(g.model.topics[name].partitions, func(p partition) bool { return p.isr != nil })
	})
	if len(names) < 2 {
		return Op{}, false
	}
	o := Op{Kind: Delete, Topic: pick(g, names), ByID: g.IntN(2) == 0}
	// A new topic of that name never gets in sync on a broker that comes back with a log of the old one: Kafka's own controller,
	// unlike Baton, has told it nothing.
	if !g.left[o.Topic] && !slices.ContainsFunc(g.model.topics[o.Topic].partitions, func(p partition) bool { return g.model.anyDown(p.replicas) }) {
		g.gone = append(g.gone, o.Topic)
	}
	return o, true
}

// led are partitions with a leader that was there before the reassignment in progress, if there is one.
func (g *generator) led(busy bool) []ID {
	return g.model.ids(func(_ ID, p *partition) bool {
		return (p.target != nil) == busy && slices.ContainsFunc(p.isr, func(b int32) bool {
			return !g.model.down[b] && slices.Contains(p.origin, b)
		})
	})
}

func (g *generator) chosen(of []ID, most int) []ID {
	g.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	of = of[:min(1+g.IntN(most), len(of))]
	slices.SortFunc(of, compareIDs)
	return of
}

func (g *generator) reassign() (Op, bool) {
	of := g.led(g.IntN(4) == 0) // sometimes instead of what is in progress
	if len(of) == 0 {
		return Op{}, false
	}
	o := Op{Kind: Reassign}
	for _, id := range g.chosen(of, 3) {
		if g.model.anyDown(g.model.partition(id).replicas) {
			g.left[id.Topic] = true
		}
		o.Moves = append(o.Moves, Move{id, g.some(1+g.IntN(3), g.model.live())})
	}
	return o, true
}

// reassignAndKill moves partitions to a broker that has none of them.
func (g *generator) reassignAndKill() (Op, bool) {
	b, ok := g.victim()
	if !ok {
		return Op{}, false
	}
	of := slices.DeleteFunc(g.led(false), func(id ID) bool { return slices.Contains(g.model.partition(id).replicas, b) })
	if len(of) == 0 {
		return Op{}, false
	}
	o := Op{Kind: ReassignAndKill, Broker: b}
	others := slices.DeleteFunc(g.model.live(), func(x int32) bool { return x == b })
	for _, id := range g.chosen(of, 3) {
		g.left[id.Topic] = true
		to := append(g.some(g.IntN(3), others), b)
		g.Shuffle(len(to), func(i, j int) { to[i], to[j] = to[j], to[i] })
		o.Moves = append(o.Moves, Move{id, to})
	}
	return o, true
}

func (g *generator) cancel() (Op, bool) {
	of := g.led(true)
	if len(of) == 0 {
		return Op{}, false
	}
	o := Op{Kind: Cancel}
	for _, id := range g.chosen(of, 2) {
		o.Moves = append(o.Moves, Move{ID: id})
	}
	return o, true
}

// victim is a broker whose process may be ended.
func (g *generator) victim() (int32, bool) {
	if g.lives == 0 || len(g.model.down) >= maxDown {
		return 0, false
	}
	return pick(g, g.model.live()), true
}

func (g *generator) ending(kind Kind) func() (Op, bool) {
	return func() (Op, bool) {
		b, ok := g.victim()
		return Op{Kind: kind, Broker: b}, ok
	}
}

func (g *generator) boot() (Op, bool) {
	dead := g.model.dead()
	if len(dead) == 0 {
		return Op{}, false
	}
	return Op{Kind: Boot, Broker: pick(g, dead)}, true
}

// elected are partitions to elect for, all of them now and then.
func (g *generator) elected(kind Kind) (Op, bool) {
	o := Op{Kind: kind}
	if g.IntN(3) == 0 {
		return o, true
	}
	of := g.model.ids(func(ID, *partition) bool { return true })
	if len(of) == 0 {
		return o, false
	}
	o.Partitions = g.chosen(of, 4)
	return o, true
}

func (g *generator) electPreferred() (Op, bool) { return g.elected(ElectPreferred) }

func (g *generator) electUnclean() (Op, bool) { return g.elected(ElectUnclean) }

func (g *generator) topicConfig() (Op, bool) {
	names := g.model.names()
	if len(names) == 0 {
		return Op{}, false
	}
	return Op{Kind: TopicConfig, Topic: pick(g, names), Settings: g.settings()}, true
}

func (g *generator) settings() []Setting {
	return pick(g, [][]Setting{
		{setting(unclean, "true")}, {setting(unclean, "false")}, {{Name: unclean}}, {setting("retention.ms", "3600000"), setting("max.message.bytes", "2000")},
		{{Name: "retention.ms"}, setting("min.insync.replicas", "2")}, {setting("cleanup.policy", "compact")},
	})
}

func (g *generator) defaultConfig() (Op, bool) {
	return Op{Kind: DefaultConfig, Settings: pick(g, [][]Setting{{setting(unclean, "true")}, {{Name: unclean}}, {setting("log.cleaner.threads", "2")}})}, true
}

func (g *generator) brokerConfig() (Op, bool) {
	return Op{Kind: BrokerConfig, Broker: pick(g, g.model.live()), Settings: []Setting{setting("follower.replication.throttled.rate", "100000000")}}, true
}
