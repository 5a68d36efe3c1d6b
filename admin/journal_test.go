package admin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"baton/journal/entry"
	"baton/partition"
)

// What a Client asks for arrives as it was meant, and so does the answer.
func TestHistoryTravels(t *testing.T) {
	n := &fakeNode{answer: entry.Answer{Entries: []entry.Entry{{Origin: "7-1", Seq: 3, Kind: entry.Role, Text: "x"}}, Gone: []string{"y"}}}
	srv := httptest.NewServer(NewServer(n, Options{}).Handler())
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	var d net.Dialer
	p := NewPeer(addr, func(ctx context.Context, addr string) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }, time.Second)
	f := entry.Of(partition.ID{Topic: "a b&c", Number: 3})
	f.Since, f.Until, f.Limit = time.Unix(5, 7).UTC(), time.Unix(9, 0).UTC(), 4
	got, err := p.History(t.Context(), f)
	if err != nil || !reflect.DeepEqual(n.filter, f) || !n.local || len(got.Entries) != 1 || got.Entries[0].Text != "x" || got.Gone[0] != "y" {
		t.Errorf("%+v, asked for %+v (local %v), %v", got, n.filter, n.local, err)
	}
	if infos, err := p.Journals(t.Context()); err != nil || len(infos) != 1 || infos[0].Last != 3 {
		t.Errorf("%v, %v", infos, err)
	}
	r, err := p.Stream(t.Context(), "7-1", 12)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err = errors.Join(err, r.Close()); err != nil || line != "7-1 from 12\n" {
		t.Errorf("%q, %v", line, err)
	}
	n.statErr = errors.New("no journal is kept")
	if _, err := p.History(t.Context(), f); err == nil || err.Error() != "no journal is kept" {
		t.Error(err)
	}
	if _, err := p.Stream(t.Context(), "7-1", 1); err == nil || !strings.Contains(err.Error(), "no journal is kept") {
		t.Error(err)
	}
}

func TestHistoryAskedWrongly(t *testing.T) {
	n := &fakeNode{}
	h := NewServer(n, Options{}).Handler()
	for _, q := range []string{"partition=1", "topic=t&partition=x", "topic=t&partition=-1", "since=noon", "until=1", "limit=0", "limit=x"} {
		if code, body := get(t, h, PathHistory+"?"+q); code != http.StatusBadRequest || !strings.Contains(body, `"kind": "usage"`) {
			t.Errorf("%s: %d %s", q, code, body)
		}
	}
	if code, body := get(t, h, PathJournals+"/7-1?from=x"); code != http.StatusBadRequest {
		t.Errorf("%d %s", code, body)
	}
	// Who is not on this host gets what is here, and has nobody else asked.
	if code, _ := get(t, h, PathHistory); code != http.StatusOK || !n.local {
		t.Errorf("%d, local %v", code, n.local)
	}
}

func TestReadersAreBounded(t *testing.T) {
	s := NewServer(&fakeNode{}, Options{})
	for range maxReading {
		s.reading <- struct{}{}
	}
	for range maxStreaming {
		s.streaming <- struct{}{}
	}
	for _, path := range []string{PathHistory, PathJournals, PathJournals + "/7-1"} {
		if code, body := get(t, s.Handler(), path); code != http.StatusServiceUnavailable || !strings.Contains(body, `"kind": "busy"`) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// A stream that has no end does not keep the process from ending.
func TestStreamsEndWithTheServer(t *testing.T) {
	s := NewServer(&fakeNode{}, Options{Listener: "127.0.0.1:0"})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	resp, err := http.Get("http://" + s.Addr() + PathJournals + "/7-1")
	if err != nil {
		t.Fatal(err)
	}
	defer closeBody(resp)
	cancel()
	if text, err := io.ReadAll(resp.Body); err != nil || len(text) == 0 {
		t.Errorf("the stream was broken off: %q, %v", text, err) // not ended
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
