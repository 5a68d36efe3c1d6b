package channel

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/wire"
)

// golden reads what Kafka's own classes write; see wire/testdata/README.md.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("../wire/testdata/control.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		if out[name], err = hex.DecodeString(digits); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func alphaID() (id cluster.TopicID) {
	for i := range id {
		id[i] = 0xa0 + byte(i)
	}
	return id
}

func state(controller epoch.Controller, leader int32, leaderEpoch epoch.Leader, version epoch.Partition, members ...int32) partition.State {
	return partition.State{ControllerEpoch: controller, LeaderAndISR: isr.LeaderAndISR{
		Leader: leader, LeaderEpoch: leaderEpoch, PartitionEpoch: version, ISR: members,
	}}
}

func goldenRequest(kind planner.RequestKind, version int16) planner.Request {
	recovering := state(9, -1, 6, 0, 2)
	if version >= 6 && kind == planner.LeaderAndISR {
		recovering.Recovery = isr.Recovering
	}
	r := planner.Request{
		Kind: kind, Broker: 1, BrokerEpoch: 4294967338, Conn: 1, Seq: 1, ControllerID: 2000001, ControllerEpoch: 9,
		Topics: []planner.TopicStates{
			{Name: "alpha", ID: alphaID(), Partitions: []planner.PartitionState{
				{Number: 0, State: state(8, 1, 5, 11, 1, 2), IsNew: true, Offline: []int32{3},
					Assignment: partition.Assignment{Replicas: []int32{1, 2, 3}, Adding: []int32{3}}},
				{Number: 3, State: recovering, Assignment: partition.Assignment{Replicas: []int32{2, 1}, Removing: []int32{1}}},
			}},
			{Name: "beta", Partitions: []planner.PartitionState{
				{Number: 0, State: state(9, 2, 0, 0, 2, 3, 1), IsNew: true, Assignment: partition.Assignment{Replicas: []int32{2, 3, 1}}},
			}},
		},
		Live: []cluster.Broker{
			broker(1, "host-a", 9092, "host-a.example", 9093),
			broker(2, "host-b", 19092, "host-b", 19093),
		},
	}
	r.Live[0].Rack, r.Live[0].HasRack = "r1", true
	if kind == planner.UpdateMetadata {
		self := broker(2000001, "baton", 9092, "baton", 9093)
		self.HasRack = true // the empty string, which is not null
		r.Live = append(r.Live, self)
	}
	return r
}

func broker(id int32, host string, port int32, inner string, innerPort int32) cluster.Broker {
	return cluster.Broker{ID: id, Epoch: 4294967338, Endpoints: []cluster.Endpoint{
		{Listener: "PLAINTEXT", Protocol: cluster.Plaintext, Host: host, Port: port},
		{Listener: "INTERNAL", Protocol: cluster.SASLSSL, Host: inner, Port: innerPort},
	}}
}

func TestEncodingIsKafkasByteForByte(t *testing.T) {
	want := golden(t)
	ranges := map[planner.RequestKind][2]int16{
		planner.LeaderAndISR: {0, 7}, planner.UpdateMetadata: {4, 8}, planner.StopReplica: {0, 3},
	}
	var e encoder // one for all: what it keeps from one request must not show in the next
	id := "2000001"
	for round := range 2 {
		for kind, rng := range ranges {
			for v := rng[0]; v <= rng[1]; v++ {
				name := fmt.Sprintf("%v.v%d", kind, v)
				r := goldenRequest(kind, v)
				frame, err := e.encode(&r, v, "INTERNAL", &id, 7)
				if err != nil {
					t.Fatal(name, err)
				}
				if got := frame[4:]; !bytes.Equal(got, want[name]) {
					t.Errorf("round %d %s:\n got %x\nwant %x", round, name, got, want[name])
				}
			}
		}
	}
	r := planner.Request{Kind: planner.UpdateMetadata, BrokerEpoch: 4294967338, ControllerID: 2000001, ControllerEpoch: 9}
	frame, _ := e.encode(&r, 8, "INTERNAL", &id, 7)
	if !bytes.Equal(frame[4:], want["UpdateMetadata.empty.v8"]) {
		t.Errorf("empty UpdateMetadata: got %x", frame[4:])
	}
}

