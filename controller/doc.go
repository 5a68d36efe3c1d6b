// Package controller runs one claim of the controller role: the queue, the loop that
// owns the planner's machine, and the executor that carries its plans out. It decides
// nothing.
//
// Everything enters through one queue and is stepped by one goroutine, the loop. A
// plan's effects are started in a fixed order and never waited for: what becomes of a
// write, a read or a request comes back through the queue as an event.
//
// Promises of a Term:
//
//   - The gate (Open) is true from the start until the first sign of an end, whichever
//     goroutine sees it, and never again. Frames are started only while it is open.
//   - When Run has returned no frame is or will be written, the executor's writes have
//     ended, and every call has been answered, once. What is acknowledged after the end
//     is dropped: the next term reads it.
//   - A view runs while its caller waits or not at all.
//   - Calls from outside are bounded; events of our own are as many as what was asked
//     for, and one tick.
//
// A term never starts again. Who claims, and what follows a term's end, is for package
// node.
//
// Debugging: term.go is the life of a term, queue.go what waits for the loop,
// executor.go who carries out what.
package controller
