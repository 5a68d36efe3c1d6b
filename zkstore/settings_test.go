package zkstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/partition"
	"baton/planner"
)

func uncleanJSON(v string) string {
	return fmt.Sprintf(`{"version":1,"config":{"unclean.leader.election.enable":%q,"x":"y"}}`, v)
}

// What elections depend on is delivered when it changes, whoever changed it, and whether
// or not it was there before.
func TestSettingsAreFollowed(t *testing.T) {
	a, b := pair(t)
	write(t, b, pathBrokerDefaults, uncleanJSON("true"))
	putTopic(t, b, "t", 1)
	putTopic(t, b, "u", 1)
	f := follow(t, a, claim(t, a, 2000001))
	if u := f.loaded.Defaults.Unclean; u == nil || !*u {
		t.Fatalf("%+v", f.loaded.Defaults)
	}
	write(t, b, pathBrokerDefaults, uncleanJSON("false"))
	until(t, f, "another default", func(e planner.DefaultsChanged) bool { return e.Unclean != nil && !*e.Unclean })
	write(t, b, pathBrokerDefaults, "{")
	until(t, f, "it spoilt", func(e planner.DefaultsChanged) bool { return e.Unclean == nil && e.Bad != "" })
	erase(t, b, pathBrokerDefaults)
	until(t, f, "none", func(e planner.DefaultsChanged) bool { return e.Unclean == nil && e.Bad == "" })
	write(t, b, pathBrokerDefaults, uncleanJSON("true"))
	until(t, f, "one again", func(e planner.DefaultsChanged) bool { return e.Unclean != nil && *e.Unclean })

	of := func(unclean, bad bool) func(planner.TopicConfigRead) bool {
		return func(e planner.TopicConfigRead) bool {
			if e.Topic != "t" {
				t.Errorf("%+v was not asked for", e)
			}
			return (e.Unclean != nil) == unclean && (e.Bad != "") == bad
		}
	}
	f.WatchTopicConfig("t")
	until(t, f, "no configuration", of(false, false))
	write(t, b, topicConfigPath("u"), uncleanJSON("true")) // nobody asked
	write(t, b, topicConfigPath("t"), uncleanJSON("true"))
	until(t, f, "one", of(true, false))
	write(t, b, topicConfigPath("t"), "{")
	until(t, f, "it spoilt", of(false, true))
	f.WatchTopicConfig("t")
	until(t, f, "the same, as asked for", of(false, true))
	write(t, b, topicConfigPath("t"), uncleanJSON("true"))
	until(t, f, "it mended", of(true, false))
	if _, err := b.conn.(*zk.Conn).SetACL(b.abs(topicConfigPath("t")), []zk.ACL{{Perms: zk.PermAdmin, Scheme: "world", ID: "anyone"}}, -1); err != nil {
		t.Fatal(err)
	}
	f.WatchTopicConfig("t")
	until(t, f, "not allowed to read it", of(false, true))
}

// What changed while nobody was connected is found after it.
func TestSettingsAfterAReconnect(t *testing.T) {
	addr, chroot := testServer(t)
	p := newProxy(t, addr)
	a := open(t, Config{Servers: []string{p.addr()}, Chroot: chroot, SessionTimeout: 10 * time.Second})
	b := open(t, Config{Servers: []string{addr}, Chroot: chroot, SessionTimeout: 10 * time.Second})
	putTopic(t, b, "t", 1)
	write(t, b, topicConfigPath("t"), uncleanJSON("false"))
	f := follow(t, a, claim(t, a, 2000001))
	f.WatchTopicConfig("t")
	until(t, f, "the configuration", func(e planner.TopicConfigRead) bool { return e.Unclean != nil && !*e.Unclean })
	p.cut(true)
	write(t, b, topicConfigPath("t"), uncleanJSON("true"))
	write(t, b, pathBrokerDefaults, uncleanJSON("true"))
	write(t, b, pathPreferred, `{"version":1,"partitions":[]}`)
	p.allow()
	var config, defaults, preferred bool
	for !config || !defaults || !preferred {
		switch e := within(t, "all three", f.events).(type) {
		case planner.TopicConfigRead:
			config = config || *e.Unclean
		case planner.DefaultsChanged:
			defaults = true
		case planner.PreferredRequested:
			preferred = true
		}
	}
}

// A request for elections is delivered once, and one that cannot be understood when it
// has been mended.
func TestPreferredRequests(t *testing.T) {
	a, b := pair(t)
	write(t, b, pathPreferred, `{"version":1,"partitions":[{"topic":"t","partition":1},{"topic":"t","partition":0}]}`)
	f := follow(t, a, claim(t, a, 2000001))
	want := func(n int, bad bool) func(planner.PreferredRequested) bool {
		return func(e planner.PreferredRequested) bool {
			return e.Exists && len(e.Partitions) == n && (e.Bad != "") == bad
		}
	}
	e := until(t, f, "what was there before", want(2, false))
	if e.Partitions[0] != (partition.ID{Topic: "t", Number: 1}) {
		t.Errorf("%+v", e)
	}
	if got, err := commitAll(t, f.Store, planner.DeleteNotifications{Paths: []string{pathPreferred}}); err != nil || got[0].Outcome != planner.Applied {
		t.Errorf("%+v, %v", got, err)
	}
	until(t, f, "it gone", func(e planner.PreferredRequested) bool { return !e.Exists && e.Bad == "" })
	for _, bad := range []string{"", "{", `{"version":2,"partitions":[]}`, `{"version":1}`, `{"version":1,"partitions":[{"topic":"t"}]}`, `{"version":1,"partitions":[7]}`} {
		write(t, b, pathPreferred, bad)
		until(t, f, "a bad one", want(0, true))
	}
	write(t, b, pathPreferred, `{"version":1,"partitions":[{"topic":"t","partition":0}]}`)
	until(t, f, "a good one", want(1, false))
}