func TestStopReplicaAboveThreeIsNeverSent(t *testing.T) {
	cfg := Config{Versions: Versions{LeaderAndISR: 7, UpdateMetadata: 8, StopReplica: 4}}
	for _, c := range []struct {
		kind      planner.RequestKind
		max, want int16
	}{
		{planner.StopReplica, 4, 3}, {planner.StopReplica, 2, 2},
		{planner.LeaderAndISR, 7, 7}, {planner.LeaderAndISR, 4, 4}, {planner.UpdateMetadata, 6, 6},
	} {
		if got := cfg.version(c.kind, c.max); got != c.want {
			t.Errorf("%v against a maximum of %d: sent at v%d, want v%d", c.kind, c.max, got, c.want)
		}
	}
	var e encoder
	r := goldenRequest(planner.StopReplica, 4)
	if b, err := e.encode(&r, 4, "INTERNAL", new(string), 7); err == nil {
		t.Errorf("StopReplica v4 was encoded: %x", b)
	}
}

func TestLeadersWithoutTheListenerAreLeftOut(t *testing.T) {
	var e encoder
	r := goldenRequest(planner.LeaderAndISR, 7)
	r.Live[0].Endpoints = nil
	frame, err := e.encode(&r, 7, "INTERNAL", new(string), 7)
	if err != nil {
		t.Fatal(err)
	}
	_, body, err := wire.ParseRequestHeader(frame[4:])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wire.DecodeRequest(wire.LeaderAndIsr, 7, body); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte("host-a")) || !bytes.Contains(body, []byte("host-b")) {
		t.Errorf("live leaders: %q", body)
	}
}

// An idle encoder waits in a pool for the next large request; it must not keep the
// image of some earlier moment alive.
func TestEncoderForgetsTheRequest(t *testing.T) {
	var e encoder
	for _, kind := range []planner.RequestKind{planner.LeaderAndISR, planner.UpdateMetadata, planner.StopReplica} {
		r := goldenRequest(kind, 3)
		if _, err := e.encode(&r, 3, "INTERNAL", new(string), 7); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range e.states[:cap(e.states)] {
		if p.ISR != nil || p.Replicas != nil || p.Topic != "" {
			t.Error("LeaderAndIsr state is kept")
		}
	}
	for _, p := range e.cached[:cap(e.cached)] {
		if p.ISR != nil || p.OfflineReplicas != nil || p.Topic != "" {
			t.Error("UpdateMetadata state is kept")
		}
	}
	for _, b := range e.um.LiveBrokers[:cap(e.um.LiveBrokers)] {
		if b.Rack != nil || b.Endpoints != nil {
			t.Error("live broker is kept")
		}
	}
}

func large(kind planner.RequestKind, n int) planner.Request {
	r := goldenRequest(kind, 7)
	one := r.Topics[0].Partitions[0]
	r.Topics = nil
	for i := 0; i < n; i += 10 {
		t := planner.TopicStates{Name: fmt.Sprintf("topic-%06d", i), ID: alphaID()}
		for j := range 10 {
			one.Number = int32(j)
			t.Partitions = append(t.Partitions, one)
		}
		r.Topics = append(r.Topics, t)
	}
	return r
}

func BenchmarkEncode(b *testing.B) {
	versions := [...]int16{planner.LeaderAndISR: 7, planner.UpdateMetadata: 8, planner.StopReplica: 3}
	for kind, v := range versions {
		for _, n := range []int{1000, 100_000} {
			b.Run(fmt.Sprintf("%v/%d", planner.RequestKind(kind), n), func(b *testing.B) {
				r := large(planner.RequestKind(kind), n)
				var e encoder
				id := "2000001"
				b.ReportAllocs()
				for b.Loop() {
					frame, err := e.encode(&r, v, "INTERNAL", &id, 7)
					if err != nil {
						b.Fatal(err)
					}
					b.SetBytes(int64(len(frame)))
				}
			})
		}
	}
}
