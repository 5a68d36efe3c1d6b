package planner

// uncleanOf is Kafka's rule: the topic's own setting, else the cluster's dynamic default, else
// the static one (04.4). What cannot be understood does not allow it. who says so.
func (m *Machine) uncleanOf(c TopicConfigRead) (allowed bool, who string) {
	switch {
	case c.Bad != "":
		return false, "the topic's configuration, which cannot be understood"
	case c.Unclean != nil:
		return *c.Unclean, "the topic's configuration"
	case m.uncleanDynamic != nil:
		return *m.uncleanDynamic, "the cluster's dynamic default"
	}
	return m.uncleanDefault(), "this Baton's configuration"
}

// uncleanDefault is what goes for a topic that says nothing itself.
func (m *Machine) uncleanDefault() bool {
	if m.uncleanDynamic != nil {
		return *m.uncleanDynamic
	}
	return m.set.UncleanElection && len(m.unreadable[scopeDefaults]) == 0
}

// defaultsChanged takes in the cluster's dynamic default. Where it can no longer be
// understood nobody knows what it says, and so it allows nothing.
func (m *Machine) defaultsChanged(e DefaultsChanged) {
	var bad []Bad
	if e.Bad != "" {
		bad = []Bad{{scopeDefaults, e.Bad}}
	}
	m.setUnreadable(scopeDefaults, bad)
	m.uncleanDynamic = e.Unclean
	if m.uncleanDefault() {
		m.touchLeaderless()
	}
}
