package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// AssignmentChange is one content that a topic's znode has had.
type AssignmentChange struct {
	Zxid       int64
	TopicID    string
	Partitions map[string][]int
	Deleted    bool
}

// Names says whether a broker is among the replicas of any partition.
func (a AssignmentChange) Names(id int) bool {
	for _, replicas := range a.Partitions {
		if slices.Contains(replicas, id) {
			return true
		}
	}
	return false
}

// Assignments returns every content of each topic's znode, without those that cannot be read.
func (h *History) Assignments() map[string][]AssignmentChange {
	all := map[string][]AssignmentChange{}
	for _, c := range h.Changes {
		topic, ok := strings.CutPrefix(c.Path, "/brokers/topics/")
		if !ok || strings.Contains(topic, "/") {
			continue
		}
		v := struct {
			TopicID    string           `json:"topic_id"`
			Partitions map[string][]int `json:"partitions"`
		}{}
		if c.Op != Delete && json.Unmarshal(c.Data, &v) != nil {
			continue
		}
		all[topic] = append(all[topic], AssignmentChange{c.Zxid, v.TopicID, v.Partitions, c.Op == Delete})
	}
	return all
}

// CheckNeverServed reports every state in which one of these ids was a partition's leader or in its ISR, and every
// topic that names one of them to the end.
func (h *History) CheckNeverServed(ids ...int) error {
	var errs []error
	for p, states := range h.Partitions() {
		for _, s := range states {
			if s.Err == nil && slices.ContainsFunc(ids, func(id int) bool { return s.Leader == id || slices.Contains(s.ISR, id) }) {
				errs = append(errs, fmt.Errorf("%s was on one of %v: %s", p, ids, s))
			}
		}
	}
	for topic, changes := range h.Assignments() {
		if last := changes[len(changes)-1]; slices.ContainsFunc(ids, last.Names) {
			errs = append(errs, fmt.Errorf("topic %s stays on one of %v: %v", topic, ids, last.Partitions))
		}
	}
	return errors.Join(errs...)
}
