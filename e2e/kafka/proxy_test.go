package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"baton/e2e/kafka"
)

// echoBroker answers each frame with its correlation id and error 11, as a broker fences an old controller. With a
// frame it also remembers its api key, in order.
func echoBroker(t *testing.T) (addr string, seen <-chan int16) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	keys := make(chan int16, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for {
					head := make([]byte, 12)
					if _, err := io.ReadFull(conn, head); err != nil {
						return
					}
					if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head))-8); err != nil {
						return
					}
					keys <- int16(binary.BigEndian.Uint16(head[4:]))
					if _, err := conn.Write(append(append([]byte{0, 0, 0, 6}, head[8:12]...), 0, 11)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), keys
}

func request(key int16, correlation uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, 12)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, 1)
	b = binary.BigEndian.AppendUint32(b, correlation)
	return append(b, "body"...)
}

func dialProxy(t *testing.T, p *kafka.TCPProxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func readAnswer(t *testing.T, conn net.Conn, correlation uint32) {
	t.Helper()
	answer := make([]byte, 10)
	_, err := io.ReadFull(conn, answer)
	must(t, err)
	if got := binary.BigEndian.Uint32(answer[4:]); got != correlation {
		t.Errorf("answer to %d, want %d", got, correlation)
	}
}

// TestProxyReleasesAfterSenderDied is the stale controller's frame: its sender is gone when it arrives.
func TestProxyReleasesAfterSenderDied(t *testing.T) {
	ctx := within(t, 20*time.Second)
	addr, seen := echoBroker(t)
	p, err := kafka.NewTCPProxy(t, addr)
	must(t, err)
	held := p.HoldKey(5)
	conn := dialProxy(t, p)
	_, err = conn.Write(request(3, 1))
	must(t, err)
	readAnswer(t, conn, 1)
	_, err = conn.Write(request(5, 2))
	must(t, err)
	_, err = held.Wait(ctx)
	must(t, err)
	must(t, conn.Close())
	other := dialProxy(t, p) // another connection passes meanwhile
	_, err = other.Write(request(6, 3))
	must(t, err)
	readAnswer(t, other, 3)
	held.Release()
	code, err := held.ErrorCode(ctx)
	must(t, err)
	if code != 11 {
		t.Errorf("error %d", code)
	}
	for _, want := range []int16{3, 6, 5} {
		if got := <-seen; got != want {
			t.Errorf("the broker saw %d, want %d", got, want)
		}
	}
}

func TestProxyBlocksCutsAndRefuses(t *testing.T) {
	addr, seen := echoBroker(t)
	p, err := kafka.NewTCPProxy(t, addr)
	must(t, err)
	conn := dialProxy(t, p)
	p.Block()
	_, err = conn.Write(request(3, 1))
	must(t, err)
	select {
	case <-seen:
		t.Error("a frame passed a blocked proxy")
	case <-time.After(100 * time.Millisecond): // absence has no event to wait for
	}
	p.Unblock()
	readAnswer(t, conn, 1)
	p.Refuse(true)
	p.Cut()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection survived a cut")
	}
	if _, err := dialProxy(t, p).Read(make([]byte, 1)); err == nil {
		t.Error("a new connection was not refused")
	}
	p.Refuse(false)
	again := dialProxy(t, p)
	_, err = again.Write(request(3, 2))
	must(t, err)
	readAnswer(t, again, 2)
}

func TestProxyClosedWhileHolding(t *testing.T) {
	ctx := within(t, 20*time.Second)
	addr, _ := echoBroker(t)
	p, err := kafka.NewTCPProxy(t, addr)
	must(t, err)
	held, never := p.HoldKey(4), p.HoldKey(99)
	_, err = dialProxy(t, p).Write(request(4, 1))
	must(t, err)
	_, err = held.Wait(ctx)
	must(t, err)
	p.Close()
	for _, h := range []*kafka.Held{held, never} {
		if _, err := h.Response(ctx); !errors.Is(err, net.ErrClosed) {
			t.Errorf("response of a closed proxy: %v", err)
		}
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if _, err := never.Wait(short); err == nil {
		t.Error("a frame was caught that nobody sent")
	}
}
