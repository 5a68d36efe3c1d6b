package zkstore

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/epoch"

	"github.com/go-zookeeper/zk"
)

// tree is just enough of ZooKeeper to test batching without Java: the operations that
// Commit uses, with scripted faults. What it answers is checked against the real
// server by the same cases in server_test.go.
type tree struct {
	mu     sync.Mutex
	zxid   int64
	nodes  map[string]*treeNode
	multis []int // sizes, the check included
	// lose is asked before each multi: "before" and "after" lose the reply without and with
	// the multi applied.
	lose func(n int) string
}

type treeNode struct {
	data []byte
	stat zk.Stat
}

func (t *tree) put(path, data string) *treeNode {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.zxid++
	n := t.nodes[path]
	if n == nil {
		n = &treeNode{stat: zk.Stat{Czxid: t.zxid, Version: -1}}
		t.nodes[path] = n
	}
	n.data, n.stat.Mzxid = []byte(data), t.zxid
	n.stat.Version++
	return n
}

func (t *tree) Get(path string) ([]byte, *zk.Stat, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[path]
	if n == nil {
		return nil, &zk.Stat{}, zk.ErrNoNode
	}
	stat := n.stat
	return slices.Clone(n.data), &stat, nil
}

func (t *tree) GetW(path string) ([]byte, *zk.Stat, <-chan zk.Event, error) {
	d, s, err := t.Get(path)
	return d, s, nil, err
}

func (t *tree) Exists(path string) (bool, *zk.Stat, error) {
	_, s, err := t.Get(path)
	return err == nil, s, nil
}

func (t *tree) ExistsW(path string) (bool, *zk.Stat, <-chan zk.Event, error) {
	ok, s, _ := t.Exists(path)
	return ok, s, nil, nil
}

func (t *tree) Children(path string) ([]string, *zk.Stat, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for p := range t.nodes {
		if parentOf(p) == path {
			out = append(out, lastElement(p))
		}
	}
	return out, &zk.Stat{}, nil
}

func (t *tree) ChildrenW(path string) ([]string, *zk.Stat, <-chan zk.Event, error) {
	c, s, err := t.Children(path)
	return c, s, nil, err
}

func (t *tree) Create(path string, data []byte, flags int32, acl []zk.ACL) (string, error) {
	_, err := t.Multi(&zk.CreateRequest{Path: path, Data: data, Flags: flags, Acl: acl})
	return path, err
}

func (t *tree) Sync(path string) (string, error) { return path, nil }
func (t *tree) Close()                           {}

func (t *tree) Multi(ops ...any) ([]zk.MultiResponse, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.multis = append(t.multis, len(ops))
	fate := ""
	if t.lose != nil {
		fate = t.lose(len(t.multis))
	}
	if fate == "before" {
		return nil, zk.ErrConnectionClosed
	}
	res := make([]zk.MultiResponse, len(ops))
	made := map[string]bool{}
	for i, op := range ops {
		if err := t.check(op, made); err != nil {
			res[i].Error = err
			return res, err
		}
	}
	t.zxid++
	for i, op := range ops {
		res[i].Stat = t.apply(op)
	}
	if fate == "after" {
		return nil, zk.ErrConnectionClosed
	}
	return res, nil
}

func (t *tree) check(op any, made map[string]bool) error {
	versioned := func(path string, version int32) error {
		switch n := t.nodes[path]; {
		case n == nil:
			return zk.ErrNoNode
		case version >= 0 && n.stat.Version != version:
			return zk.ErrBadVersion
		}
		return nil
	}
	switch o := op.(type) {
	case *zk.CheckVersionRequest:
		return versioned(o.Path, o.Version)
	case *zk.SetDataRequest:
		return versioned(o.Path, o.Version)
	case *zk.DeleteRequest:
		for p := range t.nodes {
			if parentOf(p) == o.Path && !strings.HasPrefix(o.Path, pathTopics) { // deletions there take children along in the same multi
				return zk.ErrNotEmpty
			}
		}
		return versioned(o.Path, o.Version)
	case *zk.CreateRequest:
		dir := parentOf(o.Path)
		if dir != "" && t.nodes[dir] == nil && !made[dir] {
			return zk.ErrNoNode
		}
		if t.nodes[o.Path] != nil {
			return zk.ErrNodeExists
		}
		made[o.Path] = true
	}
	return nil
}

func (t *tree) apply(op any) *zk.Stat {
	switch o := op.(type) {
	case *zk.SetDataRequest:
		n := t.nodes[o.Path]
		n.data, n.stat.Mzxid = o.Data, t.zxid
		n.stat.Version++
		stat := n.stat
		return &stat
	case *zk.DeleteRequest:
		delete(t.nodes, o.Path)
	case *zk.CreateRequest:
		if o.Flags&zk.FlagSequence != 0 {
			o = &zk.CreateRequest{Path: fmt.Sprintf("%s%010d", o.Path, t.zxid), Data: o.Data}
		}
		t.nodes[o.Path] = &treeNode{data: o.Data, stat: zk.Stat{Czxid: t.zxid, Mzxid: t.zxid}}
	}
	return nil
}

// newTree returns a store over a tree whose fence is version 0 of /controller_epoch.
func newTree(t *testing.T, cfg Config, paths ...string) (*tree, *Store) {
	t.Helper()
	tr := &tree{nodes: map[string]*treeNode{}}
	for _, p := range append([]string{pathControllerEpoch}, paths...) {
		for i := 1; i < len(p); i++ {
			if p[i] == '/' && tr.nodes[p[:i]] == nil {
				tr.put(p[:i], "")
			}
		}
		data := ""
		if strings.HasSuffix(p, "/state") {
			data = string(encodeState(stateOf(3, 0, 3)))
		}
		tr.put(p, data)
	}
	tr.nodes[pathControllerEpoch].data = []byte("5")
	cfg.Servers = []string{"unused:1"}
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(cfg)
	s.conn = tr
	s.noMultiRead.Store(true)
	s.id.Store(7)
	s.timeout.Store(int64(18 * time.Second))
	s.setConnected(true)
	return tr, s.Store(epoch.Fence{Epoch: 5, Version: 0})
}
