package zkstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/cluster"
	"baton/epoch"
	"baton/jute"
	"baton/partition"
	"baton/planner"
	"baton/zkserver"

	"github.com/go-zookeeper/zk"
)

func (s *Session) multiInBatches(t testing.TB, ops []any) {
	t.Helper()
	for chunk := range slices.Chunk(ops, 500) {
		if _, err := s.conn.Multi(chunk...); err != nil {
			t.Fatal(err)
		}
	}
}

func topicText(replicas ...string) string {
	var parts []string
	for n, r := range replicas {
		parts = append(parts, fmt.Sprintf(`"%d":[%s]`, n, r))
	}
	return `{"version":2,"partitions":{` + strings.Join(parts, ",") + `},"adding_replicas":{},"removing_replicas":{}}`
}

// topicOps create a topic with its states.
func (s *Session) topicOps(name string, partitions, leaderEpoch int) []any {
	ops := []any{s.opCreate(topicPath(name), []byte(topicText(slices.Repeat([]string{"1,2,3"}, partitions)...)), 0), s.opCreate(partitionsPath(name), nil, 0)}
	for n := range partitions {
		id := partition.ID{Topic: name, Number: int32(n)}
		ops = append(ops, s.opCreate(partitionPath(id), nil, 0), s.opCreate(statePath(id), []byte(stateText(leaderEpoch)), 0))
	}
	return ops
}

func (s *Session) dropOps(name string, partitions int) (ops []any) {
	for n := range partitions {
		id := partition.ID{Topic: name, Number: int32(n)}
		ops = append(ops, s.opDelete(statePath(id), -1), s.opDelete(partitionPath(id), -1))
	}
	return append(ops, s.opDelete(partitionsPath(name), -1), s.opDelete(topicPath(name), -1))
}

// warm waits until a claim could stand on the session's image.
func warm(t testing.TB, s *Session) {
	t.Helper()
	s.Follow(1_000_000)
	deadline := time.Now().Add(30 * time.Second)
	for st := s.Image(); !st.Warm || st.Dirty > 0; st = s.Image() {
		if time.Now().After(deadline) {
			t.Fatalf("the image does not get warm: %+v", st)
		}
		time.Sleep(time.Millisecond)
	}
}

