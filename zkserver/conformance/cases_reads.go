package conformance

import (
	"slices"
	"time"

	"baton/jute"
)

var statCases = []Case{
	{Name: "stat of a new node", Run: func(e *Env) {
		r := e.Dial()
		from := time.Now().Add(-time.Minute).UnixMilli()
		r.ok(r.create(e.path("x"), "abc", 0))
		made := r.Zxid
		st := r.stat(e.path("x"))
		if st.Ctime < from || st.Ctime > time.Now().Add(time.Minute).UnixMilli() {
			e.Errorf("ctime %d", st.Ctime)
		}
		same(e, "stat", st, jute.Stat{Czxid: made, Mzxid: made, Pzxid: made, Ctime: st.Ctime, Mtime: st.Ctime, DataLength: 3})
	}},
	{Name: "stat after setData", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		before := r.stat(e.path("x"))
		st, _ := r.set(e.path("x"), "ab", 0)
		want := before
		want.Mzxid, want.Mtime, want.Version, want.DataLength = r.Zxid, st.Mtime, 1, 2
		same(e, "stat", st, want)
		same(e, "as read", r.stat(e.path("x")), want)
	}},
	{Name: "stat of the parent after create and delete", Run: func(e *Env) {
		r := e.Dial()
		before := r.stat(e.Root)
		r.ok(r.create(e.path("x"), "", 0))
		want := before
		want.Pzxid, want.Cversion, want.NumChildren = r.Zxid, 1, 1
		same(e, "after create", r.stat(e.Root), want)
		r.ok(r.del(e.path("x"), 0))
		want.Pzxid, want.Cversion, want.NumChildren = r.Zxid, 2, 0
		same(e, "after delete", r.stat(e.Root), want)
	}},
	{Name: "stat of a grandparent does not change", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		before := r.stat(e.Root)
		r.ok(r.create(e.path("x/y"), "", 0))
		r.setOK(e.path("x"), "z")
		same(e, "stat", r.stat(e.Root), before)
	}},
	{Name: "stat after setACL", Run: func(e *Env) {
		r := e.Dial()
		want := r.stat(e.Root)
		var st jute.Stat
		r.ok(r.do(jute.OpSetACL, &jute.SetACLRequest{Path: e.Root, ACL: jute.WorldACL(), Version: 0}, &st))
		want.Aversion = 1
		same(e, "stat", st, want)
	}},
	{Name: "zxids of writes count by one", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		first := r.Zxid
		r.setOK(e.path("x"), "")
		same(e, "set", r.Zxid, first+1)
		r.ok(r.del(e.path("x"), -1))
		same(e, "delete", r.Zxid, first+2)
	}},
	{Name: "zxids of reads are that of the last write", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		first := r.Zxid
		r.look(e.path("x"))
		same(e, "get", r.Zxid, first)
		_, c := r.get(e.path("y"), false)
		r.want(c, jute.NoNode)
		same(e, "get of nothing", r.Zxid, first)
		var p jute.PathResponse
		r.ok(r.do(jute.OpSync, &jute.PathRequest{Path: e.Root}, &p))
		same(e, "sync", r.Zxid, first)
	}},
	{Name: "a failed write has a zxid", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		first := r.Zxid
		r.want(r.create(e.path("x"), "", 0), jute.NodeExists)
		same(e, "failed", r.Zxid, first+1)
		r.want(r.del("bad", 0), jute.BadArguments)
		same(e, "bad", r.Zxid, first+2)
	}},
	{Name: "a session has a zxid", Run: func(e *Env) {
		r := e.Dial()
		r.setOK(e.Root, "")
		first := r.Zxid
		o := e.Dial()
		o.look(e.Root)
		same(e, "begun", o.Zxid, first+1)
		o.ok(o.do(jute.OpCloseSession, nil, nil))
		same(e, "closed", o.Zxid, first+2)
	}},
	{Name: "ephemeralOwner", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 1))
		same(e, "owner", r.stat(e.path("x")).EphemeralOwner, r.Session.SessionID)
	}},
}

