// Package sequence does the same operations to two clusters, one under Kafka's own controller and one under Baton, and compares
// what they have come to.
//
// Generate makes a list of operations from a seed and nothing else. A Model follows them: it knows which topics there have to be
// and on which brokers, and Settled judges by it when an operation has had all its effects, so that both clusters go through the
// same states whatever their timing. Compare judges the ends: all znodes and what every broker says. Only Site does I/O.
package sequence
