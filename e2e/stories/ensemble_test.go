package stories

import (
	"context"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// ensembleSession is Baton's session timeout beside an ensemble whose members die: a client needs some tries to find
// another one.
const ensembleSession = 4 * time.Second

// What befalls ZooKeeper does not befall the cluster.
func TestEnsemble(t *testing.T) {
	s := begin(t, kafka.Options{ZooKeepers: 3, Proxies: []string{kafka.Internal}}, "orders")
	e := &ensemble{}
	sets := map[string]string{"zookeeper.session.timeout.ms": id(int(ensembleSession.Milliseconds()))}
	e.active = s.baton(batonproc.Options{Mode: batonproc.Active, Sets: sets})
	s.leads(e.active)
	e.standby = s.baton(batonproc.Options{ID: secondID, Mode: batonproc.Standby, Sets: sets})
	s.stands(e.standby)
	for _, misfortune := range []func(*story){e.leaderKilled, e.followerPaused, e.rollingRestart, e.noQuorum} {
		misfortune(s)
	}
	s.finish()
}

// ensemble is a pair of Batons beside three ZooKeepers.
type ensemble struct{ active, standby *batonproc.Baton }

// sound waits until a Baton leads, the other one stands by, every partition has a leader and all replicas in sync, and
// messages are acknowledged.
func (e *ensemble) sound(s *story) {
	s.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	c, err := s.cluster.WaitController(ctx, func(id int) bool { return id >= batonproc.FirstID })
	s.must(err)
	for _, b := range []*batonproc.Baton{e.active, e.standby} {
		s.must(b.WaitReady(ctx))
		s.metric(b, "baton_lease_valid 1")
	}
	s.must(s.cluster.WaitBrokers(ctx, 1, 2, 3))
	s.must(s.cluster.WaitISRFull(ctx, s.topics...))
	s.more(50)
	s.Logf("sound after %v, Baton %d leads", time.Since(begun).Round(time.Millisecond), c.BrokerID)
}

func (e *ensemble) leaderKilled(s *story) {
	leader, err := s.cluster.ZooKeeper.Leader(s.ctx)
	s.must(err)
	s.must(leader.Kill())
	s.must(s.cluster.ZooKeeper.WaitServing(s.ctx))
	e.sound(s)
	s.must(leader.Restart(s.ctx))
	e.sound(s)
}

// followerPaused stops each follower in turn for longer than a session lasts: one of them may be the one that the
// Baton is connected to.
func (e *ensemble) followerPaused(s *story) {
	for _, follower := range s.cluster.ZooKeeper.Followers(s.ctx) {
		s.must(follower.Pause())
		for end := time.Now().Add(ensembleSession * 3 / 2); time.Now().Before(end); {
			s.more(10)
		}
		s.must(follower.Resume())
		s.must(follower.WaitServing(s.ctx))
		e.sound(s)
	}
}

func (e *ensemble) rollingRestart(s *story) {
	for _, server := range s.cluster.ZooKeeper.Servers {
		s.must(server.Restart(s.ctx))
		s.must(s.cluster.ZooKeeper.WaitServing(s.ctx))
		e.sound(s)
	}
}

// noQuorum: while nothing can be known for certain no Baton tells a broker anything, and brokers go on serving.
func (e *ensemble) noQuorum(s *story) {
	gone := s.cluster.ZooKeeper.Servers[:2]
	for _, server := range gone {
		s.must(server.Kill())
	}
	for _, b := range []*batonproc.Baton{e.active, e.standby} {
		s.metric(b, "baton_lease_valid 0")
	}
	blind := time.Now()
	// A new connection to broker 1 is an occasion to tell it everything, on a view that nobody can confirm.
	s.cluster.Broker(1).Proxy(kafka.Internal).Cut()
	for end := blind.Add(time.Minute); time.Now().Before(end); { // a minute is what is promised to be survived
		s.more(10)
	}
	for _, b := range []*batonproc.Baton{e.active, e.standby} {
		if status, body, err := b.Get(s.ctx, "/readyz"); err != nil || status == 200 {
			s.Errorf("Baton %d is ready without a quorum: %d %s %v", b.ID(), status, body, err)
		}
		if n := s.framesSince(blind, b.ID()); n > 0 {
			s.Errorf("Baton %d sent %d requests without a quorum", b.ID(), n)
		}
	}
	for _, server := range gone {
		s.must(server.Start())
	}
	s.must(s.cluster.ZooKeeper.WaitServing(s.ctx))
	e.sound(s)
}
