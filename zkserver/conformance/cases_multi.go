package conformance

import (
	"fmt"
	"slices"

	"baton/jute"
)

func mCreate(path string, flags int32) jute.MultiOp {
	return jute.MultiOp{Op: jute.OpCreate, Request: &jute.CreateRequest{Path: path, Data: []byte{}, ACL: jute.WorldACL(), Flags: flags}}
}

func mCreate2(path string) jute.MultiOp {
	return jute.MultiOp{Op: jute.OpCreate2, Request: &jute.CreateRequest{Path: path, ACL: jute.WorldACL()}}
}

func mContainer(path string) jute.MultiOp {
	return jute.MultiOp{Op: jute.OpCreateContainer, Request: &jute.CreateRequest{Path: path, ACL: jute.WorldACL(), Flags: 4}}
}

func mDelete(path string, v int32) jute.MultiOp {
	return jute.MultiOp{Op: jute.OpDelete, Request: &jute.PathVersionRequest{Path: path, Version: v}}
}

func mSet(path, data string, v int32) jute.MultiOp {
	return jute.MultiOp{Op: jute.OpSetData, Request: &jute.SetDataRequest{Path: path, Data: []byte(data), Version: v}}
}

func mCheck(path string, v int32) jute.MultiOp {
	return jute.MultiOp{Op: jute.OpCheck, Request: &jute.PathVersionRequest{Path: path, Version: v}}
}

// results tells a multi's results as text, Stats left out.
func results(rs []jute.MultiResult) []string {
	var out []string
	for _, r := range rs {
		s := r.Op.String()
		switch rsp := r.Response.(type) {
		case *jute.PathResponse:
			s += " " + rsp.Path
		case *jute.PathStatResponse:
			s += " " + rsp.Path
		}
		if r.Op == jute.OpError {
			s = fmt.Sprint(int(r.Err))
		}
		out = append(out, s)
	}
	return out
}

// failing is a multi whose results are codes; nothing of it may stay.
func failing(name string, want []jute.Code, ops func(e *Env) []jute.MultiOp) Case {
	return Case{Name: "multi " + name, Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("a"), "a", 0))
		root, a := r.stat(e.Root), r.stat(e.path("a"))
		zxid := r.Zxid
		var codes []string
		for _, c := range want {
			codes = append(codes, fmt.Sprint(int(c)))
		}
		list(e, "results", results(r.multi(ops(e)...)), codes...)
		same(e, "zxid", r.Zxid, zxid+1)
		same(e, "the root's stat", r.stat(e.Root), root)
		same(e, "a's stat", r.stat(e.path("a")), a)
		d, _ := r.get(e.path("a"), false)
		same(e, "a's data", string(d.Data), "a")
		p, _ := r.created(e.path("s"), "", 2)
		same(e, "the next number", p, e.path("s0000000001"))
	}}
}

