package journal

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// appender writes a journal's records. It is used by one goroutine.
type appender struct {
	d       *directory
	o       Origin
	segment int64 // bytes of one
	f       *os.File
	size    int64
	last    uint64 // number of the last record, 0 if there is none
	synced  bool
}

// open begins or goes on with a journal: a torn record at its end is cut off.
func (d *directory) open(o Origin) (*appender, error) {
	a := &appender{d: d, o: o, segment: max(d.max/8, minSegment), synced: true}
	if err := os.MkdirAll(d.dir(o), 0o700); err != nil {
		return nil, err
	}
	ss, err := d.segments(o)
	if err != nil {
		return nil, err
	}
	for len(ss) > 0 && a.f == nil {
		s := ss[len(ss)-1]
		if err := a.recover(s); err != nil {
			return nil, fmt.Errorf("%s: %w", d.file(s), err)
		}
		ss = ss[:len(ss)-1]
	}
	d.mu.Lock()
	d.active[o] = true
	d.mu.Unlock()
	return a, nil
}

// recover takes a segment up again where its last whole record ends; one without any is removed.
func (a *appender) recover(s segment) error {
	f, err := os.OpenFile(a.d.file(s), os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	end, _, err := scan(f, func(seq uint64, _, _ []byte) bool { a.last = seq; return true })
	if err == nil && end < s.size {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, 0)
	}
	if err != nil || end == 0 {
		_ = f.Close()
		if err == nil {
			err = os.Remove(a.d.file(s))
		}
		return err
	}
	a.f, a.size = f, end
	return nil
}

// write adds records, numbered from first to last. What fails leaves no part of them behind, if the disk allows that.
func (a *appender) write(frames []byte, first, last uint64) error {
	if a.f != nil && a.size+int64(len(frames)) > a.segment {
		if err := a.close(); err != nil {
			return err
		}
		a.d.mu.Lock()
		a.d.active[a.o] = true
		a.d.mu.Unlock()
	}
	if a.f == nil {
		if err := a.begin(first, int64(len(frames))); err != nil {
			return err
		}
	}
	n, err := a.f.Write(frames)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, a.f.Truncate(a.size))
			_, seek := a.f.Seek(a.size, 0)
			err = errors.Join(err, seek)
		}
		return err
	}
	a.size, a.last, a.synced = a.size+int64(n), last, false
	return nil
}

func (a *appender) begin(first uint64, room int64) error {
	if _, err := a.d.prune(a.o.Baton == a.d.self, max(room, a.segment)); err != nil {
		return err
	}
	if err := os.MkdirAll(a.d.dir(a.o), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(a.d.file(segment{origin: a.o, first: first}), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	a.f, a.size = f, 0
	return nil
}

// sync makes what was written outlive the machine.
func (a *appender) sync() error {
	if a.f == nil || a.synced {
		return nil
	}
	a.synced = true
	return a.f.Sync()
}

func (a *appender) close() error {
	a.d.mu.Lock()
	delete(a.d.active, a.o)
	a.d.mu.Unlock()
	if a.f == nil {
		return nil
	}
	err := errors.Join(a.sync(), a.f.Close())
	a.f = nil
	return err
}

// syncAfter is how long what was written may be lost with its machine; a process that is killed loses none of it.
const syncAfter = time.Second
