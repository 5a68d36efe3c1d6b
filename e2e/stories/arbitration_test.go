package stories

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/history"
	"baton/e2e/kafka"
)

// Who holds and who may take, while Batons come and go.
func TestArbitration(t *testing.T) {
	s := begin(t, kafka.Options{}, "orders")
	s.step("all Batons killed", (*story).allKilled)
	s.step("two active", (*story).twoActive)
	s.step("hand-back holds", (*story).handbackHolds)
	s.step("hand-over", (*story).handedOver)
	s.neverLeaderless(s.finish())
}

// allKilled: without any Baton, Kafka's own controller goes on, and a returning Baton takes the role back.
func (s *story) allKilled() {
	active, standby := s.pair(batonproc.Standby)
	s.must(active.Kill())
	s.must(standby.Kill())
	broker := s.embedded()
	s.Logf("broker %d claimed", broker)
	s.must(s.cluster.CreateTopic(s.ctx, "meanwhile", 3, 3))
	s.must(s.cluster.Broker(broker).Restart(s.ctx)) // yet another broker claims
	s.must(s.cluster.WaitISRFull(s.ctx, "orders", "meanwhile"))
	s.embedded()
	s.must(active.Start())
	s.leads(active)
	s.must(standby.Start())
	s.stands(standby)
	s.must(s.cluster.CreateTopic(s.ctx, "afterwards", 3, 3))
	s.more(50)
}

// twoActive: the second one that may take the role from brokers does not take it from the first.
func (s *story) twoActive() {
	// With the brokers' own session timeout: on a busy machine a short session may well end by itself.
	first := s.baton(batonproc.Options{Mode: batonproc.Active})
	second := s.baton(batonproc.Options{ID: secondID, Mode: batonproc.Active})
	s.must(first.WaitReady(s.ctx))
	s.must(second.WaitReady(s.ctx))
	_, err := s.cluster.WaitController(s.ctx, func(id int) bool { return id >= batonproc.FirstID })
	s.must(err)
	before := s.tenure()
	for end := time.Now().Add(soak(20*time.Second, time.Minute)); time.Now().Before(end); {
		s.more(20)
	}
	if now := s.tenure(); now != before {
		s.Errorf("the role moved from %+v to %+v", before, now)
	}
}

// handbackHolds: after a hand-back no Baton claims, however often it is started anew and whoever else gives the role
// up, until a takeover.
func (s *story) handbackHolds() {
	first := s.baton(batonproc.Options{Mode: batonproc.Active, Sets: short()})
	s.leads(first)
	second := s.baton(batonproc.Options{ID: secondID, Mode: batonproc.Active, Sets: short()})
	s.stands(second)
	s.Log(s.cli(first, 0, "handback", "--yes", "--reason", "test"))
	before := s.tenure()
	for _, b := range []*batonproc.Baton{first, second} {
		s.must(b.Restart(s.ctx))
		s.role(b, "held")
	}
	if now := s.tenure(); now != before {
		s.Errorf("the role moved from %+v to %+v", before, now)
	}
	s.must(s.cluster.Conn.Delete("/controller", -1)) // the brokers elect anew, and only they
	s.embedded()
	s.must(first.Kill())
	s.must(first.Start())
	s.role(first, "held")
	if now := s.tenure(); now.holder >= batonproc.FirstID || now.czxid == before.czxid {
		s.Errorf("the role moved from %+v to %+v", before, now)
	}
	s.cli(second, 0, "takeover", "--yes")
	s.leads(second)
	s.stands(first)
	s.role(first, "standby")
}

// handedOver: on command and at an orderly stop the role goes from Baton to Baton with one new epoch, and no broker
// gets it in between.
func (s *story) handedOver() {
	first, second := s.pair(batonproc.Standby)
	start := s.tenure()
	s.cli(first, 0, "handover", "--yes")
	s.leads(second)
	s.stands(first)
	s.more(50)
	s.cli(first, 0, "handover", "--yes", id(first.ID())) // asked of the one that does not hold
	s.leads(first)
	s.stands(second)
	s.more(50)
	s.must(first.Terminate(s.ctx))
	s.leads(second)
	s.must(first.Start())
	s.stands(first)
	s.must(second.Terminate(s.ctx))
	s.leads(first)
	s.more(50)

	h, err := history.Read(s.cluster)
	s.must(err)
	var holders []int
	for _, c := range h.Controller() {
		if c.Op == history.Create && c.Zxid > start.czxid {
			holders = append(holders, c.BrokerID)
		}
	}
	want := []int{second.ID(), first.ID(), second.ID(), first.ID()}
	if !slices.Equal(holders, want) {
		s.Errorf("holders after %d: %v, want %v", first.ID(), holders, want)
	}
	if e := s.tenure().epoch; e != next(start.epoch, len(want)) {
		s.Errorf("epoch %s after %s", e, start.epoch)
	}
}

// next is the epoch n claims later.
func next(epoch string, n int) string {
	v, _ := strconv.Atoi(epoch) // was a number when ZooKeeper had it
	return strconv.Itoa(v + n)
}
