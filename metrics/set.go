package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Build names the binary, for baton_build_info.
type Build struct{ Version, Commit, Go string }

// Set is all metrics of one instance.
type Set struct {
	reg prometheus.Registerer
	err error // the first failure to register, reported by New

	kafka kafkaSet
	own   ownSet

	mu     sync.Mutex
	active bool
	counts Counts
	queues map[int32]int // by broker, for the total
	bad    map[Source][]string
}

// New makes a Set and registers it with reg, with constant labels on every metric (metrics.labels). It fails when a
// constant label has the name of one of a metric's own labels, or when reg holds a Set already.
func New(reg prometheus.Registerer, constant map[string]string, build Build) (*Set, error) {
	if err := checkConstant(constant); err != nil {
		return nil, err
	}
	s := &Set{reg: prometheus.WrapRegistererWith(constant, reg), queues: map[int32]int{}}
	s.initKafka()
	s.initOwn()
	if s.err != nil {
		return nil, s.err
	}
	s.own.build.WithLabelValues(build.Version, build.Commit, build.Go).Set(1)
	s.SetRole(Standby)
	return s, nil
}

// ownLabels are the label names used below. A constant label of the same name would make client_golang panic at the
// first observation, long after the start.
var ownLabels = []string{"api", "broker", "broker_id", "commit", "go", "how", "kind", "path", "phase", "quantile", "le",
	"role", "strategy", "reason", "version"}

func checkConstant(labels map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if slices.Contains(ownLabels, name) {
			return fmt.Errorf("metrics.labels: %s is the name of a label that some metrics have already", name)
		}
	}
	return nil
}

// register keeps the first error: New checks once instead of after each of sixty calls.
func register[C prometheus.Collector](s *Set, c C) C {
	if err := s.reg.Register(c); err != nil && s.err == nil {
		s.err = fmt.Errorf("metrics: %w", err)
	}
	return c
}

func (s *Set) gauge(name, help string) prometheus.Gauge {
	return register(s, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
}

func (s *Set) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return register(s, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
}

func (s *Set) counter(name, help string) prometheus.Counter {
	return register(s, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
}

func (s *Set) counters(name, help string, labels ...string) *prometheus.CounterVec {
	return register(s, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
}

// summaryOpts has the percentiles that Kafka's timers and histograms have. MaxAge is what Kafka keeps the event
// queue's histogram for without events.
func summaryOpts(name, help string) prometheus.SummaryOpts {
	return prometheus.SummaryOpts{Name: name, Help: help, MaxAge: 5 * time.Minute,
		Objectives: map[float64]float64{0.5: 0.05, 0.75: 0.02, 0.95: 0.01, 0.98: 0.005, 0.99: 0.001, 0.999: 0.0001}}
}

func (s *Set) summary(name, help string) prometheus.Summary {
	return register(s, prometheus.NewSummary(summaryOpts(name, help)))
}

func (s *Set) summaries(name, help string, labels ...string) *prometheus.SummaryVec {
	return register(s, prometheus.NewSummaryVec(summaryOpts(name, help), labels))
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func id(broker int32) string { return strconv.FormatInt(int64(broker), 10) }

// ForgetBroker drops every series of a broker that is gone.
func (s *Set) ForgetBroker(broker int32) {
	b := id(broker)
	s.kafka.queueSize.DeleteLabelValues(b)
	s.kafka.requestQueueTime.DeleteLabelValues(b)
	s.own.untold.DeleteLabelValues(b)
	s.own.connected.DeleteLabelValues(b)
	s.own.roundTrip.DeletePartialMatch(prometheus.Labels{"broker": b})
	s.own.retries.DeletePartialMatch(prometheus.Labels{"broker": b})
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queues, broker)
	s.totalQueue()
}

// label keeps a text that came from outside usable as a label: bounded, valid UTF-8.
func label(text string) string {
	const limit = 200
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.ToValidUTF8(text, "?")
}
