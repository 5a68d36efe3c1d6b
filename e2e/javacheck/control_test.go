package javacheck_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"baton/channel"
	"baton/cluster"
	"baton/e2e/javacheck"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/wire"
)

// controlShapes are the forms in which the control requests are judged.
var controlShapes = []javacheck.Shape{javacheck.Full, javacheck.Empty, javacheck.Nulls, javacheck.Long}

// controlVersions is what channel sends: StopReplica's v4 never, see wire.SendVersion.
var controlVersions = map[planner.RequestKind]struct{ key, max int16 }{
	planner.LeaderAndISR:   {wire.LeaderAndIsr, 7},
	planner.UpdateMetadata: {wire.UpdateMetadata, 8},
	planner.StopReplica:    {wire.StopReplica, 3},
}

// Kafka's classes read out of the control requests what was meant, at every version.
func TestControlRequestsSayInJavaWhatWasMeant(t *testing.T) {
	c := javacheck.New(t)
	for kind, rng := range controlVersions {
		for v := int16(0); v <= rng.max; v++ {
			for _, shape := range controlShapes {
				r := controlRequest(kind, shape)
				if err := checkControl(c, &r, rng.key, v); err != nil {
					t.Errorf("%v version %d shape %s: %.800v", kind, v, shape, err)
				}
			}
		}
	}
}

func checkControl(c *javacheck.Checker, r *planner.Request, key, version int16) error {
	frame, err := channel.Encode(r, version, "INTERNAL", "2000001", javacheck.Correlation)
	if err == nil {
		err = c.Frame(javacheck.Request, key, version, frame[4:])
	}
	if err != nil {
		return err
	}
	_, body, err := wire.ParseRequestHeader(frame[4:])
	if err != nil {
		return err
	}
	if err := c.Check(javacheck.Request, key, version, body); err != nil {
		return err
	}
	text, err := c.JSON(javacheck.Request, key, version, body)
	if err != nil {
		return err
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return err
	}
	want, err := normal(meaning(r, version))
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("Java reads\n%v, meant was\n%v", got, want)
	}
	return nil
}

// normal turns Go's values into what JSON would make of them.
func normal(v map[string]any) (map[string]any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(text, &out)
}

// controlRequest is a request in one of the shapes. Nothing is null in these requests but a rack and a list.
func controlRequest(kind planner.RequestKind, shape javacheck.Shape) planner.Request {
	r := planner.Request{Kind: kind, Broker: 1, BrokerEpoch: 4294967338, ControllerID: 2000001, ControllerEpoch: 9}
	r.Delete = kind == planner.StopReplica && shape != javacheck.Nulls
	if shape == javacheck.Empty {
		return r
	}
	topics, brokers := 2, int32(3)
	if shape == javacheck.Long {
		topics, brokers = 150, 150
	}
	var all []int32
	for id := int32(1); id <= brokers; id++ {
		all = append(all, id)
		b := cluster.Broker{ID: id, Endpoints: []cluster.Endpoint{
			{Listener: "CLIENT", Protocol: cluster.Plaintext, Host: "client.example", Port: 9000 + id},
			{Listener: "INTERNAL", Protocol: cluster.SASLSSL, Host: "internal.example", Port: 19000 + id},
		}}
		if shape != javacheck.Nulls {
			b.Rack, b.HasRack = "rack", true
		}
		r.Live = append(r.Live, b)
	}
	for i := range topics {
		name := fmt.Sprintf("topic-%03d", i)
		if shape == javacheck.Long {
			name += strings.Repeat("x", 230)
		}
		t := planner.TopicStates{Name: name, ID: cluster.TopicID{1, 15: byte(i + 1)}}
		for n := range 2 {
			t.Partitions = append(t.Partitions, controlPartition(int32(n), shape, all))
		}
		all = all[:3] // long lists in one place are enough
		r.Topics = append(r.Topics, t)
	}
	return r
}

func controlPartition(n int32, shape javacheck.Shape, all []int32) planner.PartitionState {
	p := planner.PartitionState{Number: n, IsNew: n == 0, State: partition.State{
		ControllerEpoch: epoch.Controller(7 + n),
		LeaderAndISR:    isr.LeaderAndISR{Leader: n + 1, LeaderEpoch: 5, PartitionEpoch: 11, ISR: all},
	}}
	p.Assignment.Replicas = all
	switch shape {
	case javacheck.Nulls: // empty lists inside of full ones, and no leader
		p.State.Leader, p.State.ISR = isr.NoLeader, nil
	default:
		p.Assignment.Adding, p.Assignment.Removing, p.Offline = all[:1], all[1:2], all[2:]
	}
	return p
}