var readCases = []Case{
	{Name: "reads of nothing", Run: func(e *Env) {
		r := e.Dial()
		for _, op := range []jute.Op{jute.OpExists, jute.OpGetData, jute.OpGetChildren, jute.OpGetChildren2} {
			r.want(r.do(op, &jute.PathWatchRequest{Path: e.path("x")}, nil), jute.NoNode)
			r.want(r.do(op, &jute.PathWatchRequest{Path: "x"}, nil), jute.NoNode)
			r.want(r.do(op, &jute.PathWatchRequest{Path: e.Root + "/"}, nil), jute.NoNode)
		}
		r.want(r.do(jute.OpGetACL, &jute.PathRequest{Path: e.path("x")}, nil), jute.NoNode)
	}},
	{Name: "read of the empty path is the root", Run: func(e *Env) {
		r := e.Dial()
		_, c := r.get("", false)
		r.ok(c)
	}},
	{Name: "exists with a zero byte", Run: func(e *Env) {
		r := e.Dial()
		_, c := r.exists(e.path("a\x00"), false)
		r.want(c, jute.BadArguments)
		_, c = r.get(e.path("a\x00"), false)
		r.want(c, jute.NoNode)
	}},
	{Name: "getChildren and getChildren2", Run: func(e *Env) {
		r := e.Dial()
		var one jute.StringsResponse
		r.ok(r.do(jute.OpGetChildren, &jute.PathWatchRequest{Path: e.Root}, &one))
		same(e, "none", len(one.Strings), 0)
		same(e, "not null", one.Strings != nil, true)
		r.ok(r.create(e.path("x"), "", 0))
		r.ok(r.do(jute.OpGetChildren, &jute.PathWatchRequest{Path: e.Root}, &one))
		list(e, "children", one.Strings, "x")
		var two jute.ChildrenResponse
		r.ok(r.do(jute.OpGetChildren2, &jute.PathWatchRequest{Path: e.Root}, &two))
		list(e, "children", two.Children, "x")
		same(e, "stat", two.Stat, r.stat(e.Root))
	}},
	{Name: "children of the root", Run: func(e *Env) {
		r := e.Dial()
		c, code := r.children("/zookeeper", false)
		r.ok(code)
		list(e, "children", c, "config", "quota")
	}},
	{Name: "sync answers with its path", Run: func(e *Env) {
		r := e.Dial()
		var p jute.PathResponse
		r.ok(r.do(jute.OpSync, &jute.PathRequest{Path: e.path("nothing")}, &p))
		same(e, "path", p.Path, e.path("nothing"))
	}},
	{Name: "getAllChildrenNumber", Min: v36, Op: jute.OpGetAllChildrenNumber, Body: &jute.PathRequest{Path: "/"}, Run: func(e *Env) {
		r := e.Dial()
		for _, p := range []string{"/a", "/a/b", "/a/b/c", "/d", "/ab"} {
			r.ok(r.create(e.Root+p, "", 0))
		}
		for p, want := range map[string]int32{"": 5, "/a": 2, "/d": 0} {
			var n jute.IntResponse
			r.ok(r.do(jute.OpGetAllChildrenNumber, &jute.PathRequest{Path: e.Root + p}, &n))
			same(e, "below "+p, n.Value, want)
		}
		r.want(r.do(jute.OpGetAllChildrenNumber, &jute.PathRequest{Path: e.path("x")}, nil), jute.NoNode)
		var n, z jute.IntResponse
		r.ok(r.do(jute.OpGetAllChildrenNumber, &jute.PathRequest{Path: "/"}, &n))
		r.ok(r.do(jute.OpGetAllChildrenNumber, &jute.PathRequest{Path: "/zookeeper"}, &z))
		same(e, "below /zookeeper", z.Value, 2)
		same(e, "below the root", n.Value >= 9, true)
	}},
	{Name: "getEphemerals", Min: v36, Op: jute.OpGetEphemerals, Body: &jute.GetEphemeralsRequest{}, Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("a"), "", 0))
		for _, p := range []string{"/a/x", "/ab", "/c"} {
			r.ok(r.create(e.Root+p, "", 1))
		}
		o := e.Dial()
		o.ok(o.create(e.path("other"), "", 1))
		ask := func(prefix *string, want ...string) {
			e.Helper()
			var rsp jute.StringsResponse
			r.ok(r.do(jute.OpGetEphemerals, &jute.GetEphemeralsRequest{Prefix: prefix}, &rsp))
			list(e, "ephemerals", sorted(rsp.Strings), want...)
		}
		all := []string{e.path("a/x"), e.path("ab"), e.path("c")}
		root, some := "/", e.path("a")
		ask(nil, all...)
		ask(&root, all...)
		ask(&some, all[:2]...)
	}},
	{Name: "whoAmI", Min: v37, Op: jute.OpWhoAmI, Run: func(e *Env) {
		r := e.Dial()
		var w jute.WhoAmIResponse
		r.ok(r.do(jute.OpWhoAmI, nil, &w))
		same(e, "one", len(w.Clients), 1)
		same(e, "ip", w.Clients[0], jute.ClientInfo{Scheme: "ip", User: "127.0.0.1"})
		r.ok(r.auth("digest", "alice:secret"))
		r.ok(r.do(jute.OpWhoAmI, nil, &w))
		same(e, "two", len(w.Clients), 2)
		same(e, "digest", slices.Contains(w.Clients, jute.ClientInfo{Scheme: "digest", User: "alice"}), true)
	}},
	{Name: "reconfig is disabled", Min: v353, Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpReconfig, &reconfig{}, nil), jute.ReconfigDisabled)
		r.setOK(e.Root, "the connection lives")
	}},
}

// reconfig is a request of the dynamic reconfiguration, which changes nothing.
type reconfig struct{}

func (*reconfig) Append(b []byte) []byte {
	return jute.AppendLong(jute.AppendString(jute.AppendString(jute.AppendString(b, ""), ""), ""), -1)
}
func (*reconfig) Decode(*jute.Decoder) {}
