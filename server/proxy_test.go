package server_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"testing"

	"baton/server/servertest"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// known makes everything that brokers of 3.9 have known to the endpoint.
func (r *rig) known() {
	all := map[int16][2]int16{}
	for key := range int16(70) {
		all[key] = [2]int16{0, 20}
	}
	for _, b := range r.brokers {
		r.SetBrokerVersions(b.ID, all)
	}
}

func TestProxiedFramesArriveVerbatim(t *testing.T) {
	r := newRig(t, 1, nil)
	r.known()
	p := r.dial(t)
	for _, req := range []kmsg.Request{
		kmsg.NewPtrDescribeACLsRequest(), kmsg.NewPtrOffsetFetchRequest(), kmsg.NewPtrCreateACLsRequest(),
		kmsg.NewPtrDescribeClientQuotasRequest(), kmsg.NewPtrInitProducerIDRequest(),
	} {
		req.SetVersion(1)
		sent := p.send(req)
		p.readCorrelation()
		frames := r.brokers[0].Frames()
		if got := frames[len(frames)-1]; !bytes.Equal(got, sent) {
			t.Errorf("key %d: the broker got %x, sent %x", req.Key(), got, sent)
		}
	}
}

func TestStandbyPassesOnWhatTheHolderAnswers(t *testing.T) {
	r := newRig(t, 1, nil)
	r.known()
	r.ctl.SetActive(false)
	p := r.dial(t)
	for _, req := range []kmsg.Request{metadataAll(12), kmsg.NewPtrFindCoordinatorRequest(), kmsg.NewPtrDescribeClusterRequest()} {
		p.ask(req)
	}
	if got := len(r.brokers[0].Frames()); got != 3 {
		t.Fatalf("%d requests reached the broker, want 3", got)
	}
	alter := ask[*kmsg.AlterPartitionResponse](p, kmsg.NewPtrAlterPartitionRequest())
	if alter.ErrorCode != 41 {
		t.Errorf("AlterPartition: code %d, want 41", alter.ErrorCode)
	}
	down := kmsg.NewPtrControlledShutdownRequest()
	down.Version = 3
	if got := ask[*kmsg.ControlledShutdownResponse](p, down).ErrorCode; got != 11 {
		t.Errorf("ControlledShutdown: code %d, want 11", got)
	}
}

// failFirst makes the brokers close the connection instead of answering, once.
func (r *rig) failFirst() *atomic.Int32 {
	var asked atomic.Int32
	for _, b := range r.brokers {
		b.Answer = func(key, version int16, correlation int32, frame []byte) []byte {
			if asked.Add(1) == 1 {
				return nil
			}
			return servertest.DefaultAnswer(key, version, correlation, frame)
		}
	}
	return &asked
}

func TestReadersAreRetriedElsewhere(t *testing.T) {
	transactional := kmsg.NewPtrInitProducerIDRequest()
	transactional.TransactionalID = ptr("tx")
	for _, c := range []struct {
		name  string
		req   kmsg.Request
		again bool
	}{
		{"DescribeAcls", kmsg.NewPtrDescribeACLsRequest(), true},
		{"InitProducerId", kmsg.NewPtrInitProducerIDRequest(), true},
		{"InitProducerId with a transaction", transactional, false},
		{"CreateAcls", kmsg.NewPtrCreateACLsRequest(), false},
		{"OffsetCommit", kmsg.NewPtrOffsetCommitRequest(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 2, nil)
			asked := r.failFirst()
			p := r.dial(t)
			if c.again {
				p.ask(c.req)
			} else {
				p.send(c.req)
				p.closed()
			}
			if got, want := asked.Load(), map[bool]int32{true: 2, false: 1}[c.again]; got != want {
				t.Errorf("asked %d brokers, want %d", got, want)
			}
		})
	}
}

func TestBrokerThatClosedAnIdleConnectionIsNotTheClientsProblem(t *testing.T) {
	r := newRig(t, 1, nil)
	p := r.dial(t)
	p.ask(kmsg.NewPtrCreateACLsRequest())
	r.brokers[0].DropConnections()
	p.ask(kmsg.NewPtrCreateACLsRequest())
}

func TestDeadBrokersAreSteppedOver(t *testing.T) {
	r := newRig(t, 3, nil)
	r.brokers[0].Close()
	r.brokers[2].Close()
	for range 8 {
		r.dial(t).ask(kmsg.NewPtrCreateACLsRequest())
	}
}

func TestWrongCorrelationIDIsNotPassedBack(t *testing.T) {
	r := newRig(t, 1, nil)
	r.brokers[0].Answer = func(key, version int16, correlation int32, frame []byte) []byte {
		return servertest.DefaultAnswer(key, version, correlation+1, frame)
	}
	p := r.dial(t)
	p.send(kmsg.NewPtrCreateACLsRequest())
	p.closed()
}

func TestProduceWithoutAcksIsNotWaitedFor(t *testing.T) {
	r := newRig(t, 1, nil)
	p := r.dial(t)
	produce := kmsg.NewPtrProduceRequest()
	produce.Version, produce.Acks = 8, 1
	p.ask(produce)
	produce.Acks = 0
	p.send(produce)
	p.closed()
	if got := len(r.brokers[0].Frames()); got != 1 {
		t.Errorf("%d requests reached the broker, want 1", got)
	}
}

