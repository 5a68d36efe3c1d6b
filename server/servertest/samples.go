package servertest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"

	"baton/cluster"
	"baton/partition"
	"baton/planner"
	"baton/server"
	"baton/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Sample is one response as Baton writes it. Body is what follows the response header.
type Sample struct {
	Key, Version int16
	Shape        string
	Response     kmsg.Response
	Body         []byte
}

// Shape is a state of the controller and a way of asking.
type Shape string

// The shapes of which there are samples.
const (
	Full    Shape = "full"    // a small cluster, a few items, everything set
	Empty   Shape = "empty"   // no broker, no topic, requests that name nothing
	Null    Shape = "null"    // no rack, no cluster id, null wherever a request may have it
	Long    Shape = "long"    // arrays and strings whose lengths take two bytes
	Errors  Shape = "errors"  // every call fails with a code for each item
	Standby Shape = "standby" // not the active controller
)

// Shapes lists all of them.
func Shapes() []Shape { return []Shape{Full, Empty, Null, Long, Errors, Standby} }

// Keys lists the APIs that Baton answers itself, with the highest version of each.
func Keys() map[int16][2]int16 {
	return map[int16][2]int16{
		3: {0, 12}, 4: {0, 7}, 5: {0, 4}, 6: {0, 8}, 7: {1, 3}, 10: {0, 6}, 16: {0, 5}, 18: {0, 4}, 19: {0, 7},
		20: {0, 6}, 32: {0, 4}, 33: {0, 2}, 34: {0, 2}, 35: {0, 4}, 37: {0, 3}, 43: {0, 2}, 44: {0, 1}, 45: {0, 0},
		46: {0, 0}, 51: {0, 0}, 56: {0, 3}, 57: {0, 1}, 60: {0, 1}, 61: {0, 0}, 66: {0, 1}, 67: {0, 0},
	}
}

// Samples makes every response: each API, version and shape, through the server's own
// handlers. It panics when the server fails to answer, since a checker must not pass
// for want of samples.
func Samples() []Sample {
	var out []Sample
	keys := Keys()
	for key := range int16(100) {
		for v := keys[key][0]; v <= keys[key][1]; v++ {
			if _, ok := keys[key]; !ok {
				break
			}
			for _, shape := range Shapes() {
				if shape == Standby && (key == 3 || key == 10 || key == 60) {
					continue // a broker's answer
				}
				out = append(out, sample(ServerFor(shape), Request(key, v, shape), shape))
			}
		}
	}
	// A version that we do not have is answered in v0.
	high := kmsg.NewPtrApiVersionsRequest()
	high.Version = 5
	return append(out, sample(ServerFor(Full), high, "unsupported"))
}

func sample(s *server.Server, req kmsg.Request, shape Shape) Sample {
	key, version := req.Key(), req.GetVersion()
	id := "samples"
	frame, err := wire.AppendRequest(nil, &id, 42, fixed(req))
	if key == 5 && version == 4 {
		frame, err = stopReplicaV4(req, &id), nil
	}
	if err != nil {
		panic(fmt.Sprintf("key %d version %d: %v", key, version, err))
	}
	resp, err := s.Handle(context.Background(), Listener, frame[4:])
	if err != nil {
		panic(fmt.Sprintf("key %d version %d shape %s: %v", key, version, shape, err))
	}
	if key == 18 && version > 4 {
		version = 0
	}
	_, body, err := wire.ParseResponseHeader(resp[4:], key, version)
	if err != nil {
		panic(err)
	}
	decoded := kmsg.ResponseForKey(key)
	decoded.SetVersion(version)
	if err := decoded.ReadFrom(body); err != nil {
		panic(fmt.Sprintf("key %d version %d shape %s: %v", key, version, shape, err))
	}
	return Sample{Key: key, Version: version, Shape: string(shape), Response: decoded, Body: body}
}

// fixed lowers what wire refuses to write; stopReplicaV4 writes that by hand.
func fixed(req kmsg.Request) kmsg.Request {
	if req.Key() == 5 && req.GetVersion() == 4 {
		r := kmsg.NewPtrStopReplicaRequest()
		r.Version = 3
		return r
	}
	return req
}

