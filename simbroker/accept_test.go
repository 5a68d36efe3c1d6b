package simbroker

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const own = 100 // the broker epoch of the broker under test, whose id is 1

var idA, idB = [16]byte{1}, [16]byte{2}

// lisr varies one valid request: partition t-0 led by 1, [1 2 3], leader epoch 5,
// partition epoch 7, topic id A, from controller epoch 10.
func lisr(change func(*kmsg.LeaderAndISRRequest, *kmsg.LeaderAndISRRequestTopicPartition)) kmsg.Request {
	req := kmsg.NewPtrLeaderAndISRRequest()
	req.Version, req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = 7, 2000001, 10, own
	ps := kmsg.NewLeaderAndISRRequestTopicPartition()
	ps.Topic, ps.ControllerEpoch, ps.Leader, ps.LeaderEpoch, ps.ZKVersion = "t", 10, 1, 5, 7
	ps.ISR, ps.Replicas, ps.IsNew = []int32{1, 2, 3}, []int32{1, 2, 3}, true
	t := kmsg.LeaderAndISRRequestTopicState{Topic: "t", TopicID: idA}
	req.TopicStates = []kmsg.LeaderAndISRRequestTopicState{t}
	if change != nil {
		change(req, &ps)
	}
	req.TopicStates[0].PartitionStates, req.PartitionStates = []kmsg.LeaderAndISRRequestTopicPartition{ps}, []kmsg.LeaderAndISRRequestTopicPartition{ps}
	return req
}

func umd(live []int32, change func(*kmsg.UpdateMetadataRequest)) kmsg.Request {
	req := kmsg.NewPtrUpdateMetadataRequest()
	req.Version, req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = 8, 2000001, 10, own
	for _, id := range live {
		b := kmsg.NewUpdateMetadataRequestLiveBroker()
		b.ID = id
		b.Endpoints = []kmsg.UpdateMetadataRequestLiveBrokerEndpoint{{Port: 9092, Host: fmt.Sprint("b", id), ListenerName: "PLAINTEXT"}}
		req.LiveBrokers = append(req.LiveBrokers, b)
	}
	if change != nil {
		change(req)
	}
	return req
}

func stop(epoch int32, del bool, change func(*kmsg.StopReplicaRequest)) kmsg.Request {
	req := kmsg.NewPtrStopReplicaRequest()
	req.Version, req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = 3, 2000001, 10, own
	req.Topics = []kmsg.StopReplicaRequestTopic{{Topic: "t", Partitions: []int32{0},
		PartitionStates: []kmsg.StopReplicaRequestTopicPartitionState{{LeaderEpoch: epoch, Delete: del}}}}
	req.DeletePartitions = del
	if change != nil {
		change(req)
	}
	return req
}

type (
	lreq = kmsg.LeaderAndISRRequest
	lps  = kmsg.LeaderAndISRRequestTopicPartition
)

// answer is the codes of a response: the top-level one, then each partition's.
func answer(p *process, req kmsg.Request) (out []int16) {
	switch req := req.(type) {
	case *kmsg.LeaderAndISRRequest:
		resp := leaderAndISR(p, nil, req).(*kmsg.LeaderAndISRResponse)
		out = append(out, resp.ErrorCode)
		for _, pc := range resp.Partitions {
			out = append(out, pc.ErrorCode)
		}
	case *kmsg.UpdateMetadataRequest:
		out = append(out, updateMetadata(p, nil, req).(*kmsg.UpdateMetadataResponse).ErrorCode)
	case *kmsg.StopReplicaRequest:
		resp := stopReplica(p, nil, req).(*kmsg.StopReplicaResponse)
		out = append(out, resp.ErrorCode)
		for _, pc := range resp.Partitions {
			out = append(out, pc.ErrorCode)
		}
	}
	return out
}

