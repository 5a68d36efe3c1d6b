package sequence

import (
	"maps"
	"slices"
)

const unclean = "unclean.leader.election.enable"

// Model is what a cluster has to be like after the operations so far. It knows everything but who leads.
type Model struct {
	Brokers  []int32
	down     map[int32]bool
	topics   map[string]*topic
	defaults map[string]string // of all brokers
	settings map[int32][]string
}

type topic struct {
	partitions []partition
	config     map[string]string
	deleting   bool // until all its brokers are there
}

type partition struct {
	replicas []int32
	origin   []int32 // those before the reassignment in progress
	target   []int32 // of the reassignment that a dead broker holds up, nil for none
	isr      []int32 // nil before the first election
}

// NewModel is a cluster with these brokers and nothing else.
func NewModel(brokers ...int32) *Model {
	return &Model{Brokers: brokers, down: map[int32]bool{}, topics: map[string]*topic{}, defaults: map[string]string{},
		settings: map[int32][]string{}}
}

func (m *Model) live() (out []int32) {
	for _, b := range m.Brokers {
		if !m.down[b] {
			out = append(out, b)
		}
	}
	return out
}

func (m *Model) dead() []int32 { return slices.Sorted(maps.Keys(m.down)) }

func (m *Model) anyDown(brokers []int32) bool {
	return slices.ContainsFunc(brokers, func(b int32) bool { return m.down[b] })
}

// names are the topics that are not being deleted.
func (m *Model) names() (out []string) {
	for _, name := range slices.Sorted(maps.Keys(m.topics)) {
		if !m.topics[name].deleting {
			out = append(out, name)
		}
	}
	return out
}

func (m *Model) partition(id ID) *partition { return &m.topics[id.Topic].partitions[id.Partition] }

// ids are the partitions for which ok says yes, of topics that are not being deleted.
func (m *Model) ids(ok func(ID, *partition) bool) (out []ID) {
	for _, name := range m.names() {
		for n := range m.topics[name].partitions {
			if id := (ID{name, int32(n)}); ok(id, m.partition(id)) {
				out = append(out, id)
			}
		}
	}
	return out
}

// mayElectUnclean says whether replicas outside of the ISR may lead the topic: its own setting, or the default.
func (m *Model) mayElectUnclean(t *topic) bool {
	if v, ok := t.config[unclean]; ok {
		return v == "true"
	}
	return m.defaults[unclean] == "true"
}

// Apply follows an operation.
func (m *Model) Apply(o Op) {
	if o.Invalid != "" {
		return
	}
	switch o.Kind {
	case Create:
		t := &topic{config: map[string]string{}}
		m.topics[o.Topic] = t
		t.add(o.Assignment)
		apply(t.config, o.Settings)
	case AddPartitions:
		m.topics[o.Topic].add(o.Assignment)
	case Delete:
		m.topics[o.Topic].deleting = true
	case Reassign, ReassignAndKill:
		for _, move := range o.Moves {
			m.partition(move.ID).reassign(move.To)
		}
		if o.Kind == ReassignAndKill {
			m.down[o.Broker] = true
		}
	case Cancel:
		for _, move := range o.Moves {
			p := m.partition(move.ID)
			left := p.before()
			p.replicas, p.origin, p.target, p.isr = left, left, nil, m.alive(left)
		}
	case Kill, ShutDown:
		m.down[o.Broker] = true
	case Boot:
		delete(m.down, o.Broker)
	case TopicConfig:
		apply(m.topics[o.Topic].config, o.Settings)
	case DefaultConfig:
		apply(m.defaults, o.Settings)
	case BrokerConfig:
		for _, s := range o.Settings {
			m.settings[o.Broker] = append(m.settings[o.Broker], s.Name)
		}
	case ElectUnclean:
		for _, id := range m.ids(func(id ID, _ *partition) bool { return o.Partitions == nil || slices.Contains(o.Partitions, id) }) {
			if p := m.partition(id); !m.led(p) && len(m.alive(p.replicas)) > 0 {
				p.isr = m.alive(p.replicas)
			}
		}
	case Restart, ElectPreferred: // change who leads, and nothing that is known here
	}
	m.goOn()
}

func (m *Model) alive(brokers []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(brokers), func(b int32) bool { return m.down[b] })
}

// led says whether a member of the ISR is there to lead.
func (m *Model) led(p *partition) bool { return len(m.alive(p.isr)) > 0 }

func (t *topic) add(assignment [][]int32) {
	for _, replicas := range assignment {
		t.partitions = append(t.partitions, partition{replicas: replicas, origin: replicas})
	}
}

