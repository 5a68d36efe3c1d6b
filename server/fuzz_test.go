package server_test

import (
	"context"
	"testing"

	"baton/server"
	"baton/server/servertest"
	"baton/wire"
)

// FuzzHandle looks for frames that make a handler panic, hang, or answer something that
// does not parse.
func FuzzHandle(f *testing.F) {
	add := func(key, version int16, shape servertest.Shape, active bool) {
		frame, err := wire.AppendRequest(nil, nil, 1, servertest.Request(key, version, shape))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame[4:], active)
	}
	// Few of them: each costs a round between processes before anything new is tried. Versions
	// in between differ from these in a field or two, which is found soon.
	for key, r := range servertest.Keys() {
		if key == wire.StopReplica {
			r[1] = min(r[1], 3)
		}
		add(key, r[1], servertest.Full, true)
		add(key, r[1], servertest.Null, true)
		if r[0] != r[1] {
			add(key, r[0], servertest.Full, true)
		}
		add(key, r[0], servertest.Empty, false)
	}
	f.Add([]byte{0, 18, 0, 9, 0, 0, 0, 1}, true)
	full, standby := servertest.ServerFor(servertest.Errors), servertest.ServerFor(servertest.Standby)
	decides := server.New(server.Config{ID: servertest.BatonID}, newPlanned(0), servertest.Brokers(nil))
	f.Fuzz(func(t *testing.T, frame []byte, active bool) {
		s := standby
		if active {
			s = full
		}
		if active {
			_, _ = decides.Handle(context.Background(), listener, frame) // what the planner makes of it
		}
		out, err := s.Handle(context.Background(), listener, frame)
		if err != nil {
			return
		}
		key, version := int16(frame[0])<<8|int16(frame[1]), int16(frame[2])<<8|int16(frame[3])
		if key == wire.ApiVersions && (version < 0 || version > 4) {
			version = 0
		}
		_, body, err := wire.ParseResponseHeader(out[4:], key, version)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wire.DecodeResponse(key, version, body); err != nil {
			t.Fatal(err)
		}
	})
}
