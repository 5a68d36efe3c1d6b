package zkstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"baton/epoch"
	"baton/partition"
	"baton/planner"

	"github.com/go-zookeeper/zk"
)

const brokerJSON = `{"version":5,"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"endpoints":["PLAINTEXT://h:9092"],"features":{}}`

func putTopic(t *testing.T, s *Session, name string, parts int) {
	t.Helper()
	var list []planner.PartitionRead
	for i := range parts {
		list = append(list, planner.PartitionRead{Number: int32(i), Assignment: partition.Assignment{Replicas: []int32{1, 2}}})
	}
	write(t, s, topicPath(name), string(encodeTopic(freshTopicID(), list)))
}

func putState(t *testing.T, s *Session, id partition.ID) {
	t.Helper()
	write(t, s, statePath(id), string(encodeState(stateOf(1, 0, 1, 2))))
}

// following is a store that has been loaded and runs.
type following struct {
	*Store
	loaded *planner.Claimed
	events chan planner.Event
	ended  chan error
}

func follow(t *testing.T, s *Session, fence epoch.Fence) *following {
	t.Helper()
	f := &following{Store: s.Store(fence), events: make(chan planner.Event, 10000), ended: make(chan error, 1)}
	var err error
	if f.loaded, err = f.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		f.ended <- f.Run(ctx, func(ev planner.Event) { f.events <- ev })
	}()
	t.Cleanup(func() { cancel(); <-stopped })
	return f
}

// until waits for an event that ok accepts.
func until[E planner.Event](t *testing.T, f *following, what string, ok func(E) bool) E {
	t.Helper()
	for {
		if ev, is := within(t, what, f.events).(E); is && ok(ev) {
			return ev
		}
	}
}

func TestLoadAndRun(t *testing.T) {
	a, b := pair(t)
	ephemeral(t, b, pathBrokerIDs+"/1", brokerJSON)
	ephemeral(t, b, pathBrokerIDs+"/2", `rubbish`)
	ephemeral(t, b, pathBrokerIDs+"/x", brokerJSON)
	putTopic(t, b, "t", 2)
	putState(t, b, pid(0))
	write(t, b, topicPath("bad"), "rubbish")
	write(t, b, pathBatonIDs+"/2000001", "")
	write(t, b, pathDeleteTopics+"/d", "")
	f := follow(t, a, claim(t, a, 2000001))
	c := f.loaded
	if len(c.Brokers) != 1 || len(c.BadBrokers) != 2 || len(c.Topics) != 2 || len(c.States) != 1 || len(c.Batons) != 1 || len(c.Deleting) != 1 ||
		c.Topics[0].Bad == "" || c.Topics[1].Name != "t" || len(c.Topics[1].Partitions) != 2 || c.States[0].Zxid == 0 || c.Brokers[0].Epoch == 0 {
		t.Fatalf("%+v", c)
	}

	ephemeral(t, b, pathBrokerIDs+"/3", brokerJSON)
	until(t, f, "broker 3", func(e planner.BrokersChanged) bool {
		return len(e.Brokers) == 2 && len(e.Bad) == 2 && len(e.BadIDs) == 1
	})
	erase(t, b, pathBrokerIDs+"/1")
	ephemeral(t, b, pathBrokerIDs+"/1", brokerJSON)
	until(t, f, "a bounce", func(e planner.BrokersChanged) bool {
		return len(e.Brokers) == 2 && e.Brokers[0].Epoch > c.Brokers[0].Epoch
	})
	f.RereadBrokers()
	until(t, f, "the brokers asked for", func(e planner.BrokersChanged) bool { return len(e.Brokers) == 2 })

	putTopic(t, b, "u", 1)
	until(t, f, "a new topic", func(e planner.TopicsChanged) bool {
		return len(e.Topics) == 1 && e.Topics[0].Name == "u" && len(e.States) == 0
	})
	putState(t, b, pid(2))
	putTopic(t, b, "t", 4)
	until(t, f, "more partitions", func(e planner.TopicsChanged) bool {
		return len(e.Topics) == 1 && len(e.Topics[0].Partitions) == 4 && len(e.States) == 1 && e.States[0].ID == pid(2)
	})
	erase(t, b, topicPath("u"))
	until(t, f, "a topic gone", func(e planner.TopicsChanged) bool { return len(e.Gone) == 1 && e.Gone[0] == "u" })

	erase(t, b, pathDeleteTopics+"/d")
	until(t, f, "the end of a deletion", func(e planner.WorkChanged) bool { return len(e.Deleting) == 0 })
	write(t, b, pathReassign, `{"version":1,"partitions":[{"topic":"y","partition":0,"replicas":[1]}]}`)
	until(t, f, "a reassignment", func(e planner.WorkChanged) bool { return len(e.Reassigning.Items) == 1 })
	write(t, b, pathBatonIDs+"/2000002", "")
	until(t, f, "a Baton", func(e planner.BatonsChanged) bool { return len(e.IDs) == 2 })
	write(t, b, pathLogDirEvents+"/log_dir_event_0000000001", `{"version":1,"broker":3,"event":1}`)
	e := until(t, f, "a failed directory", func(e planner.LogDirFailed) bool { return len(e.Brokers) == 1 && e.Brokers[0] == 3 })
	if got, err := commitAll(t, f.Store, planner.DeleteNotifications{Paths: e.Paths}); err != nil || got[0].Outcome != planner.Applied {
		t.Errorf("%+v, %v", got, err)
	}

	claim(t, b, 2)
	if err := within(t, "the end of the role", f.ended); !errors.Is(err, epoch.ErrFenced) && !errors.Is(err, ErrRoleLost) {
		t.Errorf("Run ended with %v", err)
	}
	if _, err := commitAll(t, f.Store, planner.NextProducerIDs{Broker: 1}); !errors.Is(err, epoch.ErrFenced) {
		t.Errorf("commit under the old fence: %v", err)
	}
}

