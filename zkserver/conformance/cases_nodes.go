package conformance

import (
	"fmt"
	"strings"

	"baton/jute"
)

var (
	v353 = Version{3, 5, 3}
	v36  = Version{3, 6, 0}
	v37  = Version{3, 7, 0}
	v38  = Version{3, 8, 0}
	v384 = Version{3, 8, 4}
)

// refused is a case in which one create fails.
func refused(name string, code jute.Code, flags int32, path func(e *Env) string) Case {
	return Case{Name: "create " + name, Run: func(e *Env) {
		r := e.Dial()
		r.want(r.create(path(e), "", flags), code)
	}}
}

func literal(p string) func(*Env) string { return func(*Env) string { return p } }

func below(p string) func(*Env) string { return func(e *Env) string { return e.Root + p } }

var createCases = []Case{
	refused("of what exists", jute.NodeExists, 0, below("")),
	refused("of the root", jute.NodeExists, 0, literal("/")),
	refused("of the root as an ephemeral", jute.NodeExists, 1, literal("/")),
	refused("without a parent", jute.NoNode, 0, below("/no/child")),
	refused("of an empty path", jute.BadArguments, 0, literal("")),
	refused("of a relative path", jute.BadArguments, 0, literal("relative")),
	refused("of a relative path with a parent", jute.NoNode, 0, literal("relative/child")),
	refused("of a path with a slash at its end", jute.BadArguments, 0, below("/")),
	refused("of a path with an empty name and no parent", jute.NoNode, 0, below("//x")),
	refused("of the name dot", jute.BadArguments, 0, below("/.")),
	refused("of the name dot dot", jute.BadArguments, 0, below("/..")),
	refused("of a name with a control character", jute.BadArguments, 0, below("/a\x01b")),
	refused("of a name with a zero byte", jute.BadArguments, 0, below("/a\x00b")),
	refused("of a name with DEL", jute.BadArguments, 0, below("/a\x7fb")),
	refused("of a name with C1 control", jute.BadArguments, 0, below("/a\u0085b")),
	refused("of a name in the private area", jute.BadArguments, 0, below("/\ue000")),
	refused("of a name with a special character", jute.BadArguments, 0, below("/\ufff0")),
	refused("of a name beyond the basic plane", jute.BadArguments, 0, below("/\U0001f600")),
	refused("with a negative flag", jute.BadArguments, -1, below("/x")),
	refused("with a flag that is none", jute.BadArguments, 7, below("/x")),
	refused("with a TTL flag", jute.Unimplemented, 5, below("/x")),
	refused("with a sequential TTL flag", jute.Unimplemented, 6, below("/x")),
	{Name: "create and read back", Run: func(e *Env) {
		r := e.Dial()
		p, c := r.created(e.path("x"), "data", 0)
		r.ok(c)
		same(e, "path", p, e.path("x"))
		d, c := r.get(p, false)
		r.ok(c)
		same(e, "data", string(d.Data), "data")
		same(e, "length", d.Stat.DataLength, 4)
	}},
	{Name: "create with a name of letters of the world", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("żółć-日本語"), "", 0))
		c, _ := r.children(e.Root, false)
		list(e, "children", c, "żółć-日本語")
	}},
	{Name: "create with names that only begin with dots", Run: func(e *Env) {
		r := e.Dial()
		for _, n := range []string{"...", ".a", "..a", "a..", "a.b"} {
			r.ok(r.create(e.path(n), "", 0))
		}
	}},
	{Name: "create with null data", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.do(jute.OpCreate, &jute.CreateRequest{Path: e.path("x"), ACL: jute.WorldACL()}, &jute.PathResponse{}))
		d, c := r.get(e.path("x"), false)
		r.ok(c)
		same(e, "null", d.Data == nil, true)
	}},
	{Name: "create with empty data", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		d, _ := r.get(e.path("x"), false)
		same(e, "empty, not null", d.Data != nil && len(d.Data) == 0, true)
	}},
	{Name: "create below an ephemeral", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 1))
		r.want(r.create(e.path("x/y"), "", 0), jute.NoChildrenForEphemerals)
	}},
	{Name: "create without an ACL", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpCreate, &jute.CreateRequest{Path: e.path("x"), ACL: []jute.ACL{}}, nil), jute.InvalidACL)
	}},
	{Name: "create with a null ACL", Min: v36, Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpCreate, &jute.CreateRequest{Path: e.path("x")}, nil), jute.InvalidACL)
	}, Older: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpCreate, &jute.CreateRequest{Path: e.path("x")}, nil), jute.MarshallingError)
	}},
	{Name: "create says BadArguments before InvalidACL", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpCreate, &jute.CreateRequest{Path: "x"}, nil), jute.BadArguments)
	}},
	{Name: "create says InvalidACL before NoNode", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpCreate, &jute.CreateRequest{Path: e.path("no/x"), ACL: []jute.ACL{}}, nil), jute.InvalidACL)
	}},
}

