package check

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/admin"
	"baton/cluster"
	"baton/config"
	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/zkstore"
)

// fakeReader is a ZooKeeper as the test wants it.
type fakeReader struct {
	role    zkstore.RoleView
	batons  []int32
	doomed  []string
	brokers []cluster.Broker
	topics  []planner.TopicRead
	states  []planner.StateRead
	err     error
	closed  bool
}

func (r *fakeReader) Session() (string, time.Duration)                   { return "zk1:2181", 6 * time.Second }
func (r *fakeReader) HasChroot(context.Context) (bool, error)            { return true, r.err }
func (r *fakeReader) ClusterID(context.Context) (string, error)          { return "abc", r.err }
func (r *fakeReader) ReadRole(context.Context) (zkstore.RoleView, error) { return r.role, r.err }
func (r *fakeReader) Batons(context.Context) ([]int32, error)            { return r.batons, r.err }
func (r *fakeReader) Deletions(context.Context) ([]string, error)        { return r.doomed, r.err }
func (r *fakeReader) Brokers(context.Context) ([]cluster.Broker, []planner.Bad, error) {
	return r.brokers, []planner.Bad{{Path: "/brokers/ids/9", Reason: "no JSON"}}, r.err
}
func (r *fakeReader) Topics(context.Context) ([]planner.TopicRead, []planner.StateRead, error) {
	return r.topics, r.states, r.err
}
func (r *fakeReader) Close() { r.closed = true }

// serve accepts connections and gives each to f.
func serve(t *testing.T, f func(net.Conn)) (host string, port int32, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			_ = c.Close()
		}
	}()
	a := l.Addr().(*net.TCPAddr)
	return "127.0.0.1", int32(a.Port), a.String()
}

// fakeBroker answers ApiVersions and DescribeConfigs.
func fakeBroker(c net.Conn) {
	for {
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		var resp kmsg.Response
		switch key := int16(binary.BigEndian.Uint16(body)); key {
		case 18:
			v := kmsg.NewPtrApiVersionsResponse()
			v.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: 4, MaxVersion: 7}, {ApiKey: 32, MinVersion: 1, MaxVersion: 4}}
			resp = v
		default:
			d := kmsg.NewPtrDescribeConfigsResponse()
			res := kmsg.NewDescribeConfigsResponseResource()
			res.ResourceType = kmsg.ConfigResourceTypeBroker
			for k, v := range map[string]string{"num.partitions": "4", "inter.broker.listener.name": "INTERNAL"} {
				x := kmsg.NewDescribeConfigsResponseResourceConfig()
				x.Name, x.Value = k, &v
				res.Configs = append(res.Configs, x)
			}
			x := kmsg.NewDescribeConfigsResponseResourceConfig()
			x.Name, x.Value, x.Source = "unclean.leader.election.enable", kmsg.StringPtr("true"), kmsg.ConfigSourceDynamicDefaultBrokerConfig
			res.Configs = append(res.Configs, x)
			d.Resources = append(d.Resources, res)
			resp = d
		}
		resp.SetVersion(int16(binary.BigEndian.Uint16(body[2:])))
		out := resp.AppendTo(append(make([]byte, 4), body[4:8]...))
		binary.BigEndian.PutUint32(out, uint32(len(out)-4))
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

func TestGather(t *testing.T) {
	_, _, zk := serve(t, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 4))
		_, _ = io.WriteString(c, "Zookeeper version: 3.8.4-9316c2a, built on 2024\nLatency min/avg/max: 0/0.1/2\nMode: follower\n")
	})
	_, _, dumb := serve(t, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 4))
		_, _ = io.WriteString(c, "srvr is not executed because it is not in the whitelist.\n")
	})
	_, _, lost := serve(t, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 4))
		_, _ = io.WriteString(c, "This ZooKeeper instance is not currently serving requests\n")
	})
	host, port, addr := serve(t, fakeBroker)
	webHost, webPort, _ := serve(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	r := &fakeReader{batons: []int32{2000002}, brokers: []cluster.Broker{
		{ID: 1, Endpoints: []cluster.Endpoint{{Listener: "INTERNAL", Host: host, Port: port}}},
		{ID: 2, Endpoints: []cluster.Endpoint{{Listener: "INTERNAL", Host: webHost, Port: webPort}}},
		{ID: 3, Endpoints: []cluster.Endpoint{{Listener: "INTERNAL", Protocol: cluster.SSL, Host: host, Port: port}}},
		{ID: 4, Endpoints: []cluster.Endpoint{{Listener: "OTHER", Host: host, Port: port}}},
		{ID: 2000002, Endpoints: []cluster.Endpoint{{Listener: "INTERNAL", Host: host, Port: port}}},
	}}
	c := parse(t, "zookeeper.connect="+strings.Join([]string{zk, dumb, lost}, ",")+"/kafka")
	f := Prober{}.Gather(t.Context(), c, func(context.Context, *config.Config) (Reader, error) { return r, nil })
	want := []Server{{Addr: zk, Mode: "follower", Version: "3.8.4"}, {Addr: dumb}, {Addr: lost, Err: "it is up but serves nothing: its ensemble has no quorum"}}
	if !slices.Equal(f.Servers, want) {
		t.Errorf("servers %+v", f.Servers)
	}
	if b := f.Brokers[0]; b.Err != "" || b.ConfErr != "" || b.Addr != addr || b.APIs[32] != (Range{1, 4}) || b.Configs["num.partitions"] != "4" || len(b.Configs) != 2 {
		t.Errorf("broker 1: %+v", b)
	}
	if b := f.Brokers[1]; b.Err == "" {
		t.Errorf("broker 2 is no broker: %+v", b)
	}
	if b := f.Brokers[2]; !strings.Contains(b.Err, "SSL") {
		t.Errorf("broker 3: %+v", b)
	}
	if b := f.Brokers[3]; b.Addr != "" || b.Err != "" {
		t.Errorf("broker 4: %+v", b)
	}
	if b := f.Brokers[4]; !b.Baton || b.Addr != "" {
		t.Errorf("Baton: %+v", b)
	}
	if !r.closed || len(f.BadBrokers) != 1 || f.ClusterID != "abc" || len(f.ReadErrs) != 0 {
		t.Errorf("closed %v, %+v", r.closed, f)
	}
}

