package zkserver_test

import (
	"bufio"
	"fmt"
	"net"
	"testing"

	"baton/jute"
	"baton/zkserver"
)

// pipelined is a connection over TCP that has many requests under way.
type pipelined struct {
	testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func pipeline(b testing.TB, addr string) *pipelined {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	p := &pipelined{b, c, bufio.NewReaderSize(c, 64<<10)}
	c.Write(jute.AppendFrame(nil, &jute.ConnectRequest{Timeout: 30_000, Password: make([]byte, 16)}))
	if _, err := jute.ReadFrame(p.r, 1<<20); err != nil {
		b.Fatal(err)
	}
	return p
}

// run sends n requests, 256 at a time without waiting, and reads their replies.
func (p *pipelined) run(n int, request func(i int) (jute.Op, jute.Record)) {
	p.Helper()
	const depth = 256
	slots := make(chan struct{}, depth)
	go func() {
		w := bufio.NewWriterSize(p.conn, 64<<10)
		var frame []byte
		for i := range n {
			select {
			case slots <- struct{}{}:
			default:
				w.Flush()
				slots <- struct{}{}
			}
			op, r := request(i)
			frame = jute.AppendFrame(frame[:0], &jute.RequestHeader{Xid: int32(i), Op: op}, r)
			w.Write(frame)
		}
		w.Flush()
	}()
	for i := range n {
		f, err := jute.ReadFrame(p.r, 1<<20)
		if err != nil {
			p.Fatal(err)
		}
		var h jute.ReplyHeader
		if err := jute.Unmarshal(f, &h); err != nil || h.Err != 0 || h.Xid != int32(i) {
			p.Fatal(i, h, err)
		}
		<-slots
	}
}

// BenchmarkPipelined: one session, 256 requests under way, 76 bytes of data, as in the reference's table for Java.
func BenchmarkPipelined(b *testing.B) {
	data := make([]byte, 76)
	path := func(i int) string { return fmt.Sprintf("/node-%08d", i) }
	newNode := func(i int) (jute.Op, jute.Record) {
		return jute.OpCreate, &jute.CreateRequest{Path: path(i), Data: data, ACL: jute.WorldACL()}
	}
	for _, c := range []struct {
		name    string
		prepare bool
		request func(i int) (jute.Op, jute.Record)
	}{
		{"create", false, newNode},
		{"get", true, func(i int) (jute.Op, jute.Record) { return jute.OpGetData, &jute.PathWatchRequest{Path: path(i)} }},
		{"getWatch", true, func(i int) (jute.Op, jute.Record) {
			return jute.OpGetData, &jute.PathWatchRequest{Path: path(i), Watch: true}
		}},
		{"set", true, func(i int) (jute.Op, jute.Record) {
			return jute.OpSetData, &jute.SetDataRequest{Path: path(i), Data: data, Version: -1}
		}},
		{"multi", true, func(i int) (jute.Op, jute.Record) {
			return jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{{Op: jute.OpCheck, Request: &jute.PathVersionRequest{Path: "/", Version: -1}},
				{Op: jute.OpSetData, Request: &jute.SetDataRequest{Path: path(i), Data: data, Version: -1}}}}
		}},
		{"delete", true, func(i int) (jute.Op, jute.Record) {
			return jute.OpDelete, &jute.PathVersionRequest{Path: path(i), Version: -1}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			_, addr := start(b, zkserver.Options{})
			p := pipeline(b, addr)
			if c.prepare {
				p.run(b.N, newNode)
			}
			b.ResetTimer()
			p.run(b.N, c.request)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}

// A hundred thousand znodes are nothing special.
func TestHundredThousandNodes(t *testing.T) {
	_, addr := start(t, zkserver.Options{})
	p := pipeline(t, addr)
	const n = 100_000
	p.run(n, func(i int) (jute.Op, jute.Record) {
		return jute.OpCreate, &jute.CreateRequest{Path: fmt.Sprintf("/n%d", i), Data: []byte("some data"), ACL: jute.WorldACL()}
	})
	p.conn.Write(jute.AppendFrame(nil, &jute.RequestHeader{Op: jute.OpGetChildren2}, &jute.PathWatchRequest{Path: "/"}))
	f, err := jute.ReadFrame(p.r, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	var r jute.ChildrenResponse
	if err := jute.Unmarshal(f[16:], &r); err != nil || len(r.Children) != n+1 || r.Stat.Cversion != n-1 {
		t.Fatal(len(r.Children), r.Stat, err)
	}
}
