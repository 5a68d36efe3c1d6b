package wire

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fill sets every field below v to something that is not its zero value.
func fill(v reflect.Value, elements int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && v.Type().Field(i).Name != "Version" {
				fill(f, elements)
			}
		}
	case reflect.Slice:
		s := reflect.MakeSlice(v.Type(), elements, elements)
		for i := range elements {
			fill(s.Index(i), elements)
		}
		v.Set(s)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), elements)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), elements)
	case reflect.String:
		v.SetString("some text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(0x55)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(0x55)
	}
}

type message interface {
	SetVersion(int16)
	AppendTo([]byte) []byte
}

// exact reports whether layout steps over precisely what kmsg writes, for messages
// full of values, with empty arrays, and with nulls.
func exact(t *testing.T, name, layout string, flexible bool, version int16, fresh func() message) {
	t.Helper()
	for elements := -1; elements < 4; elements++ {
		m := fresh()
		m.SetVersion(version)
		if elements >= 0 {
			fill(reflect.ValueOf(m).Elem(), elements)
		}
		b := m.AppendTo(nil)
		w := walker{b: b, flexible: flexible}
		w.fields(layout)
		w.tags()
		if w.err != nil || len(w.b) != 0 {
			t.Errorf("%s v%d with %d elements: %v, %d of %d bytes left", name, version, elements, w.err, len(w.b), len(b))
		}
	}
}

func TestLayoutsFitWhatIsServed(t *testing.T) {
	for _, k := range Served() {
		for v := k.Min; v <= k.Max; v++ {
			exact(t, kmsg.NameForKey(k.Key), requestLayout(k.Key, v), Flexible(k.Key, v), v, func() message { return kmsg.RequestForKey(k.Key) })
		}
	}
	for key, last := range map[int16]int16{LeaderAndIsr: 7, StopReplica: 4, UpdateMetadata: 8, ApiVersions: 4} {
		for v := range last + 1 {
			l, ok := responseLayout(key, v)
			if !ok {
				t.Errorf("no layout for the response of key %d", key)
			}
			exact(t, "response "+kmsg.NameForKey(key), l, Flexible(key, v), v, func() message { return kmsg.ResponseForKey(key) })
		}
	}
}

// The reason for layouts: kmsg alone would count to four billion here.
func TestClaimedTagsAreNotCounted(t *testing.T) {
	start := time.Now()
	lie := []byte{0xff, 0xff, 0xff, 0xff, 0x0f}
	body := append([]byte{1, 1}, lie...)
	if _, err := DecodeRequest(ApiVersions, 3, body); err == nil {
		t.Error("accepted")
	}
	if _, err := DecodeResponse(UpdateMetadata, 8, append([]byte{0, 0}, lie...)); err == nil {
		t.Error("response accepted")
	}
	header := AppendRequestHeader(nil, RequestHeader{Key: ApiVersions, Version: 3})
	if _, _, err := ParseRequestHeader(append(header[:len(header)-1], lie...)); err == nil {
		t.Error("header accepted")
	}
	t.Log(time.Since(start))
}

// A frame within its bound must not become a hundred times its size in structs.
func TestClaimedCountsAreNotAllocated(t *testing.T) {
	body := make([]byte, 1<<20)
	binary.BigEndian.PutUint32(body, uint32(len(body)-4)) // a million topics, it says, but there are 65,000
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeRequest(CreateTopics, 0, body); err == nil {
				b.Fatal("accepted")
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 1<<10 {
		t.Errorf("%d bytes were allocated", allocated)
	}
}

func TestUnknownTagsAreSkipped(t *testing.T) {
	body := append([]byte("\x02a\x02b"), 2, 0, 1, 'x', 100, 0)
	if _, err := DecodeRequest(ApiVersions, 3, body); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, k := range Served() {
		for v := k.Min; v <= k.Max; v++ {
			for elements := range 3 {
				r := kmsg.RequestForKey(k.Key)
				r.SetVersion(v)
				fill(reflect.ValueOf(r).Elem(), elements)
				h := RequestHeader{Key: k.Key, Version: v, CorrelationID: 1}
				f.Add(r.AppendTo(AppendRequestHeader(nil, h)))
			}
		}
	}
	for _, b := range golden(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := ParseRequestHeader(frame)
		if err != nil {
			return
		}
		before := bytes.Clone(body)
		r, err := DecodeRequest(h.Key, h.Version, body)
		if !bytes.Equal(before, body) {
			t.Fatal("decoding changed its input")
		}
		if err == nil && (r.Key() != h.Key || r.GetVersion() != h.Version) {
			t.Fatalf("%d v%d came back as %d v%d", h.Key, h.Version, r.Key(), r.GetVersion())
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	for _, key := range []int16{LeaderAndIsr, StopReplica, UpdateMetadata, ApiVersions} {
		for v := range int16(8) {
			r := kmsg.ResponseForKey(key)
			r.SetVersion(v)
			fill(reflect.ValueOf(r).Elem(), 2)
			f.Add(key, v, r.AppendTo(AppendResponseHeader(nil, key, v, 1)))
		}
	}
	f.Fuzz(func(t *testing.T, key, version int16, frame []byte) {
		if key == ApiVersions {
			version = 0 // the only version that is asked for
		}
		switch key {
		case LeaderAndIsr, StopReplica, UpdateMetadata, ApiVersions:
			if _, body, err := ParseResponseHeader(frame, key, version); err == nil {
				_, _ = DecodeResponse(key, version, body)
			}
		}
	})
}

// Kafka reads no longer string whatever its length has room for, and could not send it back.
func TestStringsAreNoLongerThanKafkas(t *testing.T) {
	for n, ok := range map[int]bool{maxString: true, maxString + 1: false} {
		r := kmsg.NewPtrApiVersionsRequest()
		r.Version, r.ClientSoftwareName = 3, strings.Repeat("x", n)
		if _, err := DecodeRequest(ApiVersions, 3, r.AppendTo(nil)); (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(EndFrame(append(BeginFrame(nil), "content"...), 0), 1<<16)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, MaxFrame)
	f.Add([]byte{0x06, 0x40, 0, 0, 'x'}, MaxFrame)
	f.Add([]byte{0x06, 0x40, 0, 1}, MaxFrame)
	f.Fuzz(func(t *testing.T, stream []byte, bound int) {
		r := bytes.NewReader(stream)
		var frame []byte
		for {
			at := len(stream) - r.Len()
			var err error
			if frame, err = ReadFrame(r, frame, bound); err != nil {
				return
			}
			if want := stream[at+prefixLen : len(stream)-r.Len()]; len(frame) > bound || !bytes.Equal(frame, want) {
				t.Fatalf("read %x for %x, bound %d", frame, want, bound)
			}
			if cap(frame) > 4*len(stream)+2*growStep {
				t.Fatalf("%d bytes are held for a stream of %d", cap(frame), len(stream))
			}
		}
	})
}
