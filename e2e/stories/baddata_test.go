package stories

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// Garbage in any znode that Baton reads, before it claims and while it leads: what decides about the role keeps it from
// claiming, everything else is named, left alone, and keeps nobody from leading the rest of the cluster.
func TestBadData(t *testing.T) {
	s := begin(t, kafka.Options{}, "orders")
	g := &garbage{}
	for i := range shapes {
		s.must(s.cluster.CreateTopic(s.ctx, g.topic("topic", i), 1, 3))
	}
	s.must(s.cluster.CreateTopic(s.ctx, "states", len(shapes), 3))
	b := s.baton(batonproc.Options{Mode: batonproc.Standby, Sets: short()})
	s.stands(b)

	s.part("role at load", func() { g.roleAtLoad(s, b) })
	s.part("cluster at load", func() { g.clusterAtLoad(s, b) })
	s.part("mended", func() { g.mended(s, b) })
	s.part("one by one", func() { g.oneByOne(s, b) })
	s.part("cluster at run time", func() { g.clusterAtRunTime(s, b) })
	s.part("mended again", func() { g.mended(s, b) })
	s.part("epoch at run time", func() { g.epochAtRunTime(s, b) })
	s.verified()
	s.soundApart()
}

// part tells how long a part of a story took.
func (s *story) part(name string, f func()) {
	s.Helper()
	begun := time.Now()
	f()
	s.Logf("%s: %v", name, time.Since(begun).Round(time.Millisecond))
}

// garbage is what is spoilt at the moment.
type garbage struct {
	lasting []*spoilt // what Kafka gets along with
	states  []*spoilt // partition states; Baton reads them when it claims, and when it has something to write there
	startup []*spoilt // a broker that starts ends at these
	round   int
}

func (g *garbage) topic(kind string, i int) string { return fmt.Sprintf("%s-%s", kind, shapes[i]) }

func (g *garbage) all() []*spoilt { return slices.Concat(g.lasting, g.states, g.startup) }

// roleZnode is one that decides who may take the role.
type roleZnode struct {
	path string
	contents
}

// roleAtLoad: none of these may be understood wrongly by one who wants to claim, so nobody claims.
func (g *garbage) roleAtLoad(s *story, b *batonproc.Baton) {
	for _, r := range []roleZnode{
		{"/controller", controllerJSON}, {"/controller_epoch", epochText}, {"/migration", migrationJSON},
		{"/baton/hold", holdJSON}, {"/baton/handover", handoverJSON},
		{"/baton/members/2000009", memberJSON}, {"/baton/members/" + id(b.ID()), memberJSON},
	} {
		before := s.tenure()
		for i, shape := range shapes {
			data, ok := r.of(shape)
			if !ok {
				continue
			}
			z := s.spoil(r.path, data)
			s.names(b, z)
			s.unready(b, r.path+" cannot be understood: expected")
			if i == 0 {
				contains(s.T, s.cli(b, 3, "takeover", "--yes"), r.path+" cannot be understood: expected")
				contains(s.T, s.cli(b, 3, "check"), "FAIL  "+r.path)
				contains(s.T, s.cli(b, 0, "status"), r.path+": expected")
			}
			s.mend(z)
		}
		s.names(b)
		s.must(b.WaitReady(s.ctx))
		if now := s.tenure(); now != before {
			s.Errorf("%s: the role moved from %+v to %+v", r.path, before, now)
		}
	}
}

