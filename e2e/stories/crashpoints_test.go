package stories

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Controllers are stopped in the middle of deletions and reassignments: Baton is killed, or hands back, and Kafka's own
// controller ends what it has begun; a broker that is the controller is killed with a write in its hand, and Baton takes the
// role and ends what that one has begun. The simulation does this at every step (sim); here it is a sample, in a soak all of
// the writes.
//
// The broker is killed because a controller of Kafka's that is caught here and lives on is of no use any more: the requests
// that it had collected stay, and each further one fails ("state change requests batch is not empty") should it be elected again.
func TestCrashPoints(t *testing.T) {
	s := begin(t, kafka.Options{ZooKeeperProxies: true, Proxies: []string{kafka.Internal}, BrokerSession: 4 * time.Second,
		Overrides: map[string]string{"log.segment.delete.delay.ms": "200"}}, "busy")
	proxy, err := kafka.NewZooKeeperProxy(s, s.cluster.ZooKeeper.Servers[0].Addr())
	s.must(err)
	b := s.baton(batonproc.Options{Mode: batonproc.Standby, Sets: map[string]string{
		"zookeeper.connect": proxy.Addr(), "zookeeper.session.timeout.ms": "2000"}})
	s.stands(b)
	all := crashes()
	for _, c := range all {
		begun := time.Now()
		if !t.Run(c.String(), func(t *testing.T) {
			if c.kafka {
				s.on(t).kafkaStops(b, c)
			} else {
				s.on(t).batonStops(b, proxy, c)
			}
		}) {
			t.FailNow()
		}
		t.Logf("%v: %v", c, time.Since(begun).Round(time.Millisecond))
	}
	s.must(s.cluster.WaitISRFull(s.ctx, "busy"))
	s.neverLeaderless(s.finish())
	t.Logf("%d crash points", len(all))
}

// crash is where a controller is stopped.
type crash struct {
	kafka    bool  // it is Kafka's
	deletes  bool  // or it reassigns
	write    int   // at its write to ZooKeeper that is the nth to name the topic
	request  int16 // or at this request to broker 1
	after    bool  // the write is applied, and not answered
	handback bool  // it is not killed, but gives the role up
}

func (c crash) String() string {
	who, what, at := "Baton", "reassignment", fmt.Sprintf("write %d", c.write)
	if c.kafka {
		who = "Kafka"
	}
	if c.deletes {
		what = "deletion"
	}
	if c.request != 0 {
		at = fmt.Sprintf("request %d", c.request)
	}
	if c.after {
		at += ", applied"
	}
	if c.handback {
		at += ", handed back"
	}
	return who + ", " + what + ", " + at
}

// crashes are a sample, or all. A deletion of Baton's has three writes: marker, check and znodes; a reassignment of two
// partitions five or more: topic, epochs, ISRs, leaders and the topic again. Kafka writes one partition after the other.
func crashes() []crash {
	if rounds(1) == 1 {
		return []crash{
			{deletes: true, write: 2}, {kafka: true, deletes: true, write: 2},
			{deletes: true, write: 3}, {deletes: true, request: stopReplica}, {kafka: true, deletes: true, write: 6},
			{write: 1, after: true}, {kafka: true, write: 2},
			{write: 2}, {write: 4}, {kafka: true, write: 6}, {request: stopReplica, handback: true},
		}
	}
	var all []crash
	for _, deletes := range []bool{true, false} {
		for n := 1; n <= 5; n++ {
			if !deletes || n <= 3 {
				all = append(all, crash{deletes: deletes, write: n}, crash{deletes: deletes, write: n, after: true})
			}
			all = append(all, crash{kafka: true, deletes: deletes, write: 2 * n}, crash{kafka: true, deletes: deletes, write: 2*n - 1})
		}
		for _, key := range []int16{leaderAndIsr, updateMetadata, stopReplica} {
			if !deletes || key != leaderAndIsr {
				all = append(all, crash{deletes: deletes, request: key}, crash{deletes: deletes, request: key, handback: true})
			}
		}
	}
	return all
}

// batonStops has Kafka's controller end what Baton has begun.
func (s *story) batonStops(b *batonproc.Baton, proxy *kafka.TCPProxy, c crash) {
	s.has(b)
	w := s.errand(c)
	var held *kafka.Held
	if c.request != 0 {
		held = s.cluster.Broker(1).Proxy(kafka.Internal).HoldNext(sentBy(b, c.request))
	} else {
		held = proxy.HoldNext(naming(w.topic, c.write))
	}
	s.catches(held, w, b.Addr())
	switch {
	case c.handback:
		s.cli(b, 0, "handback", "--yes", "--reason", "a crash point")
	case c.after:
		s.must(b.Pause())
		held.Release()
		_, err := held.Response(s.ctx)
		s.must(err)
		s.must(b.Kill())
	default:
		s.must(b.Kill())
	}
	s.ends(w, s.cluster.Broker(s.embedded()).Addr())
	if c.request != 0 {
		held.Release() // too late
		s.ends(w, s.cluster.Broker(s.embedded()).Addr())
	}
	if !c.handback {
		s.must(b.Start())
	}
	s.stands(b)
}

// has makes sure that Baton leads.
func (s *story) has(b *batonproc.Baton) {
	s.Helper()
	if s.tenure().holder != b.ID() {
		s.cli(b, 0, "takeover", "--yes")
	}
	s.leads(b)
}

