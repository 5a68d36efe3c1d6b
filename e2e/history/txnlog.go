package history

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Transaction types of ZooKeeper's log that change znodes.
const (
	typeCreate          = 1
	typeDelete          = 2
	typeSetData         = 5
	typeMulti           = 14
	typeCreate2         = 15
	typeCreateContainer = 19
	typeDeleteContainer = 20
	typeCreateTTL       = 21
	typeCloseSession    = -11
	typeError           = -1
)

// Op is what happened to a znode.
type Op string

// The operations.
const (
	Create Op = "create"
	Set    Op = "set"
	Delete Op = "delete"
)

// Change is one change of one znode. The changes of a multi share zxid and time.
type Change struct {
	Zxid      int64
	Time      time.Time // the ZooKeeper leader's clock
	Session   int64     // who did it
	Op        Op
	Path      string
	Data      []byte
	Version   int32 // after a Set
	Ephemeral bool  // of a Create
	Expired   bool  // of a Delete: the session ended, nobody deleted the znode
}

// transaction is one record of the log.
type transaction struct {
	zxid    int64
	time    time.Time
	session int64
	kind    int32
	changes []Change
}

// readDir reads all transaction logs of one server, in order. A later record of a zxid replaces an earlier one.
func readDir(dir string) (map[int64]transaction, error) {
	names, err := filepath.Glob(filepath.Join(dir, "log.*"))
	if err != nil {
		return nil, err
	}
	first := func(name string) int64 {
		n, _ := strconv.ParseInt(strings.TrimPrefix(filepath.Ext(name), "."), 16, 64)
		return n
	}
	slices.SortFunc(names, func(a, b string) int {
		return int(min(1, max(-1, first(a)-first(b))))
	})
	all := map[int64]transaction{}
	for _, name := range names {
		if err := readLog(name, all); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
}

const (
	logMagic  = "ZKLG"
	headSize  = 16 // magic, version, database id
	endOfEach = 'B'
	maxRecord = 64 << 20
)

// readLog reads one file up to its zero padding or to a record that is still being written.
func readLog(name string, into map[int64]transaction) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReaderSize(f, 1<<20)
	head := make([]byte, headSize)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil // just created: nothing is in it yet
	}
	if string(head[:4]) != logMagic {
		if bytes.Count(head, []byte{0}) == headSize {
			return nil // preallocated, the header not yet flushed
		}
		return errors.New("not a transaction log")
	}
	for {
		record, err := nextRecord(r)
		if err != nil || record == nil {
			return err
		}
		t, err := parseTransaction(record)
		if err != nil {
			return err
		}
		into[t.zxid] = t
	}
}

// nextRecord returns nil at the end of what has been wholly written.
func nextRecord(r *bufio.Reader) ([]byte, error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, nil
	}
	sum := binary.BigEndian.Uint64(head[:])
	size := binary.BigEndian.Uint32(head[8:])
	if size == 0 {
		return nil, nil
	}
	if size > maxRecord {
		return nil, fmt.Errorf("a record of %d bytes", size)
	}
	record := make([]byte, size+1)
	if _, err := io.ReadFull(r, record); err != nil {
		return nil, nil
	}
	if record[size] != endOfEach {
		return nil, nil
	}
	record = record[:size]
	if uint64(adler32.Checksum(record)) != sum {
		return nil, nil // half written: ZooKeeper itself stops here when it recovers
	}
	return record, nil
}

func parseTransaction(record []byte) (transaction, error) {
	d := &decoder{b: record}
	t := transaction{session: d.long()}
	d.int() // cxid: the client's own counter
	t.zxid = d.long()
	t.time = time.UnixMilli(d.long())
	t.kind = d.int()
	if d.err != nil {
		return t, d.err
	}
	err := t.parse(t.kind, d)
	if err != nil {
		err = fmt.Errorf("transaction %#x of type %d: %w", t.zxid, t.kind, err)
	}
	return t, err
}

// parse appends the changes of one transaction body. Bodies may be followed by more (a digest since 3.6), and kinds
// that change no znode are passed over.
func (t *transaction) parse(kind int32, d *decoder) error {
	c := Change{Zxid: t.zxid, Time: t.time, Session: t.session}
	switch kind {
	case typeCreate, typeCreate2, typeCreateContainer, typeCreateTTL:
		c.Op, c.Path, c.Data = Create, d.string(), d.buffer()
		d.acls()
		c.Ephemeral = (kind == typeCreate || kind == typeCreate2) && d.bool()
	case typeDelete, typeDeleteContainer:
		c.Op, c.Path = Delete, d.string()
	case typeSetData:
		c.Op, c.Path, c.Data, c.Version = Set, d.string(), d.buffer(), d.int()
	case typeMulti:
		return t.parseMulti(d)
	default:
		return nil
	}
	t.changes = append(t.changes, c)
	return d.err
}

// parseMulti takes in all parts or none: a refused multi is logged too, with the parts before the failed one as they
// would have been.
func (t *transaction) parseMulti(d *decoder) error {
	n := d.int()
	before := len(t.changes)
	for i := int32(0); i < n && d.err == nil; i++ {
		kind, body := d.int(), d.buffer()
		if d.err != nil {
			break
		}
		if kind == typeError {
			t.changes = t.changes[:before]
			return nil
		}
		if err := t.parse(kind, &decoder{b: body}); err != nil {
			return err
		}
	}
	return d.err
}

// decoder reads ZooKeeper's jute encoding; after an error it returns zeroes.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if d.err == nil && (n < 0 || n > len(d.b)) {
		d.err = fmt.Errorf("want %d bytes, have %d", n, len(d.b))
	}
	if d.err != nil {
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) int() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) long() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) bool() bool {
	b := d.take(1)
	return b != nil && b[0] != 0
}

// buffer returns nil for a null buffer, which is not an empty one.
func (d *decoder) buffer() []byte {
	n := d.int()
	if n < 0 {
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) string() string { return string(d.buffer()) }

func (d *decoder) acls() {
	n := d.int()
	for i := int32(0); i < n && d.err == nil; i++ {
		d.int()
		d.buffer()
		d.buffer()
	}
}
