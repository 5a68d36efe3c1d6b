package zkserver

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"baton/jute"
)

// snapshotMagic begins a snapshot; the last byte is its format.
const snapshotMagic = "zkserver\x01"

var errSnapshot = errors.New("zkserver: not a snapshot, or a damaged one")

// Snapshot writes the state to Options.SnapshotFile.
func (s *Server) Snapshot() error {
	if s.o.SnapshotFile == "" {
		return errors.New("zkserver: no snapshot file is configured")
	}
	var err error
	if !s.call(func() { err = s.save(s.o.SnapshotFile) }) {
		return ErrClosed
	}
	return err
}

// save writes beside and renames, so that there always is a whole snapshot.
func (s *Server) save(file string) error {
	b := []byte(snapshotMagic)
	b = jute.AppendLong(b, s.tree.zxid)
	b = jute.AppendInt(b, int32(len(s.sessions)))
	for _, id := range slices.Sorted(maps.Keys(s.sessions)) {
		b = jute.AppendInt(jute.AppendLong(b, id), int32(s.sessions[id].timeout.Milliseconds()))
	}
	b = jute.AppendInt(b, int32(len(s.tree.nodes)))
	for _, path := range slices.Sorted(maps.Keys(s.tree.nodes)) { // parents come before their children
		n := s.tree.nodes[path]
		st := n.stat()
		st.Cversion, st.EphemeralOwner = n.creates, n.owner
		b = st.Append(jute.AppendACLs(jute.AppendBuffer(jute.AppendString(b, path), n.data), n.acl))
	}
	b = jute.AppendInt(b, int32(crc32.ChecksumIEEE(b)))
	tmp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// load reads a snapshot. Sessions get their whole timeout to come back.
func (s *Server) load(file string) error {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.parse(b); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, ss := range s.sessions {
		s.touch(ss)
	}
	return nil
}

func (s *Server) parse(b []byte) error {
	end := len(b) - 4
	if end < len(snapshotMagic) || string(b[:len(snapshotMagic)]) != snapshotMagic ||
		uint32(jute.NewDecoder(b[end:]).Int()) != crc32.ChecksumIEEE(b[:end]) {
		return errSnapshot
	}
	d := jute.NewDecoder(b[len(snapshotMagic):end])
	s.tree.zxid = d.Long()
	for range d.Int() {
		ss := &session{id: d.Long(), timeout: time.Duration(d.Int()) * time.Millisecond}
		s.sessions[ss.id] = ss
		s.lastID = max(s.lastID, ss.id)
	}
	for range d.Int() {
		path, data, acl := d.String(), d.Buffer(), d.ACLs()
		var st jute.Stat
		st.Decode(d)
		if d.Err() != nil {
			return d.Err()
		}
		n := &znode{data: data, acl: acl, czxid: st.Czxid, mzxid: st.Mzxid, pzxid: st.Pzxid, ctime: st.Ctime,
			mtime: st.Mtime, version: st.Version, creates: st.Cversion, aversion: st.Aversion, owner: st.EphemeralOwner}
		if old := s.tree.nodes[path]; old != nil {
			n.children = old.children
		} else if up := s.tree.nodes[parent(path)]; up != nil {
			up.add(base(path))
		}
		s.tree.nodes[path] = n
		s.tree.index(path, n.owner)
		s.tree.bytes += int64(len(path) + len(data))
	}
	return d.Err()
}
