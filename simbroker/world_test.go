package simbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"baton/partition"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// world is some brokers without a ZooKeeper, told by hand what a controller would tell
// them, and a controller that answers as answer says.
type world struct {
	*testing.T
	net   *Memory
	procs map[int32]*process
	disks map[int32]*Disk

	mu     sync.Mutex
	state  kmsg.LeaderAndISRRequestTopicPartition // of t-0
	asked  []kmsg.Request
	answer func(kmsg.Request) kmsg.Response
	ctl    net.Listener
	conns  []net.Conn
}

const controllerID = 2000001

var t0 = partition.ID{Topic: "t"}

// inWorld runs a test in a bubble of fake time, which also fails if a goroutine is left.
func inWorld(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, net: NewMemory(), procs: map[int32]*process{}, disks: map[int32]*Disk{}}
		w.answer = w.grant
		w.state = kmsg.NewLeaderAndISRRequestTopicPartition()
		w.state.Topic, w.state.Leader, w.state.ISR, w.state.Replicas = "t", 1, []int32{1, 2, 3}, []int32{1, 2, 3}
		w.serveController()
		defer w.stopAll()
		for id := int32(1); id <= 3; id++ {
			w.start(id)
		}
		w.tellLive()
		w.tell()
		test(w)
	})
}

func (w *world) start(id int32) {
	w.Helper()
	if w.disks[id] == nil {
		w.disks[id] = NewDisk(2)
	}
	b := New(Options{ID: id, Disk: w.disks[id], Network: w.net.Host(fmt.Sprint("b", id)), MinISR: 2, LagTime: 10 * time.Second,
		Listeners: []Listener{{"PLAINTEXT", fmt.Sprintf("b%d:9092", id)}, {"CLIENT", fmt.Sprintf("b%d:9093", id)}}, Logf: w.Logf})
	p := newProcess(b.opts)
	p.epoch = int64(id)
	p.spawn(p.loop)
	p.run()
	accept, err := p.listen()
	if err != nil {
		w.Fatal(err)
	}
	accept()
	w.procs[id] = p
}

func (w *world) kill(id int32) {
	w.procs[id].kill()
	delete(w.procs, id)
}

func (w *world) stopAll() {
	_ = w.ctl.Close()
	for id := range w.procs {
		w.kill(id)
	}
	for _, c := range w.conns {
		_ = c.Close()
	}
}

// tellLive sends who is alive, and the state of t-0.
func (w *world) tellLive() {
	for _, p := range w.procs {
		req := kmsg.NewPtrUpdateMetadataRequest()
		req.Version, req.ControllerID, req.BrokerEpoch = 8, controllerID, -1
		live := []int32{controllerID}
		for id := range w.procs {
			live = append(live, id)
		}
		for _, id := range live {
			e := []kmsg.UpdateMetadataRequestLiveBrokerEndpoint{{ListenerName: "PLAINTEXT", Host: fmt.Sprint("b", id), Port: 9092}}
			if id != controllerID { // which serves no clients here, so they are not to see it
				e = append(e, kmsg.UpdateMetadataRequestLiveBrokerEndpoint{ListenerName: "CLIENT", Host: fmt.Sprint("b", id), Port: 9093})
			}
			req.LiveBrokers = append(req.LiveBrokers, kmsg.UpdateMetadataRequestLiveBroker{ID: id, Endpoints: e})
		}
		w.mu.Lock()
		ps := kmsg.NewUpdateMetadataRequestTopicPartition()
		ps.Leader, ps.LeaderEpoch, ps.ISR, ps.Replicas = w.state.Leader, w.state.LeaderEpoch, w.state.ISR, w.state.Replicas
		w.mu.Unlock()
		req.TopicStates = []kmsg.UpdateMetadataRequestTopicState{{Topic: "t", TopicID: idA, PartitionStates: []kmsg.UpdateMetadataRequestTopicPartition{ps}}}
		ask(p, func() kmsg.Response { return updateMetadata(p, nil, req) })
	}
}

// tell sends LeaderAndIsr for t-0 to all.
func (w *world) tell() {
	for _, p := range w.procs {
		req := kmsg.NewPtrLeaderAndISRRequest()
		req.Version, req.ControllerID, req.BrokerEpoch = 7, controllerID, -1
		w.mu.Lock()
		req.TopicStates = []kmsg.LeaderAndISRRequestTopicState{{Topic: "t", TopicID: idA, PartitionStates: []kmsg.LeaderAndISRRequestTopicPartition{w.state}}}
		w.mu.Unlock()
		ask(p, func() kmsg.Response { return leaderAndISR(p, nil, req) })
	}
}