func multiCases() []Case {
	ok, ri := jute.OK, jute.RuntimeInconsistency
	cases := []Case{
		failing("whose first fails", []jute.Code{jute.NoNode, ri, ri}, func(e *Env) []jute.MultiOp {
			return []jute.MultiOp{mCheck(e.path("no"), 0), mCreate(e.path("b"), 0), mSet(e.path("a"), "x", -1)}
		}),
		failing("whose last fails", []jute.Code{ok, ok, ok, jute.BadVersion}, func(e *Env) []jute.MultiOp {
			return []jute.MultiOp{mCreate(e.path("b"), 0), mSet(e.path("a"), "x", 0), mCreate(e.path("b/c"), 1), mCheck(e.path("a"), 0)}
		}),
		failing("whose middle fails", []jute.Code{ok, jute.NodeExists, ri}, func(e *Env) []jute.MultiOp {
			return []jute.MultiOp{mDelete(e.path("a"), -1), mCreate(e.Root, 0), mCreate(e.path("c"), 0)}
		}),
		failing("that creates twice", []jute.Code{ok, jute.NodeExists}, func(e *Env) []jute.MultiOp {
			return []jute.MultiOp{mCreate(e.path("b"), 0), mCreate(e.path("b"), 0)}
		}),
		failing("that deletes twice", []jute.Code{ok, jute.NoNode}, func(e *Env) []jute.MultiOp {
			return []jute.MultiOp{mDelete(e.path("a"), -1), mDelete(e.path("a"), -1)}
		}),
		failing("that deletes what it gave a child", []jute.Code{ok, jute.NotEmpty}, func(e *Env) []jute.MultiOp {
			return []jute.MultiOp{mCreate(e.path("a/b"), 0), mDelete(e.path("a"), -1)}
		}),
		failing("that creates below its own ephemeral", []jute.Code{ok, jute.NoChildrenForEphemerals}, func(e *Env) []jute.MultiOp {
			return []jute.MultiOp{mCreate(e.path("b"), 1), mCreate(e.path("b/c"), 0)}
		}),
		failing("with a bad path", []jute.Code{ok, jute.BadArguments}, func(e *Env) []jute.MultiOp {
			return []jute.MultiOp{mCreate(e.path("b"), 2), mCreate("bad", 0)}
		}),
		failing("with a TTL node", []jute.Code{ok, jute.Unimplemented}, func(e *Env) []jute.MultiOp {
			return []jute.MultiOp{mCreate(e.path("b"), 0), {Op: jute.OpCreateTTL,
				Request: &jute.CreateRequest{Path: e.path("c"), ACL: jute.WorldACL(), Flags: 5, HasTTL: true, TTL: 9}}}
		}),
		failing("that deletes and creates again, then fails", []jute.Code{ok, ok, ok, jute.BadVersion}, func(e *Env) []jute.MultiOp {
			return []jute.MultiOp{mDelete(e.path("a"), 0), mCreate(e.path("a"), 1), mSet(e.path("a"), "z", 0), mCheck(e.path("a"), 0)}
		}),
	}
	return append(cases, multiMoreCases...)
}