func testProcess(dirs int) *process {
	b := New(Options{ID: 1, Disk: NewDisk(dirs)})
	p := newProcess(b.opts)
	p.epoch = own
	return p
}

func epochIs(leader, version int32) func(*lreq, *lps) {
	return func(_ *lreq, ps *lps) { ps.LeaderEpoch, ps.ZKVersion = leader, version }
}

func ledBy(leader, epoch int32) func(*lreq, *lps) {
	return func(_ *lreq, ps *lps) { ps.Leader, ps.LeaderEpoch = leader, epoch }
}

// twice names t-0 two times, with these leader epochs.
func twice(first, second int32) kmsg.Request {
	req := lisr(epochIs(first, 8)).(*lreq)
	other := lisr(epochIs(second, 9)).(*lreq).TopicStates[0].PartitionStates
	req.TopicStates[0].PartitionStates = append(req.TopicStates[0].PartitionStates, other...)
	return req
}

func idIs(id [16]byte, leader, epoch int32) func(*lreq, *lps) {
	return func(r *lreq, ps *lps) { r.TopicStates[0].TopicID, ps.Leader, ps.LeaderEpoch = id, leader, epoch }
}

// version: topic ids are there from v5 on.
func version(v int16) func(*lreq, *lps) {
	return func(r *lreq, _ *lps) {
		if r.Version = v; v < 5 {
			r.TopicStates[0].TopicID = [16]byte{}
		}
	}
}

