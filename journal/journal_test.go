package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"baton/isr"
	"baton/journal/entry"
	"baton/partition"
	"baton/planner"
)

// counts is a Metrics for tests.
type counts struct {
	mu               sync.Mutex
	written, dropped int
	failing          bool
}

func (c *counts) Written(n int)     { c.mu.Lock(); c.written += n; c.mu.Unlock() }
func (c *counts) Dropped(n int)     { c.mu.Lock(); c.dropped += n; c.mu.Unlock() }
func (c *counts) Failing(f bool)    { c.mu.Lock(); c.failing = f; c.mu.Unlock() }
func (c *counts) Size(int64, int64) {}
func (c *counts) get() (w, d int)   { c.mu.Lock(); defer c.mu.Unlock(); return c.written, c.dropped }
func quiet() (*zap.Logger, *counts) { return zap.NewNop(), &counts{} }
func dirOf(t *testing.T) *directory {
	return &directory{path: t.TempDir(), self: 7, max: 1 << 20, active: map[Origin]bool{}}
}
func text(seq uint64, s string) []byte { return fmt.Appendf(nil, `{"seq":%d,"text":%q}`, seq, s) }

// write adds records from first to last, each with some padding.
func (a *appender) fill(t *testing.T, first, last uint64, size int) {
	t.Helper()
	for seq := first; seq <= last; seq++ {
		if err := a.write(appendFrame(nil, text(seq, strings.Repeat("x", size))), seq, seq); err != nil {
			t.Fatal(err)
		}
	}
}

func numbers(t *testing.T, d *directory, o Origin) (out []uint64, damaged int) {
	t.Helper()
	damaged, err := d.read(o, 0, func(seq uint64, _, _ []byte) bool { out = append(out, seq); return true })
	if err != nil {
		t.Fatal(err)
	}
	return out, damaged
}

// kill -9 at any byte: all that was whole is there, and what is written afterwards follows it.
func TestCutAtEveryByte(t *testing.T) {
	d, o := dirOf(t), Origin{7, 1}
	a, err := d.open(o)
	if err != nil {
		t.Fatal(err)
	}
	a.fill(t, 1, 5, 20)
	path := a.f.Name()
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		if err := errors.Join(os.MkdirAll(d.dir(o), 0o700), os.WriteFile(path, whole[:cut], 0o600)); err != nil {
			t.Fatal(err)
		}
		left := uint64(bytes.Count(whole[:cut], []byte{'\n'}))
		a, err := d.open(o)
		if err != nil || a.last != left {
			t.Fatalf("cut at %d: last is %d, want %d; %v", cut, a.last, left, err)
		}
		a.fill(t, left+1, left+1, 3)
		a.synced = true
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
		got, damaged := numbers(t, d, o)
		want := make([]uint64, left+1)
		for i := range want {
			want[i] = uint64(i + 1)
		}
		if !slices.Equal(got, want) || damaged != 0 {
			t.Fatalf("cut at %d: %v and %d damaged, want %v", cut, got, damaged, want)
		}
		if err := os.RemoveAll(d.dir(o)); err != nil {
			t.Fatal(err)
		}
	}
}

