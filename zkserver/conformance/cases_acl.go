package conformance

import (
	"slices"

	"baton/jute"
)

func (r *Raw) auth(scheme, cred string) jute.Code {
	r.Helper()
	r.SendAs(jute.XidAuth, jute.OpAuth, &jute.AuthRequest{Scheme: scheme, Auth: []byte(cred)})
	h, body, err := r.Reply(jute.XidAuth)
	if err != nil || len(body) != 0 || h.Zxid != 0 {
		r.Fatal("auth:", h, body, err)
	}
	return h.Err
}

func (r *Raw) createWith(path string, acl ...jute.ACL) jute.Code {
	r.Helper()
	return r.do(jute.OpCreate, &jute.CreateRequest{Path: path, Data: []byte("x"), ACL: acl}, &jute.PathResponse{})
}

func (r *Raw) acl(path string) ([]jute.ACL, jute.Code) {
	r.Helper()
	var rsp jute.ACLResponse
	c := r.do(jute.OpGetACL, &jute.PathRequest{Path: path}, &rsp)
	return rsp.ACL, c
}

// secretHash is that of alice:secret.
const secretHash = "aYXlLOpEooaV1cRAvUL1fp9Qt7E="

func world(perms int32) jute.ACL { return jute.ACL{Perms: perms, Scheme: "world", ID: "anyone"} }

var auth = jute.ACL{Perms: jute.PermAll, Scheme: "auth"}

func aclCases() []Case {
	bad := func(name string, acl ...jute.ACL) Case {
		return Case{Name: "acl refused: " + name, Run: func(e *Env) {
			r := e.Dial()
			r.want(r.do(jute.OpCreate, &jute.CreateRequest{Path: e.path("x"), ACL: acl}, nil), jute.InvalidACL)
			r.want(r.do(jute.OpSetACL, &jute.SetACLRequest{Path: e.Root, ACL: acl, Version: -1}, nil), jute.InvalidACL)
		}}
	}
	cases := []Case{
		bad("unknown scheme", jute.ACL{Perms: 31, Scheme: "nobody", ID: "x"}),
		bad("world but not anyone", jute.ACL{Perms: 31, Scheme: "world", ID: "x"}),
		bad("digest without a hash", jute.ACL{Perms: 31, Scheme: "digest", ID: "alice"}),
		bad("digest of three parts", jute.ACL{Perms: 31, Scheme: "digest", ID: "a:b:c"}),
		bad("ip that is none", jute.ACL{Perms: 31, Scheme: "ip", ID: "1.2.3"}),
		bad("ip of too many bits", jute.ACL{Perms: 31, Scheme: "ip", ID: "1.2.3.4/33"}),
		bad("auth without an identity", auth),
		bad("good and bad", world(31), jute.ACL{Perms: 31, Scheme: "nobody", ID: "x"}),
	}
	denied := func(name string, perms int32, do func(r *Raw, path string) jute.Code) {
		cases = append(cases, Case{Name: "acl denies " + name, Run: func(e *Env) {
			r := e.Dial()
			r.ok(r.createWith(e.path("x"), world(jute.PermAll&^perms)))
			r.want(do(r, e.path("x")), jute.NoAuth)
		}})
	}
	denied("read", jute.PermRead, func(r *Raw, p string) jute.Code { _, c := r.get(p, false); return c })
	denied("read of children", jute.PermRead, func(r *Raw, p string) jute.Code { _, c := r.children(p, false); return c })
	denied("write", jute.PermWrite, func(r *Raw, p string) jute.Code { _, c := r.set(p, "", -1); return c })
	denied("create", jute.PermCreate, func(r *Raw, p string) jute.Code { return r.create(p+"/y", "", 0) })
	denied("admin", jute.PermAdmin, func(r *Raw, p string) jute.Code {
		return r.do(jute.OpSetACL, &jute.SetACLRequest{Path: p, ACL: jute.WorldACL(), Version: -1}, nil)
	})
	denied("delete of a child", jute.PermDelete, func(r *Raw, p string) jute.Code {
		r.ok(r.create(p+"/y", "", 0))
		return r.del(p+"/y", -1)
	})
	denied("check in a multi", jute.PermRead, func(r *Raw, p string) jute.Code { return r.multi(mCheck(p, 0))[0].Err })
	return append(cases, aclMoreCases...)
}