// TestAcceptance is 10.1 and 10.2 for 2.8-3.9, one case for each line. Every request but
// the last of a case prepares it; all answers are compared.
func TestAcceptance(t *testing.T) {
	live := umd([]int32{1, 2, 3}, nil)
	fail := func(p *process) { p.failDir(p.opts.Disk.dirs[0]) }
	cases := []struct {
		name  string
		steps []any // kmsg.Request, followed by its []int16, or func(*process)
	}{
		{"broker epoch -1 is not compared", []any{lisr(func(r *lreq, _ *lps) { r.BrokerEpoch = -1 }), []int16{0, 0}}},
		{"broker epoch below: stale, all partitions listed", []any{lisr(func(r *lreq, _ *lps) { r.BrokerEpoch = own - 1 }), []int16{77, 77}}},
		{"broker epoch below, UpdateMetadata", []any{umd(nil, func(r *kmsg.UpdateMetadataRequest) { r.BrokerEpoch = 1 }), []int16{77}}},
		{"broker epoch below, StopReplica lists none", []any{stop(5, false, func(r *kmsg.StopReplicaRequest) { r.BrokerEpoch = 1 }), []int16{77}}},
		{"broker epoch above is accepted", []any{lisr(func(r *lreq, _ *lps) { r.BrokerEpoch = own + 1 }), []int16{0, 0}}},
		{"KRaft with an epoch", []any{
			lisr(func(r *lreq, _ *lps) { r.IsKRaftController = true }), []int16{-1, -1},
			umd(nil, func(r *kmsg.UpdateMetadataRequest) { r.IsKRaftController = true }), []int16{-1},
			stop(5, false, func(r *kmsg.StopReplicaRequest) { r.IsKRaftController = true }), []int16{-1, -1},
			umd(nil, func(r *kmsg.UpdateMetadataRequest) { r.IsKRaftController, r.BrokerEpoch = true, -1 }), []int16{0}}},
		{"controller epoch below what any request said", []any{
			umd(nil, func(r *kmsg.UpdateMetadataRequest) { r.ControllerEpoch = 11 }), []int16{0},
			lisr(nil), []int16{11, 11}, stop(5, false, nil), []int16{11}, umd(nil, nil), []int16{11}}},
		{"a refused broker epoch leaves the memory alone", []any{
			umd(nil, func(r *kmsg.UpdateMetadataRequest) { r.ControllerEpoch, r.BrokerEpoch = 99, 1 }), []int16{77}, live, []int16{0}}},
		{"another controller id with the same epoch", []any{live, []int16{0}, lisr(func(r *lreq, _ *lps) { r.ControllerID = 5 }), []int16{0, 0}}},
		{"leader", []any{lisr(nil), []int16{0, 0}}},
		{"same leader epoch again", []any{lisr(nil), []int16{0, 0}, lisr(nil), []int16{0, 11}}},
		{"lower leader epoch", []any{lisr(nil), []int16{0, 0}, lisr(epochIs(4, 6)), []int16{0, 11}}},
		{"higher leader epoch, higher version", []any{lisr(nil), []int16{0, 0}, lisr(epochIs(6, 8)), []int16{0, 0}, lisr(epochIs(6, 8)), []int16{0, 11}}},
		{"higher leader epoch, lower version: skipped, epoch not taken", []any{lisr(nil), []int16{0, 0},
			lisr(epochIs(6, 6)), []int16{0, 0}, lisr(epochIs(6, 7)), []int16{0, 0}}},
		{"not among the replicas", []any{lisr(func(_ *lreq, ps *lps) { ps.Leader, ps.Replicas = 2, []int32{2, 3} }), []int16{0, 3}}},
		{"not among the replicas, lower epoch", []any{lisr(nil), []int16{0, 0},
			lisr(func(_ *lreq, ps *lps) { ps.LeaderEpoch, ps.Replicas = 4, []int32{2, 3} }), []int16{0, 11}}},
		{"unknown leader: success, no effect", []any{lisr(ledBy(2, 5)), []int16{0, 0}, lisr(ledBy(2, 5)), []int16{0, 0}}},
		{"unknown leader, known later: the same request works", []any{lisr(ledBy(2, 5)), []int16{0, 0}, live, []int16{0},
			lisr(ledBy(2, 5)), []int16{0, 0}, lisr(ledBy(2, 5)), []int16{0, 11}}},
		{"a partition twice: decided before anything changes", []any{lisr(nil), []int16{0, 0}, twice(6, 5), []int16{0, 0}, twice(6, 7), []int16{0, 0}, lisr(epochIs(7, 9)), []int16{0, 11}}},
		{"leader -1: success, no effect", []any{lisr(ledBy(-1, 5)), []int16{0, 0}, lisr(nil), []int16{0, 0}}},
		{"known leader", []any{live, []int16{0}, lisr(ledBy(2, 5)), []int16{0, 0}, lisr(ledBy(2, 5)), []int16{0, 11}}},
		{"another topic id", []any{lisr(nil), []int16{0, 0}, lisr(idIs(idB, 1, 6)), []int16{0, 103}, lisr(idIs(idB, 1, 4)), []int16{0, 103}}},
		{"the log has no id yet", []any{lisr(idIs([16]byte{}, 1, 5)), []int16{0, 0}, lisr(nil), []int16{0, 0}, lisr(idIs(idB, 1, 6)), []int16{0, 103}}},
		{"no id in the request, leader", []any{lisr(nil), []int16{0, 0}, lisr(idIs([16]byte{}, 1, 5)), []int16{0, 11}, lisr(idIs([16]byte{}, 1, 6)), []int16{0, 0}}},
		{"no id in the request, follower", []any{live, []int16{0}, lisr(ledBy(2, 5)), []int16{0, 0}, lisr(idIs([16]byte{}, 2, 5)), []int16{0, 0}}},
		{"v0, v1, v2 and v4", []any{lisr(version(0)), []int16{0, 0}, lisr(version(1)), []int16{0, 11}, lisr(version(2)), []int16{0, 11}, lisr(version(4)), []int16{0, 11}}},
		{"failed directory", []any{lisr(nil), []int16{0, 0}, fail, lisr(epochIs(6, 8)), []int16{0, 56}, stop(-2, true, nil), []int16{0, 56}}},
		{"any failed directory, not new", []any{fail, lisr(func(_ *lreq, ps *lps) { ps.IsNew = false }), []int16{0, 56}, lisr(epochIs(6, 8)), []int16{0, 56}}},
		{"any failed directory, new", []any{fail, lisr(nil), []int16{0, 0}}},
		{"stop: unknown partition", []any{stop(5, true, nil), []int16{0, 0}}},
		{"stop: epochs", []any{lisr(nil), []int16{0, 0}, stop(4, false, nil), []int16{0, 74}, stop(5, false, nil), []int16{0, 0},
			stop(6, false, nil), []int16{0, 0}, stop(-1, false, nil), []int16{0, 0}, stop(-2, false, nil), []int16{0, 0}}},
		{"stop without deletion keeps the epoch", []any{lisr(nil), []int16{0, 0}, stop(5, false, nil), []int16{0, 0}, lisr(nil), []int16{0, 11}}},
		{"stop with deletion forgets everything", []any{lisr(nil), []int16{0, 0}, stop(5, true, nil), []int16{0, 0}, lisr(idIs(idB, 1, 0)), []int16{0, 0}}},
		{"stop v1: no epoch", []any{lisr(nil), []int16{0, 0}, stop(0, true, func(r *kmsg.StopReplicaRequest) { r.Version = 1 }), []int16{0, 0}, lisr(nil), []int16{0, 0}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := testProcess(2)
			for i := 0; i < len(c.steps); i++ {
				if f, ok := c.steps[i].(func(*process)); ok {
					f(p)
					continue
				}
				got := answer(p, c.steps[i].(kmsg.Request))
				i++
				if want := c.steps[i].([]int16); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("step %d answered %v, want %v", i/2+1, got, want)
				}
			}
		})
	}
}

