package journal

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"baton/journal/entry"
)

// childDir names the variable that makes the test binary a process that writes a journal there until it is killed.
const childDir = "BATON_TEST_JOURNAL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		writeUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// teller prints how many entries are written, which is after they are in the file.
type teller struct {
	counts
	total int
}

func (t *teller) Written(n int) {
	t.total += n
	fmt.Println(t.total)
}

func writeUntilKilled(dir string) {
	j := New(Options{Dir: dir, Baton: 7, MaxBytes: 64 << 20, Log: zap.NewNop(), Metrics: &teller{}})
	go j.Run(context.Background())
	for i := 0; ; i++ {
		j.Add(1, entry.Entry{Kind: entry.Role, Text: fmt.Sprintf("%d %s", i, strings.Repeat("x", i%3000))})
		if i%8 == 0 {
			time.Sleep(time.Millisecond) // or the queue overflows, which is another matter
		}
	}
}

// TestKilledWhileWriting kills a process that writes, whenever: every entry that it had said is written is there, none is
// missing before the last, and at most the one at the end is torn.
func TestKilledWhileWriting(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 12 {
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		enough := 20 + rand.IntN(400)
		written := 0
		for lines := bufio.NewScanner(out); lines.Scan(); { // what it said before it died is still in the pipe
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				written = n
			}
			if written >= enough {
				enough = int(^uint(0) >> 1)
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		d := &directory{path: dir, self: 7, max: 32 << 20, active: map[Origin]bool{}}
		origins, err := d.origins()
		if err != nil || len(origins) != 1 {
			t.Fatal(origins, err)
		}
		got, damaged := numbers(t, d, origins[0])
		for i, n := range got {
			if n != uint64(i+1) {
				t.Fatalf("round %d: number %d comes %d.", round, n, i+1)
			}
		}
		if len(got) < written || damaged > 1 {
			t.Errorf("round %d: %d entries are there, %d damaged, %d were said to be written", round, len(got), damaged, written)
		}
	}
}