// stopReplicaV4 has Kafka's order of fields, which kmsg's writer has not: the bytes of
// the flag and the epoch are swapped back.
func stopReplicaV4(req kmsg.Request, clientID *string) []byte {
	dst := wire.BeginFrame(nil)
	dst = wire.AppendRequestHeader(dst, wire.RequestHeader{Key: 5, Version: 4, CorrelationID: 42, ClientID: clientID})
	at := len(dst)
	dst = req.AppendTo(dst)
	flag := dst[at+8]
	copy(dst[at+5:at+9], dst[at+4:at+8])
	dst[at+4] = flag
	return wire.EndFrame(dst, 0)
}

// ServerFor returns a server, not listening, in the state of a shape.
func ServerFor(shape Shape) *server.Server {
	ctl := NewController(ViewFor(shape))
	ctl.SetActive(shape != Standby)
	if shape == Errors {
		ctl.Answer = failing
	}
	id := "4L6g3nShT-eMCtK--X86sw"
	if shape == Null || shape == Empty {
		id = ""
	}
	return server.New(server.Config{
		ID: BatonID, ClusterID: func() string { return id },
		Features:     func() bool { return shape != Errors },
		FeatureEpoch: func() int64 { return map[Shape]int64{Empty: -1, Full: 7}[shape] },
		BrokerConfig: func() map[string]string {
			if shape == Empty {
				return nil
			}
			out := map[string]string{"node.id": "2000000", "ssl.key.password": "hidden"}
			for i := range map[Shape]int{Long: 200}[shape] {
				out[fmt.Sprintf("key.%d", i)] = strings.Repeat("v", i)
			}
			return out
		},
		Dial: func(context.Context, string, string) (net.Conn, error) { return describer(shape), nil },
	}, ctl, brokersFor(shape))
}

// brokersFor returns who can be asked what holds for a new topic.
func brokersFor(shape Shape) Brokers {
	if shape == Full || shape == Long {
		return Brokers{{ID: 1, Addr: "broker.example:9001"}}
	}
	return nil
}

// describer is a connection to a broker that answers one DescribeConfigs.
func describer(shape Shape) net.Conn {
	here, there := net.Pipe()
	go func() {
		defer func() { _ = there.Close() }()
		frame, err := wire.ReadFrame(bufio.NewReader(there), nil, wire.MaxFrame)
		if err != nil {
			return
		}
		h, body, _ := wire.ParseRequestHeader(frame)
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Version = h.Version
		_ = req.ReadFrom(body)
		_, _ = there.Write(wire.AppendResponse(nil, h.CorrelationID, DescribeAll(req, map[Shape]int{Full: 2, Long: 150}[shape])))
	}()
	return here
}

// DescribeAll answers with n configs for each resource, one of each source; the first has no
// value.
func DescribeAll(req *kmsg.DescribeConfigsRequest, n int) *kmsg.DescribeConfigsResponse {
	resp := kmsg.NewPtrDescribeConfigsResponse()
	resp.Version = req.Version
	for _, q := range req.Resources {
		r := kmsg.NewDescribeConfigsResponseResource()
		r.ResourceType, r.ResourceName = q.ResourceType, q.ResourceName
		for i := range n {
			c := kmsg.NewDescribeConfigsResponseResourceConfig()
			c.Name, c.Source = fmt.Sprintf("config.%d", i), kmsg.ConfigSource(1+i%5)
			c.IsSensitive, c.ReadOnly = i == 0, i%2 == 1
			if i > 0 {
				c.Value = kmsg.StringPtr(strings.Repeat("v", i))
			}
			r.Configs = append(r.Configs, c)
		}
		resp.Resources = append(resp.Resources, r)
	}
	return resp
}

// ViewFor returns the cluster of a shape.
func ViewFor(shape Shape) planner.View {
	v := planner.View{ControllerID: BatonID, Self: Broker(BatonID, "baton.example", 9092, ""), Image: cluster.NewImage([]int32{BatonID})}
	brokers, topics, partitions := int32(3), 3, 2
	rack := "r1"
	switch shape {
	case Empty:
		v.Self.Endpoints = nil
		return v
	case Null:
		rack = ""
	case Long:
		brokers, topics, partitions = 150, 150, 3
	}
	var all []int32
	for id := int32(1); id <= brokers; id++ {
		v.Image.PutBroker(Broker(id, "broker.example", 9000+id, rack))
		all = append(all, id)
	}
	for i := range topics {
		replicas := all
		if i > 0 && len(all) > 2 {
			replicas = all[:2]
		}
		v.Image.PutTopic(Topic(TopicName(i, shape), TopicID(i), partitions, replicas))
	}
	v.Image.PutTopic(Topic("__consumer_offsets", TopicID(1000), 50, all[:1]))
	// One partition without a leader, one led by a broker that is gone, one that is new.
	odd := Topic("odd", TopicID(1001), 3, all)
	odd.Partitions[0].State.Leader = -1
	odd.Partitions[1].Assignment.Replicas = []int32{1, 999}
	odd.Partitions[1].State.Leader = 999
	odd.Partitions[2].Known = false
	v.Image.PutTopic(odd)
	// Partitions that are being reassigned: to a broker, away from one, and both.
	moving := Topic("moving", TopicID(1002), partitions+2, all[:2])
	for i := range partitions + 1 {
		moving.Partitions[i].Assignment = partition.Assignment{Replicas: all[:2]}.ReassignTo([][]int32{all, all[:1], all[1:]}[i%3])
	}
	v.Image.PutTopic(moving)
	return v
}

