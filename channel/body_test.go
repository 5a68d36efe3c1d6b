package channel

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"baton/epoch"
	"baton/planner"
)

// A head and the shared bytes are, for each broker and at each version, the frame that is its alone.
func TestSharedBodiesMakeTheSameFrames(t *testing.T) {
	m := NewManager(Config{ControllerID: 2000001}, nil)
	var e encoder
	for v := int16(0); v <= 8; v++ {
		for i, live := range []int{3, 0} {
			for b := range int32(3) {
				r := goldenRequest(planner.UpdateMetadata, v)
				r.Body, r.Broker, r.BrokerEpoch = uint64(1+i), b, epoch.Broker(1<<40+int64(b))
				r.ControllerEpoch += epoch.Controller(b)
				if r.Live = r.Live[:live]; live == 0 {
					r.Topics = nil
				}
				want, err := e.encode(&r, v, "INTERNAL", &m.clientID, 7+b)
				if err != nil {
					t.Fatal(err)
				}
				tail := m.shared(&r, v)
				got := append(appendHead(nil, &r, v, &m.clientID, 7+b, tail), tail...)
				if !bytes.Equal(got, want) {
					t.Errorf("version %d, body %d, broker %d:\n got %x\nwant %x", v, r.Body, b, got, want)
				}
			}
		}
	}
}

// Channels that ask at once get the same bytes, not the same content.
func TestBodyIsEncodedOnce(t *testing.T) {
	m := NewManager(Config{}, nil)
	r := large(planner.UpdateMetadata, 1000)
	r.Body = 9
	tails := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range tails {
		wg.Go(func() { tails[i] = m.shared(&r, 8) })
	}
	wg.Wait()
	for _, tail := range tails {
		if &tail[0] != &tails[0][0] {
			t.Fatal("encoded more than once")
		}
	}
	if older := m.shared(&r, 6); len(older) == len(tails[0]) {
		t.Error("one version's bytes for another")
	}
}

// Megabytes that no channel writes any more are not kept for a request that may never come.
func TestBodiesAreForgotten(t *testing.T) {
	m := NewManager(Config{}, nil)
	for n := range uint64(20) {
		r := goldenRequest(planner.UpdateMetadata, 8)
		r.Body = n + 1
		m.shared(&r, 8)
		runtime.GC()
	}
	m.shared(&planner.Request{Kind: planner.UpdateMetadata, Body: 100}, 8)
	if len(m.bodies.m) > 2 {
		t.Errorf("%d bodies are remembered", len(m.bodies.m))
	}
}

func TestSharedBodyArrivesWhole(t *testing.T) {
	run(t, func(h *harness) {
		conn := h.up(10)
		for seq := range uint64(3) {
			r := request(planner.UpdateMetadata, conn, seq+1)
			if r.Body = seq; seq == 2 {
				h.gate(false) // not even the head goes out then
			}
			before := h.broker.bytes
			h.Send(r)
			down := seq == 2
			if down {
				one[planner.ChannelDown](h)
			} else {
				one[planner.BrokerReplied](h)
			}
			if (h.broker.bytes == before) != down {
				t.Errorf("request %d: %d bytes", seq, h.broker.bytes-before)
			}
		}
		if got := h.broker.seen(); len(got) != 2 || !reflect.DeepEqual(got[0], got[1]) {
			t.Errorf("alone %+v\nshared %+v", got[0], got[len(got)-1])
		}
	})
}

// All brokers are told the same: with a body of their own each, and with one for all.
func BenchmarkTellAll(b *testing.B) {
	for _, brokers := range []int{5, 50} {
		for _, shared := range []bool{false, true} {
			b.Run(fmt.Sprintf("brokers=%d/shared=%v", brokers, shared), func(b *testing.B) {
				r := large(planner.UpdateMetadata, 100_000)
				b.ReportAllocs()
				for b.Loop() {
					m := NewManager(Config{}, nil)
					for range brokers {
						if shared {
							r.Body = 1
							tail := m.shared(&r, 8)
							_, _ = io.Discard.Write(appendHead(nil, &r, 8, &m.clientID, 7, tail))
							continue
						}
						e := m.encoders.Get().(*encoder)
						if _, err := e.encode(&r, 8, "", &m.clientID, 7); err != nil {
							b.Fatal(err)
						}
						m.encoders.Put(e)
					}
				}
			})
		}
	}
}