// A topic that was deleted and made again between two looks is two changes, and its states
// are read as a new topic's. Kafka's controller does not notice and keeps the old one's id.
func TestATopicMadeAnewBetweenTwoLooks(t *testing.T) {
	a, b := pair(t)
	putTopic(t, b, "t", 1)
	putState(t, b, pid(0))
	st := a.Store(claim(t, a, 2_000_001))
	look := func() planner.TopicsChanged {
		t.Helper()
		ev, err := st.readTopics(t.Context(), []string{"t"})
		if err != nil {
			t.Fatal(err)
		}
		return ev
	}
	first := look()
	if len(first.Topics) != 1 || len(first.States) != 1 || len(first.Gone) != 0 {
		t.Fatalf("at first: %+v", first)
	}
	for _, path := range []string{statePath(pid(0)), partitionPath(pid(0)), partitionsPath("t"), topicPath("t")} {
		erase(t, b, path)
	}
	putTopic(t, b, "t", 1)
	if err := a.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := look()
	if len(again.Gone) != 1 || len(again.Topics) != 1 || len(again.States) != 0 || again.Topics[0].ID == first.Topics[0].ID {
		t.Errorf("made anew: %+v", again)
	}
	if more := look(); len(more.Gone)+len(more.Topics) > 0 {
		t.Errorf("nothing changed: %+v", more)
	}
}

// /controller is removed by hand: whoever was named by it must not go on until its next write.
func TestARemovedControllerZnodeEndsTheRole(t *testing.T) {
	a, b := pair(t)
	f := follow(t, a, claim(t, a, 2_000_001))
	erase(t, b, pathController)
	if err := within(t, "the end of the role", f.ended); !errors.Is(err, ErrRoleLost) {
		t.Errorf("Run ended with %v", err)
	}
}

