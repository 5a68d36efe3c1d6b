// Package metrics holds every metric that a Baton exports.
//
// Kafka's own ones have the names that jmx_exporter gives them in its lower-case form, so that the rules and
// dashboards people have for a cluster go on working when Baton holds the role: a Baton that does not hold it exports
// 0 for the controller's gauges, as brokers do, and their sum over all instances stays what it was. Everything else is
// ours, under the prefix baton_ and named in Prometheus' style.
//
// There is no series for each partition or topic, and series for a broker are dropped with the broker
// (ForgetBroker), so that the number of series is bounded by the number of brokers.
//
// A Set belongs to one process or one test: nothing is registered globally. Its methods take plain values only, so
// that the packages which call them through small interfaces of their own need not import this one. All of them may
// be called from any goroutine.
package metrics