// A byte that is another one costs its record, or the two that it joins; all others are read, and nothing is made up.
func TestEveryByteDamaged(t *testing.T) {
	var whole []byte
	var texts []string
	for seq := uint64(1); seq <= 4; seq++ {
		texts = append(texts, string(text(seq, "abc")))
		whole = appendFrame(whole, text(seq, "abc"))
	}
	for at := range whole {
		for _, wrong := range []byte{0, '\n', ' ', '0', whole[at] ^ 1, whole[at] ^ 0x80} {
			if wrong == whole[at] {
				continue
			}
			bad := slices.Clone(whole)
			bad[at] = wrong
			var got []string
			_, damaged, err := scan(bytes.NewReader(bad), func(_ uint64, text, _ []byte) bool { got = append(got, string(text)); return true })
			lost := 1
			if whole[at] == '\n' && at < len(whole)-1 {
				lost = 2
			}
			if err != nil || len(got) != len(texts)-lost || damaged == 0 {
				t.Fatalf("byte %d as %#x: %q, %d damaged, %v", at, wrong, got, damaged, err)
			}
			for _, g := range got {
				if !slices.Contains(texts, g) {
					t.Fatalf("byte %d as %#x: %q was never written", at, wrong, g)
				}
			}
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, text(1, "a")), text(2, "b")))
	f.Add([]byte("00000000 00000000 \n"))
	f.Add(appendFrame([]byte("garbage"), text(3, "c")))
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		end, _, err := scan(bytes.NewReader(data), func(seq uint64, text, line []byte) bool {
			if n, err := seqOf(text); err != nil || n != seq {
				t.Fatalf("%q is number %d", text, seq)
			}
			if got := appendFrame(nil, text); len(got) != len(line) || got[headLen-1] != line[headLen-1] {
				t.Fatalf("%q was read from %q", text, line)
			}
			again = append(again, line...)
			return true
		})
		if err != nil || end > int64(len(data)) {
			t.Fatal(end, err)
		}
		_, damaged, err := scan(bytes.NewReader(again), func(uint64, []byte, []byte) bool { return true })
		if damaged != 0 || err != nil {
			t.Fatalf("what was read cannot be read: %d damaged, %v", damaged, err)
		}
	})
}