// TopicName and TopicID name the topics of ViewFor.
func TopicName(i int, shape Shape) string {
	if shape == Long {
		return fmt.Sprintf("topic-%d-%s", i, strings.Repeat("x", 230))
	}
	return fmt.Sprintf("topic-%d", i)
}

// TopicID is the id of topic i.
func TopicID(i int) cluster.TopicID { return cluster.TopicID{15: 1, 1: byte(i), 2: byte(i >> 8)} }

// failing answers each call with an error for each item.
func failing(_ context.Context, body planner.CallBody) (planner.ReplyBody, error) {
	switch b := body.(type) {
	case planner.CreateTopics:
		re := planner.CreateTopicsReply{}
		for _, t := range b.Topics {
			re.Topics = append(re.Topics, planner.NewTopicReply{Name: t.Name, Err: kerr.InvalidReplicationFactor, Message: "too few brokers"})
		}
		return re, nil
	case planner.DeleteTopics:
		re := planner.DeleteTopicsReply{}
		for _, t := range b.Topics {
			re.Topics = append(re.Topics, planner.DeletedTopic{Name: t.Name, ID: t.ID, Err: kerr.TopicDeletionDisabled})
		}
		return re, nil
	case planner.CreatePartitions:
		re := planner.CreatePartitionsReply{}
		for _, t := range b.Topics {
			re.Topics = append(re.Topics, planner.GrownTopic{Name: t.Name, Err: kerr.InvalidPartitions, Message: "Topic already has 9 partitions."})
		}
		return re, nil
	case planner.AlterScram:
		re := planner.AlterScramReply{}
		for _, user := range b.Users() {
			re.Users = append(re.Users, planner.ScramUser{User: user, Err: kerr.UnacceptableCredential, Message: "Too few iterations"})
		}
		return re, nil
	case planner.AlterPartition:
		re := planner.AlterPartitionReply{}
		for _, i := range b.Items {
			re.Items = append(re.Items, planner.AlterItemReply{Topic: i.Topic, TopicID: i.TopicID, Number: i.Number, Err: kerr.FencedLeaderEpoch})
		}
		if len(re.Items) == 0 {
			re.Err = kerr.StaleBrokerEpoch
		}
		return re, nil
	case planner.ElectLeaders:
		re := planner.ElectLeadersReply{Results: []planner.ElectionResult{}}
		for i, id := range b.Partitions {
			result := planner.ElectionResult{ID: id, Err: kerr.RequestTimedOut}
			if i%2 == 0 {
				result.Err, result.Message = kerr.PreferredLeaderNotAvailable, "it is not there"
			}
			re.Results = append(re.Results, result)
		}
		return re, nil
	case planner.AlterReassignments:
		re := planner.AlterReassignmentsReply{}
		for i, it := range b.Items {
			if i%2 == 1 {
				re.Items = append(re.Items, planner.AlterReassignmentsItem{ID: it.ID, Err: kerr.NoReassignmentInProgress})
				continue
			}
			re.Items = append(re.Items, planner.AlterReassignmentsItem{ID: it.ID, Err: kerr.InvalidReplicaAssignment, Message: "not alive"})
		}
		if len(re.Items) == 0 {
			re.Err = kerr.NotController
		}
		return re, nil
	case planner.ControlledShutdown:
		return planner.ControlledShutdownReply{Err: kerr.StaleBrokerEpoch, Remaining: []partition.ID{}}, nil
	default:
		return planner.AllocateProducerIDsReply{Err: kerr.BrokerIDNotRegistered}, nil
	}
}
