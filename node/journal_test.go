package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"baton/admin"
	"baton/config"
	"baton/journal"
	"baton/journal/entry"
	"baton/metrics"
	"baton/node"
	"baton/partition"
	"baton/simbroker"
	"baton/zkserver"
)

// cutNetwork is TCP until the machine is gone.
type cutNetwork struct {
	mu    sync.Mutex
	gone  bool
	conns []net.Conn
}

func (c *cutNetwork) Listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

func (c *cutNetwork) Dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		_ = conn.Close()
		return nil, errors.New("the machine is gone")
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

func (c *cutNetwork) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

// process is a Baton with its admin endpoints and its journal.
type process struct {
	*node.Node
	net  *cutNetwork
	dir  string
	srv  *admin.Server
	stop func()
}

func startProcess(t *testing.T, id int, mode, zooKeeper string) *process {
	t.Helper()
	p := newProcess(t, id, mode, zooKeeper)
	p.start(t)
	return p
}

func newProcess(t *testing.T, id int, mode, zooKeeper string) *process {
	t.Helper()
	text := fmt.Sprintf("node.id=%d\ninstance.name=n%d\nzookeeper.connect=%s\nlisteners=PLAINTEXT://127.0.0.1:0\ncontroller.mode=%s\n"+
		"zookeeper.session.timeout.ms=2000\nadmin.listener=127.0.0.1:0\nadmin.socket=\n", id, id, zooKeeper, mode)
	cfg, _, err := config.Parse(strings.NewReader(text), "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := metrics.New(prometheus.NewRegistry(), nil, metrics.Build{})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{net: &cutNetwork{}, dir: filepath.Join(t.TempDir(), "journal")}
	p.Node = node.New(cfg, node.Options{Log: zap.NewNop(), Metrics: set, Level: zap.NewAtomicLevel(), Network: p.net,
		Journal: journal.New(journal.Options{Dir: p.dir, MaxBytes: 8 << 20, Baton: int32(id), Log: zap.NewNop(), Metrics: set.Journal()})})
	p.srv = admin.NewServer(p.Node, admin.Options{Listener: cfg.AdminListener})
	if err := p.srv.Listen(); err != nil {
		t.Fatal(err)
	}
	p.ServedAt(p.srv.Addr())
	return p
}

func (p *process) start(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.srv.Run(ctx) })
	wg.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	p.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(p.stop)
}

// await waits until f has no complaint any more.
func await(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("no %s: %v", what, err)
}

// why asks a Baton, alone or with the others, about t-0.
func (p *process) why(t *testing.T, local bool) (entry.Explanation, entry.Answer) {
	t.Helper()
	id := partition.ID{Topic: "t"}
	a, err := p.History(t.Context(), entry.Of(id), local)
	if err != nil {
		t.Fatal(err)
	}
	return entry.Why(id, time.Time{}, a.Entries), a
}

// led says what is missing until broker `by` leads by an offline election of which it, and broker 3, have heard.
func led(x entry.Explanation, by int32) error {
	s := x.Leader
	if s == nil || s.Strategy != "offline" || s.To.Leader != by {
		return fmt.Errorf("%+v", s)
	}
	for _, b := range []int32{by, 3} {
		for _, request := range []string{"LeaderAndIsr", "UpdateMetadata"} {
			if !slices.ContainsFunc(s.Told, func(t entry.Telling) bool {
				return t.Broker == b && t.Request == request && t.Answered != nil && t.Code == 0
			}) {
				return fmt.Errorf("broker %d has not answered %s: %+v", b, request, s.Told)
			}
		}
	}
	return nil
}

