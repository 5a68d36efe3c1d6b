package sequence

import (
	"fmt"
	"slices"
	"strings"
)

// Settled says in words what of the model has not come about yet, in ZooKeeper or in what the live brokers say; nothing if all has.
func Settled(m *Model, s Snapshot) string {
	if missing := m.brokersSettled(s); missing != "" {
		return missing
	}
	for _, dir := range []string{topicsPath, "/config/topics", "/admin/delete_topics"} {
		for _, name := range s.children(dir) {
			t := m.topics[name]
			if t == nil || dir == "/admin/delete_topics" && !t.deleting {
				return dir + "/" + name + " is there"
			}
		}
	}
	for _, path := range []string{"/admin/reassign_partitions", "/admin/preferred_replica_election"} {
		if _, ok := s.Znodes[path]; ok {
			return path + " is there"
		}
	}
	for _, name := range m.names() {
		if missing := m.topicSettled(s, name); missing != "" {
			return missing
		}
	}
	return ""
}

func (m *Model) brokersSettled(s Snapshot) string {
	var ids []string
	for _, b := range m.live() {
		ids = append(ids, fmt.Sprint(b))
	}
	if have := s.children("/brokers/ids"); !slices.Equal(have, ids) {
		return fmt.Sprintf("registered are %v", have)
	}
	for _, b := range m.live() {
		v, ok := s.Views[b]
		if !ok {
			return fmt.Sprintf("broker %d has not answered", b)
		}
		if len(v.Brokers) != len(ids) || v.Controller != s.Holder {
			return fmt.Sprintf("broker %d knows of brokers %v and controller %d, which is %d", b, v.Brokers, v.Controller, s.Holder)
		}
		for name := range v.Topics {
			if t := m.topics[name]; t == nil || t.deleting {
				return fmt.Sprintf("broker %d still knows topic %s", b, name)
			}
		}
	}
	return ""
}

func (m *Model) topicSettled(s Snapshot, name string) string {
	t := m.topics[name]
	a, ok, err := s.assignment(name)
	if err != nil {
		return err.Error()
	}
	if !ok || len(a.Partitions) != len(t.partitions) {
		return fmt.Sprintf("%s has %d partitions", name, len(a.Partitions))
	}
	for n := range t.partitions {
		id := ID{name, int32(n)}
		if missing := m.partitionSettled(s, id, a); missing != "" {
			return fmt.Sprintf("%v: %s", id, missing)
		}
	}
	return ""
}

func (m *Model) partitionSettled(s Snapshot, id ID, a assignment) string {
	p := m.partition(id)
	replicas, moving := a.Partitions[id.Partition], len(a.Adding[id.Partition])+len(a.Removing[id.Partition]) > 0
	if !slices.Equal(replicas, p.replicas) || moving != (p.target != nil) {
		return fmt.Sprintf("it has replicas %v, being moved: %v", replicas, moving)
	}
	st, ok, err := s.state(id)
	switch {
	case err != nil:
		return err.Error()
	case ok != (p.isr != nil):
		return fmt.Sprintf("it has a state: %v", ok)
	case !ok:
		return ""
	case !sameSet(st.ISR, p.isr):
		return fmt.Sprintf("its ISR is %v, not %v", st.ISR, p.isr)
	case (st.Leader >= 0) != m.led(p) || m.down[st.Leader] || st.Leader >= 0 && !slices.Contains(st.ISR, st.Leader):
		return fmt.Sprintf("its leader is %d", st.Leader)
	}
	for b, v := range s.Views {
		seen, ok := v.Topics[id.Topic].Partitions[id.Partition]
		if !ok || seen.Leader != st.Leader || seen.Epoch != st.LeaderEpoch || !sameSet(seen.ISR, st.ISR) || !sameSet(seen.Replicas, replicas) {
			return fmt.Sprintf("broker %d says %+v, not %+v", b, seen, st)
		}
	}
	return ""
}

// Expected describes what is waited for, for whoever has to find out why it does not come.
func (m *Model) Expected() string {
	var b strings.Builder
	fmt.Fprintf(&b, "brokers down: %v\n", m.dead())
	for _, id := range m.ids(func(ID, *partition) bool { return true }) {
		p := m.partition(id)
		fmt.Fprintf(&b, "%v: replicas %v, target %v, ISR %v, led %v\n", id, p.replicas, p.target, p.isr, m.led(p))
	}
	return b.String()
}
