package channel

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton/partition"
	"baton/planner"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestRequestsGoOutAndAnswersComeBack(t *testing.T) {
	run(t, func(h *harness) {
		conn := h.up(10)
		all := []planner.PartitionCode{
			{ID: partition.ID{Topic: "alpha", Number: 0}}, {ID: partition.ID{Topic: "alpha", Number: 3}}, {ID: partition.ID{Topic: "beta", Number: 0}},
		}
		for i, kind := range []planner.RequestKind{planner.LeaderAndISR, planner.UpdateMetadata, planner.StopReplica} {
			seq := uint64(i + 1)
			h.Send(request(kind, conn, seq))
			want := planner.BrokerReplied{Broker: 1, Conn: conn, Seq: seq, Kind: kind}
			if kind != planner.UpdateMetadata {
				want.Partitions = all
			}
			if got := one[planner.BrokerReplied](h); !reflect.DeepEqual(got, want) {
				t.Errorf("%v: %+v, want %+v", kind, got, want)
			}
		}
		keys, versions := []int16{4, 6, 5}, []int16{7, 8, 3}
		for i, r := range h.broker.seen() {
			if r.Key() != keys[i] || r.GetVersion() != versions[i] {
				t.Errorf("request %d is key %d version %d", i, r.Key(), r.GetVersion())
			}
		}
		for i, hd := range h.broker.headers {
			if *hd.ClientID != "2000001" || hd.CorrelationID != int32(i+2) {
				t.Errorf("header %+v", hd)
			}
		}
	})
}

