package channel

import (
	"net"
	"runtime"
	"testing"

	"baton/planner"
)

// The default dialer, real sockets and real time: whatever net.Pipe is too kind about.
func TestOverTCP(t *testing.T) {
	before := runtime.NumGoroutine()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeBroker{versions: zkVersions(), handle: ok}
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.set(func() { f.conns = append(f.conns, c) })
			go f.serve(c)
		}
	}()
	events := make(chan planner.Event, 100)
	m := NewManager(Config{
		ControllerID: 2000001, Listener: "INTERNAL", InterBrokerListener: "INTERNAL", Backoff: 1,
		Versions: Versions{LeaderAndISR: 7, UpdateMetadata: 8, StopReplica: 4},
	}, func(e planner.Event) { events <- e })
	b := registered(10)
	b.Endpoints[1].Host, b.Endpoints[1].Port = "127.0.0.1", int32(l.Addr().(*net.TCPAddr).Port)
	m.Apply([]planner.ChannelChange{{Broker: b}})

	up := (<-events).(planner.ChannelUp)
	r := large(planner.LeaderAndISR, 10000) // far more than a socket's buffers hold
	r.Conn, r.Seq = up.Conn, 1
	m.Send(r)
	if got := (<-events).(planner.BrokerReplied); got.Seq != 1 || got.Conn != up.Conn || len(got.Partitions) != 10000 {
		t.Errorf("seq %d conn %d, %d partitions", got.Seq, got.Conn, len(got.Partitions))
	}
	f.hangUp()
	if got := (<-events).(planner.ChannelDown); got.Conn != up.Conn {
		t.Errorf("%+v", got)
	}
	if again := (<-events).(planner.ChannelUp); again.Conn == up.Conn {
		t.Error("the connection's number is used twice")
	}
	m.Close()
	l.Close()
	<-accepted
	// Close has waited for the manager's goroutines; the fake broker's end by themselves.
	for runtime.NumGoroutine() > before {
		runtime.Gosched()
	}
	if len(events) != 0 {
		t.Errorf("reported %+v", <-events)
	}
}
