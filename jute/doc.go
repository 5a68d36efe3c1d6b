// Package jute is ZooKeeper's wire codec: bytes to values and back, in both directions, nothing else.
//
// Every record that the embedded server (zkserver) or a client of ours speaks is a plain struct with two methods:
// Append writes it to the end of a slice, Decode reads it from a Decoder. Both are written by hand, without reflection.
// A frame is four bytes of length and a payload: AppendFrame and ReadFrame. The payload is a ConnectRequest or
// ConnectResponse first, and then a RequestHeader or ReplyHeader with the record that the opcode asks for.
//
// Decoding is bounded: no length is believed before it has been compared with the bytes that are there, so a hostile
// payload costs no more memory than its own size times a small constant. A Decoder keeps its first error and returns
// zeroes afterwards, so a record is read without a check after every field.
//
// ZooKeeper tells a null from an empty value. A null buffer or vector is a nil slice here; a null string is an error,
// because the server that meets one where a path belongs answers a marshalling error too, except where the record's
// field is a pointer.
package jute
