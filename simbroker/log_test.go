package simbroker

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// rawBatch is a record batch of n records without content, as far as logs look at it.
func rawBatch(n int, producer int64, seq int32) []byte {
	b := make([]byte, batchHeader)
	binary.BigEndian.PutUint32(b[atLength:], batchHeader-12)
	b[atMagic] = 2
	binary.BigEndian.PutUint32(b[atLastDelta:], uint32(n-1))
	binary.BigEndian.PutUint64(b[atProducerID:], uint64(producer))
	binary.BigEndian.PutUint32(b[atSequence:], uint32(seq))
	return b
}

func write(t testing.TB, l *plog, epoch int32, n int) {
	t.Helper()
	bs, err := parseBatches(rawBatch(n, -1, 0))
	if err != nil {
		t.Fatal(err)
	}
	bs[0].place(l.end(), epoch)
	l.append(bs[0])
}

func TestEpochs(t *testing.T) {
	l := &plog{}
	l.startEpoch(1)
	write(t, l, 1, 10) // 0-9
	l.startEpoch(3)
	write(t, l, 3, 5) // 10-14
	l.startEpoch(4)   // nothing written
	l.startEpoch(6)
	for epoch, want := range map[int32]string{0: "0 0 true", 1: "1 10 true", 2: "1 10 true", 3: "3 15 true", 4: "3 15 true", 6: "6 15 true", 7: "-1 -1 false", -1: "-1 -1 false"} {
		e, end, ok := l.endOf(epoch)
		if got := fmt.Sprint(e, end, ok); got != want {
			t.Errorf("epoch %d ends at %s, want %s", epoch, got, want)
		}
	}
	l.truncate(12) // within a batch: all of it goes
	if l.end() != 10 || fmt.Sprint(l.epochs) != "[{1 0}]" {
		t.Errorf("end %d, epochs %v", l.end(), l.epochs)
	}
	l.truncate(0)
	if l.end() != 0 || len(l.epochs) != 0 {
		t.Errorf("end %d, epochs %v", l.end(), l.epochs)
	}
}

func TestSequences(t *testing.T) {
	l := &plog{}
	try := func(seq int32, n int) string {
		bs, _ := parseBatches(rawBatch(n, 7, seq))
		at, known, e := l.sequence(&bs[0])
		if e == nil && !known {
			bs[0].place(l.end(), 0)
			l.append(bs[0])
		}
		return fmt.Sprint(at, known, code(e))
	}
	for i, c := range []struct {
		seq  int32
		n    int
		want string
	}{
		{5, 2, "0 false 0"}, {7, 1, "0 false 0"}, {5, 2, "0 true 0"}, {7, 1, "2 true 0"}, {9, 1, "0 false 45"}, {8, 1, "0 false 0"},
	} {
		if got := try(c.seq, c.n); got != c.want {
			t.Errorf("%d: %s, want %s", i, got, c.want)
		}
	}
	l.truncate(2)
	if got := try(7, 1); got != "0 false 0" {
		t.Errorf("after truncation: %s", got)
	}
}

func TestCorruptBatches(t *testing.T) {
	good := rawBatch(1, -1, 0)
	for name, raw := range map[string][]byte{"short": good[:30], "longer than it is": append(good[:atLength:atLength], 0, 0, 1, 0), "magic 1": func() []byte {
		b := rawBatch(1, -1, 0)
		b[atMagic] = 1
		return b
	}()} {
		if _, err := parseBatches(raw); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
