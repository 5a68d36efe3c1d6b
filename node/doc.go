// Package node is one Baton process from start to stop: its ZooKeeper sessions, the
// campaign for the controller role, the terms it leads, and what operators ask of it.
// It wires the shell packages together, which do not know each other.
//
// A node lives one session after another (session.go). On each, the campaign
// (campaign.go) looks at the role view whenever it changes, and twice a second in any
// case: next (role.go) is a pure function from the view and our own stance to one step,
// so a step that failed is simply taken again. Only the campaign's goroutine claims; a
// claim that was won becomes a controller.Term (lead.go), which ends by itself, by the
// campaign, or by a command, and never outlives its session.
//
// What it sees to:
//
//   - One term at a time; the next begins when the last has written its last frame.
//   - /controller is never kept by a session without a term: it is claimed over, or
//     given up where claiming is not allowed.
//   - After a term that ended by a fault no claim is made for a while that doubles with
//     each failure.
//   - A stop hands over to another Baton if there is one, and comes to its end within
//     seconds, also with ZooKeeper away.
//
// Tests: world_test.go is the role's part of ZooKeeper in memory; the scenarios of
// campaign_test.go run several nodes in it with fake time.
package node
