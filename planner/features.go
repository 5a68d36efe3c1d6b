package planner

const scopeFeature = "/feature"

// enableFeatures makes sure of /feature (08.8). There is nothing in it: no broker that uses
// ZooKeeper supports a feature, and one that finds a feature finalized ends itself.
func (m *Machine) enableFeatures() {
	if m.set.FeatureVersion == 0 {
		return
	}
	m.write(EnableFeatures{Version: m.set.FeatureVersion}, func(r Result) {
		m.setUnreadable(scopeFeature, r.Bad)
		if r.Outcome == Failed {
			m.note(Note{Kind: NoteWriteFailed, Broker: -1, Text: scopeFeature + ": " + r.Reason})
		}
	})
}