// before are the replicas from before the reassignment in progress, in the order that they have now.
func (p *partition) before() []int32 {
	return slices.DeleteFunc(slices.Clone(p.replicas), func(b int32) bool { return !slices.Contains(p.origin, b) })
}

// reassign: the target comes first, then the replicas that were there before.
func (p *partition) reassign(to []int32) {
	p.origin = p.before()
	p.target, p.replicas = to, union(to, p.origin)
}

func apply(config map[string]string, settings []Setting) {
	for _, s := range settings {
		if s.Value == nil {
			delete(config, s.Name)
		} else {
			config[s.Name] = *s.Value
		}
	}
}

// goOn ends what nothing holds up any more.
func (m *Model) goOn() {
	for name, t := range m.topics {
		for i := range t.partitions {
			p := &t.partitions[i]
			// Whoever is there catches up. The last member of an ISR stays in it when it goes.
			if m.led(p) || p.isr == nil || m.mayElectUnclean(t) {
				if now := m.alive(p.replicas); len(now) > 0 {
					p.isr = now
				}
			}
			// A new order of the same replicas is nothing that has to be caught up with.
			if p.target != nil && (m.led(p) && !m.anyDown(p.target) || sameSet(p.target, p.origin)) {
				p.replicas, p.origin, p.target = p.target, p.target, nil
				if m.led(p) {
					p.isr = m.alive(p.replicas)
				}
			}
		}
		if t.deleting && !slices.ContainsFunc(t.partitions, func(p partition) bool { return m.anyDown(p.replicas) }) {
			delete(m.topics, name)
		}
	}
}

// touches are the partitions that an operation moves, those that are in the middle of a move when a broker comes or goes, and when the
// controller may go those without a leader and those that it may lead itself.
func (m *Model) touches(o Op) (out []Touch) {
	if o.Invalid != "" {
		return nil
	}
	switch o.Kind {
	case Reassign, ReassignAndKill, Cancel:
		for _, move := range o.Moves {
			p, to := m.partition(move.ID), move.To
			if o.Kind == Cancel {
				to = p.origin
			}
			touch := Touch{ID: move.ID, Removed: len(union(to, p.replicas)) - len(to)}
			if p.target == nil && slices.Equal(to, p.replicas) {
				touch.Again = 1
			}
			out = append(out, touch)
		}
	}
	for _, id := range m.ids(func(ID, *partition) bool { return true }) {
		again, p := 0, m.partition(id)
		if o.Kind == Kill && len(p.isr) > 1 && slices.Contains(p.isr, o.Broker) {
			again++ // it may be the leader
		}
		switch o.Kind {
		case ReassignAndKill, Kill, ShutDown, Restart:
			if p.target != nil {
				again++
			}
			if p.isr != nil && !m.led(p) {
				again++
			}
		}
		if (o.Kind == Boot || o.Kind == Restart) && slices.Contains(p.target, o.Broker) {
			again++
		}
		if again > 0 {
			out = append(out, Touch{ID: id, Again: again})
		}
	}
	return out
}

// Heal brings everything up again.
func (m *Model) Heal() (ops []Op) {
	for _, b := range m.dead() {
		o := Op{Kind: Boot, Broker: b}
		o.Touches = m.touches(o)
		m.Apply(o)
		ops = append(ops, o)
	}
	return ops
}

// CleanUp leaves nothing of a healed cluster's topics and settings.
func (m *Model) CleanUp() (ops []Op) {
	for _, name := range m.names() {
		ops = append(ops, Op{Kind: Delete, Topic: name})
	}
	ops = append(ops, Op{Kind: DefaultConfig, Settings: without(slices.Sorted(maps.Keys(m.defaults)))})
	for _, b := range slices.Sorted(maps.Keys(m.settings)) {
		slices.Sort(m.settings[b])
		ops = append(ops, Op{Kind: BrokerConfig, Broker: b, Settings: without(slices.Compact(m.settings[b]))})
	}
	return slices.DeleteFunc(ops, func(o Op) bool { return o.Kind != Delete && len(o.Settings) == 0 })
}

func without(names []string) (out []Setting) {
	for _, n := range names {
		out = append(out, Setting{Name: n})
	}
	return out
}

func union(a, b []int32) []int32 {
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

func sameSet(a, b []int32) bool { return slices.Equal(sorted(a), sorted(b)) }

func sorted(a []int32) []int32 { return slices.Sorted(slices.Values(a)) }
