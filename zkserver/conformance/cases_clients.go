package conformance

import (
	"errors"
	"fmt"
	"sync"

	"github.com/go-zookeeper/zk"
)

var openACL = zk.WorldACL(zk.PermAll)

func must(e *Env, err error) {
	e.Helper()
	if err != nil {
		e.Error(err)
	}
}

func is(e *Env, got, want error) {
	e.Helper()
	if !errors.Is(got, want) {
		e.Errorf("got %v, want %v", got, want)
	}
}

var clientCases = []Case{
	{Name: "go-zookeeper writes and reads", Run: func(e *Env) {
		c := e.client(nil)
		p, err := c.Create(e.path("x"), []byte("a"), 0, openACL)
		must(e, err)
		same(e, "path", p, e.path("x"))
		st, err := c.Set(p, []byte("bc"), 0)
		must(e, err)
		d, got, err := c.Get(p)
		must(e, err)
		same(e, "data", string(d), "bc")
		same(e, "stat", *got, *st)
		must(e, c.Delete(p, 1))
		_, _, err = c.Get(p)
		is(e, err, zk.ErrNoNode)
	}},
	{Name: "go-zookeeper errors", Run: func(e *Env) {
		c := e.client(nil)
		_, err := c.Create(e.Root, nil, 0, openACL)
		is(e, err, zk.ErrNodeExists)
		_, err = c.Set(e.Root, nil, 9)
		is(e, err, zk.ErrBadVersion)
		is(e, c.Delete(e.path("x"), -1), zk.ErrNoNode)
		_, err = c.Create(e.path("x"), nil, zk.FlagEphemeral, openACL)
		must(e, err)
		_, err = c.Create(e.path("x/y"), nil, 0, openACL)
		is(e, err, zk.ErrNoChildrenForEphemerals)
		is(e, c.Delete(e.Root, -1), zk.ErrNotEmpty)
		_, err = c.Create(e.path("z"), nil, 0, nil)
		is(e, err, zk.ErrInvalidACL)
	}},
	{Name: "go-zookeeper watches", Run: func(e *Env) {
		c, o := e.client(nil), e.client(nil)
		_, _, data, err := c.GetW(e.Root)
		must(e, err)
		_, _, kids, err := c.ChildrenW(e.Root)
		must(e, err)
		_, _, born, err := c.ExistsW(e.path("x"))
		must(e, err)
		_, err = o.Set(e.Root, nil, -1)
		must(e, err)
		_, err = o.Create(e.path("x"), nil, 0, openACL)
		must(e, err)
		same(e, "data", (<-data).Type, zk.EventNodeDataChanged)
		same(e, "kids", (<-kids).Type, zk.EventNodeChildrenChanged)
		same(e, "born", (<-born).Type, zk.EventNodeCreated)
	}},
	{Name: "go-zookeeper multi", Run: func(e *Env) {
		c := e.client(nil)
		rs, err := c.Multi(&zk.CheckVersionRequest{Path: e.Root}, &zk.CreateRequest{Path: e.path("a"), Acl: openACL},
			&zk.SetDataRequest{Path: e.path("a"), Data: []byte("x"), Version: 0}, &zk.DeleteRequest{Path: e.path("a"), Version: 1})
		must(e, err)
		same(e, "results", len(rs), 4)
		same(e, "created", rs[1].String, e.path("a"))
		same(e, "version", rs[2].Stat.Version, 1)
	}},
	{Name: "go-zookeeper multi that fails", Run: func(e *Env) {
		c := e.client(nil)
		rs, err := c.Multi(&zk.CreateRequest{Path: e.path("a"), Acl: openACL}, &zk.CheckVersionRequest{Path: e.Root, Version: 9},
			&zk.CreateRequest{Path: e.path("b"), Acl: openACL})
		is(e, err, zk.ErrBadVersion)
		same(e, "results", len(rs), 3)
		same(e, "before", rs[0].Error, nil)
		is(e, rs[1].Error, zk.ErrBadVersion)
		ok, _, err := c.Exists(e.path("a"))
		must(e, err)
		same(e, "nothing stays", ok, false)
	}},
	{Name: "go-zookeeper protected ephemeral sequential", Run: func(e *Env) {
		c := e.client(nil)
		p, err := c.CreateProtectedEphemeralSequential(e.path("lock-"), nil, openACL)
		must(e, err)
		_, st, err := c.Exists(p)
		must(e, err)
		same(e, "owner", st.EphemeralOwner, c.SessionID())
	}},
	{Name: "go-zookeeper container, sync and ACLs", Run: func(e *Env) {
		c := e.client(nil)
		_, err := c.CreateContainer(e.path("c"), nil, zk.FlagContainer, openACL)
		must(e, err)
		p, err := c.Sync(e.Root)
		must(e, err)
		same(e, "path", p, e.Root)
		must(e, c.AddAuth("digest", []byte("bob:pw")))
		_, err = c.SetACL(e.path("c"), zk.DigestACL(zk.PermAll, "bob", "pw"), 0)
		must(e, err)
		got, _, err := c.GetACL(e.path("c"))
		must(e, err)
		same(e, "acl", got[0], zk.DigestACL(zk.PermAll, "bob", "pw")[0])
		_, _, err = e.client(nil).Get(e.path("c"))
		is(e, err, zk.ErrNoAuth)
	}},
	{Name: "go-zookeeper close ends the session", Run: func(e *Env) {
		c, o := e.client(nil), e.client(nil)
		_, err := c.Create(e.path("x"), nil, zk.FlagEphemeral, openACL)
		must(e, err)
		ok, _, gone, err := o.ExistsW(e.path("x"))
		must(e, err)
		same(e, "there", ok, true)
		c.Close()
		same(e, "gone", (<-gone).Type, zk.EventNodeDeleted)
	}},
	{Name: "go-zookeeper with many callers", Run: func(e *Env) {
		c := e.client(nil)
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for j := range 20 {
					p, err := c.Create(e.path(fmt.Sprint(i, "-", j)), nil, 0, openACL)
					if err == nil {
						_, err = c.Set(p, []byte("x"), 0)
					}
					must(e, err)
				}
			})
		}
		wg.Wait()
		kids, st, err := c.Children(e.Root)
		must(e, err)
		same(e, "children", len(kids), 320)
		same(e, "cversion", st.Cversion, 320)
	}},
	{Name: "go-zookeeper events come in order", Run: func(e *Env) {
		var mu sync.Mutex
		var seen []string
		all := make(chan struct{})
		c := e.client(func(ev zk.Event) {
			mu.Lock()
			defer mu.Unlock()
			if seen = append(seen, ev.Path); len(seen) == 20 {
				close(all)
			}
		})
		o := e.client(nil)
		var want []string
		for i := range 20 {
			want = append(want, e.path(fmt.Sprint("n", i)))
			_, _, _, err := c.ExistsW(want[i])
			must(e, err)
		}
		for _, p := range want {
			_, err := o.Create(p, nil, 0, openACL)
			must(e, err)
		}
		<-all
		list(e, "order", seen, want...)
	}},
}