var multiMoreCases = []Case{
	{Name: "multi of nothing", Run: func(e *Env) {
		r := e.Dial()
		r.setOK(e.Root, "")
		zxid := r.Zxid
		same(e, "results", len(r.multi()), 0)
		same(e, "zxid", r.Zxid, zxid+1)
	}},
	{Name: "multi of all kinds", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("gone"), "", 0))
		rs := r.multi(mCheck(e.Root, 0), mCreate(e.path("a"), 0), mCreate(e.path("s"), 2),
			mSet(e.path("a"), "xy", 0), mDelete(e.path("gone"), 0))
		list(e, "results", results(rs), "check", "create "+e.path("a"), "create "+e.path("s0000000002"), "setData", "delete")
		same(e, "the Stat of setData", *rs[3].Response.(*jute.Stat), r.stat(e.path("a")))
	}},
	{Name: "multi with create2", Min: v38, Run: func(e *Env) {
		r := e.Dial()
		rs := r.multi(mCreate2(e.path("b")))
		list(e, "results", results(rs), "create2 "+e.path("b"))
		if e.Failed() {
			return
		}
		same(e, "the Stat", rs[0].Response.(*jute.PathStatResponse).Stat, r.stat(e.path("b")))
	}, Older: func(e *Env) {
		r := e.Dial()
		list(e, "results", results(r.multi(mCreate2(e.path("b")))), "create "+e.path("b")) // and no Stat
	}},
	{Name: "multi has one zxid", Run: func(e *Env) {
		r := e.Dial()
		r.multi(mCreate(e.path("a"), 0), mCreate(e.path("b"), 0), mSet(e.path("a"), "x", -1), mSet(e.Root, "", -1))
		a, b, root := r.stat(e.path("a")), r.stat(e.path("b")), r.stat(e.Root)
		for _, z := range []int64{a.Czxid, a.Mzxid, b.Czxid, root.Mzxid, root.Pzxid} {
			same(e, "zxid", z, r.Zxid)
		}
		same(e, "cversion", root.Cversion, 2)
	}},
	{Name: "multi sees its own changes", Run: func(e *Env) {
		r := e.Dial()
		rs := r.multi(mCreate(e.path("a"), 0), mSet(e.path("a"), "1", 0), mSet(e.path("a"), "2", 1), mCheck(e.path("a"), 2),
			mCreate(e.path("a/b"), 0), mDelete(e.path("a/b"), 0), mDelete(e.path("a"), 2), mCreate(e.path("a"), 0))
		same(e, "results", len(rs), 8)
		same(e, "version", r.stat(e.path("a")).Version, 0)
		same(e, "cversion", r.stat(e.Root).Cversion, 3)
	}},
	{Name: "multi sets twice: the first result is of then", Run: func(e *Env) {
		r := e.Dial()
		rs := r.multi(mSet(e.Root, "1", -1), mSet(e.Root, "22", -1))
		if len(rs) != 2 {
			e.Fatal(rs)
		}
		same(e, "version", rs[0].Response.(*jute.Stat).Version, 1)
		same(e, "length", rs[0].Response.(*jute.Stat).DataLength, 1)
		same(e, "version", rs[1].Response.(*jute.Stat).Version, 2)
	}},
	{Name: "multi with sequentials", Run: func(e *Env) {
		r := e.Dial()
		list(e, "results", results(r.multi(mCreate(e.path("s"), 2), mCreate(e.path("s"), 3), mCreate(e.path("t"), 2))),
			"create "+e.path("s0000000000"), "create "+e.path("s0000000001"), "create "+e.path("t0000000002"))
	}},
	{Name: "multi with a container", Run: func(e *Env) {
		r := e.Dial()
		list(e, "results", results(r.multi(mContainer(e.path("c")))), "create2 "+e.path("c"))
	}},
	{Name: "multi fires watches in its order, before its reply", Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		r.ok(r.create(e.path("b"), "", 0))
		r.watchData(e.path("b"))
		r.watchExists(e.path("a"))
		r.watchChildren(e.Root)
		r.watchData(e.Root)
		want := []string{"data changed " + e.Root, "created " + e.path("a"), "children changed " + e.Root, "deleted " + e.path("b")}
		o.multi(mSet(e.Root, "", -1), mCreate(e.path("a"), 0), mDelete(e.path("b"), -1))
		r.saw(want...)
	}},
	{Name: "multi that fails fires nothing", Run: func(e *Env) {
		r := e.Dial()
		r.watchExists(e.path("a"))
		r.watchChildren(e.Root)
		r.multi(mCreate(e.path("a"), 0), mCheck(e.Root, 9))
		r.saw()
		r.ok(r.create(e.path("a"), "", 0))
		r.saw("created "+e.path("a"), "children changed "+e.Root)
	}},
	{Name: "multi that fails leaves ephemerals to their session", Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		r.ok(r.create(e.path("x"), "", 1))
		r.multi(mDelete(e.path("x"), 0), mCreate(e.path("y"), 1), mCreate(e.path("x"), 0), mCheck(e.Root, 9))
		same(e, "owner", r.stat(e.path("x")).EphemeralOwner, r.Session.SessionID)
		o.ok(o.create(e.path("y"), "", 0))
		r.ok(r.do(jute.OpCloseSession, nil, nil))
		c, _ := o.children(e.Root, false)
		list(e, "children", c, "y")
	}},
	{Name: "multi with check of any version", Run: func(e *Env) {
		r := e.Dial()
		list(e, "results", results(r.multi(mCheck(e.Root, -1))), "check")
		list(e, "results", results(r.multi(mCheck(e.path("x"), -1))), "-101")
		list(e, "results", results(r.multi(mCheck("x", -1))), "-8")
	}},
	{Name: "multi with reads is refused", Run: func(e *Env) {
		r := e.Dial()
		read := jute.MultiOp{Op: jute.OpGetData, Request: &jute.PathWatchRequest{Path: e.Root}}
		r.want(r.do(jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{mSet(e.Root, "x", -1), read}}, nil), jute.MarshallingError)
		r.want(r.do(jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{read}}, nil), jute.MarshallingError)
		same(e, "version", r.stat(e.Root).Version, 0)
	}},
	{Name: "multi with flags that are none is refused", Min: v38, Older: func(e *Env) {
		r := e.Dial()
		list(e, "results", results(r.multi(mCreate(e.path("a"), 9))), "-8")
	}, Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{mCreate(e.path("a"), 9)}}, nil), jute.MarshallingError)
	}},
	{Name: "multi with a flag that needs a TTL is refused", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{mCreate(e.path("a"), 5)}}, nil), jute.MarshallingError)
	}},
	{Name: "multi with setACL is refused", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpMulti, &jute.MultiRequest{Ops: []jute.MultiOp{{Op: jute.OpSetACL, Request: &jute.SetACLRequest{Path: e.Root}}}}, nil),
			jute.MarshallingError)
	}},
	{Name: "multi of a thousand", Run: func(e *Env) {
		r := e.Dial()
		var ops []jute.MultiOp
		for i := range 1000 {
			ops = append(ops, mCreate(e.path(fmt.Sprint("n", i)), 0))
		}
		same(e, "results", len(r.multi(ops...)), 1000)
		same(e, "children", r.stat(e.Root).NumChildren, 1000)
		slices.Reverse(ops)
		for i, o := range ops {
			ops[i] = mDelete(o.Request.(*jute.CreateRequest).Path, 0)
		}
		r.multi(ops...)
		same(e, "cversion", r.stat(e.Root).Cversion, 2000)
	}},
}

