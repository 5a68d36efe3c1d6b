package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/kafka"
)

// scenario is what contenders play. Each begins with all replicas in sync and the first ones leading.
type scenario struct {
	name string
	what string
	play func(*rig, context.Context) error
}

// scenarios in the order in which they are played; those that create topics, which stay, come last.
var scenarios = []scenario{
	{"failover", "the role is claimed anew, by the process that had it", (*rig).failover},
	{"warm", "the same by another Baton, which was standing by", (*rig).warmFailover},
	{"lost", "a broker's session ends", func(r *rig, ctx context.Context) error { return r.lost(ctx, "broker lost", 1) }},
	{"two", "two brokers' sessions end, 100 ms apart", func(r *rig, ctx context.Context) error { return r.lost(ctx, "two brokers lost", 2) }},
	{"shutdown", "a broker asks to be shut down", (*rig).controlledShutdown},
	{"preferred", "half of all partitions go home to their preferred leaders", (*rig).preferred},
	{"alter", "AlterPartition of one partition, while nothing happens and while a broker is lost", (*rig).alterPartition},
	{"memory", "live heap after a garbage collection, at rest", (*rig).memory},
	{"one", "one topic of -storm partitions is created", (*rig).oneTopic},
	{"many", "-storm topics of one partition are created at once", (*rig).manyTopics},
	{"each", "the same, one after the other", (*rig).eachTopic},
}

// play runs the chosen scenarios, one after the other.
func (r *rig) play(ctx context.Context) error {
	for _, s := range scenarios {
		if !slices.Contains(r.scenarios, s.name) || !r.who.plays(s.name) {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, 5*time.Minute+time.Duration(r.partitions)*time.Millisecond)
		err := s.play(r, limited)
		cancel()
		if err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
	}
	return nil
}

func (r *rig) failover(ctx context.Context) error { return r.setBack(ctx, r.inOrder) }

func (r *rig) inOrder(i int) state { return r.layout.initial(i, r.begun) }

// clean sets all back if a scenario before has changed it.
func (r *rig) clean(ctx context.Context) error {
	if !r.dirty {
		return nil
	}
	return r.setBack(ctx, r.inOrder)
}

// setBack writes all states anew, and has the role claimed anew: the clock runs from the end of the last claim until the last
// stub was told of everything.
func (r *rig) setBack(ctx context.Context, of func(i int) state) error {
	r.begun++
	if err := r.layout.reset(ctx, r.conn, of); err != nil {
		return err
	}
	before, err := r.controllerEpoch()
	if err != nil {
		return err
	}
	err = r.claiming(ctx, "failover", before, func() error {
		return r.timed(ctx, "failover", r.partitions, nil, func() error { return r.conn.Delete("/controller", -1) }, r.everything(before))
	})
	r.dirty = r.dirty && err != nil
	return err
}

// claiming plays a scenario in which the role is claimed. The idle broker is a candidate, too: where it was first, and Baton took the
// role from it, that is another scenario.
func (r *rig) claiming(ctx context.Context, name string, before int32, play func() error) error {
	report := r.report
	defer func() { r.report = report }()
	var results []result
	r.report = func(one result) { results = append(results, one) }
	if err := play(); err != nil {
		return err
	}
	now, err := r.controllerEpoch()
	if err != nil {
		return err
	}
	for _, one := range results {
		if now != before+1 {
			one.Scenario = strings.Replace(one.Scenario, name, name+", after a broker", 1)
		}
		report(one)
	}
	if now == before+1 {
		return nil
	}
	return r.calm(ctx)
}

// calm waits until ZooKeeper is asked next to nothing: who has lost the role may still be reading.
func (r *rig) calm(ctx context.Context) error {
	last := int64(0)
	return kafka.Eventually(ctx, "ZooKeeper to have little to do", func(ctx context.Context) (bool, error) {
		var u usage
		u.process, u.zk = r.process, r.zooKeeper
		if err := u.count(ctx); err != nil {
			return false, err
		}
		few := u.requests-last < 10
		last = u.requests
		return few, nil
	})
}

// victims are the stubs to which something happens.
func (r *rig) victims(n int) []*stub { return r.stubs[len(r.stubs)-n:] }

