package zkserver

import (
	"fmt"
	"strings"
	"time"
)

// version is what four-letter words say: which ZooKeeper's behaviour this is, and that it is not one.
const version = "3.8.4-zkserver, in memory, not a real ZooKeeper"

// fourLetterWord answers one and says that the connection is done with. The words are read where the first frame's
// length would be; none of them is a length that passes.
func (c *conn) fourLetterWord(word string) bool {
	var answer func() string
	switch word {
	case "ruok":
		answer = func() string { return "imok" }
	case "isro":
		answer = func() string { return "rw" }
	case "srvr":
		answer = func() string { return c.srv.srvr(false) }
	case "stat":
		answer = func() string { return c.srv.srvr(true) }
	case "mntr":
		answer = c.srv.mntr
	default:
		return false
	}
	text := make(chan string, 1)
	if !c.deliver(item{c: c, ask: func() { text <- answer() }}) {
		return true
	}
	select {
	case t := <-text:
		// A client that does not take the answer must not keep the goroutine.
		_ = c.nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
		_, _ = c.nc.Write([]byte(t))
	case <-c.srv.done:
	}
	return true
}

func (s *Server) srvr(clients bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Zookeeper version: %s\n", version)
	if clients {
		b.WriteString("Clients:\n")
		for _, ss := range s.sessions {
			if ss.conn != nil {
				fmt.Fprintf(&b, " /%s[1](queued=0,sid=0x%x,to=%d)\n", ss.conn.nc.RemoteAddr(), ss.id, ss.timeout.Milliseconds())
			}
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "Latency min/avg/max: 0/0.0/0\nReceived: %d\nSent: %d\nConnections: %d\nOutstanding: 0\nZxid: 0x%x\n"+
		"Mode: standalone\nNode count: %d\n", s.received, s.sent, s.connections(), s.tree.zxid, len(s.tree.nodes)+1)
	return b.String()
}

func (s *Server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *Server) mntr() string {
	ephemerals := 0
	for _, e := range s.tree.ephemerals {
		ephemerals += len(e)
	}
	var b strings.Builder
	for _, l := range []struct {
		key   string
		value any
	}{
		{"version", version}, {"server_state", "standalone"}, {"packets_received", s.received},
		{"packets_sent", s.sent}, {"num_alive_connections", s.connections()}, {"outstanding_requests", 0},
		{"znode_count", len(s.tree.nodes) + 1}, {"watch_count", s.tree.data.size() + s.tree.child.size()},
		{"ephemerals_count", ephemerals}, {"approximate_data_size", s.tree.bytes},
		{"global_sessions", len(s.sessions)}, {"uptime", time.Since(s.begun).Milliseconds()},
	} {
		fmt.Fprintf(&b, "zk_%s\t%v\n", l.key, l.value)
	}
	return b.String()
}
