package server_test

import (
	"bytes"
	"testing"

	"baton/server/servertest"
	"baton/wire"
)

func TestEveryResponseReadsBackAsWritten(t *testing.T) {
	count := map[int16]int{}
	for _, s := range servertest.Samples() {
		count[s.Key]++
		if got := s.Response.AppendTo(nil); !bytes.Equal(got, s.Body) {
			t.Errorf("key %d version %d shape %s: %x reads back as %x", s.Key, s.Version, s.Shape, s.Body, got)
		}
	}
	for key, r := range servertest.Keys() {
		if want := 5 * int(r[1]-r[0]+1); count[key] < want {
			t.Errorf("key %d: %d samples, want at least %d", key, count[key], want)
		}
	}
}

func TestVersionsAreThoseOfWire(t *testing.T) {
	keys := servertest.Keys()
	for _, k := range wire.Served() {
		if k.Key == wire.InitProducerID {
			continue // passed on to a broker
		}
		if got := keys[k.Key]; got != [2]int16{k.Min, k.Max} {
			t.Errorf("key %d: samples cover %v, wire serves %v", k.Key, got, k.Range)
		}
	}
}