// kafkaStops has Baton end what Kafka's controller has begun.
func (s *story) kafkaStops(b *batonproc.Baton, c crash) {
	if s.tenure().holder == b.ID() {
		s.cli(b, 0, "handback", "--yes", "--reason", "a crash point")
	}
	broker := s.cluster.Broker(s.embedded())
	w := s.errand(c)
	held := broker.ZooKeeperProxy().HoldNext(naming(w.topic, c.write))
	s.catches(held, w, broker.Addr())
	s.must(broker.Kill())
	s.cli(b, 0, "takeover", "--yes")
	s.leads(b)
	s.must(broker.WaitGone(s.ctx))
	s.must(broker.Restart(s.ctx))
	s.ends(w, b.Addr())
}

// catches asks a controller, and waits until the step is in the proxy's hand.
func (s *story) catches(held *kafka.Held, w errand, addr string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, awhile)
	defer cancel()
	go w.ask(s.ctx, addr)
	if _, err := held.Wait(ctx); err != nil && w.kafka && rounds(1) > 1 {
		s.ends(w, addr)
		s.Skipf("Kafka has done all with fewer writes than %d", w.write)
	} else {
		s.must(err)
	}
}

// naming matches the nth write that names a topic.
func naming(topic string, n int) func(_, _ int16, frame []byte) bool {
	const create, remove, setData, multi, create2 = 1, 2, 5, 14, 15
	path := []byte("/" + topic)
	return func(_, _ int16, frame []byte) bool {
		switch binary.BigEndian.Uint32(frame[4:]) {
		case create, remove, setData, multi, create2:
		default:
			return false
		}
		if bytes.Contains(frame, path) {
			n--
		}
		return n == 0 && bytes.Contains(frame, path)
	}
}

// errand is a deletion, or a reassignment.
type errand struct {
	crash
	topic string
}

// lists are where an errand's topic is, and moved where it goes: its leader leaves broker 1.
var (
	lists   = [][]int32{{1, 2}, {2, 1}}
	movedTo = targets{0: {3, 2}, 1: {2, 3}}
)

// errand makes a topic for an errand.
func (s *story) errand(c crash) errand {
	s.Helper()
	// Of one length, so that no name is a part of another.
	name := fmt.Sprintf("work-%08x", uint32(time.Now().UnixNano())) //nolint:gosec // any number
	s.must(s.cluster.CreateTopicOn(s.ctx, name, lists...))
	s.must(s.cluster.WaitISRFull(s.ctx, name))
	s.agree(name)
	return errand{c, name}
}

// ask asks a controller for it. What is answered does not matter, as the controller is to be stopped.
func (w errand) ask(ctx context.Context, addr string) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if w.deletes {
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Version, req.TimeoutMillis, req.TopicNames = 5, 10_000, []string{w.topic}
		_, _ = kafka.Ask(ctx, addr, req)
		return
	}
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	t.Topic = w.topic
	for _, n := range slices.Sorted(maps.Keys(movedTo)) {
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition, p.Replicas = n, movedTo[n]
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	_, _ = kafka.Ask(ctx, addr, req)
}

// begun says whether ZooKeeper knows of all of it: Kafka's controller writes one partition after the other, in the order of a
// hash map, so that of a reassignment it may know only half.
func (s *story) begun(w errand) bool {
	s.Helper()
	data, _, err := s.cluster.Conn.Get("/brokers/topics/" + w.topic)
	if errors.Is(err, zk.ErrNoNode) {
		return true
	}
	s.must(err)
	marked, _, err := s.cluster.Conn.Exists("/admin/delete_topics/" + w.topic)
	s.must(err)
	return marked || !w.deletes && !bytes.Contains(data, []byte(`"0":[1,2]`)) && !bytes.Contains(data, []byte(`"1":[2,1]`))
}

// ends waits until nothing of an errand is left to be done. What nobody knows of is asked for again.
func (s *story) ends(w errand, addr string) {
	s.Helper()
	if !s.begun(w) {
		w.ask(s.ctx, addr)
	}
	if w.deletes {
		ctx, cancel := context.WithTimeout(s.ctx, awhile)
		defer cancel()
		s.forgotten(ctx, w.topic)
		for _, broker := range s.cluster.Brokers {
			s.noLogs(broker.ID(), w.topic) // those that are being deleted have time: a broker begins half a minute after its start
		}
		s.unknown(w.topic)
		return
	}
	s.moved(w.topic, movedTo)
	s.must(s.cluster.WaitISRFull(s.ctx, w.topic))
	s.noLogs(1, w.topic)
	s.agree(w.topic)
}

// agree waits until every broker says of a topic what ZooKeeper says.
func (s *story) agree(topic string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, awhile)
	defer cancel()
	s.must(kafka.Eventually(ctx, "brokers to agree on "+topic, func(ctx context.Context) (bool, error) {
		for _, broker := range s.cluster.Brokers {
			resp, err := metadata(ctx, broker.Addr(), topic)
			if err != nil {
				return false, err
			}
			if code := resp.Topics[0].ErrorCode; code != 0 {
				return false, fmt.Errorf("broker %d: %w", broker.ID(), kerr.ErrorForCode(code))
			}
			for _, p := range resp.Topics[0].Partitions {
				st, replicas := s.state(topic, id(int(p.Partition))), s.assignment(topic).Partitions[id(int(p.Partition))]
				says := fmt.Sprint(p.Leader, p.LeaderEpoch, ordered(p.ISR), ordered(p.Replicas))
				if is := fmt.Sprint(st.Leader, st.LeaderEpoch, ordered(st.ISR), ordered(replicas)); says != is {
					return false, fmt.Errorf("broker %d says %s of %s-%d, ZooKeeper %s", broker.ID(), says, topic, p.Partition, is)
				}
			}
		}
		return true, nil
	}))
}

func ordered[T cmp.Ordered](list []T) []T { return slices.Sorted(slices.Values(list)) }
