package history

import (
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// log builds a transaction log as ZooKeeper would write it.
type log struct{ b []byte }

func newLog() *log {
	return &log{append([]byte("ZKLG"), make([]byte, 12)...)}
}

func (l *log) add(zxid, session int64, kind int32, body []byte) *log {
	r := binary.BigEndian.AppendUint64(nil, uint64(session))
	r = binary.BigEndian.AppendUint32(r, 1)
	r = binary.BigEndian.AppendUint64(r, uint64(zxid))
	r = binary.BigEndian.AppendUint64(r, uint64(1000*zxid))
	r = binary.BigEndian.AppendUint32(r, uint32(kind))
	r = append(r, body...)
	l.b = binary.BigEndian.AppendUint64(l.b, uint64(adler32.Checksum(r)))
	l.b = append(str(l.b, string(r)), 'B')
	return l
}

func str(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func create(path, data string, ephemeral byte) []byte {
	b := str(str(nil, path), data)
	b = binary.BigEndian.AppendUint32(b, 1) // one ACL
	b = binary.BigEndian.AppendUint32(b, 31)
	b = str(str(b, "world"), "anyone")
	return append(b, ephemeral, 0, 0, 0, 1)
}

func set(path, data string, version int32) []byte {
	return binary.BigEndian.AppendUint32(str(str(nil, path), data), uint32(version))
}

func multi(kindsAndBodies ...any) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(kindsAndBodies)/2))
	for i := 0; i < len(kindsAndBodies); i += 2 {
		b = binary.BigEndian.AppendUint32(b, uint32(kindsAndBodies[i].(int)))
		b = str(b, string(kindsAndBodies[i+1].([]byte)))
	}
	return b
}

type source struct {
	dirs   []string
	chroot string
}

func (s source) TxnLogDirs() []string { return s.dirs }
func (s source) Chroot() string       { return s.chroot }