// unready waits until the Baton says that it is not ready, and why.
func (s *story) unready(b *batonproc.Baton, why string) {
	s.Helper()
	s.must(kafka.Eventually(s.ctx, "not ready: "+why, func(ctx context.Context) (bool, error) {
		status, body, err := b.Get(ctx, "/readyz")
		if err == nil && (status == 200 || !strings.Contains(body, why)) {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err == nil, err
	}))
}

// spoilCluster spoils one znode of each kind in each shape.
func (g *garbage) spoilCluster(s *story) {
	g.round++
	lasting := func(path, data string) { g.lasting = append(g.lasting, s.spoil(path, data)) }
	startup := func(path, data string) { g.startup = append(g.startup, s.spoil(path, data)) }
	for i, shape := range shapes {
		if data, ok := topicJSON.of(shape); ok {
			lasting("/brokers/topics/"+g.topic("topic", i), data)
		}
		if data, ok := stateJSON.of(shape); ok {
			g.states = append(g.states, s.spoil(fmt.Sprintf("/brokers/topics/states/partitions/%d/state", i), data))
		}
		if data, ok := logDirJSON.of(shape); ok {
			lasting(fmt.Sprintf("/log_dir_event_notification/log_dir_event_%d00000000%d", g.round, i), data)
		}
		if data, ok := brokerJSON.of(shape); ok {
			startup(fmt.Sprintf("/brokers/ids/%d", 77+i), data)
		}
		// No content is no override of anything, by Kafka's rules.
		if data, ok := configJSON.of(shape); ok && shape != "empty" {
			topic := g.topic(fmt.Sprintf("config%d", g.round), i)
			lasting(s.allows(topic), data) // first: a Baton that leads reads it at once
			s.needsConfig(topic)
		}
	}
	lasting("/baton/ids/nobody", "")
	startup("/brokers/ids/nobody", "")
}

// needsConfig makes a topic whose only partition nobody of the ISR can lead, so that its own setting decides whether
// another replica may. Its ISR is a broker that does not exist.
func (s *story) needsConfig(topic string) {
	s.Helper()
	conn := s.cluster.Conn
	ops := []any{}
	for _, n := range []struct{ path, data string }{
		{"", `{"version":1,"partitions":{"0":[9,1]}}`}, {"/partitions", ""}, {"/partitions/0", ""},
		{"/partitions/0/state", `{"version":1,"leader":-1,"leader_epoch":3,"controller_epoch":0,"isr":[9]}`},
	} {
		ops = append(ops, &zk.CreateRequest{Path: "/brokers/topics/" + topic + n.path, Data: []byte(n.data), Acl: zk.WorldACL(zk.PermAll)})
	}
	_, err := conn.Multi(ops...)
	s.must(err)
}

// allows makes a topic's configuration that allows unclean elections and returns its path.
func (s *story) allows(topic string) string {
	s.Helper()
	path := "/config/topics/" + topic
	_, err := s.cluster.Conn.Create(path, []byte(`{"version":1,"config":{"unclean.leader.election.enable":"true"}}`), 0, zk.WorldACL(zk.PermAll))
	s.must(err)
	return path
}

// clusterAtLoad: Baton claims beside the garbage.
func (g *garbage) clusterAtLoad(s *story, b *batonproc.Baton) {
	g.spoilCluster(s)
	s.cli(b, 0, "takeover", "--yes")
	s.leads(b)
	s.names(b, g.all()...)
	g.leadsTheRest(s, b)
}

// leadsTheRest kills a broker beside the garbage and has it return.
func (g *garbage) leadsTheRest(s *story, b *batonproc.Baton) {
	s.must(s.cluster.Broker(2).Kill())
	s.must(s.cluster.WaitNotLeading(s.ctx, 2, s.topics...))
	s.more(100)
	s.names(b, g.all()...)
	// A broker that starts reads all registrations, and ends at one that it cannot understand.
	s.mend(g.startup...)
	g.startup = nil
	s.must(s.cluster.Broker(2).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	s.names(b, slices.Concat(g.lasting, g.states)...)
	s.more(100)
}

// mended: what can be understood again is led again.
func (g *garbage) mended(s *story, b *batonproc.Baton) {
	s.mend(g.all()...)
	g.lasting, g.states, g.startup = nil, nil, nil
	s.names(b)
	all := append([]string{"states"}, s.topics...)
	for i := range shapes {
		all = append(all, g.topic("topic", i))
	}
	s.must(s.cluster.WaitISRFull(s.ctx, all...))
	for i, shape := range shapes {
		if shape == "empty" {
			continue
		}
		// The setting that was mended allows it.
		topic := g.topic(fmt.Sprintf("config%d", g.round), i)
		s.must(s.cluster.WaitPartitions(s.ctx, topic+" to be led by broker 1", []string{topic},
			func(_ []int, p kafka.PartitionState) bool { return p.Leader == 1 }))
	}
}

// oneByOne spoils what exists once, in one shape after the other, while Baton leads.
func (g *garbage) oneByOne(s *story, b *batonproc.Baton) {
	before := s.tenure()
	for _, shape := range shapes {
		var zs []*spoilt
		for _, r := range []roleZnode{
			{"/controller", controllerJSON}, {"/migration", migrationJSON}, {"/baton/hold", holdJSON}, {"/baton/handover", handoverJSON},
			{"/baton/members/2000009", memberJSON}, {"/baton/members/" + id(b.ID()), memberJSON},
			{"/admin/reassign_partitions", reassignJSON}, {"/brokers/ids/3", brokerJSON},
		} {
			if data, ok := r.of(shape); ok {
				zs = append(zs, s.spoil(r.path, data))
			}
		}
		s.names(b, zs...)
		s.mend(zs...)
		s.names(b)
	}
	g.producerIDs(s, b)
	s.more(20)
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	if now := s.tenure(); now != before {
		s.Errorf("the role moved from %+v to %+v", before, now)
	}
}

// producerIDs: no block is given out that may have been given out before.
func (g *garbage) producerIDs(s *story, b *batonproc.Baton) {
	const path = "/latest_producer_id_block"
	first, code := s.allocate(b)
	if code != 0 {
		s.Fatalf("producer ids: error %d", code)
	}
	for _, shape := range shapes {
		data, _ := blockJSON.of(shape)
		z := s.spoil(path, data)
		if start, code := s.allocate(b); code == 0 {
			s.Errorf("%s: a block from %d on", shape, start)
		}
		s.names(b, z)
		s.mend(z)
		next, code := s.allocate(b)
		if code != 0 || next <= first {
			s.Errorf("%s, mended: error %d, a block from %d after one from %d", shape, code, next, first)
		}
		s.names(b)
		first = next
	}
}

// allocate asks Baton for producer ids as broker 1 does.
func (s *story) allocate(b *batonproc.Baton) (start int64, code int16) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	s.must(err)
	defer client.Close()
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	epoch, err := s.cluster.Broker(1).Epoch()
	s.must(err)
	req.BrokerID, req.BrokerEpoch = 1, epoch
	resp, err := client.SeedBrokers()[0].Request(ctx, req)
	s.must(err)
	r := resp.(*kmsg.AllocateProducerIDsResponse)
	return r.ProducerIDStart, r.ErrorCode
}

// clusterAtRunTime: everything at once while Baton leads, a live broker's registration among it.
func (g *garbage) clusterAtRunTime(s *story, b *batonproc.Baton) {
	g.spoilCluster(s)
	for _, r := range []roleZnode{{"/controller", controllerJSON}, {"/brokers/ids/3", brokerJSON}} {
		data, _ := r.of("truncated")
		z := s.spoil(r.path, data)
		g.startup = append(g.startup, z)
	}
	s.names(b, slices.Concat(g.lasting, g.startup)...)
	g.leadsTheRest(s, b)
}

// epochAtRunTime: without a fence nothing can be written, so the role is given up until the epoch is mended. What was
// known of a live broker is not forgotten meanwhile.
func (g *garbage) epochAtRunTime(s *story, b *batonproc.Baton) {
	data, _ := brokerJSON.of("truncated")
	broker := s.spoil("/brokers/ids/3", data)
	s.names(b, broker)
	led := s.leaders(s.topics...)
	for _, shape := range shapes {
		data, ok := epochText.of(shape)
		if !ok {
			continue
		}
		z := s.spoil("/controller_epoch", data)
		s.unready(b, "/controller_epoch cannot be understood: expected")
		s.names(b, z)
		s.role(b, "standby")
		s.mend(z)
		s.leads(b)
		s.names(b, broker)
	}
	s.more(50)
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	if now := s.leaders(s.topics...); !maps.Equal(now, led) {
		s.Errorf("leaders were %v, are %v", led, now)
	}
	s.mend(broker)
	s.names(b)
}
