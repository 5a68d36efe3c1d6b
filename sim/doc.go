// Package sim runs the real controller, node.Node with everything below it, against the embedded ZooKeeper and
// simulated brokers, over connections in memory and in the fake time of testing/synctest: a minute of faults takes
// milliseconds.
//
// A run is a world (world.go) and a schedule made from a seed (schedule.go, faults.go): brokers and Batons die, stop, come back;
// connections are cut and freeze; ZooKeeper loses replies, answers late, lags, ends sessions. Package history checks
// each of ZooKeeper's transactions. Then the faults stop, and what follows has to be well (settle.go): everything is
// led, each ISR is full, each broker's memory is what ZooKeeper says, and what a franz-go producer had acknowledged is
// read back.
//
// The schedule is a function of the seed; which of two goroutines that are ready at the same moment runs first is not,
// so a failure repeats nearly always, but not always. A failing run leaves its trace (trace.go) and prints how to run it
// again.
package sim