// elect gives t-0 another leader with the next epoch and tells everybody alive.
func (w *world) elect(leader int32, isr ...int32) {
	w.mu.Lock()
	w.state.Leader, w.state.ISR = leader, isr
	w.state.LeaderEpoch++
	w.state.ZKVersion++
	w.mu.Unlock()
	w.tellLive()
	w.tell()
}

func (w *world) serveController() {
	ln, err := w.net.Host(fmt.Sprint("b", controllerID)).Listen(":9092")
	if err != nil {
		w.Fatal(err)
	}
	w.ctl = ln
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.conns = append(w.conns, c)
			w.mu.Unlock()
			go w.serveConn(c)
		}
	}()
}

func (w *world) serveConn(c net.Conn) {
	defer c.Close()
	for {
		frame, err := wire.ReadFrame(c, nil, wire.MaxFrame)
		if err != nil {
			return
		}
		h, body, err := wire.ParseRequestHeader(frame)
		if err != nil {
			return
		}
		if h.Key == wire.ApiVersions {
			resp := kmsg.NewPtrApiVersionsResponse()
			if h.Version > 3 { // older controllers refuse v4
				resp.ErrorCode = kerr.UnsupportedVersion.Code
			} else {
				resp.Version = h.Version
			}
			for _, k := range wire.Served() {
				resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: k.Key, MinVersion: k.Min, MaxVersion: k.Max})
			}
			_, _ = c.Write(wire.AppendResponse(nil, h.CorrelationID, resp))
			continue
		}
		req, err := wire.DecodeRequest(h.Key, h.Version, body)
		if err != nil {
			return
		}
		w.mu.Lock()
		w.asked = append(w.asked, req)
		resp := w.answer(req)
		w.mu.Unlock()
		if resp == nil {
			return
		}
		_, _ = c.Write(wire.AppendResponse(nil, h.CorrelationID, resp))
	}
}

// grant gives every ISR that is asked for. The lock is held.
func (w *world) grant(req kmsg.Request) kmsg.Response {
	if ids, ok := req.(*kmsg.AllocateProducerIDsRequest); ok {
		resp := respond[*kmsg.AllocateProducerIDsResponse](ids)
		resp.ProducerIDStart, resp.ProducerIDLen = 1000*int64(len(w.asked)), 1000
		return resp
	}
	r, ok := req.(*kmsg.AlterPartitionRequest)
	if !ok {
		return nil
	}
	w.state.ISR = nil
	for _, m := range r.Topics[0].Partitions[0].NewEpochISR {
		w.state.ISR = append(w.state.ISR, m.BrokerID)
	}
	w.state.ZKVersion++
	return w.alterAnswer(r, 0)
}

func (w *world) alterAnswer(r *kmsg.AlterPartitionRequest, code int16) kmsg.Response {
	resp := respond[*kmsg.AlterPartitionResponse](r)
	t := kmsg.NewAlterPartitionResponseTopic()
	t.TopidID = r.Topics[0].TopicID
	ap := kmsg.NewAlterPartitionResponseTopicPartition()
	ap.ErrorCode, ap.LeaderID, ap.LeaderEpoch, ap.ISR, ap.PartitionEpoch = code, w.state.Leader, w.state.LeaderEpoch, w.state.ISR, w.state.ZKVersion
	t.Partitions = append(t.Partitions, ap)
	resp.Topics = append(resp.Topics, t)
	return resp
}

func (w *world) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

// view shows t-0 on a broker: log end, high watermark, ISR as the leader has it.
func (w *world) view(id int32) string {
	p := w.procs[id]
	s, _ := ask(p, func() string {
		r := p.parts[t0]
		if r == nil || r.log == nil {
			return "none"
		}
		return fmt.Sprintf("end %d high %d isr %v", r.log.end(), r.high, r.isr)
	})
	return s
}

func (w *world) want(id int32, want string) {
	w.Helper()
	synctest.Wait()
	if got := w.view(id); got != want {
		w.Fatalf("broker %d: %s, want %s", id, got, want)
	}
}

// client returns a franz-go client in the same network.
func (w *world) client(o ...kgo.Opt) *kgo.Client {
	w.Helper()
	home := w.net.Host("client")
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers("b1:9093", "b2:9093", "b3:9093"),
		kgo.Dialer(func(ctx context.Context, _, addr string) (net.Conn, error) { return home.Dial(ctx, addr) }),
		kgo.ProducerLinger(0)}, o...)...)
	if err != nil {
		w.Fatal(err)
	}
	return cl
}

// produce writes n records and returns the first error.
func (w *world) produce(cl *kgo.Client, n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var errs []error
	for i := range n {
		errs = append(errs, cl.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: fmt.Append(nil, i)}).FirstErr())
	}
	return errors.Join(errs...)
}
