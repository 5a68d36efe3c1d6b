package sequence

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// Site is a cluster that operations are done to, and its controller.
type Site struct {
	Name    string
	Cluster *kafka.Cluster
	Baton   *batonproc.Baton // nil under Kafka's own controller
	before  string           // the newest change notification from before the operations
	epoch   string           // of the controller then
}

// settles bounds how long an operation may take to have had all its effects, a broker's start included.
const settles = 2 * time.Minute

// Run does the operations one after the other, each when the one before has had all its effects, and returns what was answered.
func (s *Site) Run(ctx context.Context, m *Model, ops []Op) (said []string, err error) {
	for i, o := range ops {
		text, err := s.do(ctx, m, o)
		if err == nil {
			m.Apply(o)
			err = s.Settle(ctx, m)
		}
		if err != nil {
			return said, fmt.Errorf("%s: operation %d, %v: %w", s.Name, i+1, o, err)
		}
		said = append(said, text)
	}
	return said, nil
}

// CleanUp leaves nothing of the topics and settings.
func (s *Site) CleanUp(ctx context.Context, m *Model) error {
	for _, o := range m.CleanUp() {
		if _, err := s.do(ctx, m, o); err != nil {
			return fmt.Errorf("%s: cleaning up, %v: %w", s.Name, o, err)
		}
		m.Apply(o)
	}
	if err := s.Settle(ctx, m); err != nil {
		return fmt.Errorf("%s: cleaning up: %w", s.Name, err)
	}
	return nil
}

// Settle waits until the cluster is what the model says.
func (s *Site) Settle(ctx context.Context, m *Model) error {
	ctx, cancel := context.WithTimeout(ctx, settles)
	defer cancel()
	err := kafka.Eventually(ctx, "the model's state", func(ctx context.Context) (bool, error) {
		now, err := s.snapshot(ctx, false)
		if err != nil {
			return false, err
		}
		missing := Settled(m, now)
		return missing == "", errors.New(missing)
	})
	if err != nil {
		return fmt.Errorf("%w\nexpected:\n%s", err, m.Expected())
	}
	return nil
}

func (s *Site) do(ctx context.Context, m *Model, o Op) (string, error) {
	switch o.Kind {
	case Kill:
		return "", s.kill(ctx, o.Broker)
	case ShutDown:
		b := s.broker(o.Broker)
		return "", errors.Join(b.Terminate(ctx), b.WaitGone(ctx))
	case Boot:
		b := s.broker(o.Broker)
		if err := b.Start(); err != nil {
			return "", err
		}
		return "", b.WaitRegistered(ctx)
	case Restart:
		return "", s.broker(o.Broker).Restart(ctx)
	case ReassignAndKill:
		if err := s.moveController(ctx, m, o.Broker); err != nil {
			return "", err
		}
		if err := s.broker(o.Broker).Pause(); err != nil {
			return "", err
		}
		said, err := s.ask(ctx, o)
		return said, errors.Join(err, s.kill(ctx, o.Broker))
	default:
		return s.ask(ctx, o)
	}
}

func (s *Site) broker(id int32) *kafka.Broker { return s.Cluster.Broker(int(id)) }

// kill does not wait for ZooKeeper to miss the broker: what its session held is taken away at once, as at the session's end. Sessions
// can so be long enough for a machine that is busy.
func (s *Site) kill(ctx context.Context, id int32) error {
	b := s.broker(id)
	if err := b.Kill(); err != nil {
		return err
	}
	held := []string{fmt.Sprintf("/brokers/ids/%d", id)}
	if c, err := s.Cluster.WaitController(ctx, nil); err != nil {
		return err
	} else if c.BrokerID == int(id) {
		held = append(held, "/controller")
	}
	for _, path := range held {
		if err := s.Cluster.Conn.Delete(s.Cluster.Chroot()+path, -1); err != nil && !errors.Is(err, zk.ErrNoNode) {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// moveController has another broker than this one be the controller, which could not answer if it stood still.
func (s *Site) moveController(ctx context.Context, m *Model, from int32) error {
	for {
		c, err := s.Cluster.WaitController(ctx, nil)
		if err != nil || c.BrokerID != int(from) {
			return errors.Join(err, s.Settle(ctx, m))
		}
		if err := s.Cluster.Conn.Delete(s.Cluster.Chroot()+"/controller", -1); err != nil && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
	}
}

func (s *Site) ask(ctx context.Context, o Op) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*answered)
	defer cancel()
	req, err := request(o, s.topicID)
	if err != nil {
		return "", err
	}
	c, err := s.Cluster.WaitController(ctx, nil)
	if err != nil {
		return "", err
	}
	if o.Kind == BrokerConfig { // clients ask the broker itself
		c.BrokerID = int(o.Broker)
	}
	resp, err := kafka.Ask(ctx, s.addr(c.BrokerID), req)
	if err != nil {
		return "", err
	}
	return answer(resp)
}

func (s *Site) addr(id int) string {
	if s.Baton != nil && id == s.Baton.ID() {
		return s.Baton.Addr()
	}
	return s.Cluster.Broker(id).Addr()
}

// topicID reads a topic's id, which is not the same in two clusters.
func (s *Site) topicID(name string) (id [16]byte, err error) {
	data, _, err := s.Cluster.Conn.Get(s.Cluster.Chroot() + topicsPath + "/" + name)
	if err != nil {
		return id, fmt.Errorf("%s: %w", name, err)
	}
	var v struct {
		ID string `json:"topic_id"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return id, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(v.ID)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("%s has the id %q", name, v.ID)
	}
	return [16]byte(raw), nil
}

// Begin has later snapshots leave out what notifications there are, as brokers remove those that are old now and then, and see to
// it that Baton is the controller from now on, without a gap.
func (s *Site) Begin() error {
	names, err := s.childrenOf(changes)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		s.before = slices.Max(names)
	}
	s.epoch, err = s.controllerEpoch()
	return err
}

func (s *Site) controllerEpoch() (string, error) {
	data, _, err := s.Cluster.Conn.Get(s.Cluster.Chroot() + "/controller_epoch")
	return string(data), err
}

// sameController fails if somebody else than Baton was the controller since the beginning. Kafka's own come and go.
func (s *Site) sameController(holder int) error {
	if s.Baton == nil {
		return nil
	}
	epoch, err := s.controllerEpoch()
	if err == nil && (holder != s.Baton.ID() || epoch != s.epoch) {
		err = fmt.Errorf("%w: %d is the controller, with epoch %s; it was Baton with %s", kafka.ErrHopeless, holder, epoch, s.epoch)
	}
	return err
}
