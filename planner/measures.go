package planner

import (
	"maps"
	"slices"

	"baton/partition"
)

// measurement is a Measure that has not come back.
type measurement struct {
	measure Measure
	until   Millis
	then    func([]MeasuredLog)
}

const (
	// neverMeasured is why logs are silent whose measurement has not come back.
	neverMeasured = "no answer in time"
	// measureGrace is how much longer than Within the machine waits, as the answer has to come by the queue.
	measureGrace Millis = 2_000
)

// measure asks brokers; then is called once, with one entry for each log that was asked for, in the order of asks. What has
// changed since the question it has to find out itself. A machine that loses the role forgets it.
func (m *Machine) measure(asks []Ask, within Millis, then func([]MeasuredLog)) {
	m.seq++
	q := Measure{Token: m.seq, Asks: asks, Within: within}
	m.measurements[q.Token] = &measurement{measure: q, until: m.now + within + measureGrace, then: then}
	m.plan.Measures = append(m.plan.Measures, q)
}

// measured takes in what brokers have answered.
func (m *Machine) measured(e Measured) {
	q := m.measurements[e.Token]
	if q == nil {
		return // of an earlier role, or given up
	}
	delete(m.measurements, e.Token)
	q.then(q.complete(e.Logs))
}

// complete brings answers into the order of the questions, and fills in those that are missing.
func (q *measurement) complete(logs []MeasuredLog) (out []MeasuredLog) {
	type key struct {
		broker int32
		id     partition.ID
	}
	answered := make(map[key]MeasuredLog, len(logs))
	for _, l := range logs {
		answered[key{l.Broker, l.ID}] = l
	}
	for _, a := range q.measure.Asks {
		for _, l := range a.Logs {
			got, ok := answered[key{a.Broker.ID, l.ID}]
			if !ok {
				got = MeasuredLog{Broker: a.Broker.ID, ID: l.ID, Silent: neverMeasured}
			}
			out = append(out, got)
		}
	}
	return out
}

// giveUpMeasures ends what has not come back in time.
func (m *Machine) giveUpMeasures() {
	for _, token := range slices.Sorted(maps.Keys(m.measurements)) {
		if m.now >= m.measurements[token].until {
			m.measured(Measured{Token: token})
		}
	}
}