func (l *log) dir(t *testing.T, tail ...byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "log.1"), append(l.b, tail...), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, chroot string, dirs ...string) *History {
	t.Helper()
	h, err := Read(source{dirs, chroot})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// sample is a claim, its loss by session expiry as old ZooKeepers log it, and a takeover within one multi.
func sample() *log {
	return newLog().
		add(1, 7, -10, []byte{0, 0, 23, 112}).
		add(2, 7, typeMulti, multi(typeCreate, create("/k/controller", `{"brokerid":1}`, 1),
			typeSetData, set("/k/controller_epoch", "1", 1))).
		add(3, 7, typeCreate2, create("/k/brokers/topics/a/partitions/0/state",
			`{"leader":1,"leader_epoch":0,"isr":[1,2],"controller_epoch":1}`, 0)).
		add(4, 7, typeCloseSession, nil).
		add(5, 8, typeMulti, multi(typeSetData, set("/k/controller_epoch", "2", 2), typeCreate,
			create("/k/controller", `{"brokerid":2}`, 1))).
		add(6, 9, typeMulti, multi(typeSetData, set("/k/controller_epoch", "3", 3), typeDelete, str(nil, "/k/controller"),
			typeCreate, create("/k/controller", `{"brokerid":2000001}`, 1))).
		add(7, 9, typeSetData, set("/k/brokers/topics/a/partitions/0/state",
			`{"leader":2,"leader_epoch":1,"isr":[2],"controller_epoch":3}`, 1)).
		add(8, 9, -1, []byte{0, 0, 0, 0}).
		add(9, 9, typeSetData, set("/other/controller_epoch", "99", 1))
}

func TestReadsEveryChange(t *testing.T) {
	h := read(t, "/k", sample().dir(t, make([]byte, 4096)...))
	var controllers []string
	for _, c := range h.Controller() {
		controllers = append(controllers, fmt.Sprintf("%d %s %d %v", c.Zxid, c.Op, c.BrokerID, c.Expired))
	}
	want := []string{"2 create 1 false", "4 delete -1 true", "5 create 2 false", "6 delete -1 false",
		"6 create 2000001 false"}
	if !reflect.DeepEqual(controllers, want) {
		t.Errorf("controllers %q", controllers)
	}
	var epochs []int
	for _, e := range h.ControllerEpochs() {
		epochs = append(epochs, e.Epoch)
	}
	if !reflect.DeepEqual(epochs, []int{1, 2, 3}) {
		t.Errorf("epochs %v", epochs)
	}
	states := h.Partitions()[TopicPartition{"a", 0}]
	if len(states) != 2 || states[1].Leader != 2 || states[1].LeaderEpoch != 1 || states[1].Version != 1 {
		t.Errorf("states %v", states)
	}
	if err := h.CheckEpochs(); err != nil {
		t.Error(err)
	}
	if err := h.CheckISR(); err != nil {
		t.Error(err)
	}
}

// TestStopsWhereWritingStopped cuts the log at each byte: what is whole is read, what is not is no error.
func TestStopsWhereWritingStopped(t *testing.T) {
	whole := sample()
	last := -1
	for n := 0; n <= len(whole.b); n++ {
		h := read(t, "/k", (&log{whole.b[:n]}).dir(t))
		if len(h.Changes) < last {
			t.Fatalf("%d bytes give %d changes, fewer gave %d", n, len(h.Changes), last)
		}
		last = len(h.Changes)
	}
	if all := len(read(t, "/k", whole.dir(t)).Changes); last != all || all == 0 {
		t.Errorf("%d changes, want %d", last, all)
	}
	torn := sample()
	torn.b[len(torn.b)-5] ^= 1 // a checksum that does not fit
	if n := len(read(t, "", torn.dir(t)).Changes); n != len(read(t, "", sample().dir(t)).Changes)-1 {
		t.Errorf("%d changes of a log with a torn last record", n)
	}
}

// TestProposalOfOneServerDoesNotCount is the killed ZooKeeper leader that had logged what nobody else had.
func TestProposalOfOneServerDoesNotCount(t *testing.T) {
	alone := sample().add(10, 9, typeSetData, set("/k/controller_epoch", "4", 4))
	h := read(t, "/k", alone.dir(t), sample().dir(t), sample().dir(t))
	if epochs := h.ControllerEpochs(); epochs[len(epochs)-1].Epoch != 3 {
		t.Errorf("epochs %v", epochs)
	}
}

func TestChecksNotice(t *testing.T) {
	state := func(l *log, zxid int64, content string) *log {
		return l.add(zxid, 1, typeSetData, set("/brokers/topics/a/partitions/0/state", content, int32(zxid)))
	}
	ok := `{"leader":1,"leader_epoch":5,"isr":[1,2],"controller_epoch":3}`
	for name, bad := range map[string]string{
		"leader epoch back":     `{"leader":1,"leader_epoch":4,"isr":[1,2],"controller_epoch":3}`,
		"controller epoch back": `{"leader":1,"leader_epoch":5,"isr":[1],"controller_epoch":2}`,
		"two leaders":           `{"leader":2,"leader_epoch":5,"isr":[1,2],"controller_epoch":3}`,
	} {
		h := read(t, "", state(state(newLog(), 1, ok), 2, bad).dir(t))
		if h.CheckEpochs() == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
	for name, bad := range map[string]string{
		"empty isr":          `{"leader":-1,"leader_epoch":5,"isr":[],"controller_epoch":3}`,
		"leader outside isr": `{"leader":3,"leader_epoch":5,"isr":[1,2],"controller_epoch":3}`,
	} {
		h := read(t, "", state(newLog(), 1, bad).dir(t))
		if h.CheckISR() == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
	for name, epochs := range map[string][2]string{"same": {"5", "5"}, "back": {"5", "4"}, "garbage": {"5", "x"}} {
		l := newLog().add(1, 1, typeSetData, set("/controller_epoch", epochs[0], 1)).
			add(2, 1, typeSetData, set("/controller_epoch", epochs[1], 2))
		if read(t, "", l.dir(t)).CheckEpochs() == nil {
			t.Errorf("controller epoch %s: not noticed", name)
		}
	}
	claimed := func(session int64) *log {
		return newLog().add(1, session, typeCreate2, create("/controller", `{"brokerid":1}`, 1)).
			add(2, session, typeSetData, set("/controller_epoch", "3", 1))
	}
	if err := read(t, "", state(claimed(1), 3, ok).dir(t)).CheckWriters(false); err != nil {
		t.Error(err)
	}
	for name, l := range map[string]*log{
		"a write under an old epoch":    claimed(1).add(3, 1, typeSetData, set("/controller_epoch", "4", 2)),
		"a write by somebody else":      claimed(2),
		"a write after the role's end":  claimed(1).add(3, 1, typeDelete, str(nil, "/controller")),
		"a write after the session end": claimed(1).add(3, 1, typeCloseSession, nil),
	} {
		if read(t, "", state(l, 4, ok).dir(t)).CheckWriters(true) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
	// Broker 1, of session 7, leads and changes the ISR by itself; session 8 is not its.
	leads := func(session int64, content string) *log {
		l := state(claimed(1), 3, ok).add(4, 7, typeCreate2, create("/brokers/ids/1", "{}", 7))
		return l.add(5, session, typeSetData, set("/brokers/topics/a/partitions/0/state", content, 4))
	}
	const smaller = `{"leader":1,"leader_epoch":5,"isr":[1],"controller_epoch":3}`
	if err := read(t, "", leads(7, smaller).dir(t)).CheckWriters(true); err != nil {
		t.Error(err)
	}
	for name, h := range map[string]error{
		"not allowed":      read(t, "", leads(7, smaller).dir(t)).CheckWriters(false),
		"another broker":   read(t, "", leads(8, smaller).dir(t)).CheckWriters(true),
		"the epoch raised": read(t, "", leads(7, `{"leader":1,"leader_epoch":6,"isr":[1],"controller_epoch":3}`).dir(t)).CheckWriters(true),
	} {
		if h == nil {
			t.Errorf("a leader's write, %s: not noticed", name)
		}
	}
	h := read(t, "", state(newLog(), 1, `{"leader":-1,"leader_epoch":5,"isr":[1],"controller_epoch":3}`).dir(t))
	if len(h.Leaderless("a")) != 1 || len(h.Leaderless("b")) != 0 {
		t.Errorf("leaderless %v", h.Leaderless())
	}
}

// TestRefusedMultiChangesNothing is a claim that came too late: its first parts are logged as if they had been done.
func TestRefusedMultiChangesNothing(t *testing.T) {
	late := sample().add(10, 8, typeMulti, multi(typeDelete, str(nil, "/k/controller"),
		typeCreate, create("/k/controller", `{"brokerid":3}`, 1), typeError, []byte{0xff, 0xff, 0xff, 0x99}))
	if a, b := read(t, "/k", late.dir(t)), read(t, "/k", sample().dir(t)); len(a.Changes) != len(b.Changes) {
		t.Errorf("%v", a.Changes[len(b.Changes):])
	}
}
