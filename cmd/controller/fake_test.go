package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"baton/admin"
	"baton/check"
	"baton/cluster"
	"baton/config"
	"baton/journal/entry"
	"baton/planner"
	"baton/snapshot"
	"baton/zkstore"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; read each line of the difference")

// fakeNode is a node that does nothing and remembers what it was asked.
type fakeNode struct {
	st       admin.Status
	err      error
	snapshot func(topics []string) *snapshot.Document
	to       int32
	req      admin.Request
	reloaded chan struct{}
	answer   entry.Answer
	filter   entry.Filter
	run      func(ctx context.Context) error

	measured admin.Measurement
	question admin.Question
	choice   *admin.Choice
}

func (f *fakeNode) Measure(_ context.Context, q admin.Question) (admin.Measurement, error) {
	f.question = q
	return f.measured, nil
}

func (f *fakeNode) Elect(_ context.Context, c admin.Choice, req admin.Request) (admin.Elected, error) {
	f.choice, f.req = &c, req
	return admin.Elected{Leader: c.Leader}, f.err
}

func (f *fakeNode) Status(context.Context) (admin.Status, error) { return f.st, nil }
func (f *fakeNode) Snapshot(_ context.Context, topics []string) (*snapshot.Document, error) {
	if f.snapshot == nil {
		return nil, admin.Unreachable("this Baton is not active; Baton 2000002 (two) on h2 is: ask there")
	}
	return f.snapshot(topics), nil
}
func (f *fakeNode) Takeover(_ context.Context, req admin.Request, progress func(string)) error {
	f.req = req
	progress("claimed with epoch 15")
	progress("told 3 brokers")
	return f.err
}
func (f *fakeNode) Handback(_ context.Context, req admin.Request, progress func(string)) (admin.Handback, error) {
	f.req = req
	progress("hold set")
	return admin.Handback{Broker: 2, Epoch: 16, Took: 1200 * time.Millisecond}, f.err
}
func (f *fakeNode) Handover(_ context.Context, to int32, req admin.Request, _ func(string)) error {
	f.to, f.req = to, req
	return f.err
}
func (f *fakeNode) Reload(context.Context, admin.Request) (applied, needsRestart []string, err error) {
	if f.reloaded != nil {
		f.reloaded <- struct{}{}
	}
	return []string{"log.level"}, []string{"listeners"}, f.err
}
func (f *fakeNode) Alive() bool                   { return true }
func (f *fakeNode) Ready() (bool, string)         { return true, "" }
func (f *fakeNode) Run(ctx context.Context) error { return f.run(ctx) }

// fakeReader is a ZooKeeper with one broker, which holds.
type fakeReader struct{ role zkstore.RoleView }

func (fakeReader) Session() (string, time.Duration)                     { return "zk1:2181", 18 * time.Second }
func (fakeReader) HasChroot(context.Context) (bool, error)              { return true, nil }
func (fakeReader) ClusterID(context.Context) (string, error)            { return "abc", nil }
func (r fakeReader) ReadRole(context.Context) (zkstore.RoleView, error) { return r.role, nil }
func (fakeReader) Batons(context.Context) ([]int32, error)              { return nil, nil }
func (fakeReader) Deletions(context.Context) ([]string, error)          { return nil, nil }
func (fakeReader) Brokers(context.Context) ([]cluster.Broker, []planner.Bad, error) {
	return nil, nil, nil
}
func (fakeReader) Topics(context.Context) ([]planner.TopicRead, []planner.StateRead, error) {
	return nil, nil, nil
}
func (fakeReader) Close() {}

func connectTo(r check.Reader, err error) check.Connect {
	return func(context.Context, *config.Config) (check.Reader, error) { return r, err }
}

// result is what a command line left behind.
type result struct {
	code      int
	out, errs string
}

// command runs one command line in an environment of its own.
func command(t *testing.T, change func(*app), args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, errs: &errs, environ: []string{"TMPDIR=" + t.TempDir(), "SUDO_USER=ann"}}
	if change != nil {
		change(a)
	}
	code := a.main(t.Context(), args)
	return result{code, out.String(), errs.String()}
}

func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, x := range texts {
		if !strings.Contains(r.out+r.errs, x) {
			t.Errorf("%q is missing", x)
		}
	}
	if t.Failed() {
		t.Logf("out:\n%s\nerr:\n%s", r.out, r.errs)
	}
}

// serve runs the admin endpoints of a node and returns the socket.
func serve(t *testing.T, n admin.Node) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.sock")
	s := admin.NewServer(n, admin.Options{Socket: path, Level: zap.NewAtomicLevel()})
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
	return path
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *rewrite {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (go test ./cmd/controller -rewrite):\ngot\n%s\nwant\n%s", path, got, want)
	}
}

func configFile(t *testing.T, extra ...string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "baton.properties")
	text := "zookeeper.connect=127.0.0.1:1\nnode.id=2000001\ninstance.name=one\nlisteners=PLAINTEXT://127.0.0.1:9290\n" +
		"admin.listener=127.0.0.1:0\nadmin.socket=" + filepath.Join(dir, "b.sock") + "\n" + strings.Join(extra, "\n")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sample() admin.Status {
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	return admin.Status{
		Instance: admin.Instance{ID: 2000001, Name: "one", Version: "1.0", Mode: "active", Role: admin.RoleActive, Ready: true, StartedAt: at},
		Holder:   &admin.Holder{ID: 2000001, Kind: admin.HolderBaton, Instance: "one", Since: at}, Epoch: 15,
		ZooKeeper: admin.ZooKeeper{Connected: true, Server: "zk1:2181", SessionID: "0x1000", TimeoutMS: 6000},
		Members: []admin.Member{{ID: 2000001, Name: "one", Mode: "active", Version: "1.0", Host: "h1"},
			{ID: 2000002, Name: "two", Mode: "standby", Version: "1.0", Host: "h2"}},
		Brokers: []admin.Broker{
			{ID: 1, Epoch: 101, Rack: "a", Endpoints: []string{"PLAINTEXT://b1:9092"}, Connected: true, Told: 12},
			{ID: 2, Epoch: 140, Endpoints: []string{"PLAINTEXT://b2:9092", "CLIENT://b2:9093"}, Told: 4, Untold: 8},
			{ID: 3, Epoch: 150, Endpoints: []string{}, Connected: true, Leaving: true}},
		Counts:    &admin.Counts{Topics: 4, Partitions: 12, Offline: 1, UnderReplicated: 5, UnderMinISR: 2},
		BadZnodes: []admin.BadZnode{{Path: "/brokers/topics/x", Reason: "no JSON"}}, InProgress: []string{},
		Alarms: []admin.Alarm{{When: at, Text: "broker 2 knows a higher epoch"}},
	}
}

func (f *fakeNode) ServedAt(string) {}

func (f *fakeNode) History(_ context.Context, filter entry.Filter, _ bool) (entry.Answer, error) {
	f.filter = filter
	return f.answer, f.err
}

func (f *fakeNode) Journals() ([]entry.Info, error) { return nil, f.err }

func (f *fakeNode) StreamJournal(context.Context, io.Writer, func() error, string, uint64) error {
	return f.err
}
