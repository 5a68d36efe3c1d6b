package conformance

import (
	"slices"

	"baton/jute"
)

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// watched is a case in which a watch is set, something is done by another session, and events are expected.
func watched(name string, set func(e *Env, r *Raw), do func(e *Env, o *Raw), want func(e *Env) []string) Case {
	return Case{Name: "watch " + name, Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		set(e, r)
		do(e, o)
		r.saw(want(e)...)
	}}
}

func watchExists(name string) func(*Env, *Raw) {
	return func(e *Env, r *Raw) { r.watchExists(e.Root + name) }
}

func watchData(name string) func(*Env, *Raw) {
	return func(e *Env, r *Raw) { r.watchData(e.Root + name) }
}

func watchChildren(name string) func(*Env, *Raw) {
	return func(e *Env, r *Raw) { r.watchChildren(e.Root + name) }
}

func creating(name string) func(*Env, *Raw) {
	return func(e *Env, o *Raw) { o.ok(o.create(e.Root+name, "", 0)) }
}

func deleting(name string) func(*Env, *Raw) {
	return func(e *Env, o *Raw) { o.ok(o.del(e.Root+name, -1)) }
}

func setting(name string) func(*Env, *Raw) {
	return func(e *Env, o *Raw) { o.setOK(e.Root+name, "new") }
}

func both(a, b func(*Env, *Raw)) func(*Env, *Raw) {
	return func(e *Env, r *Raw) { a(e, r); b(e, r) }
}

func events(pairs ...string) func(e *Env) []string {
	return func(e *Env) []string {
		var out []string
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, pairs[i]+" "+e.Root+pairs[i+1])
		}
		return out
	}
}

func watchCases() []Case {
	cases := []Case{
		watched("for creation", watchExists("/x"), creating("/x"), events("created", "/x")),
		watched("by exists for data", watchExists(""), setting(""), events("data changed", "")),
		watched("by exists for deletion", both(creating("/x"), watchExists("/x")), deleting("/x"), events("deleted", "/x")),
		watched("for data", watchData(""), setting(""), events("data changed", "")),
		watched("for data by deletion", both(creating("/x"), watchData("/x")), deleting("/x"), events("deleted", "/x")),
		watched("for data, fires once", watchData(""), both(setting(""), setting("")), events("data changed", "")),
		watched("for data, not by children", watchData(""), creating("/x"), events()),
		watched("for children by creation", watchChildren(""), creating("/x"), events("children changed", "")),
		watched("for children by deletion", both(creating("/x"), watchChildren("")), deleting("/x"), events("children changed", "")),
		watched("for children, not by data", watchChildren(""), setting(""), events()),
		watched("for children, not by a child's data", both(creating("/x"), watchChildren("")), setting("/x"), events()),
		watched("for children, not by grandchildren", both(creating("/x"), watchChildren("")), creating("/x/y"), events()),
		watched("for children, fires once", watchChildren(""), both(creating("/x"), creating("/y")), events("children changed", "")),
		watched("for children by the node's deletion", both(creating("/x"), watchChildren("/x")), deleting("/x"), events("deleted", "/x")),
		watched("for data and children hears of deletion once", both(creating("/x"), both(watchData("/x"), watchChildren("/x"))),
			deleting("/x"), events("deleted", "/x")),
		watched("of node and parent comes in this order", both(creating("/x"), both(watchChildren(""), watchData("/x"))),
			deleting("/x"), events("deleted", "/x", "children changed", "")),
		watched("for creation and of the parent comes in this order", both(watchChildren(""), watchExists("/x")),
			creating("/x"), events("created", "/x", "children changed", "")),
		watched("set twice fires once", both(watchData(""), watchData("")), setting(""), events("data changed", "")),
		watched("by exists and by getData is one", both(watchExists(""), watchData("")), setting(""), events("data changed", "")),
		watched("by getData of nothing is not set", watchData("/x"), creating("/x"), events()),
		watched("by getChildren of nothing is not set", watchChildren("/x"), creating("/x"), events()),
		watched("is not fired by setACL", both(watchData(""), watchChildren("")), func(e *Env, o *Raw) {
			var st jute.Stat
			o.ok(o.do(jute.OpSetACL, &jute.SetACLRequest{Path: e.Root, ACL: jute.WorldACL(), Version: -1}, &st))
		}, events()),
		watched("is not fired by a failed write", both(watchData(""), watchExists("/x")), func(e *Env, o *Raw) {
			_, c := o.set(e.Root, "", 77)
			o.want(c, jute.BadVersion)
			o.want(o.create(e.path("x/y"), "", 0), jute.NoNode)
		}, events()),
		watched("for creation and again", watchExists("/x"), both(creating("/x"), deleting("/x")), events("created", "/x")),
	}
	return append(cases, watchMoreCases...)
}

