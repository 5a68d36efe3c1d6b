package metrics

import "time"

// Samples is how the samples of leaders' logs are doing; it is a sample.Metrics.
type Samples struct{ s *Set }

// Samples returns the part of the metrics that the sampler tells.
func (s *Set) Samples() Samples { return Samples{s} }

// Sampled counts partitions whose leader has answered where its log ends, and those it has not answered for.
func (x Samples) Sampled(answered, failed int) {
	x.s.own.sampled.WithLabelValues("answered").Add(float64(answered))
	x.s.own.sampled.WithLabelValues("failed").Add(float64(failed))
}

// Oldest is the age of the oldest sample of a log that is led.
func (x Samples) Oldest(age time.Duration) { x.s.own.sampleAge.Set(age.Seconds()) }
