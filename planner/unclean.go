package planner

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