var aclMoreCases = []Case{
	{Name: "acl delete needs nothing of the node itself", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.createWith(e.path("x"), world(jute.PermRead)))
		r.ok(r.del(e.path("x"), -1))
	}},
	{Name: "acl is read back", Run: func(e *Env) {
		r := e.Dial()
		acl := []jute.ACL{world(jute.PermAll), {Perms: 3, Scheme: "ip", ID: "10.0.0.0/8"}}
		r.ok(r.createWith(e.path("x"), acl...))
		got, c := r.acl(e.path("x"))
		r.ok(c)
		same(e, "acl", slices.Equal(got, acl), true)
	}},
	{Name: "acl entries that are twice there are stored once", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.createWith(e.path("x"), world(31), world(31), world(1)))
		got, _ := r.acl(e.path("x"))
		same(e, "entries", len(got), 2)
	}},
	{Name: "acl of the root", Run: func(e *Env) {
		r := e.Dial()
		got, c := r.acl("/")
		r.ok(c)
		same(e, "acl", slices.Equal(got, jute.WorldACL()), true)
	}},
	{Name: "acl version", Run: func(e *Env) {
		r := e.Dial()
		set := func(v int32) jute.Code {
			return r.do(jute.OpSetACL, &jute.SetACLRequest{Path: e.Root, ACL: jute.WorldACL(), Version: v}, &jute.Stat{})
		}
		r.want(set(1), jute.BadVersion)
		r.ok(set(0))
		r.ok(set(-1))
		same(e, "aversion", r.stat(e.Root).Aversion, 2)
		r.want(r.do(jute.OpSetACL, &jute.SetACLRequest{Path: e.path("no"), ACL: jute.WorldACL()}, nil), jute.NoNode)
	}},
	{Name: "acl auth digest", Run: func(e *Env) {
		r, o := e.Dial(), e.Dial()
		r.ok(r.auth("digest", "alice:secret"))
		r.ok(r.createWith(e.path("x"), auth))
		got, _ := r.acl(e.path("x"))
		same(e, "entries", len(got), 1)
		same(e, "scheme", got[0].Scheme, "digest")
		same(e, "id", got[0].ID, "alice:"+secretHash)
		_, c := o.get(e.path("x"), false)
		o.want(c, jute.NoAuth)
		o.ok(o.auth("digest", "alice:wrong"))
		_, c = o.get(e.path("x"), false)
		o.want(c, jute.NoAuth)
		o.ok(o.auth("digest", "alice:secret"))
		_, c = o.get(e.path("x"), false)
		o.ok(c)
	}},
	{Name: "acl auth is a connection's, not a session's", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.auth("digest", "alice:secret"))
		r.ok(r.createWith(e.path("x"), auth))
		n := r.resume()
		_, c := n.get(e.path("x"), false)
		n.want(c, jute.NoAuth)
	}},
	{Name: "acl auth of several identities", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.auth("digest", "alice:secret"))
		r.ok(r.auth("digest", "bob:secret"))
		r.ok(r.createWith(e.path("x"), auth))
		got, _ := r.acl(e.path("x"))
		same(e, "entries", len(got), 2)
	}},
	{Name: "acl auth with an unknown scheme", Run: func(e *Env) {
		r := e.Dial()
		r.want(r.auth("nobody", "x"), jute.AuthFailed)
		r.closed()
	}},
	{Name: "acl ip", Run: func(e *Env) {
		r := e.Dial()
		for expr, want := range map[string]jute.Code{"127.0.0.1": jute.OK, "127.0.0.0/8": jute.OK, "10.0.0.0/8": jute.NoAuth,
			"127.0.0.2": jute.NoAuth, "0.0.0.0/0": jute.OK, "127.0.0.3/31": jute.NoAuth} {
			r.ok(r.createWith(e.path("x"), jute.ACL{Perms: jute.PermRead, Scheme: "ip", ID: expr}))
			_, c := r.get(e.path("x"), false)
			r.want(c, want)
			r.ok(r.del(e.path("x"), -1))
		}
	}},
	{Name: "acl getACL hides hashes from who may only read", Run: func(e *Env) {
		r := e.Dial()
		id := jute.ACL{Perms: 31, Scheme: "digest", ID: "alice:" + secretHash}
		r.ok(r.createWith(e.path("x"), id, world(jute.PermRead)))
		got, c := r.acl(e.path("x"))
		r.ok(c)
		same(e, "id", got[0].ID, "alice:x")
		r.ok(r.auth("digest", "alice:secret"))
		got, _ = r.acl(e.path("x"))
		same(e, "id", got[0], id)
	}},
	{Name: "acl getACL needs read or admin", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.createWith(e.path("x"), world(jute.PermWrite)))
		_, c := r.acl(e.path("x"))
		r.want(c, jute.NoAuth)
		r.ok(r.createWith(e.path("y"), world(jute.PermAdmin)))
		_, c = r.acl(e.path("y"))
		r.ok(c)
	}},
	{Name: "acl exists needs read", Min: v384, Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.createWith(e.path("x"), world(jute.PermWrite)))
		_, c := r.exists(e.path("x"), false)
		r.want(c, jute.NoAuth)
	}, Older: func(e *Env) {
		r := e.Dial()
		r.ok(r.createWith(e.path("x"), world(jute.PermWrite)))
		_, c := r.exists(e.path("x"), false)
		r.ok(c)
	}},
	{Name: "acl events need read", Min: v384, Run: func(e *Env) {
		r := e.Dial()
		r.watchExists(e.path("x"))
		r.ok(r.createWith(e.path("x"), world(jute.PermWrite)))
		r.saw()
	}, Older: func(e *Env) {
		r := e.Dial()
		r.watchExists(e.path("x"))
		r.ok(r.createWith(e.path("x"), world(jute.PermWrite)))
		r.saw("created " + e.path("x"))
	}},
	{Name: "acl NoAuth before NodeExists", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.createWith(e.path("x"), world(jute.PermAll&^jute.PermCreate)))
		r.want(r.create(e.path("x/."), "", 0), jute.NoAuth)
	}},
	{Name: "acl setData says NoAuth before BadVersion", Run: func(e *Env) {
		r := e.Dial()
		r.ok(r.createWith(e.path("x"), world(jute.PermRead)))
		_, c := r.set(e.path("x"), "", 9)
		r.want(c, jute.NoAuth)
	}},
}