var watchMoreCases = []Case{
	{Name: "watch fires for one's own write before its reply", Run: func(e *Env) {
		r := e.Dial()
		r.watchData(e.Root)
		r.setOK(e.Root, "x")
		list(e, "seen with the reply", r.Seen, "data changed "+e.Root)
	}},
	{Name: "watch is a connection's, not a session's", Run: func(e *Env) {
		r := e.Dial()
		r.watchData(e.Root)
		n := r.resume()
		n.setOK(e.Root, "x")
		n.saw()
	}},
	{Name: "watch of an ephemeral fires at its session's close", Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		o.ok(o.create(e.path("x"), "", 1))
		r.watchExists(e.path("x"))
		r.watchChildren(e.Root)
		o.ok(o.do(jute.OpCloseSession, nil, nil))
		r.saw("deleted "+e.path("x"), "children changed "+e.Root)
	}},
	{Name: "checkWatches", Run: func(e *Env) {
		r := e.Dial()
		check := func(kind int32, want jute.Code) {
			e.Helper()
			r.want(r.do(jute.OpCheckWatches, &jute.PathKindRequest{Path: e.Root, Kind: kind}, nil), want)
		}
		check(jute.WatchAny, jute.NoWatcher)
		r.watchData(e.Root)
		check(jute.WatchData, jute.OK)
		check(jute.WatchChildren, jute.NoWatcher)
		check(jute.WatchAny, jute.OK)
		r.setOK(e.Root, "")
		check(jute.WatchData, jute.NoWatcher)
	}},
	{Name: "checkWatches of a kind that is none", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpCheckWatches, &jute.PathKindRequest{Path: e.Root, Kind: 9}, nil), jute.MarshallingError)
	}},
	{Name: "removeWatches of one kind", Run: func(e *Env) {
		r := e.Dial()
		r.watchData(e.Root)
		r.watchChildren(e.Root)
		r.ok(r.do(jute.OpRemoveWatches, &jute.PathKindRequest{Path: e.Root, Kind: jute.WatchData}, nil))
		r.setOK(e.Root, "")
		r.ok(r.create(e.path("x"), "", 0))
		r.saw("children changed " + e.Root)
	}},
	{Name: "removeWatches of any kind", Run: func(e *Env) {
		r := e.Dial()
		r.watchData(e.Root)
		r.watchChildren(e.Root)
		r.ok(r.do(jute.OpRemoveWatches, &jute.PathKindRequest{Path: e.Root, Kind: jute.WatchAny}, nil))
		r.setOK(e.Root, "")
		r.ok(r.create(e.path("x"), "", 0))
		r.saw()
		r.want(r.do(jute.OpRemoveWatches, &jute.PathKindRequest{Path: e.Root, Kind: jute.WatchAny}, nil), jute.NoWatcher)
	}},
	{Name: "removeWatches leaves others' alone", Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		r.watchData(e.Root)
		o.watchData(e.Root)
		o.ok(o.do(jute.OpRemoveWatches, &jute.PathKindRequest{Path: e.Root, Kind: jute.WatchAny}, nil))
		o.setOK(e.Root, "")
		o.saw()
		r.saw("data changed " + e.Root)
	}},
}

// rearm is a request whose lists are all there, if empty.
func rearm(r jute.SetWatchesRequest) *jute.SetWatchesRequest {
	for _, l := range []*[]string{&r.Data, &r.Exist, &r.Child, &r.Persistent, &r.Recursive} {
		*l = append([]string{}, *l...)
	}
	return &r
}

func rearm2(r jute.SetWatchesRequest) *jute.SetWatchesRequest {
	r.Two = true
	return rearm(r)
}

