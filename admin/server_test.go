package admin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"baton/snapshot"
)

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestProbes(t *testing.T) {
	n := &fakeNode{st: Status{Instance: Instance{Role: RoleStandby}}}
	h := NewServer(n, Options{Gatherer: prometheus.NewRegistry()}).Handler()
	want := func(path string, code int, text string) {
		t.Helper()
		if c, body := get(t, h, path); c != code || !strings.Contains(body, text) {
			t.Errorf("%s: %d %q, want %d with %q", path, c, body, code, text)
		}
	}
	want("/livez", 200, "ok")
	want("/readyz", 200, "ok")
	want("/leader", 503, "standby")
	want("/standby", 200, "standby")
	want("/version", 200, `"version"`)
	want("/metrics", 200, "")
	want(PathStatus, 200, `"role": "standby"`)
	n.st.Instance.Role, n.dead, n.notReady = RoleActive, true, "image not loaded"
	want("/leader", 200, "active")
	want("/standby", 503, "active")
	want("/livez", 503, "no progress")
	want("/readyz", 503, "image not loaded")
	n.statErr = Unreachable("the loop does not answer")
	want("/leader", 503, "does not answer")
	want(PathStatus, 503, `"kind": "unreachable"`)
}

// TestRemoteMutationIsRefused: everything but a plain local request, and the same for profiles.
func TestRemoteMutationIsRefused(t *testing.T) {
	n := &fakeNode{}
	h := NewServer(n, Options{}).Handler()
	for name, c := range map[string]struct {
		change func(*http.Request)
		code   int
	}{
		"local":           {func(*http.Request) {}, 200},
		"local IPv6":      {func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:999", "[::1]:9190" }, 200},
		"localhost":       {func(r *http.Request) { r.Host = "localhost:9190" }, 200},
		"remote":          {func(r *http.Request) { r.RemoteAddr = "10.1.2.3:999" }, 403},
		"mapped remote":   {func(r *http.Request) { r.RemoteAddr = "[::ffff:10.1.2.3]:999" }, 403},
		"no address":      {func(r *http.Request) { r.RemoteAddr = "@" }, 403},
		"through a proxy": {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.1.2.3") }, 403},
		"rebound name":    {func(r *http.Request) { r.Host = "evil.example:9190" }, 403},
		"web page":        {func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
		"cross-site":      {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"form":            {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 403},
		"no body":         {func(r *http.Request) { r.Body = http.NoBody }, 200},
	} {
		r := httptest.NewRequest(http.MethodPost, PathTakeover, strings.NewReader(`{"who":"me"}`))
		r.RemoteAddr, r.Host = "127.0.0.1:999", "127.0.0.1:9190"
		r.Header.Set("Content-Type", "application/json")
		c.change(r)
		w := httptest.NewRecorder()
		before := len(n.reqs)
		h.ServeHTTP(w, r)
		if w.Code != c.code || (len(n.reqs) > before) != (c.code == 200) {
			t.Errorf("%s: %d, %d calls: %s", name, w.Code, len(n.reqs)-before, w.Body)
		}
		if c.code == 403 && (!strings.Contains(w.Body.String(), "unix socket") || !strings.Contains(w.Body.String(), `"refused"`)) {
			t.Errorf("%s: the message does not help: %s", name, w.Body)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/debug/pprof/cmdline", nil)
	r.RemoteAddr = "10.1.2.3:999"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("pprof from afar: %d", w.Code)
	}
}

// start runs a Server on a socket of its own.
func start(t *testing.T, n Node, level zap.AtomicLevel) (*Client, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.sock")
	s := NewServer(n, Options{Socket: path, Listener: "127.0.0.1:0", Level: level})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return NewClient(path), path
}

func TestCommandsOverTheSocket(t *testing.T) {
	n := &fakeNode{st: Status{Epoch: 7}}
	level := zap.NewAtomicLevel()
	c, path := start(t, n, level)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v; want mode 0600", info.Mode(), err)
	}
	ctx, me := t.Context(), Request{Who: "me", Why: "test"}
	if st, err := c.Status(ctx); err != nil || st.Epoch != 7 {
		t.Errorf("status: %+v, %v", st, err)
	}
	n.takeover = func(_ context.Context, _ Request, progress func(string)) error {
		progress("claiming")
		progress("loading")
		return nil
	}
	var lines []string
	if err := c.Takeover(ctx, me, func(s string) { lines = append(lines, s) }); err != nil || !slices.Equal(lines, []string{"claiming", "loading"}) {
		t.Errorf("takeover: %v, progress %q", err, lines)
	}
	if !slices.Equal(n.reqs, []Request{me}) {
		t.Errorf("requests %v", n.reqs)
	}
	if h, err := c.Handback(ctx, me, nil); err != nil || h != (HandbackResult{2, 8, 1500}) {
		t.Errorf("handback: %+v, %v", h, err)
	}
	if err := errors.Join(c.Handover(ctx, AnyMember, me, nil), c.Handover(ctx, 0, me, nil)); err != nil || !slices.Equal(n.asked, []int32{-1, 0}) {
		t.Errorf("handover: %v, asked %v", err, n.asked)
	}
	if r, err := c.Reload(ctx, me); err != nil || !slices.Equal(r.Applied, []string{"log.level"}) || r.NeedsRestart == nil {
		t.Errorf("reload: %+v, %v", r, err)
	}
	if r, err := c.SetLogLevel(ctx, "DEBUG", me); err != nil || r != (LevelResult{"info", "debug"}) || level.Level() != zapcore.DebugLevel {
		t.Errorf("log level: %+v, %v, level %v", r, err, level)
	}
	if _, err := c.SetLogLevel(ctx, "fatal", me); KindOf(err) != KindUsage {
		t.Errorf("log level fatal: %v", err)
	}
	if err := c.DumpState(ctx, me); err != nil {
		t.Error(err)
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	n := &fakeNode{}
	c, _ := start(t, n, zap.NewAtomicLevel())
	for _, e := range []error{Refused("a"), Partly("b"), Unreachable("c"), Usage("d"), errors.New("e")} {
		n.takeover = func(context.Context, Request, func(string)) error { return e }
		err := c.Takeover(t.Context(), Request{}, nil)
		if err == nil || err.Error() != e.Error() || KindOf(err) != KindOf(e) {
			t.Errorf("%v came back as %v of kind %v, want %v", e, err, KindOf(err), KindOf(e))
		}
	}
	for kind, code := range map[Kind]int{KindFailed: 1, KindUsage: 2, KindRefused: 3, KindPartly: 4, KindUnreachable: 5, KindBusy: 1} {
		if kind.ExitCode() != code {
			t.Errorf("%v: exit code %d, want %d", kind, kind.ExitCode(), code)
		}
	}
}

func TestOneCommandAtATime(t *testing.T) {
	n := &fakeNode{}
	c, _ := start(t, n, zap.NewAtomicLevel())
	running, finish := make(chan struct{}), make(chan struct{})
	n.takeover = func(context.Context, Request, func(string)) error {
		close(running)
		<-finish
		return nil
	}
	first := make(chan error, 1)
	go func() { first <- c.Takeover(t.Context(), Request{}, nil) }()
	<-running
	if _, err := c.Handback(t.Context(), Request{}, nil); KindOf(err) != KindBusy || !strings.Contains(err.Error(), "takeover") {
		t.Errorf("second command: %v", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("status meanwhile: %v", err)
	}
	close(finish)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := c.Handback(t.Context(), Request{}, nil); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestGivingUp: a client that goes away ends the Node's waiting, and says that it does not know the outcome.
func TestGivingUp(t *testing.T) {
	n := &fakeNode{}
	c, _ := start(t, n, zap.NewAtomicLevel())
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	n.takeover = func(ctx context.Context, _ Request, progress func(string)) error {
		progress("waiting")
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}
	err := c.Takeover(ctx, Request{}, func(string) { cancel() })
	if KindOf(err) != KindUnreachable || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("error %v", err)
	}
	<-ended
}

func TestNobodyThere(t *testing.T) {
	_, err := NewClient(filepath.Join(t.TempDir(), "none.sock")).Status(t.Context())
	if KindOf(err) != KindUnreachable {
		t.Errorf("error %v of kind %v", err, KindOf(err))
	}
}

func TestRunEndsWhenTheListenerBreaks(t *testing.T) {
	s := NewServer(&fakeNode{}, Options{Listener: "127.0.0.1:0"})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	s.close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Run(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("error %v, context %v", err, ctx.Err())
	}
}

// TestSnapshot: the image comes whole, of the topics asked for, and who cannot have it is told why.
func TestSnapshot(t *testing.T) {
	n := &fakeNode{}
	c, _ := start(t, n, zap.NewAtomicLevel())
	if _, err := c.Snapshot(t.Context()); KindOf(err) != KindUnreachable || !strings.Contains(err.Error(), "not active") {
		t.Errorf("of a standby: %v", err)
	}
	var asked []string
	n.snapshot = func(topics []string) (*snapshot.Document, error) {
		asked = topics
		return &snapshot.Document{Format: snapshot.Format, Version: snapshot.Version, Topics: []snapshot.Topic{{Name: "a"}, {Name: "b"}}}, nil
	}
	if d, err := c.Snapshot(t.Context(), "a b", "b&c"); err != nil || len(d.Topics) != 2 || !slices.Equal(asked, []string{"a b", "b&c"}) {
		t.Errorf("snapshot %+v, %v; asked for %q", d, err, asked)
	}
	if _, err := c.Snapshot(t.Context()); err != nil || asked != nil {
		t.Errorf("of all topics: %v, asked for %q", err, asked)
	}
	n.snapshot = func([]string) (*snapshot.Document, error) { return &snapshot.Document{Format: "else"}, nil }
	if _, err := c.Snapshot(t.Context()); KindOf(err) != KindUnreachable || !strings.Contains(err.Error(), "no snapshot") {
		t.Errorf("of something else: %v", err)
	}
}