// sameLoad claims with whatever image there is, loads, and compares with a load that reads everything.
func sameLoad(t *testing.T, s *Session, fence epoch.Fence) {
	t.Helper()
	got, err := s.Store(fence).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.Store(fence).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*planner.Claimed{got, want} {
		for i := range c.Topics {
			c.Topics[i].FreshID = cluster.TopicID{}
		}
		for i := range c.States {
			if c.States[i].Age > 60_000 {
				t.Fatalf("%+v is too old", c.States[i])
			}
			c.States[i].Age = 0
		}
	}
	if len(got.Topics) != len(want.Topics) || len(got.States) != len(want.States) {
		t.Fatalf("%d topics and %d states in the image, %d and %d in ZooKeeper", len(got.Topics), len(got.States), len(want.Topics), len(want.States))
	}
	for i := range want.Topics {
		if !reflect.DeepEqual(got.Topics[i], want.Topics[i]) {
			t.Fatalf("%+v in the image, %+v in ZooKeeper", got.Topics[i], want.Topics[i])
		}
	}
	for i := range want.States {
		if !reflect.DeepEqual(got.States[i], want.States[i]) {
			t.Fatalf("%+v in the image, %+v in ZooKeeper", got.States[i], want.States[i])
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v with the image, %+v without", got, want)
	}
}

// storm writes ten thousand times: states, assignments, topics that are new, gone, gone and back, and garbage.
func storm(t *testing.T, s *Session) {
	t.Helper()
	var ops []any
	for round := range 4 {
		for topic := range 40 {
			for n := range 50 {
				ops = append(ops, s.opSet(statePath(partition.ID{Topic: "t" + strconv.Itoa(topic), Number: int32(n)}), []byte(stateText(100+10*round+topic)), -1))
			}
		}
	}
	for topic := 40; topic < 60; topic++ {
		ops = append(ops, s.dropOps("t"+strconv.Itoa(topic), 50)...)
		if topic%2 == 0 {
			ops = append(ops, s.topicOps("t"+strconv.Itoa(topic), 20, 7)...)
		}
		ops = append(ops, s.topicOps("new"+strconv.Itoa(topic), 5, 1)...)
	}
	ops = append(ops, s.opSet(topicPath("t0"), []byte("garbage"), -1), s.opSet(statePath(partition.ID{Topic: "t1"}), []byte("garbage"), -1),
		s.opSet(topicPath("t2"), []byte(topicText(slices.Repeat([]string{"3,4"}, 60)...)), -1))
	s.multiInBatches(t, ops)
}

// cluster60 makes 60 topics of 50 partitions; a is the standby, with its image.
func cluster60(t *testing.T, a, b *Session) {
	t.Helper()
	for topic := range 60 {
		b.multiInBatches(t, b.topicOps("t"+strconv.Itoa(topic), 50, topic))
	}
	warm(t, a)
	if st := a.Image(); st.Topics != 60 || st.Partitions != 3000 || st.Why != "" {
		t.Fatalf("%+v", st)
	}
}

// The image is cut in the middle of ten thousand writes and claimed at once.
func TestImageCutDuringWrites(t *testing.T) {
	a, b := pair(t)
	m := &counts{}
	cfg := a.cfg
	cfg.Metrics = m
	a = open(t, cfg)
	cluster60(t, a, b)
	storm(t, b)
	sameLoad(t, a, claim(t, a, 2000001))
	if m.get(&m.warm) != 1 || m.get(&m.cold) != 1 {
		t.Errorf("%d loads from an image, %d without", m.get(&m.warm), m.get(&m.cold))
	}
}

// While others go on writing, what comes after the claim is delivered by Run.
func TestImageClaimedWhileOthersWrite(t *testing.T) {
	a, b := pair(t)
	cluster60(t, a, b)
	written := make(chan struct{})
	go func() { defer close(written); storm(t, b) }()
	fence := claim(t, a, 2000001)
	got, err := a.Store(fence).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Topics) == 0 || len(got.States) == 0 {
		t.Errorf("%d topics, %d states", len(got.Topics), len(got.States))
	}
	within(t, "the storm's end", written)
	warm(t, b)
	sameLoad(t, b, claimOver(t, b, a))
}

// claimOver takes the role from another session.
func claimOver(t *testing.T, s, from *Session) epoch.Fence {
	t.Helper()
	from.Close()
	return claim(t, s, 2000002)
}

// imageSession is the server's name for the session over which the image comes.
func imageSession(t *testing.T, srv *zkserver.Server, before []int64) int64 {
	t.Helper()
	for _, id := range srv.Sessions() {
		if !slices.Contains(before, id) {
			return id
		}
	}
	t.Fatal("there is no session for the image")
	return 0
}

// The second connection is to a server that has fallen behind: it has told of nothing that was written.
func TestImageFromALaggingServer(t *testing.T) {
	srv, cfg := ownServer(t, nil)
	a, b := open(t, cfg), open(t, cfg)
	before := srv.Sessions()
	cluster60(t, a, b)
	if !srv.Lag(imageSession(t, srv, before)) {
		t.Fatal("it cannot lag")
	}
	storm(t, b)
	sameLoad(t, a, claim(t, a, 2000001))
}

// An answer that does not carry the claim's zxid proves nothing.
func TestImageOfAServerThatStaysBehind(t *testing.T) {
	p := &proof{zxid: 10, done: make(chan error, 1)}
	f := &follower{img: newImage(), proof: p}
	for range syncTries {
		p.sync = false
		f.synced(9)
		if p.synced {
			t.Fatal("proven by an older state")
		}
	}
	if err := <-p.done; !errors.Is(err, errLags) || f.proof != nil {
		t.Errorf("%v, still waiting: %v", err, f.proof != nil)
	}
	f.proof = &proof{zxid: 10}
	if f.synced(10); !f.proof.synced {
		t.Error("the claim's own zxid is enough")
	}
}

