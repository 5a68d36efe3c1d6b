package stories

import (
	"fmt"
	"hash/adler32"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
	"baton/jute"
	"baton/zkserver"
)

// Three real brokers on the embedded ZooKeeper cannot tell it from a real one: their own controller leads them over
// the death of a broker, a Baton takes the role under load, leads them over another death, and hands the role back.
func TestBrokersOnZkserver(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real Kafka")
	}
	s := begin(t, kafka.Options{ExternalZooKeeper: embeddedZooKeeper(t)}, "orders")
	own := s.embedded()
	s.killed(own) // the controller itself: another broker becomes it
	s.isBack(own)
	t.Logf("their own controller was broker %d, is %d", own, s.embedded())

	b := s.baton(batonproc.Options{Mode: batonproc.Standby})
	s.must(b.WaitStandby(s.ctx))
	contains(t, s.cli(b, 0, "takeover", "--yes"), "claimed /controller")
	s.must(b.WaitReady(s.ctx))
	taken := time.Now()
	s.more(100)
	s.prompt(s.killed(own%3 + 1)) // which leads something, other than the one that has been away
	s.isBack(own%3 + 1)
	led := time.Now()
	contains(t, s.cli(b, 0, "handback", "--yes", "--reason", "test"), "claimed")
	s.embedded()
	s.more(100)
	h := s.finish()
	// Kafka's controller shows partitions without a leader when it begins; Baton's do not.
	for tp, changes := range h.Leaderless(s.topics...) {
		for _, c := range changes {
			if c.Time.After(taken) && c.Time.Before(led) {
				t.Errorf("%v had no leader: %v", tp, c)
			}
		}
	}
	t.Logf("%d changes recorded", len(h.Changes))
}

// embeddedZooKeeper serves on a loopback port for the length of the test, and records what changes.
func embeddedZooKeeper(t *testing.T) *kafka.External {
	t.Helper()
	dir := t.TempDir()
	log, err := newTxnLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := zkserver.New(zkserver.Options{TickTime: 500 * time.Millisecond, MaxSession: time.Minute, OnTxn: log.append})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() {
		s.Close()
		log.f.Close()
		if log.err != nil {
			t.Errorf("recording the history: %v", log.err)
		}
	})
	return &kafka.External{Port: l.Addr().(*net.TCPAddr).Port, DataDir: dir}
}

// txnLog records transactions as ZooKeeper's transaction log does, so that package history reads them like a real
// one's.
type txnLog struct {
	f   *os.File
	err error
}

func newTxnLog(dir string) (*txnLog, error) {
	dir = filepath.Join(dir, "version-2")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, "log.1"))
	if err != nil {
		return nil, err
	}
	_, err = f.Write(jute.AppendLong(jute.AppendInt([]byte("ZKLG"), 2), 0))
	return &txnLog{f: f}, err
}

func (l *txnLog) append(x *zkserver.Txn) {
	if x.Failed || l.err != nil {
		return
	}
	head := func(op jute.Op) []byte {
		b := jute.AppendInt(jute.AppendLong(nil, x.Session), 0)
		return jute.AppendInt(jute.AppendLong(jute.AppendLong(b, x.Zxid), x.Time), int32(op))
	}
	var b []byte
	if x.Op == jute.OpCloseSession {
		b = head(x.Op) // history works out the deletions
	} else {
		var body []byte
		n := int32(0)
		for i := range x.Changes {
			if c := l.change(&x.Changes[i]); c != nil {
				body = jute.AppendBuffer(jute.AppendInt(body, int32(x.Changes[i].Op)), c)
				n++
			}
		}
		b = append(jute.AppendInt(head(jute.OpMulti), n), body...)
	}
	record := jute.AppendBuffer(jute.AppendLong(nil, int64(adler32.Checksum(b))), b)
	if _, err := l.f.Write(append(record, 'B')); err != nil {
		l.err = fmt.Errorf("zxid %#x: %w", x.Zxid, err)
	}
}

func (l *txnLog) change(c *zkserver.Change) []byte {
	switch c.Op {
	case jute.OpCreate:
		b := jute.AppendACLs(jute.AppendBuffer(jute.AppendString(nil, c.Path), c.Data), c.ACL)
		return jute.AppendInt(jute.AppendBool(b, c.Owner > 0), 0)
	case jute.OpDelete:
		return jute.AppendString(nil, c.Path)
	case jute.OpSetData:
		return jute.AppendInt(jute.AppendBuffer(jute.AppendString(nil, c.Path), c.Data), c.Version)
	}
	return nil // permissions are not history's business
}