var createKindCases = []Case{
	{Name: "create sequential counts creations", Run: func(e *Env) {
		r := e.Dial()
		p, _ := r.created(e.path("s-"), "", 2)
		same(e, "first", p, e.path("s-0000000000"))
		r.ok(r.create(e.path("other"), "", 0))
		r.ok(r.del(e.path("other"), -1))
		p, _ = r.created(e.path("t-"), "", 2)
		same(e, "after another was created and deleted", p, e.path("t-0000000002"))
	}},
	{Name: "create sequential with no name", Run: func(e *Env) {
		r := e.Dial()
		p, c := r.created(e.Root+"/", "", 2)
		r.ok(c)
		same(e, "path", p, e.path("0000000000"))
	}},
	{Name: "create sequential ephemeral", Run: func(e *Env) {
		r := e.Dial()
		p, c := r.created(e.path("e-"), "", 3)
		r.ok(c)
		same(e, "owner", r.stat(p).EphemeralOwner, r.Session.SessionID)
	}},
	{Name: "create sequential survives a failed create", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("a"), "", 0))
		r.want(r.create(e.path("a"), "", 0), jute.NodeExists)
		p, _ := r.created(e.path("s"), "", 2)
		same(e, "path", p, e.path("s0000000001"))
	}},
	{Name: "create2 returns the Stat", Run: func(e *Env) {
		r := e.Dial()
		var rsp jute.PathStatResponse
		r.ok(r.do(jute.OpCreate2, &jute.CreateRequest{Path: e.path("x"), Data: []byte("abc"), ACL: jute.WorldACL()}, &rsp))
		same(e, "stat", rsp.Stat, r.stat(e.path("x")))
		same(e, "length", rsp.Stat.DataLength, 3)
	}},
	{Name: "create2 of an ephemeral sequential", Run: func(e *Env) {
		r := e.Dial()
		var rsp jute.PathStatResponse
		r.ok(r.do(jute.OpCreate2, &jute.CreateRequest{Path: e.path("x"), ACL: jute.WorldACL(), Flags: 3}, &rsp))
		same(e, "path", rsp.Path, e.path("x0000000000"))
		same(e, "owner", rsp.Stat.EphemeralOwner, r.Session.SessionID)
	}},
	{Name: "create2 that fails has no body", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpCreate2, &jute.CreateRequest{Path: e.Root, ACL: jute.WorldACL()}, nil), jute.NodeExists)
	}},
	{Name: "container", Run: func(e *Env) {
		r := e.Dial()
		var rsp jute.PathStatResponse
		r.ok(r.do(jute.OpCreateContainer, &jute.CreateRequest{Path: e.path("c"), ACL: jute.WorldACL(), Flags: 4}, &rsp))
		same(e, "owner", rsp.Stat.EphemeralOwner, 0) // which it is not told
		r.ok(r.create(e.path("c/x"), "", 0))
	}},
	{Name: "container without children stays until it has had some", Run: func(e *Env) {
		r := e.Dial()
		for _, n := range []string{"never", "once"} {
			r.ok(r.do(jute.OpCreateContainer, &jute.CreateRequest{Path: e.path(n), ACL: jute.WorldACL(), Flags: 4}, &jute.PathStatResponse{}))
		}
		_, c := r.exists(e.path("once"), true)
		r.ok(c)
		r.ok(r.create(e.path("once/x"), "", 0))
		r.ok(r.del(e.path("once/x"), -1))
		r.until(1)
		list(e, "events", r.Seen, "deleted "+e.path("once"))
		_, c = r.exists(e.path("never"), false)
		r.ok(c)
	}},
	{Name: "create with the container flag only is plain", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("c"), "", 4))
		same(e, "owner", r.stat(e.path("c")).EphemeralOwner, 0)
	}},
	{Name: "createTTL is not enabled", Min: v353, Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpCreateTTL, &jute.CreateRequest{Path: e.path("x"), ACL: jute.WorldACL(), Flags: 5, HasTTL: true, TTL: 1000}, nil), jute.Unimplemented)
	}},
	{Name: "createTTL with a flag that has none", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpCreateTTL, &jute.CreateRequest{Path: e.path("x"), ACL: jute.WorldACL(), HasTTL: true, TTL: 1000}, nil), jute.BadArguments)
	}},
}

