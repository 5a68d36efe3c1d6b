package simbroker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/simbroker"
	"baton/zkserver"
)

// ensemble is an in-process ZooKeeper and brokers in one bubble of fake time.
type ensemble struct {
	*testing.T
	net  *simbroker.Memory
	srv  *zkserver.Server
	conn *zk.Conn

	mu      sync.Mutex
	elected []string
}

func inEnsemble(t *testing.T, test func(e *ensemble)) {
	synctest.Test(t, func(t *testing.T) {
		e := &ensemble{T: t, net: simbroker.NewMemory()}
		var err error
		if e.srv, err = zkserver.New(zkserver.Options{}); err != nil {
			t.Fatal(err)
		}
		ln, err := e.net.Host("zk").Listen("zk:2181")
		if err != nil {
			t.Fatal(err)
		}
		go e.srv.Serve(ln)
		defer e.srv.Close()
		e.conn, _, err = zk.Connect([]string{"zk:2181"}, 10*time.Second, zk.WithLogger(quiet{}), zk.WithHostProvider(one{}),
			zk.WithDialer(simbroker.ZooKeeperDialer(e.net.Host("watcher"))))
		if err != nil {
			t.Fatal(err)
		}
		defer e.conn.Close()
		test(e)
	})
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

type one struct{}

func (one) Init([]string) error  { return nil }
func (one) Len() int             { return 1 }
func (one) Next() (string, bool) { return "zk:2181", false }
func (one) Connected()           {}

func (e *ensemble) broker(id int32, election bool) *simbroker.Broker {
	host := fmt.Sprint("b", id)
	o := simbroker.Options{ID: id, Network: e.net.Host(host), Disk: simbroker.NewDisk(2), Logf: e.Logf,
		Listeners: []simbroker.Listener{{Name: "PLAINTEXT", Addr: net.JoinHostPort(host, "9092")}},
		ZooKeeper: simbroker.ZooKeeper{Servers: []string{"zk:2181"}, SessionTimeout: 6 * time.Second}}
	if election {
		o.Election = func(el simbroker.Elected) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.elected = append(e.elected, fmt.Sprint(id, el.Active, el.Epoch))
		}
	}
	return simbroker.New(o)
}

func (e *ensemble) registered(id int) bool {
	ok, _, err := e.conn.Exists(fmt.Sprint("/brokers/ids/", id))
	if err != nil {
		e.Fatal(err)
	}
	return ok
}

func (e *ensemble) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func TestRegistration(t *testing.T) {
	inEnsemble(t, func(e *ensemble) {
		b := e.broker(1, false)
		e.must(b.Start(context.Background()))
		defer b.Close()
		data, stat, err := e.conn.Get("/brokers/ids/1")
		e.must(err)
		var r struct {
			Version   int
			Host      string
			Port      int
			Endpoints []string
			Features  map[string]any
		}
		e.must(json.Unmarshal(data, &r))
		if r.Version != 5 || r.Host != "b1" || r.Port != 9092 || r.Endpoints[0] != "PLAINTEXT://b1:9092" || r.Features == nil {
			t.Errorf("%s", data)
		}
		if b.Epoch() != stat.Czxid {
			t.Errorf("epoch %d, czxid %d", b.Epoch(), stat.Czxid)
		}
		for _, p := range []string{"/admin/delete_topics", "/config/topics", "/isr_change_notification", "/cluster/id"} {
			if ok, _, err := e.conn.Exists(p); err != nil || !ok {
				t.Errorf("%s: %v %v", p, ok, err)
			}
		}
	})
}

// A session that expires is followed by another, and a new epoch.
func TestExpiry(t *testing.T) {
	inEnsemble(t, func(e *ensemble) {
		b := e.broker(1, false)
		e.must(b.Start(context.Background()))
		defer b.Close()
		before := b.Epoch()
		_, stat, err := e.conn.Get("/brokers/ids/1")
		e.must(err)
		e.srv.Expire(stat.EphemeralOwner)
		time.Sleep(5 * time.Second)
		if after := b.Epoch(); after <= before || !e.registered(1) {
			t.Errorf("epoch %d, then %d", before, after)
		}
		e.must(b.Pause())
		time.Sleep(time.Minute)
		if e.registered(1) {
			t.Error("registered while paused")
		}
		e.must(b.Resume())
		time.Sleep(10 * time.Second)
		if !e.registered(1) {
			t.Error("not registered again")
		}
	})
}

// A crashed broker's registration stays until its session ends, and the next life waits
// for that.
func TestCrashAndRestart(t *testing.T) {
	inEnsemble(t, func(e *ensemble) {
		b := e.broker(1, false)
		e.must(b.Start(context.Background()))
		defer b.Close()
		before := b.Epoch()
		e.must(b.Crash(simbroker.CrashOptions{}))
		if !e.registered(1) {
			t.Error("a crash said good-bye")
		}
		e.must(b.Start(context.Background()))
		if b.Epoch() <= before {
			t.Error("the same epoch")
		}
		b.Close()
		if e.registered(1) {
			t.Error("still registered after Close")
		}
	})
}

func TestLogDirNotification(t *testing.T) {
	inEnsemble(t, func(e *ensemble) {
		b := e.broker(1, false)
		e.must(b.Start(context.Background()))
		defer b.Close()
		e.must(b.FailDir(0))
		synctest.Wait()
		names, _, err := e.conn.Children("/log_dir_event_notification")
		if err != nil || len(names) != 1 {
			t.Errorf("%v %v", names, err)
		}
		e.must(b.FailDir(1)) // the last one
		if b.Pause() == nil {
			t.Error("it did not halt")
		}
	})
}

// One wins; when it goes another does; it yields to whoever writes another id.
func TestElections(t *testing.T) {
	inEnsemble(t, func(e *ensemble) {
		a, b := e.broker(1, true), e.broker(2, true)
		e.must(a.Start(context.Background()))
		defer a.Close()
		time.Sleep(time.Second)
		e.must(b.Start(context.Background()))
		defer b.Close()
		time.Sleep(time.Second)
		a.Close()
		time.Sleep(time.Second)
		_, stat, err := e.conn.Get("/controller")
		e.must(err)
		_, err = e.conn.Multi(&zk.DeleteRequest{Path: "/controller", Version: stat.Version},
			&zk.CreateRequest{Path: "/controller", Data: []byte(`{"version":1,"brokerid":2000001,"timestamp":"1"}`), Acl: zk.WorldACL(zk.PermAll)})
		e.must(err)
		time.Sleep(time.Second)
		e.must(e.conn.Delete("/controller", -1))
		time.Sleep(time.Second)
		e.mu.Lock()
		defer e.mu.Unlock()
		if got, want := fmt.Sprint(e.elected), "[1 true 1 2 true 2 2 false 0 2 true 3]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}