func TestMetadataCache(t *testing.T) {
	p := testProcess(1)
	state := func(leader int32, id [16]byte) func(*kmsg.UpdateMetadataRequest) {
		return func(r *kmsg.UpdateMetadataRequest) {
			ps := kmsg.NewUpdateMetadataRequestTopicPartition()
			ps.Leader, ps.LeaderEpoch, ps.Replicas = leader, 3, []int32{1, 2}
			r.TopicStates = []kmsg.UpdateMetadataRequestTopicState{{Topic: "t", TopicID: id, PartitionStates: []kmsg.UpdateMetadataRequestTopicPartition{ps}}}
		}
	}
	show := func() string {
		resp := metadata(p, &request{listener: "PLAINTEXT"}, kmsg.NewPtrMetadataRequest()).(*kmsg.MetadataResponse)
		out := fmt.Sprint("controller ", resp.ControllerID, " nodes")
		for _, b := range resp.Brokers {
			out += fmt.Sprint(" ", b.NodeID)
		}
		for _, t := range resp.Topics {
			out += fmt.Sprintf(" %s/%d", *t.Topic, t.TopicID[0])
			for _, mp := range t.Partitions {
				out += fmt.Sprintf(" leader %d code %d", mp.Leader, mp.ErrorCode)
			}
		}
		return out
	}
	for _, step := range []struct {
		req  kmsg.Request
		want string
	}{
		{umd([]int32{1, 2}, state(2, idA)), "controller 2000001 nodes 1 2 t/1 leader 2 code 0"},
		{umd([]int32{1}, nil), "controller 2000001 nodes 1 t/1 leader -1 code 5"},
		{umd([]int32{1, 2}, state(1, [16]byte{})), "controller 2000001 nodes 1 2 t/0 leader 1 code 0"},
		{umd([]int32{3}, state(leaderDeleted, idA)), "controller 2000001 nodes 3"},
		{umd(nil, func(r *kmsg.UpdateMetadataRequest) { r.ControllerID = -5 }), "controller -1 nodes"},
	} {
		answer(p, step.req)
		if got := show(); got != step.want {
			t.Errorf("%q, want %q", got, step.want)
		}
	}
}
