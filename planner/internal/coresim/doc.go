// Package coresim runs the planner's Machine in a world that is a function of its
// seed: a model ZooKeeper, model brokers with logs, a network that loses and delays,
// several Batons and a broker's own controller as competitor. There is no goroutine, no
// real clock and no map whose order matters; the same seed gives the same trace.
//
// After every write and every request the invariants of style.md E are checked, and
// when the faults have stopped, that everything has become well again (check.go).
//
// What is modelled only as far as decisions depend on it: znodes are typed values and
// not bytes; brokers follow 10.1-10.3 of the controller notes for 3.x; a log is a list
// of (epoch, record) pairs.
package coresim
