package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"baton/server"
	"baton/server/servertest"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// unread are the APIs of whose requests nothing is read.
var unread = []int16{16, 35, 66} // ListGroups, DescribeLogDirs, ListTransactions

// frames returns requests of every API and version that is served, without their lengths.
func frames(t testing.TB, key, version int16) [][]byte {
	t.Helper()
	var out [][]byte
	for _, shape := range []servertest.Shape{servertest.Full, servertest.Null} {
		r := servertest.Request(key, version, shape)
		out = append(out, r.AppendTo(wire.AppendRequestHeader(nil, wire.RequestHeader{Key: key, Version: version, CorrelationID: 1})))
	}
	return out
}

// lies are what is written over every place where a count or a length may be.
var lies = [][]byte{
	{0x7f, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0xfe}, {0, 0x0f, 0xff, 0xff},
	{0x7f, 0xff}, {0x80, 0}, {0xff, 0xff, 0xff, 0xff, 0x0f}, {0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, {0},
}

// allocated is how many bytes this process has ever allocated.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// Every request that is served, cut off at every length, with every lie at every place, and
// with something behind its end: answered or refused, at once, and for next to no memory.
func TestFramesThatLie(t *testing.T) {
	const most = 64 << 20 // bytes that one frame may cost; the longest is less than 1 KB
	s := server.New(server.Config{ID: servertest.BatonID}, newPlanned(0), servertest.Brokers(nil))
	handle := func(name string, frame []byte) error {
		before, start := allocated(), time.Now()
		out, err := s.Handle(context.Background(), listener, frame)
		if took, n := time.Since(start), allocated()-before; took > 10*time.Second || n > most {
			t.Errorf("%s: took %v and %d bytes\n%x", name, took, n, frame)
		}
		if err == nil && len(out) < 8 {
			t.Errorf("%s: answered with %x\n%x", name, out, frame)
		}
		return err
	}
	for key, versions := range server.Table() {
		for v := versions[0]; v <= versions[1]; v++ {
			for _, whole := range frames(t, key, v) {
				name := fmt.Sprintf("%s v%d", kmsg.NameForKey(key), v)
				header := len(wire.AppendRequestHeader(nil, wire.RequestHeader{Key: key, Version: v}))
				asIs := handle(name, whole)
				if err := handle(name+" and a tail", append(bytes.Clone(whole), "tail"...)); (err == nil) != (asIs == nil) {
					t.Errorf("%s: %v, with bytes behind its end %v", name, asIs, err)
				}
				for n := range whole {
					if handle(name+" cut off", whole[:n]) == nil && (n < header || !slices.Contains(unread, key)) {
						t.Errorf("%s: the first %d of %d bytes are answered", name, n, len(whole))
					}
				}
				for at := 8; at < len(whole); at++ {
					for _, lie := range lies {
						handle(name+" with a lie", slices.Concat(whole[:at], lie, whole[min(at+len(lie), len(whole)):]))
					}
				}
			}
		}
	}
}

// alive asks on a new connection.
func alive(t *testing.T, r *rig) {
	t.Helper()
	if got := ask[*kmsg.ApiVersionsResponse](r.dial(t), kmsg.NewPtrApiVersionsRequest()); got.ErrorCode != 0 || len(got.ApiKeys) == 0 {
		t.Errorf("ApiVersions: %+v", got)
	}
}

// Kafka closes the connection, save for ApiVersions, whose sender is told what there is.
func TestVersionsThatAreNotServed(t *testing.T) {
	r, _ := newPlannedRig(t, 0)
	for _, key := range slices.Sorted(maps.Keys(server.Table())) {
		versions := server.Table()[key]
		for _, v := range []int16{-1, -32768, versions[0] - 1, versions[1] + 1, 32767} {
			p := r.dial(t)
			frame := wire.AppendRequestHeader(wire.BeginFrame(nil), wire.RequestHeader{Key: key, Version: v, CorrelationID: 7})
			if _, err := p.nc.Write(wire.EndFrame(append(frame, make([]byte, 64)...), 0)); err != nil {
				t.Fatal(err)
			}
			if key != wire.ApiVersions {
				p.closed()
				continue
			}
			answer, err := wire.ReadFrame(p.br, nil, wire.MaxFrame)
			if err != nil {
				t.Fatal(err)
			}
			got := kmsg.NewApiVersionsResponse()
			if err := got.ReadFrom(answer[4:]); err != nil || got.ErrorCode != 35 || len(got.ApiKeys) != 1 || got.ApiKeys[0].MaxVersion != versions[1] {
				t.Errorf("ApiVersions v%d: %+v, %v", v, got, err)
			}
		}
	}
	alive(t, r)
}

// A length costs nothing until its bytes are there, and a wrong one closes the connection.
func TestLengthPrefixes(t *testing.T) {
	r, _ := newPlannedRig(t, 0)
	prefix := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for _, n := range []uint32{0, 1, 7, 0xffffffff, 0x80000000, 0x7fffffff, wire.MaxFrame + 1} {
		p := r.dial(t)
		if _, err := p.nc.Write(append(prefix(n), make([]byte, min(n, 7))...)); err != nil {
			t.Fatal(err)
		}
		p.closed()
	}
	alive(t, r)

	const peers = 50
	before := allocated()
	var all []*peer
	for range peers {
		p := r.dial(t)
		if _, err := p.nc.Write(append(prefix(wire.MaxFrame), "something"...)); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	alive(t, r) // connections are accepted in order: the others' are all being read by now
	if n := allocated() - before; n > peers<<20 {
		t.Errorf("%d bytes were allocated for %d announcements of 100 MB", n, peers)
	}
	for _, p := range all {
		_ = p.nc.Close()
	}
	// A frame that does come is more than any API takes.
	p := r.dial(t)
	head := wire.AppendRequestHeader(prefix(32<<20), wire.RequestHeader{Key: wire.CreateTopics, Version: 4})
	_, _ = p.nc.Write(append(head, make([]byte, 32<<20-len(head)+4)...)) // may fail as soon as it is closed
	p.closed()
	alive(t, r)
}
