// Package stories holds the end-to-end tests: what Baton promises, told on real Kafka.
package stories
