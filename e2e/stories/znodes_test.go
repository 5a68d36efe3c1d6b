package stories

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/admin"
	"baton/e2e/batonproc"
	"baton/e2e/history"
	"baton/e2e/kafka"
)

// shapes are the ways in which a znode is spoilt; a znode's own table row may lack one that is fine there.
var shapes = []string{"truncated", "mistyped", "newer", "large", "empty"}

// contents are what a kind of znode looks like when its types or its version are wrong; "" where that is no garbage.
type contents struct{ mistyped, newer string }

// of makes the garbage of a shape; ok is false where this kind of znode cannot be spoilt so.
func (c contents) of(shape string) (data string, ok bool) {
	switch shape {
	case "truncated":
		return c.mistyped[:len(c.mistyped)-1], true // lacks its last brace
	case "mistyped":
		return c.mistyped, true
	case "newer":
		return c.newer, c.newer != ""
	case "large":
		return strings.Repeat("x", 1_000_000), true
	}
	return "", true
}

var (
	controllerJSON = contents{`{"version":2,"brokerid":"1"}`, `{"version":9,"brokerid":1}`}
	epochText      = contents{`{"epoch":7}`, ""} // no JSON, no version
	migrationJSON  = contents{`{"version":0,"kraft_controller_id":"x"}`, `{"version":9,"kraft_controller_id":-1,"kraft_controller_epoch":-1}`}
	holdJSON       = contents{`{"who":7,"when":[],"why":{}}`, ""}
	handoverJSON   = contents{`{"from":"a","to":[]}`, ""}
	memberJSON     = contents{`{"name":7}`, ""}
	clusterJSON    = contents{`{"version":"1","id":7}`, ""}
	// Kafka has no upper bound for a registration's version; a lower one is garbage.
	brokerJSON   = contents{`{"version":5,"endpoints":{"a":1}}`, `{"version":0,"endpoints":["INTERNAL://h:1"]}`}
	topicJSON    = contents{`{"version":3,"partitions":{"0":"1,2"}}`, `{"version":9,"partitions":{"0":[1,2,3]}}`}
	stateJSON    = contents{`{"version":1,"leader":"1","isr":7}`, `{"version":9,"leader":1,"leader_epoch":0,"controller_epoch":1,"isr":[1,2,3]}`}
	configJSON   = contents{`{"version":1,"config":[]}`, `{"version":9,"config":{"unclean.leader.election.enable":"true"}}`}
	reassignJSON = contents{`{"version":1,"partitions":{}}`, `{"version":9,"partitions":[]}`}
	logDirJSON   = contents{`{"version":1,"broker":"1","event":{}}`, `{"version":9,"broker":1,"event":1}`}
	blockJSON    = contents{`{"version":1,"broker":1,"block_start":0,"block_end":999}`, `{"version":9,"broker":1,"block_start":"0","block_end":"999"}`}
)

// spoilt is a znode that holds garbage, and what it held before; nil if it did not exist.
type spoilt struct {
	path    string
	good    []byte
	garbage []byte
	stat    *zk.Stat
}

func (s *story) spoil(path, garbage string) *spoilt {
	s.Helper()
	z := &spoilt{path: path, garbage: []byte(garbage)}
	conn := s.cluster.Conn
	good, _, err := conn.Get(path)
	switch {
	case errors.Is(err, zk.ErrNoNode):
		_, err = conn.Create(path, z.garbage, 0, zk.WorldACL(zk.PermAll))
		s.must(err)
		_, z.stat, err = conn.Get(path)
	case err == nil:
		z.good = append([]byte{}, good...)
		z.stat, err = conn.Set(path, z.garbage, -1)
	}
	s.must(err)
	return z
}

// mend checks that nobody has touched the garbage and puts back what was there before.
func (s *story) mend(zs ...*spoilt) {
	s.Helper()
	s.untouched(zs...)
	for _, z := range zs {
		if z.good == nil {
			s.must(s.cluster.Conn.Delete(z.path, -1))
			continue
		}
		_, err := s.cluster.Conn.Set(z.path, z.good, -1)
		s.must(err)
	}
}

// untouched fails unless the znodes are, byte by byte and version by version, as they were spoilt.
func (s *story) untouched(zs ...*spoilt) {
	s.Helper()
	for _, z := range zs {
		data, stat, err := s.cluster.Conn.Get(z.path)
		if err != nil {
			s.Errorf("%s: %v", z.path, err)
			continue
		}
		if !bytes.Equal(data, z.garbage) || stat.Version != z.stat.Version || stat.Czxid != z.stat.Czxid || stat.Mzxid != z.stat.Mzxid {
			s.Errorf("%s was touched: version %d, was %d: %.80q", z.path, stat.Version, z.stat.Version, data)
		}
	}
}

func paths(zs []*spoilt) (out []string) {
	for _, z := range zs {
		out = append(out, z.path)
	}
	slices.Sort(out)
	return out
}

// status asks a Baton over its socket.
func (s *story) status(ctx context.Context, b *batonproc.Baton) (admin.Status, error) {
	return admin.NewClient(b.AdminSocket()).Status(ctx)
}

// names waits until exactly these znodes are unreadable to the Baton, and are named with a reason in its status, in its
// metrics and in its log.
func (s *story) names(b *batonproc.Baton, zs ...*spoilt) {
	s.Helper()
	want := paths(zs)
	ctx, cancel := context.WithTimeout(s.ctx, 75*time.Second) // what nothing watches is read again every 30 s, or 60 s
	defer cancel()
	s.must(kafka.Eventually(ctx, fmt.Sprintf("%v to be named", want), func(ctx context.Context) (bool, error) {
		st, err := s.status(ctx, b)
		if err != nil {
			return false, err
		}
		var have []string
		for _, z := range st.BadZnodes {
			if z.Reason == "" {
				return false, fmt.Errorf("%s without a reason", z.Path)
			}
			have = append(have, z.Path)
		}
		slices.Sort(have)
		if have = slices.Compact(have); !slices.Equal(have, want) {
			return false, fmt.Errorf("named are %v", have)
		}
		_, body, err := b.Get(ctx, "/metrics")
		for _, path := range want {
			if !strings.Contains(body, fmt.Sprintf("\nbaton_bad_znode_info{path=%q} 1\n", path)) {
				return false, errors.Join(err, fmt.Errorf("%s is not in the metrics", path))
			}
		}
		return strings.Contains(body, fmt.Sprintf("\nbaton_bad_znodes %d\n", len(want))), err
	}))
	for _, path := range want {
		logged, err := b.LogContains(path + ": ")
		s.must(err)
		refused, err := b.LogContains(path + " cannot be understood: ")
		s.must(err)
		if !logged && !refused {
			s.Errorf("%s is not in the log", path)
		}
	}
}

// soundApart is sound without what the test itself has written.
func (s *story) soundApart() {
	s.Helper()
	h, err := history.Read(s.cluster)
	s.must(err)
	ours := s.cluster.Conn.SessionID()
	h.Changes = slices.DeleteFunc(h.Changes, func(c history.Change) bool { return c.Session == ours })
	s.sound(h)
}
