// Package kafka runs real ZooKeepers and real Kafka brokers, from the jars that Maven Central publishes, for the
// end-to-end tests and for `make run-kafka`.
//
// Start gives a test a cluster that is gone when the test ends; New does the same for a program, whose Env is a Run.
// Every process is a child in its own process group which the kernel kills if this process dies, whatever the reason,
// so that a panicking test leaves no Kafka behind. Ports are reserved for the life of the run: a broker that is
// restarted comes back at its own address, and no other run is given that port while the broker is down.
//
// Nothing here sleeps to let a state come about. What ZooKeeper knows is awaited through watches; what has no
// watch (a port that is not open yet, a four-letter word) is asked for again until a deadline.
package kafka