func multiReadCases() []Case {
	get := func(path string) jute.MultiOp {
		return jute.MultiOp{Op: jute.OpGetData, Request: &jute.PathWatchRequest{Path: path, Watch: true}}
	}
	kids := func(path string) jute.MultiOp {
		return jute.MultiOp{Op: jute.OpGetChildren, Request: &jute.PathWatchRequest{Path: path}}
	}
	read := func(name string, run func(e *Env, r *Raw)) Case {
		return Case{Name: "multiRead " + name, Min: v36, Op: jute.OpMultiRead, Body: &jute.MultiRequest{},
			Run: func(e *Env) { run(e, e.Dial()) }}
	}
	return []Case{
		read("of data and children", func(e *Env, r *Raw) {
			r.ok(r.create(e.path("a"), "data", 0))
			zxid := r.Zxid
			var rsp jute.MultiResponse
			r.ok(r.do(jute.OpMultiRead, &jute.MultiRequest{Ops: []jute.MultiOp{get(e.path("a")), kids(e.Root)}}, &rsp))
			same(e, "zxid", r.Zxid, zxid)
			list(e, "results", results(rsp.Results), "getData", "getChildren")
			d := rsp.Results[0].Response.(*jute.DataResponse)
			same(e, "data", string(d.Data), "data")
			same(e, "stat", d.Stat, r.stat(e.path("a")))
			list(e, "children", rsp.Results[1].Response.(*jute.StringsResponse).Strings, "a")
		}),
		read("goes on after a failure", func(e *Env, r *Raw) {
			var rsp jute.MultiResponse
			r.ok(r.do(jute.OpMultiRead, &jute.MultiRequest{Ops: []jute.MultiOp{get(e.path("a")), kids(e.path("b")), get(e.Root)}}, &rsp))
			list(e, "results", results(rsp.Results), "-101", "-101", "getData")
		}),
		read("of nothing", func(e *Env, r *Raw) {
			r.ok(r.do(jute.OpMultiRead, &jute.MultiRequest{}, &jute.MultiResponse{}))
		}),
		read("with a read and a write is refused", func(e *Env, r *Raw) {
			r.want(r.do(jute.OpMultiRead, &jute.MultiRequest{Ops: []jute.MultiOp{get(e.Root), mSet(e.Root, "", -1)}}, nil), jute.MarshallingError)
			same(e, "version", r.stat(e.Root).Version, 0)
		}),
		read("with a write is refused, with no results", func(e *Env, r *Raw) {
			h, body, err := r.Reply(r.Send(jute.OpMultiRead, &jute.MultiRequest{Ops: []jute.MultiOp{mSet(e.Root, "", -1)}}))
			var rsp jute.MultiResponse
			if err == nil {
				err = jute.Unmarshal(body, &rsp)
			}
			r.want(h.Err, jute.MarshallingError)
			if err != nil {
				e.Error(err)
			}
			same(e, "results", len(rsp.Results), 0)
			same(e, "version", r.stat(e.Root).Version, 0)
		}),
		read("sets no watches", func(e *Env, r *Raw) {
			var rsp jute.MultiResponse
			r.ok(r.do(jute.OpMultiRead, &jute.MultiRequest{Ops: []jute.MultiOp{get(e.Root)}}, &rsp))
			r.setOK(e.Root, "")
			r.saw()
		}),
	}
}
