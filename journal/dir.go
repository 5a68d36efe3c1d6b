package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Origin names one journal: whose it is, and when that process began it. Another process of the same Baton begins
// another one, so no number is ever given twice, whatever a disk has lost.
type Origin struct {
	Baton int32
	Start int64 // Unix milliseconds
}

// String is the name of its directory.
func (o Origin) String() string { return fmt.Sprintf("%d-%d", o.Baton, o.Start) }

// ParseOrigin reads what String writes.
func ParseOrigin(s string) (Origin, error) {
	id, start, ok := strings.Cut(s, "-")
	baton, err := strconv.ParseInt(id, 10, 32)
	at, err2 := strconv.ParseInt(start, 10, 64)
	o := Origin{int32(baton), at}
	if !ok || err != nil || err2 != nil || o.String() != s {
		return Origin{}, fmt.Errorf("%q is no journal's name: expected BATON-MILLISECONDS", s)
	}
	return o, nil
}

const (
	suffix = ".log"
	// maxSegments bounds the files of a half, as maxBytes does their size: a process that is started again and again
	// leaves a small one each time.
	maxSegments = 100
	minSegment  = 64 << 10
)

// directory holds the journals of this Baton in one half of its space, and copies of others' in the other. Journals
// are directories, named after their Origin; their segments are files, named after the number of their first record.
type directory struct {
	path string
	self int32
	max  int64 // bytes of each half

	mu     sync.Mutex      // of removing
	active map[Origin]bool // whose last segment is being written
}

type segment struct {
	origin Origin
	first  uint64
	size   int64
}

func (d *directory) dir(o Origin) string { return filepath.Join(d.path, o.String()) }

func (d *directory) file(s segment) string {
	return filepath.Join(d.dir(s.origin), fmt.Sprintf("%020d%s", s.first, suffix))
}

// prepare makes the directory, and refuses one that others could write to.
func (d *directory) prepare() error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(d.path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", d.path)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be written by others (mode %v)", d.path, info.Mode().Perm())
	}
	return nil
}

// origins returns the journals there are, oldest first.
func (d *directory) origins() ([]Origin, error) {
	entries, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Origin
	for _, e := range entries {
		if o, err := ParseOrigin(e.Name()); err == nil && e.IsDir() {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b Origin) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Baton, b.Baton)) })
	return out, nil
}

// segments returns those of a journal, oldest first; none if it is not there.
func (d *directory) segments(o Origin) ([]segment, error) {
	entries, err := os.ReadDir(d.dir(o))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		first, err := strconv.ParseUint(name, 10, 64)
		if !ok || err != nil {
			continue
		}
		if info, err := e.Info(); err == nil {
			out = append(out, segment{o, first, info.Size()})
		}
	}
	slices.SortFunc(out, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	return out, nil
}

// prune removes the oldest segments of a half until it is within its bounds with room to spare, and returns its size.
// A journal's last segment stays while it is written.
func (d *directory) prune(own bool, room int64) (size int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	origins, err := d.origins()
	if err != nil {
		return 0, err
	}
	var all []segment
	left := map[Origin]int{}
	for _, o := range origins {
		if (o.Baton == d.self) != own {
			continue
		}
		ss, err := d.segments(o)
		if err != nil {
			return 0, err
		}
		left[o] = len(ss)
		for _, s := range ss {
			all = append(all, s)
			size += s.size
		}
	}
	count := len(all)
	for _, s := range all {
		if size+room <= d.max && count <= maxSegments {
			break
		}
		if d.active[s.origin] && left[s.origin] == 1 {
			continue
		}
		if err := os.Remove(d.file(s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return size, err
		}
		size, count, left[s.origin] = size-s.size, count-1, left[s.origin]-1
		if left[s.origin] == 0 {
			_ = os.Remove(d.dir(s.origin)) // not if something of somebody else's is in it
		}
	}
	return size, nil
}

// read calls f with each record of a journal from a number on. Segments that are removed meanwhile are left out.
func (d *directory) read(o Origin, from uint64, f func(seq uint64, text, line []byte) bool) (damaged int, err error) {
	ss, err := d.segments(o)
	if err != nil {
		return 0, err
	}
	going := true
	for i, s := range ss {
		if i+1 < len(ss) && ss[i+1].first <= from {
			continue
		}
		file, err := os.Open(d.file(s))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return damaged, err
		}
		_, bad, err := scan(file, func(seq uint64, text, line []byte) bool {
			if seq >= from {
				going = f(seq, text, line)
			}
			return going
		})
		_ = file.Close()
		damaged += bad
		if err != nil || !going {
			return damaged, err
		}
	}
	return damaged, nil
}

// bounds are the numbers of the first and the last record that can be read, 0 if there is none.
func (d *directory) bounds(o Origin) (first, last uint64, err error) {
	ss, err := d.segments(o)
	for i := len(ss) - 1; i >= 0 && last == 0 && err == nil; i-- {
		_, err = d.read(o, ss[i].first, func(seq uint64, _, _ []byte) bool { last = seq; return true })
	}
	if len(ss) > 0 && err == nil {
		_, err = d.read(o, 0, func(seq uint64, _, _ []byte) bool { first = seq; return false })
	}
	return first, last, err
}

// sizes of the two halves, in bytes.
func (d *directory) sizes() (own, copies int64, err error) {
	origins, err := d.origins()
	for _, o := range origins {
		ss, err := d.segments(o)
		if err != nil {
			return own, copies, err
		}
		for _, s := range ss {
			if o.Baton == d.self {
				own += s.size
			} else {
				copies += s.size
			}
		}
	}
	return own, copies, err
}
