package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func golden(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/control.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		if out[name], err = hex.DecodeString(digits); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestFrameRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, growStep - 1, growStep, growStep + 1, 5*growStep + 3} {
		body := bytes.Repeat([]byte{7}, n)
		var b bytes.Buffer
		if err := WriteFrame(&b, body); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFrame(&b, make([]byte, 3, 10), n)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: %d came back, %v", n, len(got), err)
		}
	}
}

func TestFrameBound(t *testing.T) {
	for _, size := range []int32{11, -1} {
		var prefix [4]byte
		binary.BigEndian.PutUint32(prefix[:], uint32(size))
		_, err := ReadFrame(bytes.NewReader(prefix[:]), nil, 10)
		var e *FrameSizeError
		if !errors.As(err, &e) || e.Size != size || e.Bound != 10 {
			t.Fatalf("size %d: %v", size, err)
		}
		if !strings.Contains(err.Error(), fmt.Sprint(size)) || !strings.Contains(err.Error(), "10") {
			t.Errorf("%q does not name size and bound", err)
		}
	}
}

func TestFrameEnds(t *testing.T) {
	for stream, want := range map[string]error{
		"":                        io.EOF,
		"\x00\x00":                io.ErrUnexpectedEOF,
		"\x00\x00\x00\x02":        io.ErrUnexpectedEOF,
		"\x00\x00\x00\x02a":       io.ErrUnexpectedEOF,
		"\x00\x00\x00\x02ab\x00a": nil,
	} {
		if _, err := ReadFrame(strings.NewReader(stream), nil, 10); err != want {
			t.Errorf("%q: %v, want %v", stream, err, want)
		}
	}
}

// A peer that announces much and sends nothing must cost next to nothing.
func TestAnnouncedFrameIsNotAllocatedAhead(t *testing.T) {
	var prefix [4]byte
	binary.BigEndian.PutUint32(prefix[:], MaxFrame)
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ReadFrame(bytes.NewReader(prefix[:]), nil, MaxFrame); err == nil {
				b.Fatal("no error")
			}
		}
	})
	if got := r.AllocedBytesPerOp(); got > 4*growStep {
		t.Errorf("%d bytes were allocated", got)
	}
}

func TestRequestHeader(t *testing.T) {
	id := "client"
	for _, h := range []RequestHeader{
		{Key: Metadata, Version: 8, CorrelationID: -5, ClientID: &id},
		{Key: Metadata, Version: 9, CorrelationID: 1 << 30, ClientID: &id},
		{Key: ApiVersions, Version: 3},
		{Key: ControlledShutdown, Version: 1, ClientID: new(string)},
	} {
		b := append(AppendRequestHeader(nil, h), "body"...)
		got, body, err := ParseRequestHeader(b)
		if err != nil || string(body) != "body" || !reflect.DeepEqual(got, h) {
			t.Errorf("%+v: %+v %q %v", h, got, body, err)
		}
		for n := range len(b) - len("body") {
			if _, _, err := ParseRequestHeader(b[:n]); err == nil {
				t.Errorf("%+v: %d bytes are accepted", h, n)
			}
		}
	}
}

