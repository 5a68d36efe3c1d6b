package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

const secondID = batonproc.FirstID + 1

// short makes Baton's session shorter than the brokers', so that its end is noticed soon.
func short() map[string]string { return map[string]string{"zookeeper.session.timeout.ms": "2000"} }

// pair starts a Baton that leads and one that stands by in this mode. The first one also takes the role from brokers.
func (s *story) pair(mode string) (active, standby *batonproc.Baton) {
	s.Helper()
	active = s.baton(batonproc.Options{Mode: batonproc.Active, Sets: short()})
	s.leads(active)
	standby = s.baton(batonproc.Options{ID: secondID, Mode: mode, Sets: short()})
	s.stands(standby)
	return active, standby
}

// leads waits until the Baton is the controller and has loaded the cluster.
func (s *story) leads(b *batonproc.Baton) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	s.must(b.WaitActive(ctx))
	s.must(b.WaitReady(ctx))
}

// stands waits until the Baton is a standby that could lead.
func (s *story) stands(b *batonproc.Baton) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	s.must(b.WaitStandby(ctx))
	s.must(b.WaitReady(ctx))
}

// step runs a part of the story. Its Batons end with it, and then a broker has the role.
func (s *story) step(name string, f func(*story)) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 3*time.Minute)
	defer cancel()
	ok := s.Run(name, func(t *testing.T) {
		part := *s
		part.T, part.ctx = t, ctx
		f(&part)
	})
	if !ok {
		s.FailNow()
	}
	s.embedded()
}

// role waits until the Baton says that it has this role.
func (s *story) role(b *batonproc.Baton, role string) {
	s.Helper()
	s.metric(b, fmt.Sprintf(`baton_role{role="%s"} 1`, role))
}

// metric waits until the Baton's metrics have this line.
func (s *story) metric(b *batonproc.Baton, line string) {
	s.Helper()
	s.must(kafka.Eventually(s.ctx, fmt.Sprintf("%s of Baton %d", line, b.ID()), func(ctx context.Context) (bool, error) {
		_, body, err := b.Get(ctx, "/metrics")
		return strings.Contains(body, "\n"+line+"\n"), err
	}))
}

// tenure is one holder's time in /controller.
type tenure struct {
	holder int
	czxid  int64
	epoch  string
}

// tenure reads who holds now.
func (s *story) tenure() (t tenure) {
	s.Helper()
	data, stat, err := s.cluster.Conn.Get("/controller")
	s.must(err)
	var v struct {
		BrokerID int `json:"brokerid"`
	}
	s.must(json.Unmarshal(data, &v))
	epoch, _, err := s.cluster.Conn.Get("/controller_epoch")
	s.must(err)
	return tenure{v.BrokerID, stat.Czxid, string(epoch)}
}

// soak is how long something has to last, briefly or in a soak.
func soak(brief, long time.Duration) time.Duration {
	if os.Getenv("BATON_SOAK") == "1" {
		return long
	}
	return brief
}
