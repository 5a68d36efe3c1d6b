// Package zkserver is an in-process server that speaks ZooKeeper 3.8's wire protocol, in memory.
//
// It is for trying Baton out and for tests. It is not a distributed system: there is one server, one copy of the data,
// no log, no quorum. Whoever needs his data uses a real ensemble.
//
// # What it does
//
// Sessions with negotiated timeouts that end in buckets of a tick, may be resumed with their password, and take their
// ephemerals along; create in all its forms, delete, exists, getData, setData, getChildren, getAllChildrenNumber,
// getEphemerals, getACL, setACL, auth (digest, ip), sync, whoAmI, multi and multiRead; one-shot, persistent and
// recursive watches with checkWatches, removeWatches, setWatches and setWatches2; containers, swept once a minute; the
// limit of jute.maxbuffer; the four-letter words ruok, srvr, stat, mntr, isro. Errors, their precedence, zxids and the
// order of events and replies are the real one's; package conformance holds the server to that, against three real
// versions.
//
// # What it does not do
//
//   - TTL nodes are refused (Unimplemented), as by a server without extendedTypesEnabled.
//   - reconfig answers Unimplemented or ReconfigDisabled like a lone server; /zookeeper/config is empty.
//   - SASL, TLS, the super user, local sessions, read-only mode and throttling do not exist. A sasl packet is
//     answered as an unknown opcode.
//   - Quotas below /zookeeper/quota are plain znodes that limit nothing.
//   - check outside a multi, which a real server fails to answer, and deleteContainer, which only servers send, close
//     the connection.
//   - Nothing is on disk, but for a snapshot that Options.SnapshotFile asks for, which is written by Snapshot and Close
//     only: a crash loses everything since.
//
// # Order
//
// One goroutine owns the state; each connection has one that reads and one that writes. A session's requests are
// served, and answered, in their order. A watch event is written before the first reply that shows the change which
// caused it. All time goes through package time, so the server runs inside testing/synctest over net.Pipe.
//
// # Faults
//
// Inject, Freeze, Lag and the others in faults.go make the server misbehave as a real one, its network or a follower
// may, and never otherwise: nothing is reordered, and no byte is lost in the middle of a connection.
package zkserver
