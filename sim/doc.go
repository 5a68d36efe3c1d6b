// Package sim runs the real controller, node.Node with everything below it, against the embedded ZooKeeper and
// simulated brokers, over connections in memory and in the fake time of testing/synctest: a minute of faults takes
// milliseconds.
//
// A run is a world (world.go) and a schedule made from a seed (schedule.go, faults.go). Brokers, their machines and
// Batons die, stop, pause and come back; connections are cut, freeze, and are slow; ZooKeeper loses replies, answers late,
// lags, ends sessions; a Baton does not see what happens to a broker, or becomes a zombie that brokers still hear.
//
// In half of the seeds an operator is at work (operations.go): topics are created, expanded and deleted, partitions reassigned,
// reassignments cancelled, leaders elected.
//
// A crash point is the other way about (crash.go, blows.go): one operation, and one blow to the Baton that leads, at one of
// its writes to ZooKeeper or requests to a broker. TestCrashPoints goes through all of them.
//
// Package history checks each of ZooKeeper's transactions, and network.go each control request when it is started: the
// session that claimed its controller epoch must still live. Then the faults stop, and what follows has to be well
// (settle.go): everything is led, each ISR is full, nothing that was asked for is unfinished, each broker's memory is what
// ZooKeeper says and its disk has the logs of what it hosts and no others, and what an idempotent
// producer had acknowledged is read back, once and in order, unless a machine's crash took it and Kafka cannot promise
// more (history/tails.go).
//
// # Replays
//
// The schedule is a function of the seed. What follows from it depends on which of several goroutines that are ready at
// the same moment runs first, and three things keep that from mattering. A message takes a time that the seed, the
// connection and the message's number say (simbroker.Memory.Delay), so two hardly ever arrive at the same moment. A seed
// runs in a process with one thread. And what the code itself leaves to chance it takes from the clock. What is left is
// the runtime's: the order of map keys, of timers of one moment, of the ready cases of a select.
//
// A failing run leaves its trace (trace.go) and prints how to run it again: the faults, ZooKeeper's transactions, and in
// a replay also requests to brokers, Batons' logs and brokers' words.
package sim
