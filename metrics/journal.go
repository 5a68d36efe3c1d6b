package metrics

// Journal is how the journal is doing; it is a journal.Metrics.
type Journal struct{ s *Set }

// Journal returns the part of the metrics that the journal tells.
func (s *Set) Journal() Journal { return Journal{s} }

// Written counts entries.
func (j Journal) Written(entries int) { j.s.own.journalEntries.Add(float64(entries)) }

// Dropped counts what is not in the journal.
func (j Journal) Dropped(items int) { j.s.own.journalDropped.Add(float64(items)) }

// Failing says whether the journal cannot be written.
func (j Journal) Failing(failing bool) { j.s.own.journalFailing.Set(bit(failing)) }

// Size is what the journals take on disk, in bytes.
func (j Journal) Size(own, copies int64) {
	j.s.own.journalBytes.WithLabelValues("own").Set(float64(own))
	j.s.own.journalBytes.WithLabelValues("copies").Set(float64(copies))
}

// Uncopied is the number of live Batons whose journal cannot be copied now.
func (j Journal) Uncopied(members int) { j.s.own.journalUncopied.Set(float64(members)) }
