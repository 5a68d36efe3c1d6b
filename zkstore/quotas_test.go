package zkstore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"baton/planner"
	"baton/quota"
)

func rateJSON(v string) string {
	return fmt.Sprintf(`{"version":1,"config":{"controller_mutation_rate":%q,"SCRAM-SHA-256":"x"}}`, v)
}

// announce writes an announcement as tools do, and returns its path.
func announce(t *testing.T, s *Session, json string) string {
	t.Helper()
	path, err := s.conn.(*zk.Conn).Create(s.abs(pathConfigChanges+"/config_change_"), []byte(json), zk.FlagSequence, zk.WorldACL(zk.PermAll))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(path, s.cfg.Chroot)
}

// Quotas that are there are delivered after the claim, and what is announced whenever it is.
func TestQuotasAreFollowed(t *testing.T) {
	a, b := pair(t)
	write(t, b, "/config/users/al%20%2A", rateJSON("1.5"))
	write(t, b, "/config/users/al%20%2A/clients", "")
	write(t, b, "/config/users/al%20%2A/clients/<default>", rateJSON("2"))
	write(t, b, "/config/users/scram", `{"version":1,"config":{"SCRAM-SHA-256":"x"}}`)
	write(t, b, "/config/clients/<default>", rateJSON(" 3e1 "))
	announce(t, b, `{"version":2,"entity_path":"users/nobody"}`)
	f := follow(t, a, claim(t, a, 2000001))

	al, deflt := quota.Of("al *"), quota.Scope{Kind: quota.Default}
	got := map[quota.Entity]float64{}
	has := func(want map[quota.Entity]float64, bad ...string) {
		t.Helper()
		until(t, f, fmt.Sprint(want, bad), func(e planner.QuotasChanged) bool {
			for _, r := range e.Read {
				if delete(got, r.Entity); r.Rate != nil {
					got[r.Entity] = *r.Rate
				}
			}
			var paths []string
			for _, b := range e.Bad {
				paths = append(paths, b.Path)
			}
			return fmt.Sprint(got) == fmt.Sprint(want) && fmt.Sprint(paths) == fmt.Sprint(bad)
		})
	}
	all := map[quota.Entity]float64{{User: al}: 1.5, {User: al, Client: deflt}: 2, {Client: deflt}: 30}
	has(all)

	write(t, b, "/config/clients/c", rateJSON("4"))
	announce(t, b, `{"version":1,"entity_type":"clients","entity_name":"c"}`)
	all[quota.Entity{Client: quota.Of("c")}] = 4
	has(all)
	write(t, b, "/config/users/al%20%2A/clients/<default>", `{"version":1,"config":{}}`)
	announce(t, b, `{"version":2,"entity_path":"users/al%20%2A/clients/<default>"}`)
	delete(all, quota.Entity{User: al, Client: deflt})
	has(all)

	// What cannot be understood is named, and what was there before holds.
	for _, spoilt := range []string{"{", `{"version":1}`, rateJSON("many"), rateJSON("NaN"), `{"version":1,"config":{"controller_mutation_rate":7}}`} {
		write(t, b, "/config/clients/c", spoilt)
		announce(t, b, `{"version":2,"entity_path":"clients/c"}`)
		has(all, "/config/clients/c")
	}
	bad := announce(t, b, `{"version":3}`)
	has(all, bad, "/config/clients/c")
	// Mended without an announcement, it is found with the next look at them.
	write(t, b, "/config/clients/c", rateJSON("5"))
	erase(t, b, bad)
	all[quota.Entity{Client: quota.Of("c")}] = 5
	has(all)
	announce(t, b, `{"version":2,"entity_path":"users/%zz"}`)
	has(all, "/config/users/%zz")
}

// Entities that ACLs keep from us are named, and the others are delivered.
func TestQuotasThatMayNotBeRead(t *testing.T) {
	a, b := pair(t)
	write(t, b, "/config/clients/c", rateJSON("4"))
	closed := []zk.ACL{{Perms: zk.PermAdmin, Scheme: "world", ID: "anyone"}}
	if _, err := b.conn.(*zk.Conn).SetACL(b.abs(pathUserConfigs), closed, -1); err != nil {
		t.Fatal(err)
	}
	f := follow(t, a, claim(t, a, 2000001))
	var read bool
	until(t, f, "the client's quota and the users' directory", func(e planner.QuotasChanged) bool {
		read = read || len(e.Read) == 1
		return read && len(e.Bad) == 1 && e.Bad[0].Path == pathUserConfigs
	})
}
