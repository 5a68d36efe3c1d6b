// Package stories holds the end-to-end tests: what Baton promises, told on real Kafka. BATON_KAFKA and BATON_IBP choose
// the Kafka and its inter-broker protocol; make test-matrix goes through those that matter.
package stories
