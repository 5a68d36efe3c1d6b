// Package dev is a cluster in one process, to try a controller out with nothing but Go: an embedded ZooKeeper, simulated
// brokers, and Batons that are the real thing (node.Node), on loopback ports, so that any Kafka client can look in.
//
// World (world.go) holds the parts and breaks them: actions.go for brokers, baton.go for Batons, elect.go for elections;
// network.go is what lies between. explain.go says why a partition has no leader. What Batons are put beside is a Cluster
// (cluster.go): simulated (simulated.go), or real Kafka, which e2e/demo brings. On it stand two ways of use: Story
// (story.go) tells a scripted story, Prompt (prompt.go) lets a person break things. Both end with Finish (finish.go), which
// judges by what ZooKeeper was told (sim/history) and by what can be read back.
//
// Nothing here is for production: the embedded ZooKeeper is one process and forgets, the brokers keep their logs in
// memory.
package dev
