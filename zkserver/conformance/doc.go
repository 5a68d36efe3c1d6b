// Package conformance holds zkserver to what real ZooKeepers do: the same cases run on both.
//
// A case is a function of an Env, which has the server's address and version and a root of the case's own. Cases speak
// to the server over a raw connection (Raw), where they see error codes, zxids and the order of events and replies, or
// through go-zookeeper's client, or through Java's. A case that needs a newer server says so; on an older one its Older
// runs instead, so that the older answer is part of the suite too.
//
// zkserver claims to be 3.8.4. Where versions differ, a case asks Env.AtLeast and asserts both.
package conformance