func TestCommitOnServer(t *testing.T) {
	a, b := pair(t)
	putTopic(t, b, "t", 10)
	putState(t, b, pid(3))
	write(t, b, partitionPath(pid(4)), "")
	st := a.Store(claim(t, a, 2000001))
	st.fence.Epoch = 5 // what stateOf writes
	var writes []planner.WriteBody
	for i := range 10 {
		writes = append(writes, planner.CreateState{ID: pid(i), State: stateOf(2, 0, 2)})
	}
	got, err := commitAll(t, st, writes...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		want := planner.Applied
		if i == 3 {
			want = planner.Conflict
		}
		if got[uint64(i)].Outcome != want {
			t.Errorf("create %d: %+v", i, got[uint64(i)])
		}
	}
	putState(t, b, pid(7)) // moves it to version 1
	for i := range writes {
		writes[i] = planner.SetState{ID: pid(i), State: stateOf(1, 0, 1)}
	}
	if got, err = commitAll(t, st, writes...); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		r, want := got[uint64(i)], planner.Applied
		if i == 7 {
			want = planner.Conflict
		}
		if r.Outcome != want || (want == planner.Applied && r.Version != 1) {
			t.Errorf("set %d: %+v", i, r)
		}
	}
	if f := got[7].Found; f.State.PartitionEpoch != 1 || f.Zxid == 0 {
		t.Errorf("found %+v", f)
	}
	got, err = commitAll(t, st, planner.CreateTopic{Name: "new", ID: freshTopicID(), Partitions: []planner.PartitionRead{{Assignment: partition.Assignment{Replicas: []int32{1}}}}},
		planner.CreateTopic{Name: "t", ID: freshTopicID()}, planner.NextProducerIDs{Broker: 1}, planner.NextProducerIDs{Broker: 1})
	if err != nil || got[0].Outcome != planner.Applied || got[1].Outcome != planner.Conflict || got[2].Start+got[3].Start != 1000 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCommitWithLostReply(t *testing.T) {
	addr, chroot := testServer(t)
	p := newProxy(t, addr)
	s := open(t, Config{Servers: []string{p.addr()}, Chroot: chroot, SessionTimeout: 10 * time.Second})
	putTopic(t, s, "t", 3)
	st := s.Store(claim(t, s, 2000001))
	for _, kind := range []string{"create", "set"} {
		var writes []planner.WriteBody
		for i := range 3 {
			if kind == "create" {
				writes = append(writes, planner.CreateState{ID: pid(i), State: stateOf(1, 0, 1, 2)})
			} else {
				writes = append(writes, planner.SetState{ID: pid(i), State: stateOf(2, 0, 2)})
			}
		}
		id := s.ID()
		p.loseReply(14)
		got, err := commitAll(t, st, writes...)
		if err != nil {
			t.Fatal(err)
		}
		within(t, "the loss of the reply", p.lost)
		for i := range 3 {
			if r := got[uint64(i)]; r.Outcome != planner.Applied || (kind == "set" && r.Version != 1) {
				t.Errorf("%s %d: %+v", kind, i, r)
			}
		}
		if s.ID() != id {
			t.Error("the session changed")
		}
	}
}

// Everything changes while the connection is away: all of it is delivered after.
func TestNothingIsLostOverAReconnect(t *testing.T) {
	addr, chroot := testServer(t)
	p := newProxy(t, addr)
	a := open(t, Config{Servers: []string{p.addr()}, Chroot: chroot, SessionTimeout: 20 * time.Second})
	b := open(t, Config{Servers: []string{addr}, Chroot: chroot, SessionTimeout: 20 * time.Second})
	const n = 300
	for i := range n {
		putTopic(t, b, fmt.Sprintf("t%d", i), 1)
	}
	f := follow(t, a, claim(t, a, 2000001))
	for round := range 2 {
		p.cut(true)
		ephemeral(t, b, pathBrokerIDs+fmt.Sprintf("/%d", round+1), brokerJSON)
		for i := range n {
			putTopic(t, b, fmt.Sprintf("t%d", i), round+2)
		}
		erase(t, b, topicPath(fmt.Sprintf("t%d", round)))
		putTopic(t, b, fmt.Sprintf("new%d", round), 1)
		p.allow()
		brokers, gone, fresh, grown := false, false, false, map[string]bool{}
		for !brokers || !gone || !fresh || len(grown) < n-1-round {
			switch e := within(t, "the news of the disconnect", f.events).(type) {
			case planner.BrokersChanged:
				brokers = len(e.Brokers) == round+1
			case planner.TopicsChanged:
				gone = gone || len(e.Gone) > 0
				for _, x := range e.Topics {
					fresh = fresh || x.Name == fmt.Sprintf("new%d", round)
					if len(x.Partitions) == round+2 {
						grown[x.Name] = true
					}
				}
			}
		}
	}
	// And the watches are set as before.
	putTopic(t, b, "t50", 9)
	until(t, f, "a change after it", func(e planner.TopicsChanged) bool { return len(e.Topics) == 1 && len(e.Topics[0].Partitions) == 9 })
}