// A lost connection takes the image with it. A claim then reads everything; a later one stands on a new image.
func TestImageIsLostWithItsConnection(t *testing.T) {
	srv, cfg := ownServer(t, nil)
	m := &counts{}
	cfg.Metrics = m
	a, b := open(t, cfg), open(t, cfg)
	before := srv.Sessions()
	cluster60(t, a, b)
	f := srv.Inject(zkserver.Fault{Op: jute.OpMultiRead, Session: imageSession(t, srv, before), Times: 1, Do: zkserver.CutBefore})
	storm(t, b)
	fence := claim(t, a, 2000001)
	sameLoad(t, a, fence)
	f.Remove()
	if m.get(&m.warm) != 0 || m.get(&m.cold) != 2 {
		t.Fatalf("%d loads from an image, %d without", m.get(&m.warm), m.get(&m.cold))
	}
	warm(t, a)
	sameLoad(t, a, fence)
	if m.get(&m.warm) != 1 {
		t.Errorf("%d loads from an image", m.get(&m.warm))
	}
}

// An image that is cut off is read anew, by itself.
func TestImageComesBack(t *testing.T) {
	srv, cfg := ownServer(t, nil)
	a, b := open(t, cfg), open(t, cfg)
	before := srv.Sessions()
	cluster60(t, a, b)
	srv.Cut(imageSession(t, srv, before))
	storm(t, b)
	deadline := time.Now().Add(20 * time.Second)
	for a.Image().Topics != 70 {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", a.Image())
		}
		time.Sleep(10 * time.Millisecond)
	}
	warm(t, a)
	sameLoad(t, a, claim(t, a, 2000001))
}

// oldServer makes addWatch unknown, as it is before ZooKeeper 3.6.
type oldServer struct{ net.Conn }

func (o oldServer) Write(b []byte) (int, error) {
	if len(b) > 12 && jute.Op(binary.BigEndian.Uint32(b[8:])) == jute.OpAddWatch {
		b = slices.Clone(b)
		binary.BigEndian.PutUint32(b[8:], 4711)
	}
	return o.Conn.Write(b)
}

func TestNoImageFromOldServers(t *testing.T) {
	_, cfg := ownServer(t, func(network, addr string, timeout time.Duration) (net.Conn, error) {
		c, err := net.DialTimeout(network, addr, timeout)
		return oldServer{c}, err
	})
	a := open(t, cfg)
	a.multiInBatches(t, a.topicOps("t", 3, 1))
	a.Follow(1000)
	deadline := time.Now().Add(20 * time.Second)
	for a.Image().Why != errNoAddWatch.Error() {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", a.Image())
		}
		time.Sleep(time.Millisecond)
	}
	sameLoad(t, a, claim(t, a, 2000001))
}

// At rest nothing is asked for, and a storm is not read change by change.
func TestImageCostsLittle(t *testing.T) {
	a, b := pair(t)
	m := &counts{}
	cfg := a.cfg
	cfg.Metrics = m
	a = open(t, cfg)
	cluster60(t, a, b)
	begun := m.get(&m.imageRequests)
	var ops []any
	for i := range 10_000 {
		ops = append(ops, b.opSet(statePath(partition.ID{Topic: "t" + strconv.Itoa(i%60), Number: int32(i / 60 % 50)}), []byte(stateText(i)), -1))
	}
	b.multiInBatches(t, ops)
	warm(t, a)
	if n := m.get(&m.imageRequests) - begun; n == 0 || n > 200 {
		t.Errorf("%d requests for ten thousand changes", n)
	}
}

// model is a server that tells a client of changes before it answers with them, and the wires between both.
type model struct {
	rng   *rand.Rand
	zxid  int64
	nodes map[string]node
	back  []func(*image) // frames on their way to the client
	asked [][]partition.ID
}

