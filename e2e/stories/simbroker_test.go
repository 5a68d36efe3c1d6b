package stories

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/kafka"
	"baton/simbroker"
	"baton/wire"
)

// TestSimbrokerAnswersAsKafka sends the same control requests to a simulated broker and
// to a real 3.9.1 and compares every error code. The real one's own controller is kept
// out by a foreign id in /controller (10.11).
func TestSimbrokerAnswersAsKafka(t *testing.T) {
	kafka.RequireJava(t)
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	c := kafka.Start(t, kafka.Options{Brokers: 1, LogDirs: 2,
		Overrides: map[string]string{"replica.high.watermark.checkpoint.interval.ms": "500"}})
	takeController(t, c)
	sim := simbroker.New(simbroker.Options{ID: 1, Disk: simbroker.NewDisk(2), Logf: t.Logf,
		Listeners: []simbroker.Listener{{Name: kafka.Internal, Addr: "127.0.0.1:0"}},
		ZooKeeper: simbroker.ZooKeeper{Servers: c.ZooKeeper.Addrs(), Chroot: "/simulated"}})
	if err := sim.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	realEpoch, err := c.Broker(1).Epoch()
	if err != nil {
		t.Fatal(err)
	}
	d := &duel{T: t, simulated: newContender(t, sim.Addr(kafka.Internal), sim.Epoch()), real: newContender(t, c.Broker(1).Addr(), realEpoch)}
	for _, s := range controlSteps() {
		d.run(s)
	}
	d.failDirs(c, sim)
	for _, s := range storageSteps() {
		d.run(s)
	}
	t.Logf("%d requests, %d differences\n%s", d.count, d.differ, d.table.String())
	if d.count < 40 {
		t.Errorf("only %d requests", d.count)
	}
}

// takeController is the takeover multi of 02.6, with an id that no broker has.
func takeController(t *testing.T, c *kafka.Cluster) {
	t.Helper()
	conn, _, err := zk.Connect(c.ZooKeeper.Addrs(), 30*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	for range 20 {
		_, holder, err := conn.Get("/controller")
		if err != nil {
			t.Fatal(err)
		}
		_, stat, err := conn.Get("/controller_epoch")
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Multi(
			&zk.SetDataRequest{Path: "/controller_epoch", Data: []byte("5"), Version: stat.Version},
			&zk.DeleteRequest{Path: "/controller", Version: holder.Version},
			&zk.CreateRequest{Path: "/controller", Data: []byte(`{"version":2,"brokerid":2000001,"timestamp":"1","kraftControllerEpoch":-1}`),
				Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral})
		if err == nil {
			time.Sleep(time.Second) // the broker resigns within 150 ms [observed]
			return
		}
		t.Log(err)
	}
	t.Fatal("the role could not be taken")
}

// contender is one of the two brokers.
type contender struct {
	conn  net.Conn
	epoch int64
	seq   int32
}

func newContender(t *testing.T, addr string, epoch int64) *contender {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &contender{conn: conn, epoch: epoch}
}

// ask sends a request and returns the codes of its answer as text.
func (c *contender) ask(t *testing.T, req kmsg.Request) string {
	t.Helper()
	c.seq++
	key, version := req.Key(), req.GetVersion()
	client := "2000001"
	frame := wire.AppendRequestHeader(wire.BeginFrame(nil), wire.RequestHeader{Key: key, Version: version, CorrelationID: c.seq, ClientID: &client})
	at := len(frame)
	frame = req.AppendTo(frame)
	if key == wire.StopReplica && version == 4 {
		// kmsg writes isKRaftController after the epoch, Kafka before it.
		kraft := frame[at+8]
		copy(frame[at+5:at+9], frame[at+4:at+8])
		frame[at+4] = kraft
	}
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.conn.Write(wire.EndFrame(frame, 0)); err != nil {
		t.Fatal(err)
	}
	in, err := wire.ReadFrame(c.conn, nil, wire.MaxFrame)
	if err != nil {
		t.Fatal(err)
	}
	_, body, err := wire.ParseResponseHeader(in, key, version)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := wire.DecodeResponse(key, version, body)
	if err != nil {
		t.Fatal(err)
	}
	return codes(resp)
}

// codes shows the top-level code, and each partition's in the order of their names.
func codes(resp kmsg.Response) string {
	var top int16
	var parts []string
	switch r := resp.(type) {
	case *kmsg.LeaderAndISRResponse:
		top = r.ErrorCode
		for _, p := range r.Partitions {
			parts = append(parts, fmt.Sprintf("%s-%d:%d", p.Topic, p.Partition, p.ErrorCode))
		}
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				parts = append(parts, fmt.Sprintf("%x-%d:%d", topic.TopicID[:1], p.Partition, p.ErrorCode))
			}
		}
	case *kmsg.StopReplicaResponse:
		top = r.ErrorCode
		for _, p := range r.Partitions {
			parts = append(parts, fmt.Sprintf("%s-%d:%d", p.Topic, p.Partition, p.ErrorCode))
		}
	case *kmsg.UpdateMetadataResponse:
		top = r.ErrorCode
	}
	slices.Sort(parts)
	return fmt.Sprint(top, parts)
}

// duel runs steps on both and keeps the table.
type duel struct {
	*testing.T
	simulated, real *contender
	count, differ   int
	table           bytes.Buffer
}

func (d *duel) run(s controlStep) {
	d.Helper()
	req := s.make(d.real.epoch)
	want := d.real.ask(d.T, req)
	got := d.simulated.ask(d.T, s.make(d.simulated.epoch))
	mark := ""
	d.count++
	if got != want {
		d.differ++
		mark = "   <-- DIFFERENT, simulated: " + got
		d.Errorf("%s: Kafka answers %s, the simulated broker %s", s.name, want, got)
	}
	fmt.Fprintf(&d.table, "%3d %-14s v%d  %-62s %s%s\n", d.count, kmsg.NameForKey(req.Key()), req.GetVersion(), s.name, want, mark)
}

// failDirs makes the directory of disk-0 fail on both brokers. The real one notices when
// it writes its checkpoints.
func (d *duel) failDirs(c *kafka.Cluster, sim *simbroker.Broker) {
	d.Helper()
	if err := sim.FailDir(sim.DirOf("disk", 0)); err != nil {
		d.Fatal(err)
	}
	failed := ""
	for _, dir := range c.Broker(1).DataDirs() {
		if _, err := os.Stat(filepath.Join(dir, "disk-0")); err == nil {
			failed = dir
		}
	}
	if err := os.Rename(failed, failed+".gone"); err != nil {
		d.Fatal(err)
	}
	probe := lai("", topicA("disk"), leads(1, 5, 7), controllerEpoch(13))
	for deadline := time.Now().Add(time.Minute); !strings.Contains(d.real.ask(d.T, probe.make(d.real.epoch)), ":56"); {
		if time.Now().After(deadline) {
			d.Fatal("the broker does not notice that its directory has failed")
		}
		time.Sleep(200 * time.Millisecond)
	}
}