func TestNoLiveBrokerClosesTheConnection(t *testing.T) {
	r := newRig(t, 0, nil)
	p := r.dial(t)
	p.send(kmsg.NewPtrDescribeACLsRequest())
	p.closed()
}

func TestOfferedVersions(t *testing.T) {
	r := newRig(t, 2, nil)
	p := r.dial(t)
	offered := func() map[int16][2]int16 {
		v := kmsg.NewPtrApiVersionsRequest()
		v.Version, v.ClientSoftwareName, v.ClientSoftwareVersion = 3, "test", "1"
		out := map[int16][2]int16{}
		for _, k := range ask[*kmsg.ApiVersionsResponse](p, v).ApiKeys {
			out[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
		}
		return out
	}
	want := func(key int16, lo, hi int16) {
		t.Helper()
		if got, ok := offered()[key]; !ok || got != [2]int16{lo, hi} {
			t.Errorf("key %d: offered %v (%v), want %d-%d", key, got, ok, lo, hi)
		}
	}
	absent := func(keys ...int16) {
		t.Helper()
		for key := range offered() {
			if slices.Contains(keys, key) {
				t.Errorf("key %d is offered", key)
			}
		}
	}
	want(3, 0, 12)
	want(56, 0, 3)
	want(67, 0, 0)
	want(1, 0, 11) // as a 2.4 broker, while nothing is known
	absent(17, 36, 58, 52, 62, 48)
	r.SetBrokerVersions(1, map[int16][2]int16{1: {0, 17}, 3: {0, 12}, 48: {0, 1}, 60: {0, 0}})
	r.SetBrokerVersions(2, map[int16][2]int16{1: {4, 13}, 3: {0, 9}, 48: {0, 0}})
	want(1, 4, 13)
	want(48, 0, 0)
	absent(2)
	r.ctl.SetActive(false)
	want(3, 0, 9)
	want(56, 0, 3)
	absent(60)
	r.ForgetBroker(2)
	want(1, 0, 17)
	want(60, 0, 0)
}

func TestLargeAnswersAreStreamedWhole(t *testing.T) {
	r := newRig(t, 1, nil)
	want := bytes.Repeat([]byte("baton"), 200_000)
	r.brokers[0].Answer = func(_, _ int16, correlation int32, _ []byte) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(4+len(want)))
		return append(binary.BigEndian.AppendUint32(out, uint32(correlation)), want...)
	}
	p := r.dial(t)
	for range 3 {
		p.send(kmsg.NewPtrFetchRequest())
		frame, err := wire.ReadFrame(p.br, nil, wire.MaxFrame)
		if err != nil || !bytes.Equal(frame[4:], want) {
			t.Fatalf("%d bytes: %v", len(frame), err)
		}
	}
}

func TestConfigsOfOthersArePassedOn(t *testing.T) {
	r := newRig(t, 1, nil)
	p := r.dial(t)
	describe := kmsg.NewPtrDescribeConfigsRequest()
	describe.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "2000000"}}
	p.ask(describe)
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	alter.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker}} // all brokers
	p.ask(alter)
	if got := len(r.brokers[0].Frames()); got != 2 {
		t.Fatalf("%d requests reached the broker, want 2", got)
	}
	alter.Resources[0].ResourceName = "2000000"
	alter.Resources[0].Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "log.retention.ms", Op: kmsg.IncrementalAlterConfigOpSet}}
	if got := ask[*kmsg.IncrementalAlterConfigsResponse](p, alter).Resources[0]; got.ErrorCode != 42 || got.ErrorMessage == nil {
		t.Errorf("altering Baton: %+v", got)
	}
}

// kafka-reassign-partitions --verify and --cancel delete the throttles of every node that the metadata has.
func TestDeletingSettingsOfBaton(t *testing.T) {
	p := newRig(t, 1, nil).dial(t)
	ops := func(ops ...kmsg.IncrementalAlterConfigOp) (cs []kmsg.IncrementalAlterConfigsRequestResourceConfig) {
		for _, op := range ops {
			cs = append(cs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: "leader.replication.throttled.rate", Op: op})
		}
		return cs
	}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	for _, c := range []struct {
		configs []kmsg.IncrementalAlterConfigsRequestResourceConfig
		want    int16
	}{
		{ops(kmsg.IncrementalAlterConfigOpDelete, kmsg.IncrementalAlterConfigOpDelete), 0},
		{ops(kmsg.IncrementalAlterConfigOpDelete, kmsg.IncrementalAlterConfigOpSet), 42},
		{ops(kmsg.IncrementalAlterConfigOpAppend), 42},
	} {
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{
			{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "2000000", Configs: c.configs}}
		got := ask[*kmsg.IncrementalAlterConfigsResponse](p, req).Resources[0]
		if got.ErrorCode != c.want || (got.ErrorMessage == nil) != (c.want == 0) {
			t.Errorf("%+v: got %+v", c.configs, got)
		}
	}
	// What names somebody else's settings too is refused for them: nothing of it is applied anywhere.
	req.Resources[0].Configs = ops(kmsg.IncrementalAlterConfigOpDelete)
	req.Resources = append(req.Resources, kmsg.IncrementalAlterConfigsRequestResource{
		ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "orders", Configs: ops(kmsg.IncrementalAlterConfigOpSet)})
	if got := ask[*kmsg.IncrementalAlterConfigsResponse](p, req).Resources; got[0].ErrorCode != 0 || got[1].ErrorCode != 42 {
		t.Errorf("with a topic: %+v", got)
	}
}
