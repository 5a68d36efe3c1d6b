// Package config turns a Kafka-style properties file and --set overrides into a validated Config.
//
// The file may be a broker's own unchanged server.properties: Kafka's names and defaults (3.9) are used wherever a
// key exists there, keys that mean something only to a broker are listed once and otherwise ignored, and what belongs
// to the broker itself (its id, its listeners) is recognised as such and never taken over by accident.
//
// The package imports no other package of ours. Apart from reading the file and asking for the host name in Load it
// does no I/O; Parse is the same without the file.
//
// Where a rule is Kafka's, the expected values in the tests were produced by Kafka 3.9.1's own classes.
package config