func TestGatherWithoutZooKeeper(t *testing.T) {
	c := parse(t, "zookeeper.connect=127.0.0.1:1")
	f := Prober{}.Gather(t.Context(), c, func(context.Context, *config.Config) (Reader, error) { return nil, errors.New("no server") })
	if f.Session.Err != "no server" || f.Servers[0].Err == "" || Evaluate(f).ExitCode() != 5 {
		t.Errorf("%+v", f)
	}
}

func TestReadsThatFailAreFacts(t *testing.T) {
	f := Prober{}.Gather(t.Context(), parse(t, "zookeeper.connect=127.0.0.1:1"),
		func(context.Context, *config.Config) (Reader, error) {
			return &fakeReader{err: errors.New("not authenticated")}, nil
		})
	if len(f.ReadErrs) != 1 || !strings.Contains(f.ReadErrs[0], "not authenticated") {
		t.Errorf("%q", f.ReadErrs)
	}
}

func topicRead(name string, replicas ...[]int32) planner.TopicRead {
	t := planner.TopicRead{Name: name}
	for i, r := range replicas {
		t.Partitions = append(t.Partitions, planner.PartitionRead{Number: int32(i), Assignment: partition.Assignment{Replicas: r}})
	}
	return t
}

func stateRead(topic string, number, leader int32, set ...int32) planner.StateRead {
	s := planner.StateRead{ID: partition.ID{Topic: topic, Number: number}, Exists: true}
	s.State.Leader, s.State.ISR = leader, isr.Set(set)
	return s
}

func TestSum(t *testing.T) {
	moving := topicRead("moving", []int32{1, 2})
	moving.Partitions[0].Assignment.Adding = []int32{2}
	bad := stateRead("a", 1, 0)
	bad.Bad = "cut short"
	s := sum([]planner.TopicRead{topicRead("a", []int32{1, 7}, []int32{7, 8}), moving, {Name: "z", Bad: "version 9"}},
		[]planner.StateRead{stateRead("a", 0, isr.NoLeader, 1), bad, {ID: partition.ID{Topic: "moving"}}}, []int32{7, 8})
	if s.Count != 3 || s.Partitions != 3 || s.Leaderless != 1 || !slices.Equal(s.Reassigning, []string{"moving"}) ||
		!slices.Equal(s.OnBatons[7], []string{"a"}) || !slices.Equal(s.OnBatons[8], []string{"a"}) || len(s.OnBatons) != 2 {
		t.Errorf("%+v", s)
	}
	want := []planner.Bad{{Path: "/brokers/topics/a/partitions/1/state", Reason: "cut short"}, {Path: "/brokers/topics/z", Reason: "version 9"}}
	if !slices.Equal(s.Bad, want) {
		t.Errorf("bad %+v", s.Bad)
	}
}

func TestReadStatus(t *testing.T) {
	r := &fakeReader{
		role: zkstore.RoleView{Controller: &zkstore.Registration{BrokerID: 2000002, Baton: &zkstore.BatonInfo{Name: "two"}}, Epoch: 9,
			Hold: &zkstore.Hold{Who: "ann"}, Members: []zkstore.Member{{ID: 2000002}}, Bad: map[string]string{"/migration": "no JSON"}},
		brokers: []cluster.Broker{{ID: 1, Epoch: 33, Rack: "r", Endpoints: []cluster.Endpoint{{Listener: "INTERNAL", Host: "h", Port: 9}}}},
		topics:  []planner.TopicRead{topicRead("a", []int32{1, 2}, []int32{1, 2})},
		states:  []planner.StateRead{stateRead("a", 0, 1, 1, 2), stateRead("a", 1, isr.NoLeader, 1)},
	}
	st, err := ReadStatus(t.Context(), parse(t, "min.insync.replicas=2"), r)
	if err != nil {
		t.Fatal(err)
	}
	if st.Holder.Kind != admin.HolderBaton || st.Holder.Instance != "two" || st.Epoch != 9 || st.Hold.Who != "ann" || len(st.Members) != 1 {
		t.Errorf("%+v", st)
	}
	if *st.Counts != (admin.Counts{Topics: 1, Partitions: 2, Offline: 1, UnderReplicated: 1, UnderMinISR: 1}) {
		t.Errorf("%+v", st.Counts)
	}
	if len(st.BadZnodes) != 2 || st.Brokers[0].Endpoints[0] != "INTERNAL://h:"+strconv.Itoa(9) || st.Instance.Role != "" {
		t.Errorf("%+v", st)
	}
	r.err = errors.New("gone")
	if _, err := ReadStatus(t.Context(), parse(t), r); admin.KindOf(err) != admin.KindUnreachable {
		t.Errorf("error %v", err)
	}
}
