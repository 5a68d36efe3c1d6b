package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/kafka"
)

// play runs all scenarios, one after the other. Each begins with all replicas in sync.
func (r *rig) play(ctx context.Context, storm int) error {
	for _, scenario := range []func(context.Context) error{
		func(ctx context.Context) error { return r.failover(ctx, r.inOrder) },
		r.brokerLost,
		r.controlledShutdown,
		r.preferred,
		func(ctx context.Context) error { return r.oneTopic(ctx, storm) },
		func(ctx context.Context) error { return r.manyTopics(ctx, storm) },
	} {
		limited, cancel := context.WithTimeout(ctx, 5*time.Minute)
		err := scenario(limited)
		cancel()
		if err != nil {
			return err
		}
	}
	return r.memory()
}

func (r *rig) inOrder(i int) state { return r.layout.initial(i, r.begun) }

// failover sets all states back, and has the role claimed anew: the clock runs from the end of the last claim until the last
// stub was told of everything.
func (r *rig) failover(ctx context.Context, of func(i int) state) error {
	r.begun++
	if err := r.layout.reset(ctx, r.conn, of); err != nil {
		return err
	}
	before, err := r.controllerEpoch()
	if err != nil {
		return err
	}
	return r.timed(ctx, "failover", 0, func() error { return r.conn.Delete("/controller", -1) }, r.everything(before))
}

// victim is the stub to which something happens.
func (r *rig) victim() *stub { return r.stubs[len(r.stubs)-1] }

// without are the goals that a broker leads nothing, and is in no ISR.
func (r *rig) without(broker int32) []*goal {
	leads := func(i int) bool { return r.layout.replicas(i)[0] == broker }
	return []*goal{{
		name:  "new leaders",
		needs: func(id int32, i int) (bool, bool) { return leads(i) && r.layout.has(i, id), leads(i) },
		met:   func(_ int, h *heard) bool { return h.leader != broker && h.leader >= 0 },
	}, {
		name: "all",
		needs: func(id int32, i int) (bool, bool) {
			has := r.layout.has(i, broker)
			return has && r.layout.has(i, id), has
		},
		met: func(_ int, h *heard) bool { return !h.inSync(broker) },
	}}
}

func (r *rig) brokerLost(ctx context.Context) error {
	v := r.victim()
	err := r.timed(ctx, "broker lost", v.id, func() error { v.leave(); return nil }, r.without(v.id)...)
	if err != nil {
		return err
	}
	if err := r.same(ctx, "broker lost"); err != nil {
		return err
	}
	if err := r.rejoin(ctx, v); err != nil {
		return err
	}
	return r.failover(ctx, r.inOrder)
}

// rejoin registers a stub again and waits until it was told of everything: a controller that is not done with its leave would
// write into what is set back next.
func (r *rig) rejoin(ctx context.Context, v *stub) error {
	known := &goal{name: "rejoin",
		needs: func(id int32, _ int) (bool, bool) { return false, id == v.id },
		met:   func(int, *heard) bool { return true }}
	r.begin(0, known)
	if err := v.register(); err != nil {
		return err
	}
	_, err := r.wait(ctx, known)
	return err
}

func (r *rig) controlledShutdown(ctx context.Context) error {
	v := r.victim()
	err := r.timed(ctx, "controlled shutdown", v.id, func() error {
		req := kmsg.NewPtrControlledShutdownRequest()
		req.Version, req.BrokerID, req.BrokerEpoch = 3, v.id, v.epoch
		resp, err := kafka.Ask(ctx, r.process.addr, req)
		if err != nil {
			return err
		}
		if a := resp.(*kmsg.ControlledShutdownResponse); a.ErrorCode != 0 || len(a.PartitionsRemaining) > 0 {
			return fmt.Errorf("error %d, %d partitions remain", a.ErrorCode, len(a.PartitionsRemaining))
		}
		return nil
	}, r.without(v.id)...)
	if err != nil {
		return err
	}
	if err := r.same(ctx, "controlled shutdown"); err != nil {
		return err
	}
	v.leave()
	if err := r.rejoin(ctx, v); err != nil {
		return err
	}
	// Half of the partitions are led by their second replica then.
	return r.failover(ctx, func(i int) state {
		s := r.inOrder(i)
		if i%2 == 0 {
			s.Leader = s.ISR[1]
		}
		return s
	})
}