func TestOneRequestAtATime(t *testing.T) {
	run(t, func(h *harness) {
		release := make(chan struct{})
		h.broker.handle = func(hd wire.RequestHeader, r kmsg.Request) ([]byte, error) {
			<-release
			return ok(hd, r)
		}
		conn := h.up(10)
		h.Send(request(planner.LeaderAndISR, conn, 1))
		synctest.Wait()
		h.Send(request(planner.UpdateMetadata, conn, 2))
		h.none()
		if n := len(h.broker.seen()); n != 1 {
			t.Fatalf("%d requests are under way", n)
		}
		release <- struct{}{}
		if got := one[planner.BrokerReplied](h); got.Seq != 1 {
			t.Errorf("%+v", got)
		}
		release <- struct{}{}
		if got := one[planner.BrokerReplied](h); got.Seq != 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestTooManyRequestsEndTheConnection(t *testing.T) {
	run(t, func(h *harness) {
		h.broker.handle = silence
		conn := h.up(10)
		h.Send(request(planner.LeaderAndISR, conn, 1))
		synctest.Wait()
		h.Send(request(planner.LeaderAndISR, conn, 2))
		h.Send(request(planner.LeaderAndISR, conn, 3))
		if got := one[planner.ChannelDown](h); got.Conn != conn || !strings.Contains(got.Reason, "under way") {
			t.Errorf("%+v", got)
		}
	})
}

func TestVersionsFollowTheBroker(t *testing.T) {
	var learned map[int16][2]int16
	run(t, func(h *harness) {
		h.broker.versions = map[int16][2]int16{4: {0, 4}, 5: {0, 2}, 6: {0, 6}, 56: {0, 1}}
		conn := h.up(10)
		if !reflect.DeepEqual(learned, h.broker.versions) {
			t.Errorf("learned %v", learned)
		}
		for _, kind := range []planner.RequestKind{planner.LeaderAndISR, planner.UpdateMetadata, planner.StopReplica} {
			h.Send(request(kind, conn, 1))
			one[planner.BrokerReplied](h)
		}
		for i, want := range []int16{4, 6, 2} {
			if got := h.broker.seen()[i].GetVersion(); got != want {
				t.Errorf("request %d at v%d, want v%d", i, got, want)
			}
		}
	}, func(c *Config) {
		c.OnVersions = func(b int32, keys map[int16][2]int16) {
			if b == 1 {
				learned = keys
			}
		}
	})
}

func TestKRaftBrokerIsNotTaken(t *testing.T) {
	run(t, func(h *harness) {
		h.broker.versions = map[int16][2]int16{18: {0, 4}, 3: {0, 12}}
		h.Apply([]planner.ChannelChange{{Broker: registered(10)}})
		time.Sleep(10 * time.Second)
		h.none()
		// With back-off: 100, 200, 400, 800 ms, then a second each, a fifth more at most.
		if n := len(h.broker.dials); n < 9 || n > 14 {
			t.Errorf("%d attempts in 10 s", n)
		}
		h.broker.set(func() { h.broker.versions = zkVersions() })
		time.Sleep(2 * time.Second)
		one[planner.ChannelUp](h)
	})
}

func TestTimeoutEndsTheConnection(t *testing.T) {
	run(t, func(h *harness) {
		h.broker.handle = silence
		conn := h.up(10)
		h.Send(request(planner.LeaderAndISR, conn, 1))
		time.Sleep(30*time.Second - time.Millisecond)
		h.none()
		time.Sleep(2 * time.Millisecond)
		if got := one[planner.ChannelDown](h); got.Conn != conn || got.Reason != errTimeout.Error() {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Second)
		if up := one[planner.ChannelUp](h); up.Conn == conn {
			t.Error("the connection's number is used twice")
		}
		h.Send(request(planner.LeaderAndISR, conn, 2)) // meant for the old one
		time.Sleep(time.Second)
		h.none()
		if n := len(h.broker.seen()); n != 1 {
			t.Errorf("%d requests arrived", n)
		}
	})
}

// A broker that accepts but does not read holds the writer up, not the channel.
func TestStuckWrite(t *testing.T) {
	deaf := func(h *harness) uint64 {
		h.broker.deaf = make(chan struct{})
		h.t.Cleanup(func() { close(h.broker.deaf) })
		conn := h.up(10)
		h.Send(request(planner.LeaderAndISR, conn, 1))
		h.none()
		return conn
	}
	t.Run("times out", func(t *testing.T) {
		run(t, func(h *harness) {
			conn := deaf(h)
			time.Sleep(30*time.Second + time.Millisecond)
			if got := one[planner.ChannelDown](h); got.Conn != conn || !strings.Contains(got.Reason, "timeout") {
				t.Errorf("%+v", got)
			}
		})
	})
	t.Run("ends with Close", func(t *testing.T) {
		run(t, func(h *harness) {
			deaf(h)
			start := time.Now()
			h.Close()
			h.none()
			if d := time.Since(start); d != 0 {
				t.Errorf("Close took %v", d)
			}
		})
	})
	t.Run("ends with a replacement", func(t *testing.T) {
		run(t, func(h *harness) {
			conn := deaf(h)
			h.Apply([]planner.ChannelChange{{Broker: registered(11)}})
			events := h.take()
			if len(events) != 2 || events[0].(planner.ChannelDown).Conn != conn || events[1].(planner.ChannelUp).Epoch != 11 {
				t.Errorf("%+v", events)
			}
		})
	})
}

func TestClosedGateLetsNoByteOut(t *testing.T) {
	run(t, func(h *harness) {
		conn := h.up(10)
		before := h.broker.bytes
		h.gate(false)
		h.Send(request(planner.UpdateMetadata, conn, 1))
		if got := one[planner.ChannelDown](h); got.Conn != conn || got.Reason != errGate.Error() {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Minute)
		h.none()
		if h.broker.bytes != before || len(h.broker.dials) != 1 {
			t.Errorf("%d bytes and %d dials behind a closed gate", h.broker.bytes-before, len(h.broker.dials)-1)
		}
		h.gate(true)
		time.Sleep(200 * time.Millisecond)
		one[planner.ChannelUp](h)
	})
}

func TestBrokersEndIsNoticedWhileIdle(t *testing.T) {
	run(t, func(h *harness) {
		conn := h.up(10)
		h.broker.hangUp()
		if got := one[planner.ChannelDown](h); got.Conn != conn || got.Reason == "" {
			t.Errorf("%+v", got)
		}
	})
}

func TestBadAnswersEndTheConnection(t *testing.T) {
	good := func(h wire.RequestHeader, r kmsg.Request) []byte { b, _ := ok(h, r); return b }
	for name, handle := range map[string]func(wire.RequestHeader, kmsg.Request) ([]byte, error){
		"truncated": func(h wire.RequestHeader, r kmsg.Request) ([]byte, error) { b := good(h, r); return b[:len(b)-3], nil },
		"empty":     func(wire.RequestHeader, kmsg.Request) ([]byte, error) { return []byte{}, nil },
		"correlation id": func(h wire.RequestHeader, r kmsg.Request) ([]byte, error) {
			h.CorrelationID++
			return ok(h, r)
		},
		"claimed tags": func(h wire.RequestHeader, r kmsg.Request) ([]byte, error) {
			b := good(h, r)
			return append(b[:len(b)-1], 0xff, 0xff, 0xff, 0xff, 0x0f), nil
		},
		"hang up": hangUp,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(h *harness) {
				h.broker.handle = handle
				conn := h.up(10)
				h.Send(request(planner.LeaderAndISR, conn, 1))
				if got := one[planner.ChannelDown](h); got.Conn != conn {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestUnsolicitedFrameEndsTheConnection(t *testing.T) {
	run(t, func(h *harness) {
		conn := h.up(10)
		if err := wire.WriteFrame(h.broker.conns[0], []byte("hello there")); err != nil {
			t.Fatal(err)
		}
		if got := one[planner.ChannelDown](h); got.Conn != conn || got.Reason != errUnsolicited.Error() {
			t.Errorf("%+v", got)
		}
	})
}

func TestHugeAnswerIsRefused(t *testing.T) {
	run(t, func(h *harness) {
		h.up(10)
		if _, err := h.broker.conns[0].Write([]byte{0x7f, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		if got := one[planner.ChannelDown](h); !strings.Contains(got.Reason, "bound") {
			t.Errorf("%+v", got)
		}
	})
}

func TestReplacingAndClosing(t *testing.T) {
	run(t, func(h *harness) {
		conn := h.up(10)
		h.Apply([]planner.ChannelChange{{Broker: registered(11)}})
		events := h.take()
		if len(events) != 2 {
			t.Fatalf("%+v", events)
		}
		down, up := events[0].(planner.ChannelDown), events[1].(planner.ChannelUp)
		if down.Conn != conn || up.Epoch != 11 || up.Conn == conn {
			t.Errorf("%+v", events)
		}
		h.Send(request(planner.UpdateMetadata, up.Conn, 1))
		one[planner.BrokerReplied](h)
		h.Apply([]planner.ChannelChange{{Broker: registered(11), Close: true}, {Broker: broker(7, "", 0, "", 0), Close: true}})
		if got := one[planner.ChannelDown](h); got.Conn != up.Conn {
			t.Errorf("%+v", got)
		}
		h.Send(request(planner.UpdateMetadata, up.Conn, 2))
		time.Sleep(time.Minute)
		h.none()
		if n := len(h.broker.seen()); n != 1 {
			t.Errorf("%d requests arrived", n)
		}
	})
}

func TestBrokerWithoutTheListenerHarmsNobody(t *testing.T) {
	run(t, func(h *harness) {
		bare := registered(10)
		bare.ID, bare.Endpoints = 2, bare.Endpoints[:1]
		h.Apply([]planner.ChannelChange{{Broker: bare}})
		h.up(10)
		time.Sleep(time.Minute)
		h.none()
		whole := registered(11)
		whole.ID = 2
		h.Apply([]planner.ChannelChange{{Broker: whole}})
		if up := one[planner.ChannelUp](h); up.Broker != 2 {
			t.Errorf("%+v", up)
		}
	})
}

func TestNothingAfterClose(t *testing.T) {
	run(t, func(h *harness) {
		h.broker.handle = silence
		conn := h.up(10)
		h.Send(request(planner.LeaderAndISR, conn, 1))
		synctest.Wait()
		h.Close()
		synctest.Wait()
		before := h.broker.bytes
		h.Send(request(planner.LeaderAndISR, conn, 2))
		h.Apply([]planner.ChannelChange{{Broker: registered(11)}})
		h.Close()
		time.Sleep(time.Minute)
		h.none()
		if h.broker.bytes != before || len(h.broker.dials) != 1 {
			t.Error("something was sent after Close")
		}
	})
}

// Close, replacements, sends and hang-ups all at once, in real threads: for -race.
func TestCloseRaces(t *testing.T) {
	for range 50 {
		run(t, func(h *harness) {
			conn := h.up(10)
			go func() {
				for seq := range uint64(20) {
					h.Send(request(planner.LeaderAndISR, conn, seq))
				}
			}()
			go h.broker.hangUp()
			go h.Apply([]planner.ChannelChange{{Broker: registered(11)}})
			go h.gate(false)
			h.Close()
			h.take()
			time.Sleep(time.Minute)
			h.none()
		})
	}
}