// without are the goals that brokers lead nothing, and are in no ISR; affected is how many partitions that is about.
func (r *rig) without(gone []*stub) (affected int, goals []*goal) {
	leads := func(i int) bool {
		return slices.ContainsFunc(gone, func(s *stub) bool { return s.id == r.layout.first(i) })
	}
	has := func(i int) bool {
		return slices.ContainsFunc(gone, func(s *stub) bool { return r.layout.has(i, s.id) })
	}
	for i := range r.layout.total() {
		if has(i) {
			affected++
		}
	}
	return affected, []*goal{{
		name:  "new leaders",
		needs: func(id int32, i int) (bool, bool) { return leads(i) && r.layout.has(i, id), leads(i) },
		met: func(_ int, h *heard) bool {
			return h.leader >= 0 && !slices.ContainsFunc(gone, func(s *stub) bool { return s.id == h.leader })
		},
	}, {
		name:  "all",
		needs: func(id int32, i int) (bool, bool) { return has(i) && r.layout.has(i, id), has(i) },
		met: func(_ int, h *heard) bool {
			return !slices.ContainsFunc(gone, func(s *stub) bool { return h.inSync(s.id) })
		},
	}}
}

// lost ends the sessions of some brokers, a tenth of a second apart.
func (r *rig) lost(ctx context.Context, name string, n int) error {
	if err := r.clean(ctx); err != nil {
		return err
	}
	gone := r.victims(n)
	affected, goals := r.without(gone)
	r.dirty = true
	err := r.timed(ctx, name, affected, gone, func() error {
		var pause <-chan time.Time
		for _, v := range gone {
			if pause != nil {
				<-pause
			}
			pause = time.After(100 * time.Millisecond)
			v.leave()
		}
		return nil
	}, goals...)
	if err != nil {
		return err
	}
	if n == 1 && r.who.baton {
		if err := r.phases(ctx, name, "broker_lost"); err != nil {
			return err
		}
	}
	// Who hears of both at once may elect once where the other does so twice.
	if err := r.same(ctx, name, n == 1); err != nil {
		return err
	}
	return r.rejoin(ctx, gone)
}

// phases are what Baton itself says of its last work of a kind: how long after it had heard of it, all was decided, and the first
// broker had answered that it knows.
func (r *rig) phases(ctx context.Context, name, trigger string) error {
	_, text, err := r.process.baton.Get(ctx, "/metrics")
	if err != nil {
		return err
	}
	for _, phase := range []string{"decide", "write", "first_told", "last_told"} {
		if v, ok := metric(text, fmt.Sprintf("baton_phase_seconds{phase=%q,trigger=%q}", phase, trigger)); ok {
			r.report(result{Scenario: name + ", Baton's own " + phase, Seconds: v})
		}
	}
	return nil
}

// rejoin registers stubs again and waits until they were told of everything: a controller that is not done with their leave would
// write into what is set back next.
func (r *rig) rejoin(ctx context.Context, back []*stub) error {
	known := &goal{name: "rejoin",
		needs: func(id int32, _ int) (bool, bool) {
			return false, slices.ContainsFunc(back, func(s *stub) bool { return s.id == id })
		},
		met: func(int, *heard) bool { return true }}
	r.begin(nil, known)
	for _, v := range back {
		if err := v.register(); err != nil {
			return err
		}
	}
	_, err := r.wait(ctx, known)
	return err
}

func (r *rig) controlledShutdown(ctx context.Context) error {
	if err := r.clean(ctx); err != nil {
		return err
	}
	gone := r.victims(1)
	v := gone[0]
	affected, goals := r.without(gone)
	r.dirty = true
	err := r.timed(ctx, "controlled shutdown", affected, gone, func() error {
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
	}, goals...)
	if err != nil {
		return err
	}
	if err := r.same(ctx, "controlled shutdown", true); err != nil {
		return err
	}
	v.leave()
	return r.rejoin(ctx, gone)
}

// preferred begins with half of the partitions led by their second replica.
func (r *rig) preferred(ctx context.Context) error {
	err := r.setBack(ctx, func(i int) state {
		s := r.inOrder(i)
		if i%2 == 0 {
			s.Leader = s.ISR[1]
		}
		return s
	})
	if err != nil {
		return err
	}
	home := &goal{name: "all",
		needs: func(id int32, i int) (bool, bool) {
			moves := i < r.layout.partitions && i%2 == 0
			return moves && r.layout.has(i, id), moves
		},
		met: func(i int, h *heard) bool { return h.leader == r.layout.first(i) }}
	r.dirty = true
	err = r.timed(ctx, "preferred election", r.partitions/2, nil, func() error {
		req := kmsg.NewPtrElectLeadersRequest()
		req.Version, req.Topics, req.TimeoutMillis = 2, nil, 280_000
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
	return r.same(ctx, "preferred election", true)
}

// memory counts what is live, of all that is there by then.
func (r *rig) memory(ctx context.Context) error {
	if err := r.clean(ctx); err != nil {
		return err
	}
	live, err := r.process.liveHeap(ctx)
	if err != nil {
		return err
	}
	now, _, err := memory(r.process.pid)
	if err != nil {
		return err
	}
	r.report(result{Scenario: "memory at rest", LiveHeap: live, RSS: now, Affected: r.layout.total()})
	return nil
}
