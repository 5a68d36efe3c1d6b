package planner

import (
	"slices"
	"strings"
)

// Scopes of what cannot be understood: each is reported as a whole. Topics and partition
// states are kept with the topic.
const (
	scopeBrokers     = "/brokers/ids"
	scopeWork        = "/admin"
	scopeBatons      = "/baton/ids"
	scopeLogDirs     = "/log_dir_event_notification"
	scopeISRChanges  = "/isr_change_notification"
	scopeProducerIDs = "/latest_producer_id_block"
	scopeConfig      = "/config/topics/" // and the topic
	scopeDefaults    = "/config/brokers/<default>"
	scopeQuotas      = "/config/users, /config/clients"
	scopePreferred   = "/admin/preferred_replica_election"
)

// setUnreadable replaces what cannot be understood in a scope and names what is new.
func (m *Machine) setUnreadable(scope string, now []Bad) {
	before := m.unreadable[scope]
	for _, b := range now {
		if !slices.Contains(before, b) {
			m.bad(b.Path, b.Reason)
		}
	}
	if len(now) == 0 {
		delete(m.unreadable, scope)
		return
	}
	m.unreadable[scope] = now
}

// rereadConfigs asks again for topic configurations that could not be understood: one
// that may not be read cannot be watched either.
func (m *Machine) rereadConfigs() {
	for _, scope := range sortedNames(m.unreadable) {
		if topic, ok := strings.CutPrefix(scope, scopeConfig); ok {
			m.askConfig(topic)
		}
	}
}