// The holder elects a leader and dies, its disk with it: the standby, which copied its journal and leads now, says why.
func TestWhyOutlivesTheHoldersDisk(t *testing.T) {
	zk, err := zkserver.New(zkserver.Options{TickTime: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = zk.Serve(l) }()
	defer zk.Close() //nolint:errcheck // the test is over
	zooKeeper := l.Addr().String()
	var brokers []*simbroker.Broker
	var seeds []string
	for id := int32(1); id <= 3; id++ {
		b := simbroker.New(simbroker.Options{ID: id, ZooKeeper: simbroker.ZooKeeper{Servers: []string{zooKeeper}, SessionTimeout: 2 * time.Second}})
		if err := b.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		brokers = append(brokers, b)
		seeds = append(seeds, b.Addr("PLAINTEXT"))
	}
	holder := startProcess(t, 2000001, "active", zooKeeper)
	await(t, "holder", func() error { return readyAs(holder, admin.RoleActive) })
	standby := startProcess(t, 2000002, "standby", zooKeeper)
	await(t, "standby", func() error { return readyAs(standby, admin.RoleStandby) })
	createTopic(t, seeds)
	await(t, "first leader", func() error {
		if x, _ := holder.why(t, true); x.Leader == nil || x.Leader.To.Leader != 1 {
			return fmt.Errorf("%+v", x)
		}
		return nil
	})
	if err := brokers[0].Crash(simbroker.CrashOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "election", func() error { x, _ := holder.why(t, true); return led(x, 2) })
	before, _ := holder.why(t, true)
	await(t, "copy", func() error { x, _ := standby.why(t, true); return led(x, 2) })

	holder.net.cut()
	holder.stop()
	if err := os.RemoveAll(holder.dir); err != nil {
		t.Fatal(err)
	}
	await(t, "new holder", func() error { return readyAs(standby, admin.RoleActive) })
	after, answer := standby.why(t, false)
	if fmt.Sprintf("%+v", *after.Leader) != fmt.Sprintf("%+v", *before.Leader) {
		t.Errorf("after:  %+v\nbefore: %+v", *after.Leader, *before.Leader)
	}
	s := after.Leader
	if !strings.HasPrefix(s.Origin, "2000001-") || s.Trigger != "BrokersChanged" || !strings.Contains(s.Detail, "broker 1 is gone") || len(s.Considered) != 3 ||
		s.Considered[0].Verdict != "is offline" || s.Considered[2].Verdict != "could lead, but comes later" {
		t.Errorf("%+v", *s)
	}
	if len(answer.Unreached) != 0 || len(answer.Missing) != 0 || len(answer.Gone) != 1 || !strings.HasPrefix(answer.Gone[0], "Baton 2000001 is not running") {
		t.Errorf("unreached %q, missing %q, gone %q", answer.Unreached, answer.Missing, answer.Gone)
	}
	// Who asked for what is on record, too, and whoever cannot be reached is named.
	if err := standby.Takeover(t.Context(), admin.Request{Who: "kim", Why: "to be sure"}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	await(t, "command", func() error {
		a, err := standby.History(t.Context(), entry.Filter{}, true)
		if !slices.ContainsFunc(a.Entries, func(e entry.Entry) bool { return e.Kind == entry.Command && e.Who == "kim" && e.Why == "to be sure" }) {
			return fmt.Errorf("%d entries, %v", len(a.Entries), err)
		}
		return nil
	})
	// A Baton whose endpoints do not answer is named, and one that shows none.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	third := newProcess(t, 2000003, "standby", zooKeeper)
	third.ServedAt(silent.Addr().String())
	_ = silent.Close()
	third.start(t)
	await(t, "third", func() error {
		_, a := standby.why(t, false)
		if len(a.Unreached) != 1 || !strings.HasPrefix(a.Unreached[0], "Baton 2000003 (n2000003): ") {
			return fmt.Errorf("%q", a.Unreached)
		}
		return nil
	})
}

func readyAs(p *process, role string) error {
	st, err := p.Status(context.Background())
	if err != nil || !st.Instance.Ready || st.Instance.Role != role {
		return fmt.Errorf("%+v, %v", st.Instance, err)
	}
	return nil
}

func createTopic(t *testing.T, seeds []string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", -1, -1
	assignment := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
	assignment.Replicas = []int32{1, 2, 3}
	topic.ReplicaAssignment = append(topic.ReplicaAssignment, assignment)
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 10_000
	await(t, "topic", func() error {
		resp, err := req.RequestWith(t.Context(), cl)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return err
		}
		return nil
	})
}