func (m *model) write() {
	m.zxid++
	topic := "t" + strconv.Itoa(m.rng.IntN(3))
	id := partition.ID{Topic: topic, Number: int32(m.rng.IntN(3))}
	path, below := topicPath(topic), false
	data := topicText(slices.Repeat([]string{"1,2"}, 1+m.rng.IntN(3))...)
	if m.rng.IntN(3) > 0 {
		path, data, below = statePath(id), stateText(int(m.zxid)), true
	}
	old, there := m.nodes[path]
	_, parent := m.nodes[topicPath(topic)]
	switch {
	case below && !parent:
		return
	case there && m.rng.IntN(4) == 0:
		for p := range m.nodes {
			if p == path || strings.HasPrefix(p, path+"/") {
				delete(m.nodes, p)
				m.tell(p)
			}
		}
		return
	case !there:
		old = node{exists: true, stat: zk.Stat{Czxid: m.zxid}}
	}
	old.data, old.stat.Mzxid = []byte(data), m.zxid
	m.nodes[path] = old
	m.tell(path)
}

func (m *model) tell(path string) {
	m.back = append(m.back, func(img *image) { img.event(path) })
}

func (m *model) answer() {
	if len(m.asked) == 0 {
		return
	}
	ids := m.asked[0]
	m.asked = m.asked[1:]
	for _, id := range ids {
		n := m.nodes[imagePath(id)]
		m.back = append(m.back, func(img *image) { img.merge(id, n, nil) })
	}
}

func (m *model) hear(img *image) {
	if len(m.back) > 0 {
		m.back[0](img)
		m.back = m.back[1:]
	}
}

func (m *model) ask(img *image) {
	if ids, _ := img.take(); len(ids) > 0 {
		m.asked = append(m.asked, ids)
	}
}

// However events, questions and answers fall in with each other, a proven image is what there is.
func TestImageIsExact(t *testing.T) {
	for seed := range uint64(3000) {
		m := &model{rng: rand.New(rand.NewPCG(seed, 1)), nodes: map[string]node{}}
		img := newImage()
		m.zxid = 1
		for range m.rng.IntN(20) {
			m.write()
		}
		m.back = nil // before the watch
		var names []string
		for p := range m.nodes {
			if name, _ := strings.CutPrefix(p, pathTopics+"/"); !strings.Contains(name, "/") {
				names = append(names, name)
			}
		}
		m.back = append(m.back, func(img *image) { img.list(names) })
		for range m.rng.IntN(120) {
			switch m.rng.IntN(4) {
			case 0:
				m.write()
			case 1:
				m.answer()
			case 2:
				m.hear(img)
			case 3:
				m.ask(img)
			}
		}
		// The answer to a sync, and then no change any more.
		proving := false
		for len(m.asked) > 0 {
			m.answer()
		}
		m.back = append(m.back, func(img *image) { img.demand(); proving = true })
		for steps := 0; !proving || !img.proven(); steps++ {
			if steps > 10_000 {
				t.Fatalf("seed %d: never proven", seed)
			}
			switch m.rng.IntN(3) {
			case 0:
				m.answer()
			case 1:
				m.hear(img)
			case 2:
				m.ask(img)
			}
		}
		m.compare(t, img, seed)
	}
}

func (m *model) compare(t *testing.T, img *image, seed uint64) {
	t.Helper()
	reads, _ := img.reads()
	topics := 0
	for p, n := range m.nodes {
		if name := strings.TrimPrefix(p, pathTopics+"/"); !strings.Contains(name, "/") {
			topics++
			if at := img.topics[name]; at == nil || at.read.Zxid != n.stat.Mzxid || at.read.Created != n.stat.Czxid {
				t.Fatalf("seed %d: %s is %+v", seed, p, at)
			}
		}
	}
	if topics != len(reads) {
		t.Fatalf("seed %d: %d topics, %d in the image", seed, topics, len(reads))
	}
	partitions := 0
	for _, r := range reads {
		for _, p := range r.Partitions {
			partitions++
			id := partition.ID{Topic: r.Name, Number: p.Number}
			n := m.nodes[statePath(id)]
			s := img.readStates([]partition.ID{id}, time.Now())[0]
			if s.Exists != n.exists || s.Zxid != n.stat.Mzxid || n.exists && int64(s.State.LeaderEpoch) != n.stat.Mzxid {
				t.Fatalf("seed %d: %v is %+v, there is %+v", seed, id, s, n.stat)
			}
		}
	}
	if partitions != img.partitions {
		t.Fatalf("seed %d: %d partitions counted, %d there", seed, img.partitions, partitions)
	}
}

