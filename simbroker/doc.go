// Package simbroker is a Kafka 3.9 broker in Go, as far as a ZooKeeper-mode controller
// and a client in a small test can tell: it registers, takes LeaderAndIsr,
// UpdateMetadata and StopReplica by the real broker's acceptance rules, leads and
// follows with a log that lags, catches up and truncates by leader epoch, asks the
// controller for ISR changes, producer ids and leave to stop, and serves produce and
// fetch.
//
// One goroutine owns a broker's state (loop.go). Connections, fetchers and the channels
// to the controller have goroutines of their own, which only do I/O and post what they
// learned. Time comes from package time and bytes go through Network and a ZooKeeper
// dialer, so that with Memory a whole cluster lives inside testing/synctest.
//
// Files are named after the duty they hold; NN_name.go is API NN. The rules of
// acceptance are in 04_leader_and_isr.go, 05_stop_replica.go, 06_update_metadata.go and
// accept.go; e2e/stories compares them with a real 3.9.1 broker.
//
// What it does not do: groups, transactions, quotas, security, compaction and retention,
// fetch sessions, message formats before v2, remote storage, KRaft. Offsets by
// timestamp are exact to a batch. Its disk is memory that outlives the process: Disk.
package simbroker
