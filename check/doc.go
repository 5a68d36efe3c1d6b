// Package check answers one question before a first takeover: would Baton be able to run this cluster, and would
// anybody notice a difference?
//
// Gather collects Facts from ZooKeeper and from every broker, without changing anything; Evaluate turns them into
// Findings and is pure, so that each rule is tested with facts written down by hand.
package check
