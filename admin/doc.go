// Package admin is how people, supervisors and scrapers talk to a Baton: HTTP on admin.listener and on the unix socket
// admin.socket, and the Client that the commands use.
//
// Reading is open on both: /metrics, /livez, /readyz, /leader, /standby, /version, /api/v1/status, /api/v1/snapshot
// (a few at a time). Changing anything
// (POST under /api/v1) is possible over the socket, which only its owner can open (mode 0600), and from loopback
// addresses; until there is authentication everybody else gets 403. A web page open in a browser on the same host
// reaches loopback addresses too, so a POST over TCP must say that it is JSON, carry no Origin and be addressed to a
// loopback name: a browser lets no foreign page send that.
//
// One command runs at a time. Its progress is streamed as lines of JSON (type Line), the last of which is the outcome.
//
// The package decides nothing: it calls a Node.
package admin