var nodeCases = []Case{
	{Name: "delete", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		r.ok(r.del(e.path("x"), 0))
		_, c := r.exists(e.path("x"), false)
		r.want(c, jute.NoNode)
	}},
	{Name: "delete of nothing", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.del(e.path("x"), -1), jute.NoNode)
		r.want(r.del(e.path("x/y"), -1), jute.NoNode)
	}},
	{Name: "delete of another version", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		r.want(r.del(e.path("x"), 1), jute.BadVersion)
		r.want(r.del(e.path("x"), -2), jute.BadVersion)
		r.ok(r.del(e.path("x"), -1))
	}},
	{Name: "delete with children", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		r.want(r.del(e.Root, 0), jute.NotEmpty)
	}},
	{Name: "delete says BadVersion before NotEmpty", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		r.want(r.del(e.Root, 5), jute.BadVersion)
	}},
	{Name: "delete of special nodes", Run: func(e *Env) {
		r := e.Dial()
		for _, p := range []string{"/", "/zookeeper", "/zookeeper/quota"} {
			r.want(r.del(p, -1), jute.BadArguments)
		}
	}},
	{Name: "delete of a relative path", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.del("x", -1), jute.BadArguments)
		r.want(r.del("", -1), jute.BadArguments)
	}},
	{Name: "delete of a path with a slash at its end", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.del(e.Root+"/", -1), jute.NoNode)
	}},
	{Name: "setData counts versions", Run: func(e *Env) {
		r := e.Dial()
		for i := range int32(3) {
			st, c := r.set(e.Root, strings.Repeat("x", int(i)), i)
			r.ok(c)
			same(e, "version", st.Version, i+1)
			same(e, "length", st.DataLength, i)
		}
		_, c := r.set(e.Root, "", 2)
		r.want(c, jute.BadVersion)
	}},
	{Name: "setData of nothing", Run: func(e *Env) {
		r := e.Dial()
		_, c := r.set(e.path("x"), "", -1)
		r.want(c, jute.NoNode)
	}},
	{Name: "setData of bad paths", Run: func(e *Env) {
		r := e.Dial()
		for _, p := range []string{"", "x", e.Root + "/", e.Root + "//x", e.path("."), e.path("a\x00")} {
			_, c := r.set(p, "", -1)
			r.want(c, jute.BadArguments)
		}
	}},
	{Name: "setData to null", Run: func(e *Env) {
		r := e.Dial()
		var st jute.Stat
		r.ok(r.do(jute.OpSetData, &jute.SetDataRequest{Path: e.Root, Version: -1}, &st))
		same(e, "length", st.DataLength, 0)
		d, _ := r.get(e.Root, false)
		same(e, "null", d.Data == nil, true)
	}},
	{Name: "setData of the root", Run: func(e *Env) {
		r := e.Dial()
		before := r.stat("/").Version
		st, c := r.set("/", "x", before)
		r.ok(c)
		same(e, "version", st.Version, before+1)
		r.setOK("/", "")
	}},
	{Name: "setData with equal data is a change", Run: func(e *Env) {
		r := e.Dial()
		before := r.stat(e.Root)
		r.setOK(e.Root, "root")
		after := r.stat(e.Root)
		same(e, "versions apart", after.Version-before.Version, 1)
		same(e, "mzxid moved", after.Mzxid > before.Mzxid, true)
	}},
	{Name: "delete and create begins anew", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		r.setOK(e.path("x"), "y")
		before := r.stat(e.path("x"))
		r.ok(r.del(e.path("x"), 1))
		r.ok(r.create(e.path("x"), "", 0))
		after := r.stat(e.path("x"))
		same(e, "version", after.Version, 0)
		same(e, "czxid moved", after.Czxid > before.Czxid, true)
	}},
	{Name: "large data", Run: func(e *Env) {
		r := e.Dial()
		big := strings.Repeat("x", 900_000)
		r.ok(r.create(e.path("x"), big, 0))
		d, c := r.get(e.path("x"), false)
		r.ok(c)
		same(e, "equal", string(d.Data) == big, true)
	}},
	{Name: "many children", Run: func(e *Env) {
		r := e.Dial()
		var want []string
		for i := range 300 {
			want = append(want, fmt.Sprintf("n%03d", i))
			r.ok(r.create(e.path(want[i]), "", 0))
		}
		got, c := r.children(e.Root, false)
		r.ok(c)
		list(e, "children", got, want...)
	}},
}