var setWatchesCases = []Case{
	{Name: "setWatches with a null list is a marshalling error", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.do(jute.OpSetWatches, &jute.SetWatchesRequest{}, nil), jute.MarshallingError)
	}},
	{Name: "setWatches arms what has not changed", Run: func(e *Env) {
		r := e.Dial()
		r.look(e.Root)
		r.ok(r.do(jute.OpSetWatches, rearm(jute.SetWatchesRequest{RelativeZxid: r.Zxid, Data: []string{e.Root},
			Exist: []string{e.path("x")}, Child: []string{e.Root}}), nil))
		r.saw()
		r.setOK(e.Root, "")
		r.saw("data changed " + e.Root)
		r.ok(r.create(e.path("x"), "", 0))
		r.saw("created "+e.path("x"), "children changed "+e.Root)
	}},
	{Name: "setWatches tells what was missed, before its reply", Run: func(e *Env) {
		r := e.Dial()
		for _, n := range []string{"data", "child", "gone"} {
			r.ok(r.create(e.path(n), "", 0))
		}
		from := r.Zxid
		r.setOK(e.path("data"), "")
		r.ok(r.create(e.path("child/x"), "", 0))
		r.ok(r.del(e.path("gone"), -1))
		r.ok(r.create(e.path("new"), "", 0))
		r.ok(r.do(jute.OpSetWatches, rearm(jute.SetWatchesRequest{RelativeZxid: from,
			Data: []string{e.path("data"), e.path("gone")}, Exist: []string{e.path("new")},
			Child: []string{e.path("child"), e.path("gone")}}), nil))
		list(e, "seen with the reply", r.Seen, "data changed "+e.path("data"), "deleted "+e.path("gone"),
			"created "+e.path("new"), "children changed "+e.path("child"), "deleted "+e.path("gone"))
	}},
	{Name: "setWatches with what was missed arms nothing", Run: func(e *Env) {
		r := e.Dial()
		from := r.Zxid
		r.setOK(e.Root, "")
		r.ok(r.do(jute.OpSetWatches, rearm(jute.SetWatchesRequest{RelativeZxid: from, Data: []string{e.Root}}), nil))
		r.setOK(e.Root, "")
		r.saw("data changed " + e.Root)
	}},
	{Name: "setWatches does not see a child's deletion and creation apart", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.create(e.path("x"), "", 0))
		from := r.Zxid
		r.setOK(e.path("x"), "")
		r.ok(r.do(jute.OpSetWatches, rearm(jute.SetWatchesRequest{RelativeZxid: from, Child: []string{e.Root}}), nil))
		r.saw()
	}},
	{Name: "setWatches on a new connection of the session", Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		r.watchData(e.Root)
		from := r.Zxid
		r.Close()
		o.setOK(e.Root, "")
		n := r.resume()
		n.ok(n.do(jute.OpSetWatches, rearm(jute.SetWatchesRequest{RelativeZxid: from, Data: []string{e.Root}}), nil))
		n.saw("data changed " + e.Root)
	}},
	{Name: "setWatches2 arms persistent watches and replays nothing", Min: v36, Op: jute.OpSetWatches2,
		Body: rearm2(jute.SetWatchesRequest{}), Run: func(e *Env) {
			r := e.Dial()
			r.ok(r.create(e.path("a"), "", 0))
			from := r.Zxid
			r.setOK(e.Root, "")
			r.setOK(e.path("a"), "")
			r.ok(r.do(jute.OpSetWatches2, rearm2(jute.SetWatchesRequest{RelativeZxid: from,
				Persistent: []string{e.Root}, Recursive: []string{e.path("a")}}), nil))
			r.saw()
			r.setOK(e.Root, "")
			r.setOK(e.Root, "")
			r.ok(r.create(e.path("a/b"), "", 0))
			r.saw("data changed "+e.Root, "data changed "+e.Root, "created "+e.path("a/b"))
		}},
	{Name: "setWatches2 does what setWatches does", Min: v36, Op: jute.OpSetWatches2,
		Body: rearm2(jute.SetWatchesRequest{}), Run: func(e *Env) {
			r := e.Dial()
			from := r.Zxid
			r.setOK(e.Root, "")
			r.ok(r.do(jute.OpSetWatches2, rearm2(jute.SetWatchesRequest{RelativeZxid: from, Data: []string{e.Root},
				Exist: []string{e.path("x")}, Child: []string{e.path("y")}}), nil))
			r.saw("data changed "+e.Root, "deleted "+e.path("y"))
			r.ok(r.create(e.path("x"), "", 0))
			r.saw("created " + e.path("x"))
		}},
}

// added is a case of an added watch: events are those of another session's doing.
func added(name string, mode int32, at string, before, do func(*Env, *Raw), want func(*Env) []string) Case {
	return Case{Name: "addWatch " + name, Min: v36, Op: jute.OpAddWatch, Body: &jute.PathKindRequest{Path: "/"}, Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		if before != nil {
			before(e, o)
		}
		r.ok(r.do(jute.OpAddWatch, &jute.PathKindRequest{Path: e.Root + at, Kind: mode}, &jute.IntResponse{}))
		do(e, o)
		r.saw(want(e)...)
	}}
}

