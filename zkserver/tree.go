package zkserver

import (
	"maps"
	"slices"
	"strings"

	"baton/jute"
)

// containerOwner is the ephemeralOwner that marks a container.
const containerOwner = -1 << 63

// znode is one node. Data and ACL are never changed in place, so that a follower's copy may share them.
type znode struct {
	data                       []byte
	acl                        []jute.ACL
	czxid, mzxid, pzxid        int64
	ctime, mtime               int64
	version, creates, aversion int32
	owner                      int64
	children                   map[string]struct{}
}

// stat tells cversion as ZooKeeper does: it keeps the number of creations and adds that of the deletions, which is
// what is missing to the number of children.
func (n *znode) stat() jute.Stat {
	children := int32(len(n.children))
	owner := n.owner
	if owner == containerOwner {
		owner = 0 // the mark stays inside
	}
	return jute.Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid, Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, Cversion: 2*n.creates - children, Aversion: n.aversion,
		EphemeralOwner: owner, DataLength: int32(len(n.data)), NumChildren: children,
	}
}

// ephemeral says whether the node belongs to a session.
func (n *znode) ephemeral() bool { return n.owner != 0 && n.owner != containerOwner }

func (n *znode) names() []string { return slices.Sorted(maps.Keys(n.children)) }

// tree is the state of one server: the leader's, or that of a follower that lags (follower.go).
type tree struct {
	nodes      map[string]*znode
	zxid       int64
	ephemerals map[int64]map[string]struct{}
	containers map[string]struct{}
	data       watchTable // also watches for existence
	child      watchTable
	bytes      int64
}

func newTree() *tree {
	t := &tree{
		nodes: map[string]*znode{}, ephemerals: map[int64]map[string]struct{}{}, containers: map[string]struct{}{},
		data: newWatchTable(), child: newWatchTable(),
	}
	for _, p := range []string{"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"} {
		t.nodes[p] = &znode{data: []byte{}, acl: jute.WorldACL()}
		if p != "/" {
			t.nodes[parent(p)].add(base(p))
		}
	}
	t.nodes["/zookeeper/config"].acl = []jute.ACL{{Perms: jute.PermRead, Scheme: "world", ID: "anyone"}}
	t.nodes["/zookeeper/config"].aversion = -1
	return t
}

func (n *znode) add(name string) {
	if n.children == nil {
		n.children = map[string]struct{}{}
	}
	n.children[name] = struct{}{}
}

// get finds a node. The empty path is the root, as in ZooKeeper.
func (t *tree) get(path string) *znode {
	if path == "" {
		path = "/"
	}
	return t.nodes[path]
}

// parent of an absolute path; the root's own is the root.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// Change is one change of one znode, part of a Txn.
type Change struct {
	Op      jute.Op // OpCreate, OpDelete, OpSetData or OpSetACL
	Path    string
	Data    []byte
	ACL     []jute.ACL
	Owner   int64 // of a created ephemeral: its session
	Version int32 // after OpSetData or OpSetACL

	// Who may see the event: the node's and its parent's permissions then.
	acl, parentACL []jute.ACL
}

// Check is a condition that a multi has met.
type Check struct {
	Path    string
	Version int32 // -1: that the znode is there
}

// Txn is what one zxid changed. One without changes is a session's begin, a session's end, or a write that failed.
type Txn struct {
	Zxid    int64
	Time    int64 // ms since 1970
	Session int64
	Op      jute.Op // the request's, OpCreateSession or OpCloseSession
	Failed  bool
	Changes []Change
	Checks  []Check
}

// apply makes the changes of a transaction that was validated before, and fires the watches.
func (t *tree) apply(x *Txn) {
	for i := range x.Changes {
		t.change(x, &x.Changes[i])
	}
	t.commit(x)
}

// commit fires the watches of changes that were made.
func (t *tree) commit(x *Txn) {
	t.zxid = x.Zxid
	for i := range x.Changes {
		t.fire(&x.Changes[i])
	}
}