// What may not be read is not reported either, so a proof reads it again.
func TestRefusedZnodesAreReadForAProof(t *testing.T) {
	img := newImage()
	img.list([]string{"a"})
	ids, _ := img.take()
	img.merge(ids[0], node{}, zk.ErrNoAuth)
	if !img.whole || img.topics["a"].read.Bad == "" {
		t.Fatalf("%+v", img.topics["a"])
	}
	if img.demand(); img.proven() {
		t.Fatal("nobody looked")
	}
	ids, _ = img.take()
	img.merge(ids[0], node{exists: true, data: []byte(topicText("1")), stat: zk.Stat{Czxid: 1, Mzxid: 1}}, nil)
	if img.proven() {
		t.Fatal("the topic's state was not read")
	}
	ids, _ = img.take()
	if img.merge(ids[0], node{}, nil); !img.proven() || img.partitions != 1 {
		t.Errorf("%+v", img)
	}
}

// traffic counts what an image costs.
type traffic struct {
	noMetrics
	mu                             sync.Mutex
	requests, reads, bytes, events int
}

func (c *traffic) ImageRequest(n int) { c.mu.Lock(); c.requests++; c.reads += n; c.mu.Unlock() }

func (c *traffic) ImageReceived(n int, event bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += n
	if event {
		c.events++
	}
}

// hundredThousand are 2,000 topics of 50 partitions.
func hundredThousand(b *testing.B, m Metrics) (*Session, epoch.Fence) {
	addr, chroot := testServer(b)
	s, err := Connect(b.Context(), Config{Servers: []string{addr}, Chroot: chroot, SessionTimeout: 10 * time.Second, Metrics: m})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	if err := s.EnsurePaths(b.Context()); err != nil {
		b.Fatal(err)
	}
	err = parallel(b.Context(), 2000, 4, func(_ context.Context, i int) error {
		_, err := s.conn.Multi(s.topicOps("topic-"+strconv.Itoa(i), 50, 1)...)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	fence, err := s.Claim(b.Context(), Claim{ID: 1, EpochVersion: -1})
	if err != nil {
		b.Fatal(err)
	}
	return s, fence
}

// BenchmarkClaim loads 100,000 partitions.
func BenchmarkClaim(b *testing.B) {
	s, fence := hundredThousand(b, nil)
	for _, way := range []string{"cold", "warm"} {
		b.Run(way, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if way == "warm" {
					b.StopTimer()
					warm(b, s)
					b.StartTimer()
				}
				c, err := s.Store(fence).Load(b.Context())
				if err != nil || len(c.States) != 100_000 {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStandby says what a standby asks of ZooKeeper while 60,000 of 100,000 partitions change, as when a broker is lost, and
// how much memory its image takes.
func BenchmarkStandby(b *testing.B) {
	m := &traffic{}
	s, _ := hundredThousand(b, m)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	s.Follow(20_000)
	warm(b, s)
	image := heap() - before
	for i := range b.N {
		m.mu.Lock()
		m.requests, m.reads, m.bytes, m.events = 0, 0, 0, 0
		m.mu.Unlock()
		var ops []any
		for n := range 60_000 {
			ops = append(ops, s.opSet(statePath(partition.ID{Topic: "topic-" + strconv.Itoa(n/30), Number: int32(n % 30)}), []byte(stateText(i+2)), -1))
		}
		b.ResetTimer()
		s.multiInBatches(b, ops)
		warm(b, s)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b.ReportMetric(float64(image)/100_000, "B/partition")
	b.ReportMetric(float64(m.requests), "requests")
	b.ReportMetric(float64(m.reads), "reads")
	b.ReportMetric(float64(m.events), "events")
	b.ReportMetric(float64(m.bytes)/1e6, "MB")
}