func persistentCases() []Case {
	const p, rec = jute.WatchPersistent, jute.WatchPersistentRecursive
	cases := []Case{
		added("persistent hears of data, each time", p, "", nil, both(setting(""), setting("")),
			events("data changed", "", "data changed", "")),
		added("persistent hears of children", p, "", nil, both(creating("/x"), deleting("/x")),
			events("children changed", "", "children changed", "")),
		added("persistent does not hear of a child's data", p, "", creating("/x"), setting("/x"), events()),
		added("persistent on nothing hears of creation and deletion", p, "/x", nil,
			both(creating("/x"), both(deleting("/x"), creating("/x"))), events("created", "/x", "deleted", "/x", "created", "/x")),
		added("recursive hears of everything below, and of no lists of children", rec, "", creating("/x"),
			both(setting(""), both(creating("/x/y"), both(setting("/x/y"), both(deleting("/x/y"), setting("/x"))))),
			events("data changed", "", "created", "/x/y", "data changed", "/x/y", "deleted", "/x/y", "data changed", "/x")),
		added("recursive hears of the node's own deletion once", rec, "/x", creating("/x"), deleting("/x"), events("deleted", "/x")),
		added("recursive does not hear of a name that only begins alike", rec, "/x", nil, both(creating("/x"), creating("/xy")),
			events("created", "/x")),
	}
	return append(cases, persistentMoreCases()...)
}

func (r *Raw) addWatch(path string, mode int32) {
	r.Helper()
	r.ok(r.do(jute.OpAddWatch, &jute.PathKindRequest{Path: path, Kind: mode}, &jute.IntResponse{}))
}

// persistentMoreCases are those in which the watch is not all that is set.
func persistentMoreCases() (cases []Case) {
	const p, rec = jute.WatchPersistent, jute.WatchPersistentRecursive
	more := func(name string, run func(e *Env, r *Raw)) {
		c := added(name, p, "", nil, nil, nil)
		c.Run = func(e *Env) { run(e, e.Dial()) }
		cases = append(cases, c)
	}
	more("of a mode that is none", func(e *Env, r *Raw) {
		r.want(r.do(jute.OpAddWatch, &jute.PathKindRequest{Path: e.Root, Kind: 5}, nil), jute.MarshallingError)
	})
	more("recursive and a one-shot on a child tell once", func(e *Env, r *Raw) {
		r.addWatch(e.Root, rec)
		r.watchExists(e.path("x"))
		r.ok(r.create(e.path("x"), "", 0))
		r.saw("created " + e.path("x"))
	})
	more("persistent becomes one-shot by a one-shot watch", func(e *Env, r *Raw) {
		r.addWatch(e.Root, p)
		r.watchData(e.Root)
		r.setOK(e.Root, "")
		r.setOK(e.Root, "")
		r.ok(r.create(e.path("x"), "", 0))
		r.saw("data changed "+e.Root, "children changed "+e.Root)
	})
	more("twice in both modes keeps the last", func(e *Env, r *Raw) {
		r.addWatch(e.Root, p)
		r.addWatch(e.Root, rec)
		r.ok(r.create(e.path("x"), "", 0))
		r.saw("created " + e.path("x"))
	})
	more("is removed by removeWatches", func(e *Env, r *Raw) {
		r.addWatch(e.Root, p)
		r.ok(r.do(jute.OpCheckWatches, &jute.PathKindRequest{Path: e.Root, Kind: jute.WatchAny}, nil))
		r.ok(r.do(jute.OpRemoveWatches, &jute.PathKindRequest{Path: e.Root, Kind: jute.WatchAny}, nil))
		r.setOK(e.Root, "")
		r.saw()
	})
	more("half of it is removed by removeWatches of data", func(e *Env, r *Raw) {
		r.addWatch(e.Root, p)
		r.ok(r.do(jute.OpRemoveWatches, &jute.PathKindRequest{Path: e.Root, Kind: jute.WatchData}, nil))
		r.setOK(e.Root, "")
		r.ok(r.create(e.path("x"), "", 0))
		r.saw("children changed " + e.Root)
	})
	more("recursive comes before the reply to one's own write", func(e *Env, r *Raw) {
		r.addWatch("/", rec)
		r.ok(r.create(e.path("x"), "", 0))
		list(e, "seen", r.Seen, "created "+e.path("x"))
	})
	return cases
}
