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
	for key, r := range servertest.Keys() {
		for v := r[0]; v <= r[1]; v++ {
			if key == wire.StopReplica && v > 3 {
				continue
			}
			for _, shape := range []servertest.Shape{servertest.Full, servertest.Null, servertest.Empty} {
				frame, err := wire.AppendRequest(nil, nil, 1, servertest.Request(key, v, shape))
				if err != nil {
					f.Fatal(err)
				}
				f.Add(frame[4:], shape != servertest.Full)
			}
		}
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