func TestNoAuth(t *testing.T) {
	a, b := pair(t)
	putTopic(t, b, "t", 3)
	for i := range 3 {
		putState(t, b, pid(i))
	}
	acl := []zk.ACL{{Perms: zk.PermAdmin, Scheme: "world", ID: "anyone"}}
	if _, err := b.conn.(*zk.Conn).SetACL(b.abs(statePath(pid(1))), acl, -1); err != nil {
		t.Fatal(err)
	}
	f := follow(t, a, claim(t, a, 2000001))
	if len(f.loaded.States) != 3 || f.loaded.States[1].Bad == "" || !f.loaded.States[1].Exists {
		t.Errorf("%+v", f.loaded.States)
	}
	_, writes := sets(3)
	got, err := commitAll(t, f.Store, writes...)
	if err != nil || got[0].Outcome != planner.Applied || got[2].Outcome != planner.Applied ||
		got[1].Outcome != planner.Failed || !strings.Contains(got[1].Reason, statePath(pid(1))) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLargeTopic(t *testing.T) {
	a, b := pair(t)
	const n = 50000
	putTopic(t, b, "big", n)
	data, err := b.get(t.Context(), topicPath("big"))
	if err != nil || len(data.data) < 500_000 {
		t.Fatal(len(data.data), err)
	}
	st := a.Store(claim(t, a, 2000001))
	r, _, err := st.readTopic(t.Context(), "big")
	if err != nil || r.Bad != "" || len(r.Partitions) != n {
		t.Fatal(len(r.Partitions), r.Bad, err)
	}
	got, err := commitAll(t, st, planner.SetTopic{Name: "big", Version: r.Version, ID: r.ID, Partitions: r.Partitions})
	if err != nil || got[0].Outcome != planner.Applied {
		t.Errorf("%+v, %v", got, err)
	}
	more := append(r.Partitions, r.Partitions...)
	for i := range more {
		more[i].Number = int32(i + 100000)
	}
	got, err = commitAll(t, st, planner.SetTopic{Name: "big", Version: r.Version + 1, ID: r.ID, Partitions: more})
	if err != nil || got[0].Outcome != planner.Failed {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err  error
		want class
	}{
		{nil, classOK}, {zk.ErrNoNode, classNoNode}, {zk.ErrNodeExists, classNodeExists}, {zk.ErrBadVersion, classBadVersion},
		{zk.ErrNoServer, classNotSent}, {zk.ErrSessionMoved, classNotSent},
		{zk.ErrConnectionClosed, classUnknown}, {zk.ErrClosing, classUnknown}, {net.ErrClosed, classUnknown},
		{zk.ErrSessionExpired, classEnded}, {ErrSession, classEnded},
		{zk.ErrNoAuth, classRefused}, {zk.ErrShortBuffer, classRefused}, {errors.New("unknown error: -6"), classRefused},
	} {
		if got := classify(c.err); got != c.want {
			t.Errorf("%v: class %d, want %d", c.err, got, c.want)
		}
		if c.err != nil && classify(fmt.Errorf("get /x: %w", c.err)) != c.want {
			t.Errorf("%v: another class when wrapped", c.err)
		}
	}
}

// BenchmarkLoad reads the image of 1,000 topics of 20 partitions each.
func BenchmarkLoad(b *testing.B) {
	addr, chroot := testServer(b)
	s, err := Connect(b.Context(), Config{Servers: []string{addr}, Chroot: chroot, SessionTimeout: 10 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.EnsurePaths(b.Context()); err != nil {
		b.Fatal(err)
	}
	fence, err := s.Claim(b.Context(), Claim{ID: 2000001, EpochVersion: -1})
	if err != nil {
		b.Fatal(err)
	}
	var topics, states []planner.Write
	for i := range 1000 {
		name := fmt.Sprintf("t%d", i)
		w := planner.CreateTopic{Name: name, ID: freshTopicID()}
		for p := range 20 {
			w.Partitions = append(w.Partitions, planner.PartitionRead{Number: int32(p), Assignment: partition.Assignment{Replicas: []int32{1, 2, 3}}})
			states = append(states, planner.Write{Body: planner.CreateState{ID: partition.ID{Topic: name, Number: int32(p)}, State: stateOf(1, 0, 1, 2, 3)}})
		}
		topics = append(topics, planner.Write{Body: w})
	}
	for _, ws := range [][]planner.Write{topics, states} {
		if err := s.Store(fence).Commit(b.Context(), ws, func([]planner.Result) {}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		c, err := s.Store(fence).Load(b.Context())
		if err != nil || len(c.States) != 20000 {
			b.Fatal(len(c.States), err)
		}
	}
	b.ReportMetric(20000*float64(b.N)/b.Elapsed().Seconds(), "states/s")
	var sets []planner.Write
	for _, w := range states {
		sets = append(sets, planner.Write{Body: planner.SetState(w.Body.(planner.CreateState))})
	}
	begun := time.Now()
	if err := s.Store(fence).Commit(b.Context(), sets, func([]planner.Result) {}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(20000/time.Since(begun).Seconds(), "sets/s")
}
