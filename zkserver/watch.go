package zkserver

import "baton/jute"

type watchMode uint8

// The modes of ZooKeeper 3.8, which keeps one per connection and path: setting a one-shot watch where a persistent
// one is makes it one-shot (ZOOKEEPER-4466, changed in 3.9).
const (
	oneShot watchMode = iota
	persistent
	recursive
)

// watchTable holds one kind of watches, data's or children's.
type watchTable struct {
	paths     map[string]map[*conn]watchMode
	conns     map[*conn]map[string]struct{}
	recursive int
}

func newWatchTable() watchTable {
	return watchTable{paths: map[string]map[*conn]watchMode{}, conns: map[*conn]map[string]struct{}{}}
}

func (w *watchTable) add(path string, c *conn, m watchMode) {
	at := w.paths[path]
	if at == nil {
		at = map[*conn]watchMode{}
		w.paths[path] = at
	}
	w.count(at, c, -1)
	at[c] = m
	w.count(at, c, 1)
	if w.conns[c] == nil {
		w.conns[c] = map[string]struct{}{}
	}
	w.conns[c][path] = struct{}{}
}

func (w *watchTable) count(at map[*conn]watchMode, c *conn, by int) {
	if m, ok := at[c]; ok && m == recursive {
		w.recursive += by
	}
}

func (w *watchTable) has(path string, c *conn) bool {
	_, ok := w.paths[path][c]
	return ok
}

func (w *watchTable) remove(path string, c *conn) bool {
	at := w.paths[path]
	if _, ok := at[c]; !ok {
		return false
	}
	w.count(at, c, -1)
	delete(at, c)
	if len(at) == 0 {
		delete(w.paths, path)
	}
	delete(w.conns[c], path)
	if len(w.conns[c]) == 0 {
		delete(w.conns, c)
	}
	return true
}

func (w *watchTable) forget(c *conn) {
	for path := range w.conns[c] {
		w.remove(path, c)
	}
}

// move takes a connection's watches over from another table.
func (w *watchTable) move(from *watchTable, c *conn) {
	for path := range from.conns[c] {
		w.add(path, c, from.paths[path][c])
	}
	from.forget(c)
}

func (w *watchTable) size() int {
	n := 0
	for _, paths := range w.conns {
		n += len(paths)
	}
	return n
}

// trigger tells those who watch path, except who is in told, and returns whom it told. Who must not read the node does
// not hear of it either (3.8.4).
func (w *watchTable) trigger(path string, ev jute.EventType, acl []jute.ACL, told map[*conn]bool) map[*conn]bool {
	var tell map[*conn]bool
	add := func(c *conn) {
		if tell == nil {
			tell = map[*conn]bool{}
		}
		tell[c] = true
	}
	for c, m := range w.paths[path] {
		switch m {
		case oneShot:
			w.remove(path, c)
			add(c)
		case persistent:
			add(c)
		case recursive:
			if ev != jute.EventChildrenChanged {
				add(c)
			}
		}
	}
	if w.recursive > 0 && ev != jute.EventChildrenChanged {
		for up := path; up != "/"; {
			up = parent(up)
			for c, m := range w.paths[up] {
				if m == recursive {
					add(c)
				}
			}
		}
	}
	for c := range tell {
		if !told[c] && c.allowed(acl, jute.PermRead) {
			c.notify(ev, path)
		}
	}
	return tell
}
