package stories

import (
	"encoding/binary"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// Keys of the requests that a controller sends to brokers.
const (
	leaderAndIsr   = 4
	stopReplica    = 5
	updateMetadata = 6
)

// A Baton that has lost the role without knowing it does no harm, wherever it was caught: stopped, with a write on its
// way to ZooKeeper, or with a request on its way to a broker.
func TestZombie(t *testing.T) {
	s := begin(t, kafka.Options{Proxies: []string{kafka.Internal}}, "orders")
	s.step("stopped past its session", (*story).zombieStopped)
	s.step("write on its way", (*story).zombieWrite)
	for _, key := range []int16{leaderAndIsr, updateMetadata} {
		s.step(fmt.Sprintf("request %d on its way", key), func(s *story) {
			holder, next := s.pair(batonproc.Active)
			s.lateFrame(key, holder, next, func() { s.znodeTopic(fmt.Sprintf("late-%d", key), 1, 2, 3) })
		})
	}
	s.step("stop of replicas on its way", (*story).zombieStopReplica)
	s.neverLeaderless(s.finish())
}

// znodeTopic creates a topic of one partition as Kafka's tools of old do: by its znode, so that nobody has to answer.
func (s *story) znodeTopic(name string, replicas ...int) {
	s.Helper()
	list := strings.ReplaceAll(fmt.Sprint(replicas), " ", ",")
	data := fmt.Sprintf(`{"version":1,"partitions":{"0":%s}}`, list)
	_, err := s.cluster.Conn.Create("/brokers/topics/"+name, []byte(data), 0, zk.WorldACL(zk.PermAll))
	s.must(err)
}

// sentBy matches the next request of this kind on behalf of a Baton.
func sentBy(b *batonproc.Baton, key int16) func(key, version int16, frame []byte) bool {
	return func(k, _ int16, frame []byte) bool {
		id, _, ok := kafka.ControllerOf(frame)
		return ok && k == key && int(id) == b.ID()
	}
}

// framesSince counts the requests that came from a controller after a moment.
func (s *story) framesSince(at time.Time, controller int) (n int) {
	for _, b := range s.cluster.Brokers {
		for _, f := range b.Proxy(kafka.Internal).ControlFrames() {
			if f.At.After(at) && int(f.Controller) == controller {
				n++
			}
		}
	}
	return n
}

// zombieStopped stops the active Baton while one broker owes it an answer and has more to be told, so that it wakes up
// with something to send, and with news from ZooKeeper in its receive buffer, so that it has something to write.
func (s *story) zombieStopped() {
	zombie, next := s.pair(batonproc.Active)
	held := s.cluster.Broker(1).Proxy(kafka.Internal).HoldNext(sentBy(zombie, leaderAndIsr))
	s.znodeTopic("zombie-1", 1, 2, 3)
	_, err := held.Wait(s.ctx)
	s.must(err)
	s.znodeTopic("zombie-2", 1, 2, 3)
	s.must(s.cluster.WaitPartitions(s.ctx, "zombie-2 to have a state", []string{"zombie-2"},
		func(_ []int, p kafka.PartitionState) bool { return p.Leader >= 0 }))
	s.must(zombie.Pause())
	s.znodeTopic("zombie-3", 1, 2, 3)
	held.Release()
	code, err := held.ErrorCode(s.ctx)
	s.must(err)
	if code != 0 {
		s.Errorf("the request before the stop was answered %d", code)
	}
	s.must(next.WaitActive(s.ctx))
	s.must(next.WaitReady(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, "orders", "zombie-1", "zombie-2", "zombie-3"))

	woken := time.Now()
	s.must(zombie.Resume())
	s.stands(zombie)
	s.role(zombie, "standby")
	s.more(50)
	if n := s.framesSince(woken, zombie.ID()); n > 0 {
		s.Errorf("the zombie sent %d requests after it was woken", n)
	}
	noticed, err := zombie.LogContains("ZooKeeper session ended")
	s.must(err)
	if !noticed {
		s.Errorf("the zombie does not say that its session is over (log %s)", zombie.LogPath())
	}
	s.cli(next, 0, "handover", id(zombie.ID()), "--yes")
	s.leads(zombie)
	s.znodeTopic("zombie-4", 1, 2, 3)
	s.must(s.cluster.WaitISRFull(s.ctx, "zombie-4"))
}

// zombieWrite holds a transaction of the active Baton on its way to ZooKeeper until another one has claimed. Its
// session lives on, so the fence alone can refuse it.
func (s *story) zombieWrite() {
	proxy, err := kafka.NewZooKeeperProxy(s, s.cluster.ZooKeeper.Servers[0].Addr())
	s.must(err)
	zombie := s.baton(batonproc.Options{Mode: batonproc.Active, Sets: map[string]string{
		"zookeeper.connect": proxy.Addr(), "zookeeper.session.timeout.ms": "30000"}})
	s.leads(zombie)
	next := s.baton(batonproc.Options{ID: secondID, Mode: batonproc.Active, Sets: short()})
	s.stands(next)

	const multi = 14
	held := proxy.HoldNext(func(_, _ int16, frame []byte) bool { return binary.BigEndian.Uint32(frame[4:]) == multi })
	s.znodeTopic("zombie-5", 1, 2, 3)
	_, err = held.Wait(s.ctx)
	s.must(err)
	s.must(s.cluster.Conn.Delete("/controller", -1)) // what operators do to make Kafka elect anew
	s.leads(next)
	held.Release()
	answer, err := held.Response(s.ctx)
	s.must(err)
	// zxid, error, then the first operation's header (type, done, error): the check of the epoch.
	const badVersion = -103
	if len(answer) < 21 || int32(binary.BigEndian.Uint32(answer[17:])) != badVersion {
		s.Errorf("the late transaction was not refused for the epoch: % x", answer)
	}
	s.role(zombie, "standby")
	s.stands(zombie)
	s.must(s.cluster.WaitISRFull(s.ctx, "zombie-5"))
}

// lateFrame holds a request of the holder to broker 3 until the next holder's UpdateMetadata has been acknowledged.
func (s *story) lateFrame(key int16, holder, next *batonproc.Baton, provoke func()) {
	s.Helper()
	const staleControllerEpoch = 11
	proxy := s.cluster.Broker(3).Proxy(kafka.Internal)
	held := proxy.HoldNext(sentBy(holder, key))
	provoke()
	_, err := held.Wait(s.ctx)
	s.must(err)
	first := proxy.HoldNext(sentBy(next, updateMetadata))
	s.cli(holder, 0, "handover", id(next.ID()), "--yes")
	_, err = first.Wait(s.ctx)
	s.must(err)
	first.Release()
	code, err := first.ErrorCode(s.ctx)
	s.must(err)
	if code != 0 {
		s.Fatalf("the new holder's UpdateMetadata was answered %d", code)
	}
	held.Release()
	code, err = held.ErrorCode(s.ctx)
	s.must(err)
	if code != staleControllerEpoch {
		s.Errorf("the late request %d was answered %d, want %d", key, code, staleControllerEpoch)
	}
	s.more(20)
}

// zombieStopReplica: a broker is told to stop its followers while it shuts down. It has to stay until the late request
// arrives, so it leads a partition that no other broker can take over.
func (s *story) zombieStopReplica() {
	holder, next := s.pair(batonproc.Active)
	s.must(s.cluster.CreateTopicOn(s.ctx, "pinned", []int32{3, 2}))
	s.must(s.cluster.Broker(2).Kill())
	s.must(s.cluster.WaitPartitions(s.ctx, "broker 3 to be alone in sync", []string{"pinned"},
		func(_ []int, p kafka.PartitionState) bool { return p.Leader == 3 && len(p.ISR) == 1 }))
	s.lateFrame(stopReplica, holder, next, func() { s.must(s.cluster.Broker(3).Signal(syscall.SIGTERM)) })
	s.must(s.cluster.Broker(2).Restart(s.ctx))
	s.must(s.cluster.Broker(3).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, "orders", "pinned"))
}