func TestBoundedByBytesAndSegments(t *testing.T) {
	d := dirOf(t)
	for start := int64(1); start <= maxSegments+20; start++ { // a process in a loop of crashes
		a, err := d.open(Origin{7, start})
		if err != nil {
			t.Fatal(err)
		}
		a.fill(t, 1, 1, 10)
		a.synced = true // its flush would take most of the test's time
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
	}
	origins, err := d.origins()
	if err != nil || len(origins) > maxSegments+1 || origins[len(origins)-1].Start != maxSegments+20 {
		t.Fatalf("%d journals are left, %v", len(origins), err)
	}
	other, err := d.open(Origin{8, 5}) // a copy has its own half
	if err != nil {
		t.Fatal(err)
	}
	other.fill(t, 1, 10, 100)
	a, err := d.open(Origin{7, 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq < 4000; seq += 31 {
		a.fill(t, seq, seq+30, 1000)
		a.synced = true
		if own, _, err := d.sizes(); err != nil || own > d.max {
			t.Fatalf("%d bytes after %d, %v", own, seq, err)
		}
	}
	got, damaged := numbers(t, d, a.o)
	if damaged != 0 || got[len(got)-1] != 3999 || got[0] == 1 || len(got) < 700 {
		t.Errorf("%d to %d of 3999 are left, %d damaged", got[0], got[len(got)-1], damaged)
	}
	if got, _ := numbers(t, d, other.o); len(got) != 10 {
		t.Errorf("%d of the copy are left", len(got))
	}
	if err := errors.Join(a.close(), other.close()); err != nil {
		t.Fatal(err)
	}
}

// begun runs a journal in dir until the test stops it.
func begun(t *testing.T, o Options) (j *Journal, stop func()) {
	t.Helper()
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Metrics == nil {
		o.Metrics = &counts{}
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 8 << 20
	}
	j = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { j.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return j, stop
}

func say(j *Journal, format string, args ...any) {
	j.Add(1, entry.Entry{Kind: entry.Role, Text: fmt.Sprintf(format, args...)})
}

func all(t *testing.T, j *Journal) entry.Answer {
	t.Helper()
	a, err := j.Select(t.Context(), entry.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func texts(a entry.Answer) (out []string) {
	for _, e := range a.Entries {
		out = append(out, e.Text)
	}
	return out
}

func TestWhatIsSaidIsRead(t *testing.T) {
	dir := t.TempDir()
	j, stop := begun(t, Options{Dir: dir, Baton: 7})
	say(j, "one")
	j.Planned(3, []*planner.Decision{{Seq: 9, ID: partition.ID{Topic: "t"}, Trigger: &planner.Trigger{Event: "Tick"}, Strategy: partition.Initial, New: true,
		To: partition.State{LeaderAndISR: isr.LeaderAndISR{Leader: 1, ISR: isr.Set{1}}}}}, nil)
	stop()
	time.Sleep(2 * time.Millisecond) // the next journal has another name
	again, stopAgain := begun(t, Options{Dir: dir, Baton: 7})
	say(again, "two")
	stopAgain()
	a := all(t, again)
	if got := texts(a); !slices.Equal(got, []string{"one", "", "two"}) || len(a.Journals) != 2 || len(a.Missing) != 0 {
		t.Errorf("%q of %v, missing %v", got, a.Journals, a.Missing)
	}
	if d := a.Entries[1]; d.Kind != entry.Decided || d.Seq != 2 || d.Epoch != 3 || d.Decisions[0].Partition != "t-0" {
		t.Errorf("%+v", d)
	}
	grep, err := os.ReadFile(filepath.Join(dir, j.Origin().String(), fmt.Sprintf("%020d.log", 1)))
	if err != nil || !strings.Contains(string(grep), `"partition":"t-0"`) {
		t.Errorf("%q, %v", grep, err)
	}
}

// A directory that cannot be written is named once, stops nobody, and is used as soon as it can be.
func TestADirectoryThatFails(t *testing.T) {
	parent := t.TempDir()
	file := filepath.Join(parent, "journal")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	m := &counts{}
	j := New(Options{Dir: file, Baton: 7, MaxBytes: 1 << 20, Log: zap.New(core), Metrics: m})
	now := time.Unix(1000, 0)
	j.now = func() time.Time { return now }
	step := func(text string) {
		say(j, "%s", text)
		items, dropped := j.q.take(nil)
		j.write(items, dropped)
	}
	step("a")
	now = now.Add(time.Second)
	step("b")
	now = now.Add(2 * retryAfter)
	step("c")
	if logs.Len() != 1 || !m.failing || m.dropped != 3 {
		t.Fatalf("%v, failing %v, %d dropped", logs.All(), m.failing, m.dropped)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * retryAfter)
	step("d")
	if logs.Len() != 2 || m.failing {
		t.Errorf("%v, failing %v", logs.All(), m.failing)
	}
	a := all(t, j)
	if len(a.Entries) != 2 || a.Entries[0].Kind != entry.Dropped || a.Entries[0].Count != 3 || a.Entries[1].Text != "d" {
		t.Errorf("%+v", a.Entries)
	}
	// The disk is full: what was written half is taken back.
	if err := j.out.f.Close(); err != nil {
		t.Fatal(err)
	}
	step("e")
	if !m.failing {
		t.Error("a failed write was not noticed")
	}
	now = now.Add(2 * retryAfter)
	step("f")
	if got := all(t, j); len(got.Entries) != 4 || got.Entries[3].Text != "f" || len(got.Missing) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestOthersMayNotWriteToIt(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := (&directory{path: dir}).prepare(); err == nil || !strings.Contains(err.Error(), "written by others") {
		t.Error(err)
	}
}

// What is too much is dropped, not waited for, and counted where it is missing.
func TestOverflow(t *testing.T) {
	var out bytes.Buffer
	m := &counts{}
	j := New(Options{Sink: &out, Log: zap.NewNop(), Metrics: m})
	j.q.max = 10
	ds := make([]*planner.Decision, 8)
	for i := range ds {
		ds[i] = &planner.Decision{Seq: uint64(i), Trigger: &planner.Trigger{}}
	}
	for range 5 {
		j.Planned(1, ds, nil)
	}
	items, dropped := j.q.take(nil)
	j.write(items, dropped)
	if _, d := m.get(); d != 4 || !strings.Contains(out.String(), `"count":4`) || strings.Count(out.String(), `"write"`) != 8 {
		t.Errorf("%d dropped: %s", d, out.String())
	}
}

// A standby has what the holder has, from its first entry on, and names what it was too late for.
func TestCopies(t *testing.T) {
	holder, _ := begun(t, Options{Dir: t.TempDir(), Baton: 7, MaxBytes: 1 << 20})
	standby, _ := begun(t, Options{Dir: t.TempDir(), Baton: 8})
	origin := holder.Origin().String()
	follow := func(until uint64) {
		t.Helper()
		c, err := standby.Copy(origin)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, w := io.Pipe()
		go func() {
			_ = w.CloseWithError(holder.Stream(ctx, w, func() error { return nil }, origin, c.Last()+1))
		}()
		seen := &watched{r: r, until: until, stop: cancel}
		if err := errors.Join(c.Add(seen), c.Close()); err != nil {
			t.Fatal(err)
		}
	}
	say(holder, "one")
	say(holder, "two")
	follow(2)
	for i := range 30 { // while nobody follows, and far more than the holder keeps
		say(holder, "%d %s", i, strings.Repeat("x", 40_000))
	}
	say(holder, "last")
	written(t, holder, 33)
	follow(33)
	a := all(t, standby)
	if got := texts(a); got[0] != "one" || got[len(got)-1] != "last" || len(a.Missing) != 1 || !strings.Contains(a.Missing[0], origin) {
		t.Errorf("%d entries, missing %v", len(got), a.Missing)
	}
	if _, err := standby.Copy(standby.Origin().String()); err == nil {
		t.Error("it copies itself")
	}
}

// written waits until an entry is on disk.
func written(t *testing.T, j *Journal, seq uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		j.mu.Lock()
		changed := j.changed
		j.mu.Unlock()
		if _, last, err := j.d.bounds(j.origin); err == nil && last >= seq {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("entry %d is not written", seq)
		}
	}
}

// watched stops a stream when a number has gone by.
type watched struct {
	r     io.Reader
	until uint64
	stop  func()
	text  []byte
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	w.text = append(w.text, b[:n]...)
	if bytes.Contains(w.text, fmt.Appendf(nil, `{"seq":%d,`, w.until)) {
		w.stop()
	}
	return n, err
}

func TestTextsBeginWithTheirNumber(t *testing.T) {
	text, err := json.Marshal(entry.Entry{Seq: 12, Kind: entry.Role})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := seqOf(text); n != 12 || err != nil {
		t.Errorf("%s: %d, %v", text, n, err)
	}
}

// What the loop pays for 100,000 decisions, and what the writer does afterwards.
func BenchmarkDecisions100000(b *testing.B) {
	trigger := &planner.Trigger{Event: "BrokersChanged", Detail: "broker 1 is gone"}
	ds := make([]*planner.Decision, 100_000)
	for i := range ds {
		s := partition.State{LeaderAndISR: isr.LeaderAndISR{Leader: 1, LeaderEpoch: 3, ISR: isr.Set{1, 2, 3}, PartitionEpoch: 5}}
		ds[i] = &planner.Decision{Seq: uint64(i), ID: partition.ID{Topic: "orders", Number: int32(i)}, Trigger: trigger, Strategy: partition.OfflineElection, From: s, To: s,
			Replicas: []partition.Considered{{ID: 1, InISR: true, Standing: partition.Offline, Verdict: partition.IsOffline}, {ID: 2, InISR: true}, {ID: 3, InISR: true, Verdict: partition.LessPreferred}}}
	}
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		log, m := quiet()
		for range b.N {
			j := New(Options{Sink: io.Discard, Log: log, Metrics: m})
			j.Planned(1, ds, nil)
		}
	})
	b.Run("writer", func(b *testing.B) {
		b.ReportAllocs()
		log, m := quiet()
		j := New(Options{Dir: b.TempDir(), Baton: 7, MaxBytes: 256 << 20, Log: log, Metrics: m})
		for range b.N {
			j.Planned(1, ds, nil)
			j.write(j.q.take(nil))
		}
		own, _, err := j.d.sizes()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(own)/float64(min(b.N, 5)*len(ds)), "bytes/decision")
	})
}