func (r *rig) preferred(ctx context.Context) error {
	home := &goal{name: "all",
		needs: func(id int32, i int) (bool, bool) {
			moves := i < r.layout.partitions && i%2 == 0
			return moves && r.layout.has(i, id), moves
		},
		met: func(i int, h *heard) bool { return h.leader == r.layout.replicas(i)[0] }}
	err := r.timed(ctx, "preferred election", 0, func() error {
		req := kmsg.NewPtrElectLeadersRequest()
		req.Version, req.Topics, req.TimeoutMillis = 2, nil, 120_000
		resp, err := kafka.Ask(ctx, r.process.addr, req)
		if err != nil {
			return err
		}
		if a := resp.(*kmsg.ElectLeadersResponse); a.ErrorCode != 0 {
			return fmt.Errorf("error %d", a.ErrorCode)
		}
		return nil
	}, home)
	if err != nil {
		return err
	}
	return r.same(ctx, "preferred election")
}

// created is the goal that all is known of the partitions from first on.
func (r *rig) created(first int) *goal {
	return &goal{name: "all",
		needs: func(id int32, i int) (bool, bool) { return i >= first && r.layout.has(i, id), i >= first },
		met:   func(_ int, h *heard) bool { return h.leader >= 0 }}
}

func (r *rig) oneTopic(ctx context.Context, n int) error {
	first := r.layout.total()
	r.layout.created += n
	return r.timed(ctx, fmt.Sprintf("one topic of %d", n), 0, func() error {
		_, err := r.conn.Create("/brokers/topics/"+oneTopic, r.layout.assignment(1<<20, first, n), 0, open)
		return err
	}, r.created(first))
}

func (r *rig) manyTopics(ctx context.Context, n int) error {
	first := r.layout.total()
	r.layout.manyFrom, r.layout.created = first, r.layout.created+n
	return r.timed(ctx, fmt.Sprintf("%d topics of one", n), 0, func() error {
		return inBatches(ctx, r.conn, n, func(k int) []any {
			return []any{create(fmt.Sprintf("/brokers/topics/%s%05d", manyPrefix, k), r.layout.assignment(2<<20+k, first+k, 1))}
		})
	}, r.created(first))
}

func (r *rig) memory() error {
	now, peak, err := memory(r.process.pid)
	if err != nil {
		return err
	}
	r.report(result{Contender: r.who.name, Size: r.size, Scenario: "memory", RSS: now, PeakRSS: peak})
	return nil
}

// same reads what ZooKeeper says after a scenario, for the comparison of the contenders.
func (r *rig) same(ctx context.Context, scenario string) error {
	paths := make([]string, r.layout.partitions)
	for i := range paths {
		paths[i] = statePath(topicName(i/perTopic), i%perTopic)
	}
	states, err := r.layout.outcome(ctx, r.conn, paths)
	if err != nil {
		return err
	}
	for i := range states {
		states[i].LeaderEpoch -= 100 * r.begun
		states[i].ControllerEpoch = 0 // each claim has its own
	}
	mine := outcome{size: r.size, scenario: scenario}
	if theirs, ok := outcomes[mine]; ok {
		for i := range states {
			if s, t := states[i], theirs.states[i]; s.Leader != t.Leader || s.LeaderEpoch != t.LeaderEpoch || !slices.Equal(s.ISR, t.ISR) {
				return errors.Join(errDiffers, fmt.Errorf("%s: %s: %s has %+v, %s had %+v", scenario, paths[i], r.who.name, s, theirs.who, t))
			}
		}
		return nil
	}
	outcomes[mine] = ended{r.who.name, states}
	return nil
}

type outcome struct{ size, scenario string }

type ended struct {
	who    string
	states []state
}

var (
	// outcomes are the first contender's, which the others have to arrive at too.
	outcomes   = map[outcome]ended{}
	errDiffers = errors.New("speed without the same outcome does not count")
)