func (t *tree) change(x *Txn, c *Change) {
	switch c.Op {
	case jute.OpCreate:
		t.create(x, c)
	case jute.OpDelete:
		t.remove(x, c)
	case jute.OpSetData:
		n := t.nodes[c.Path]
		t.bytes += int64(len(c.Data) - len(n.data))
		n.data, n.version, n.mzxid, n.mtime = c.Data, c.Version, x.Zxid, x.Time
		c.acl = n.acl
	case jute.OpSetACL:
		n := t.nodes[c.Path]
		n.acl, n.aversion = c.ACL, c.Version
	}
}

func (t *tree) create(x *Txn, c *Change) {
	p := t.nodes[parent(c.Path)]
	p.add(base(c.Path))
	p.creates++
	p.pzxid = x.Zxid
	t.nodes[c.Path] = &znode{data: c.Data, acl: c.ACL, owner: c.Owner, czxid: x.Zxid, mzxid: x.Zxid, pzxid: x.Zxid,
		ctime: x.Time, mtime: x.Time}
	c.acl, c.parentACL = c.ACL, p.acl
	t.index(c.Path, c.Owner)
	t.bytes += int64(len(c.Path) + len(c.Data))
}

// index remembers what a session's end or the sweep of containers has to find.
func (t *tree) index(path string, owner int64) {
	switch {
	case owner == containerOwner:
		t.containers[path] = struct{}{}
	case owner != 0:
		if t.ephemerals[owner] == nil {
			t.ephemerals[owner] = map[string]struct{}{}
		}
		t.ephemerals[owner][path] = struct{}{}
	}
}

func (t *tree) unindex(path string, owner int64) {
	switch {
	case owner == containerOwner:
		delete(t.containers, path)
	case owner != 0:
		delete(t.ephemerals[owner], path)
		if len(t.ephemerals[owner]) == 0 {
			delete(t.ephemerals, owner)
		}
	}
}

func (t *tree) remove(x *Txn, c *Change) {
	p, n := t.nodes[parent(c.Path)], t.nodes[c.Path]
	delete(p.children, base(c.Path))
	p.pzxid = x.Zxid
	c.acl, c.parentACL = n.acl, p.acl
	delete(t.nodes, c.Path)
	t.unindex(c.Path, n.owner)
	t.bytes -= int64(len(c.Path) + len(n.data))
}

// fire sends the events of one change, in the real one's order: the node's, then its parent's.
func (t *tree) fire(c *Change) {
	switch c.Op {
	case jute.OpCreate:
		t.data.trigger(c.Path, jute.EventCreated, c.acl, nil)
		t.child.trigger(parent(c.Path), jute.EventChildrenChanged, c.parentACL, nil)
	case jute.OpDelete:
		// A connection that watches both data and children hears of the deletion once.
		told := t.data.trigger(c.Path, jute.EventDeleted, c.acl, nil)
		t.child.trigger(c.Path, jute.EventDeleted, c.acl, told)
		t.child.trigger(parent(c.Path), jute.EventChildrenChanged, c.parentACL, nil)
	case jute.OpSetData:
		t.data.trigger(c.Path, jute.EventDataChanged, c.acl, nil)
	}
}

// saved is what undoes one change of a multi that failed later.
type saved struct {
	op         jute.Op
	path       string
	node       *znode
	was        znode
	parent     *znode
	creates    int32
	pzxid      int64
	grew       int64
	indexOwner int64
}

// save remembers what change is going to touch.
func (t *tree) save(c *Change) saved {
	s := saved{op: c.Op, path: c.Path, node: t.nodes[c.Path], parent: t.nodes[parent(c.Path)], grew: t.bytes}
	if s.node != nil {
		s.was, s.indexOwner = *s.node, s.node.owner
	} else {
		s.indexOwner = c.Owner
	}
	s.creates, s.pzxid = s.parent.creates, s.parent.pzxid
	return s
}

func (t *tree) undo(s saved) {
	t.bytes = s.grew
	switch s.op {
	case jute.OpCreate:
		delete(t.nodes, s.path)
		delete(s.parent.children, base(s.path))
		t.unindex(s.path, s.indexOwner)
		s.parent.creates, s.parent.pzxid = s.creates, s.pzxid
	case jute.OpDelete:
		t.nodes[s.path] = s.node
		s.parent.add(base(s.path))
		t.index(s.path, s.indexOwner)
		s.parent.pzxid = s.pzxid
	default:
		*s.node = s.was
	}
}