func TestRequestHeaderRefusals(t *testing.T) {
	for name, h := range map[string]RequestHeader{
		"ControlledShutdown v0": {Key: ControlledShutdown, CorrelationID: 9},
		"unknown key":           {Key: 9999, CorrelationID: 9},
		"negative key":          {Key: -1, CorrelationID: 9},
		"negative version":      {Key: Metadata, Version: -1, CorrelationID: 9},
	} {
		got, _, err := ParseRequestHeader(AppendRequestHeader(nil, h))
		var e *UnsupportedError
		if !errors.As(err, &e) || e.Key != h.Key || e.Version != h.Version || got.CorrelationID != 9 {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	// A client newer than we are starts with an ApiVersions that must be answered.
	got, _, err := ParseRequestHeader(AppendRequestHeader(nil, RequestHeader{Key: ApiVersions, Version: 99, CorrelationID: 9}))
	if err != nil || got.Version != 99 || got.CorrelationID != 9 {
		t.Errorf("ApiVersions v99: %+v %v", got, err)
	}
}

func TestResponseHeaders(t *testing.T) {
	for name, b := range golden(t) {
		kind, v, isResponse := strings.Cut(name, "Response.v")
		if !isResponse {
			continue
		}
		key := map[string]int16{"LeaderAndIsr": 4, "UpdateMetadata": 6, "StopReplica": 5, "ApiVersions": 18}[kind]
		version := int16(v[0] - '0')
		id, body, err := ParseResponseHeader(b, key, version)
		if err != nil || id != 7 {
			t.Fatal(name, id, err)
		}
		r, err := DecodeResponse(key, version, body)
		if err != nil {
			t.Fatal(name, err)
		}
		if again := AppendResponse(nil, 7, r); !bytes.Equal(again[4:], b) {
			t.Errorf("%s: %x, want %x", name, again[4:], b)
		}
	}
}

func TestGoldenRequestsDecode(t *testing.T) {
	for name, b := range golden(t) {
		if strings.Contains(name, "Response") {
			continue
		}
		h, body, err := ParseRequestHeader(b)
		if err != nil || h.ClientID == nil || *h.ClientID != "2000001" || h.CorrelationID != 7 {
			t.Fatal(name, h, err)
		}
		r, err := DecodeRequest(h.Key, h.Version, body)
		if err != nil {
			t.Fatal(name, err)
		}
		v := reflect.ValueOf(r).Elem()
		if id, e := v.FieldByName("ControllerID").Int(), v.FieldByName("ControllerEpoch").Int(); id != 2000001 || e != 9 {
			t.Errorf("%s: controller %d epoch %d", name, id, e)
		}
		again, err := AppendRequest(nil, h.ClientID, h.CorrelationID, r)
		if h.Key == StopReplica && h.Version == 4 {
			var e *UnsupportedError
			if !errors.As(err, &e) {
				t.Errorf("%s was encoded", name)
			}
		} else if err != nil || !bytes.Equal(again[4:], b) {
			t.Errorf("%s: %x %v, want %x", name, again[4:], err, b)
		}
	}
}

// If this fails, kmsg has been mended: kmsgStopReplicaV4 then has to go.
func TestStopReplicaV4IsStillWrongInKmsg(t *testing.T) {
	r := kmsg.NewStopReplicaRequest()
	r.Version, r.ControllerEpoch, r.IsKRaftController = 4, 0x01020304, true
	if b := r.AppendTo(nil); b[4] != 1 || b[8] != 1 || b[5] != 2 {
		t.Errorf("isKRaftController now comes first: %x", b)
	}
}

func TestServedTable(t *testing.T) {
	last := int16(-1)
	for _, k := range Served() {
		if k.Key <= last {
			t.Errorf("key %d is not in order", k.Key)
		}
		last = k.Key
		r := kmsg.RequestForKey(k.Key)
		if r == nil || r.MaxVersion() < k.Max || k.Min > k.Max || k.Min < 0 {
			t.Errorf("key %d: %+v", k.Key, k.Range)
		}
		for _, v := range []int16{k.Min - 1, k.Max + 1} {
			var e *UnsupportedError
			if _, err := DecodeRequest(k.Key, v, nil); !errors.As(err, &e) {
				t.Errorf("key %d version %d: %v", k.Key, v, err)
			}
		}
	}
	var e *UnsupportedError
	if _, err := DecodeRequest(0, 0, nil); !errors.As(err, &e) {
		t.Errorf("Produce: %v", err)
	}
	Served()[0].Max = 99
	if r, _ := ServedRange(Metadata); r.Max != 12 {
		t.Error("the table can be changed from outside")
	}
}

func TestSendVersion(t *testing.T) {
	for configured := range int16(6) {
		for broker := range int16(6) {
			if got, want := SendVersion(StopReplica, configured, broker), min(configured, broker, 3); got != want {
				t.Errorf("StopReplica: %d", got)
			}
			if got, want := SendVersion(LeaderAndIsr, configured, broker), min(configured, broker); got != want {
				t.Errorf("LeaderAndIsr: %d", got)
			}
		}
	}
}
