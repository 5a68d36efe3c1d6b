package jute

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"runtime"
	"testing"
)

func null(s string) *string { return &s }

// records are values of every record, with a fresh one to decode into.
func records() []struct{ value, empty Record } {
	stat := Stat{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	acl := []ACL{{31, "world", "anyone"}, {1, "ip", "10.0.0.0/8"}}
	return []struct{ value, empty Record }{
		{&ConnectRequest{1, 2, 3, 4, []byte("password"), true, false}, &ConnectRequest{}},
		{&ConnectRequest{1, 2, 3, 4, []byte("password"), false, true}, &ConnectRequest{}},
		{&ConnectResponse{1, 2, 3, []byte("password"), true, false}, &ConnectResponse{}},
		{&ConnectResponse{1, 2, 3, nil, false, true}, &ConnectResponse{}},
		{&RequestHeader{-2, OpPing}, &RequestHeader{}},
		{&ReplyHeader{7, 1 << 40, NoNode}, &ReplyHeader{}},
		{&WatcherEvent{EventDeleted, StateConnected, "/a"}, &WatcherEvent{}},
		{&stat, &Stat{}},
		{&PathRequest{"/a"}, &PathRequest{}},
		{&PathWatchRequest{"/a", true}, &PathWatchRequest{}},
		{&PathVersionRequest{"/a", -1}, &PathVersionRequest{}},
		{&PathKindRequest{"/a", 3}, &PathKindRequest{}},
		{&CreateRequest{"/a", []byte("x"), acl, 3, false, 0}, &CreateRequest{}},
		{&CreateRequest{"/a", nil, nil, 5, true, 99}, &CreateRequest{HasTTL: true}},
		{&SetDataRequest{"/a", []byte{}, 4}, &SetDataRequest{}},
		{&SetACLRequest{"/a", acl, 4}, &SetACLRequest{}},
		{&AuthRequest{0, "digest", []byte("a:b")}, &AuthRequest{}},
		{&SetWatchesRequest{false, 5, []string{"/a"}, []string{}, nil, nil, nil}, &SetWatchesRequest{}},
		{&SetWatchesRequest{true, 5, nil, nil, nil, []string{"/a", "/b"}, []string{}}, &SetWatchesRequest{Two: true}},
		{&GetEphemeralsRequest{}, &GetEphemeralsRequest{}},
		{&GetEphemeralsRequest{null("/a")}, &GetEphemeralsRequest{}},
		{&PathResponse{"/a"}, &PathResponse{}},
		{&PathStatResponse{"/a", stat}, &PathStatResponse{}},
		{&DataResponse{nil, stat}, &DataResponse{}},
		{&StringsResponse{[]string{"a", ""}}, &StringsResponse{}},
		{&ChildrenResponse{[]string{"a"}, stat}, &ChildrenResponse{}},
		{&ACLResponse{acl, stat}, &ACLResponse{}},
		{&IntResponse{7}, &IntResponse{}},
		{&WhoAmIResponse{[]ClientInfo{{"ip", "1.2.3.4"}}}, &WhoAmIResponse{}},
		{&MultiHeader{OpError, true, -1}, &MultiHeader{}},
		{&MultiRequest{[]MultiOp{{OpCreate, &CreateRequest{Path: "/a"}}, {OpCreateTTL, &CreateRequest{Path: "/a", HasTTL: true, TTL: 5}},
			{OpDelete, &PathVersionRequest{"/a", 1}}, {OpSetData, &SetDataRequest{"/a", nil, 1}}, {OpGetData, &PathWatchRequest{"/a", false}}}},
			&MultiRequest{}},
		{&MultiResponse{[]MultiResult{{OpCreate, 0, &PathResponse{"/a"}}, {OpCreate2, 0, &PathStatResponse{"/a", stat}}, {OpDelete, 0, nil},
			{OpSetData, 0, &stat}, {OpError, NoNode, nil}, {OpGetData, 0, &DataResponse{[]byte("x"), stat}},
			{OpGetChildren, 0, &StringsResponse{[]string{"x"}}}}}, &MultiResponse{}},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, r := range records() {
		b := r.value.Append(nil)
		d := NewDecoder(b)
		r.empty.Decode(d)
		if d.Err() != nil || len(d.Rest()) != 0 || !reflect.DeepEqual(r.value, r.empty) {
			t.Errorf("%T: %v, %d left\n got %+v\nwant %+v", r.value, d.Err(), len(d.Rest()), r.empty, r.value)
		}
	}
}

// Every record that ends too early is an error, never a panic or a value.
func TestTruncated(t *testing.T) {
	for _, r := range records() {
		b := r.value.Append(nil)
		for n := range b {
			err := Unmarshal(b[:n], r.empty)
			old := false // a client from before 3.4 ends its handshake a byte earlier
			switch r.value.(type) {
			case *ConnectRequest, *ConnectResponse:
				old = n == len(b)-1
			}
			if err == nil && !old {
				t.Errorf("%T: %d of %d bytes decode", r.value, n, len(b))
			}
		}
	}
}

// What a real client and a real server wrote, taken from the wire.
func TestBytes(t *testing.T) {
	for _, c := range []struct {
		hex string
		r   Record
	}{
		{"00000000000000000000000000002710000000000000000000000010" + "00000000000000000000000000000000" + "00",
			&ConnectRequest{Timeout: 10000, Password: make([]byte, 16)}},
		{"00000001" + "0000000000000005" + "ffffff9b", &ReplyHeader{1, 5, NoNode}},
		{"00000001" + "00000003" + "000000022f61", &WatcherEvent{EventCreated, StateConnected, "/a"}},
		{"0000000d" + "00" + "ffffffff" + "000000022f61" + "00000003" + "ffffffff" + "01" + "ffffffff",
			&MultiRequest{[]MultiOp{{OpCheck, &PathVersionRequest{"/a", 3}}}}},
	} {
		if got := hex.EncodeToString(c.r.Append(nil)); got != c.hex {
			t.Errorf("%T: got %s, want %s", c.r, got, c.hex)
		}
	}
}

func TestFrames(t *testing.T) {
	b := AppendFrame(nil, &RequestHeader{1, OpSync}, &PathRequest{"/a"})
	b = AppendFrame(b, &RequestHeader{2, OpPing}, nil)
	r := bytes.NewReader(b)
	for _, want := range []int{14, 8} {
		f, err := ReadFrame(r, 100)
		if err != nil || len(f) != want {
			t.Fatal(f, err)
		}
	}
	if _, err := ReadFrame(r, 100); err != io.EOF {
		t.Error(err)
	}
	for _, head := range [][]byte{AppendInt(nil, 101), AppendInt(nil, -1)} {
		if _, err := ReadFrame(bytes.NewReader(head), 100); !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
	}
	if _, err := ReadFrame(bytes.NewReader(AppendInt(nil, 4)), 100); err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
}

// A length is not believed: a few bytes that promise gigabytes cost nothing.
func TestLengthsAreBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	huge := AppendInt(nil, 0x7fffffff)
	for _, r := range []Record{&PathRequest{}, &StringsResponse{}, &WhoAmIResponse{}, &SetWatchesRequest{}} {
		if err := Unmarshal(append(make([]byte, 0, 12), huge...), r); err == nil {
			t.Errorf("%T decodes", r)
		}
	}
	d := NewDecoder(huge)
	if d.ACLs(); !errors.Is(d.Err(), ErrLength) {
		t.Error(d.Err())
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

// FuzzRecords decodes anything as every record: what decodes is the same after encoding and decoding again.
func FuzzRecords(f *testing.F) {
	for i, r := range records() {
		f.Add(uint8(i), r.value.Append(nil))
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		all := records()
		r := all[int(kind)%len(all)].empty
		again := reflect.New(reflect.TypeOf(r).Elem())
		again.Elem().Set(reflect.ValueOf(r).Elem()) // HasTTL and Two
		if Unmarshal(b, r) != nil {
			return
		}
		c := r.Append(nil)
		if err := Unmarshal(c, again.Interface().(Record)); err != nil {
			t.Fatalf("%T: %v\n%x", r, err, c)
		}
		if d := again.Interface().(Record).Append(nil); !bytes.Equal(c, d) {
			t.Fatalf("%T:\n%x\n%x", r, c, d)
		}
	})
}

// FuzzFrame reads anything as frames, within its limit.
func FuzzFrame(f *testing.F) {
	f.Add(AppendFrame(nil, &RequestHeader{1, OpSync}, &PathRequest{"/a"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		for {
			frame, err := ReadFrame(r, 1<<16)
			if err != nil {
				return
			}
			if len(frame) > 1<<16 {
				t.Fatal(len(frame))
			}
		}
	})
}
