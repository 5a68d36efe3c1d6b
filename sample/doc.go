// Package sample remembers where leaders' logs end, so that it is known how much is lost when one of them dies and a replica that
// has less takes its place. It only asks and keeps; it decides nothing.
//
// While a Baton leads, all partitions with a leader are gone through round by round, a bounded number a second. Each broker is
// asked for many of them at a time over one connection, and one that does not answer holds up nobody else: what it leads is left
// out until it does.
//
//   - ListOffsets v5 with replica id -2 and timestamp -1 is the end of the leader's log, above the high watermark. The leader epoch
//     in the request makes sure that it is answered by the leader of that epoch.
//   - OffsetForLeaderEpoch v3 says where an epoch of its log begins: that of the leader, and the two before. A round asks for one
//     more of them until they are known; they do not change while the same broker leads.
//
// Of a partition there are some hundred bytes (mark), and its number is the index. A lost leader's mark stays until the partition
// is led again.
package sample
