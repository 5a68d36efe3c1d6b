// Package servertest holds what tests of the endpoint share: a controller and a broker
// that are not real, and samples of every response that the endpoint writes.
package servertest

import (
	"context"
	"sync"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/server"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Controller answers calls the easy way, from an image that it owns.
type Controller struct {
	mu     sync.Mutex
	active bool
	view   planner.View
	calls  []planner.CallBody
	// Answer, if set before use, replaces the answers to calls.
	Answer func(context.Context, planner.CallBody) (planner.ReplyBody, error)
}

// NewController returns an active controller with that view.
func NewController(v planner.View) *Controller { return &Controller{active: true, view: v} }

// SetActive makes it the holder or a standby.
func (c *Controller) SetActive(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active = on
}

// SetSelf replaces Baton's own entry, once its port is known.
func (c *Controller) SetSelf(b cluster.Broker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.Self = b
}

// Active implements server.Controller.
func (c *Controller) Active() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.active
}

// Calls returns what was called so far.
func (c *Controller) Calls() []planner.CallBody {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]planner.CallBody(nil), c.calls...)
}

// View implements server.Controller.
func (c *Controller) View(_ context.Context, f func(planner.View)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.active {
		return server.ErrNotActive
	}
	f(c.view)
	return nil
}

// Call implements server.Controller.
func (c *Controller) Call(ctx context.Context, body planner.CallBody) (planner.ReplyBody, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, body)
	if !c.active {
		return nil, server.ErrNotActive
	}
	if answer := c.Answer; answer != nil {
		c.mu.Unlock() // it may wait
		defer c.mu.Lock()
		return answer(ctx, body)
	}
	switch b := body.(type) {
	case planner.CreateTopics:
		return c.create(b), nil
	case planner.DeleteTopics:
		return c.remove(b), nil
	case planner.CreatePartitions:
		return c.grow(b), nil
	case planner.AlterPartition:
		return accept(b), nil
	case planner.ElectLeaders:
		return c.elect(b), nil
	case planner.AlterReassignments:
		re := planner.AlterReassignmentsReply{}
		for _, i := range b.Items {
			re.Items = append(re.Items, planner.AlterReassignmentsItem{ID: i.ID})
		}
		return re, nil
	case planner.AlterScram:
		re := planner.AlterScramReply{}
		for _, user := range b.Users() {
			re.Users = append(re.Users, planner.ScramUser{User: user})
		}
		return re, nil
	case planner.ControlledShutdown:
		return planner.ControlledShutdownReply{Remaining: led(c.view.Image, b.Broker)}, nil
	default:
		return planner.AllocateProducerIDsReply{Start: 5000, Length: 1000}, nil
	}
}

// create puts the topics into the image, led by the first brokers.
func (c *Controller) create(b planner.CreateTopics) planner.CreateTopicsReply {
	var re planner.CreateTopicsReply
	brokers := c.view.Image.Brokers()
	for _, t := range b.Topics {
		n, factor := max(t.Partitions, 1), max(int(t.Factor), 1)
		var replicas []int32
		for _, b := range brokers[:min(factor, len(brokers))] {
			replicas = append(replicas, b.ID)
		}
		if !b.ValidateOnly {
			c.view.Image.PutTopic(Topic(t.Name, t.ID, int(n), replicas))
		}
		re.Topics = append(re.Topics, planner.NewTopicReply{Name: t.Name, ID: t.ID, Partitions: n, Factor: int16(factor)})
	}
	return re
}

// elect finds no election needed for the first partition of each topic and holds one for
// every other.
func (c *Controller) elect(b planner.ElectLeaders) planner.ElectLeadersReply {
	ids := b.Partitions
	if b.All {
		c.view.Image.Each(func(t *cluster.Topic, p *cluster.Partition) {
			ids = append(ids, partition.ID{Topic: t.Name, Number: p.Number})
		})
	}
	re := planner.ElectLeadersReply{Results: []planner.ElectionResult{}}
	for _, id := range ids {
		r := planner.ElectionResult{ID: id}
		if id.Number == 0 {
			r.Err = kerr.ElectionNotNeeded
		}
		re.Results = append(re.Results, r)
	}
	return re
}

// remove takes the topics that there are out of the image.
func (c *Controller) remove(b planner.DeleteTopics) planner.DeleteTopicsReply {
	var re planner.DeleteTopicsReply
	for _, t := range b.Topics {
		out := planner.DeletedTopic{Name: t.Name, ID: t.ID}
		switch found := c.view.Image.TopicByID(t.ID); {
		case t.ID.IsZero() && c.view.Image.Topic(t.Name) == nil:
			out.Err = kerr.UnknownTopicOrPartition
		case !t.ID.IsZero() && found == nil:
			out.Err = kerr.UnknownTopicID
		case !t.ID.IsZero():
			out.Name = found.Name
		}
		if out.Err == nil {
			c.view.Image.RemoveTopic(out.Name)
		}
		re.Topics = append(re.Topics, out)
	}
	return re
}

// grow refuses what the image does not have.
func (c *Controller) grow(b planner.CreatePartitions) planner.CreatePartitionsReply {
	var re planner.CreatePartitionsReply
	for _, t := range b.Topics {
		out := planner.GrownTopic{Name: t.Name}
		if c.view.Image.Topic(t.Name) == nil {
			out.Err, out.Message = kerr.UnknownTopicOrPartition, "The topic does not exist."
		}
		re.Topics = append(re.Topics, out)
	}
	return re
}

func accept(b planner.AlterPartition) planner.AlterPartitionReply {
	re := planner.AlterPartitionReply{Items: []planner.AlterItemReply{}}
	for _, i := range b.Items {
		re.Items = append(re.Items, planner.AlterItemReply{Topic: i.Topic, TopicID: i.TopicID, Number: i.Number, State: isr.LeaderAndISR{
			Leader: b.Broker, LeaderEpoch: i.Request.LeaderEpoch, ISR: i.Request.ISR,
			Recovery: i.Request.Recovery, PartitionEpoch: i.Request.PartitionEpoch + 1,
		}})
	}
	return re
}

func led(im *cluster.Image, broker int32) []partition.ID {
	var out []partition.ID
	im.Each(func(t *cluster.Topic, p *cluster.Partition) {
		if p.Known && p.State.Leader == broker {
			out = append(out, partition.ID{Topic: t.Name, Number: p.Number})
		}
	})
	return out
}

// Topic makes a topic whose partitions are led by their first replica.
func Topic(name string, id cluster.TopicID, partitions int, replicas []int32) cluster.Topic {
	t := cluster.Topic{Name: name, ID: id}
	for n := range partitions {
		p := cluster.Partition{Number: int32(n), Assignment: partition.Assignment{Replicas: replicas}, Known: len(replicas) > 0}
		if p.Known {
			p.State.LeaderAndISR = isr.LeaderAndISR{Leader: replicas[0], LeaderEpoch: 7, ISR: replicas}
		}
		t.Partitions = append(t.Partitions, p)
	}
	return t
}

// Broker makes a broker or Baton with one PLAINTEXT endpoint.
func Broker(id int32, host string, port int32, rack string) cluster.Broker {
	return cluster.Broker{ID: id, Epoch: 100, Rack: rack, HasRack: rack != "", Endpoints: []cluster.Endpoint{
		{Listener: Listener, Protocol: cluster.Plaintext, Host: host, Port: port},
	}}
}

// Listener is the only listener name used here; BatonID is Baton's id.
const (
	Listener       = "PLAINTEXT"
	BatonID  int32 = 2_000_000
)
