package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/kafka"
	"baton/wire"
)

const (
	askers   = 8                    // leaders that ask, each over a connection of its own and for one partition
	askEvery = 5 * time.Millisecond // all together
	askIdle  = 2 * time.Second
)

// alterPartition has leaders shrink and expand ISRs of partitions to which nothing happens, at a steady pace whether the answers
// come or not: first alone, then while a broker is lost. An answer's time counts from when it was due to be asked for.
func (r *rig) alterPartition(ctx context.Context) error {
	if err := r.clean(ctx); err != nil {
		return err
	}
	gone := r.victims(1)
	var all []*asker
	for i := 0; len(all) < askers && i < r.partitions; i++ {
		if r.layout.has(i, gone[0].id) {
			continue
		}
		a, err := r.newAsker(ctx, i)
		if err != nil {
			return err
		}
		defer func() { _ = a.conn.Close() }()
		all = append(all, a)
	}
	if len(all) < askers {
		return fmt.Errorf("%d partitions are not on broker %d, too few", len(all), gone[0].id)
	}
	r.dirty = true
	// A follower that was away in an earlier scenario is not let in before it has proven itself.
	for _, a := range all {
		err := kafka.Eventually(ctx, "a partition's ISR to shrink and grow", func(context.Context) (bool, error) {
			err := a.ask()
			return a.full, err
		})
		if err != nil {
			return err
		}
	}

	quietly, end := context.WithTimeout(ctx, askIdle)
	defer end()
	idle, err := askAll(ctx, all, quietly.Done())
	if err != nil {
		return err
	}
	r.latencies("AlterPartition, idle", idle)

	r.restless = true
	defer func() { r.restless = false }()
	affected, goals := r.without(gone)
	stop := make(chan struct{})
	var storm []answered
	var asked error
	var wg sync.WaitGroup
	begun := time.Now()
	err = r.timed(ctx, "broker lost, with leaders asking", affected, gone, func() error {
		wg.Go(func() { storm, asked = askAll(ctx, all, stop) })
		gone[0].leave()
		return nil
	}, goals...)
	close(stop)
	wg.Wait()
	if err != nil {
		return err
	}
	if asked != nil {
		return asked
	}
	ended := goals[len(goals)-1].last()
	r.latencies("AlterPartition, broker lost", slices.DeleteFunc(storm, func(a answered) bool { return a.due.Before(begun) || a.due.After(ended) }))
	r.restless = false
	return r.rejoin(ctx, gone)
}

// latencies reports percentiles.
func (r *rig) latencies(name string, of []answered) {
	slices.SortFunc(of, func(a, b answered) int { return int(a.took - b.took) })
	for _, p := range []struct {
		name string
		at   float64
	}{{"p50", .5}, {"p99", .99}, {"worst", 1}} {
		if len(of) > 0 {
			r.report(result{Scenario: name + ", " + p.name, Seconds: of[min(len(of)-1, int(p.at*float64(len(of))))].took.Seconds(), Affected: len(of)})
		}
	}
}

// asker is a leader with one partition.
type asker struct {
	conn   net.Conn
	in     *bufio.Reader
	number int32 // of the request
	full   bool  // whether all replicas are in sync
	req    *kmsg.AlterPartitionRequest
	isr    []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR // of all replicas, the leader first
}

func (r *rig) newAsker(ctx context.Context, i int) (*asker, error) {
	topic, number := r.layout.spot(i)
	_, stat, err := r.conn.Get(statePath(topic, number))
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	a := &asker{full: true, req: kmsg.NewPtrAlterPartitionRequest()}
	for _, id := range r.layout.replicas(i) {
		s := r.stubs[slices.IndexFunc(r.stubs, func(s *stub) bool { return s.id == id })]
		m := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		m.BrokerID, m.BrokerEpoch = s.id, s.epoch
		a.isr = append(a.isr, m)
	}
	p := kmsg.NewAlterPartitionRequestTopicPartition()
	p.Partition, p.LeaderEpoch, p.PartitionEpoch, p.NewEpochISR = int32(number), r.inOrder(i).LeaderEpoch, stat.Version, a.isr
	t := kmsg.NewAlterPartitionRequestTopic()
	t.TopicID, t.Partitions = topicID(i-number), append(t.Partitions, p)
	a.req.Version, a.req.BrokerID, a.req.BrokerEpoch, a.req.Topics = 3, a.isr[0].BrokerID, a.isr[0].BrokerEpoch, append(a.req.Topics, t)
	if a.conn, err = d.DialContext(ctx, "tcp", r.process.addr); err != nil {
		return nil, err
	}
	a.in = bufio.NewReader(a.conn)
	return a, nil
}

// ask takes the last follower out of the ISR, or in again.
func (a *asker) ask() error {
	p := &a.req.Topics[0].Partitions[0]
	n := len(a.isr)
	if a.full {
		n--
	}
	p.NewEpochISR = a.isr[:n]
	a.number++
	resp, err := wire.Ask(a.conn, a.in, "stub", a.number, a.req)
	if err != nil {
		return err
	}
	answer := resp.(*kmsg.AlterPartitionResponse)
	if answer.ErrorCode != 0 || len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
		return fmt.Errorf("AlterPartition by %d: %+v", a.req.BrokerID, answer)
	}
	got := answer.Topics[0].Partitions[0]
	if got.ErrorCode != 0 || len(got.ISR) != n {
		return fmt.Errorf("AlterPartition by %d of partition %d: %+v", a.req.BrokerID, got.Partition, got)
	}
	p.PartitionEpoch, a.full = got.PartitionEpoch, n == len(a.isr)
	return nil
}

// answered is when a request was due, and how long after that its answer came.
type answered struct {
	due  time.Time
	took time.Duration
}

// askAll asks for what is due until stop is closed, by whoever has no request under way.
func askAll(ctx context.Context, all []*asker, stop <-chan struct{}) ([]answered, error) {
	begun := time.Now()
	var next atomic.Int64
	var mu sync.Mutex
	var out []answered
	var wg sync.WaitGroup
	errs := make(chan error, len(all))
	end, cancel := context.WithCancel(ctx)
	defer cancel()
	var stopped atomic.Pointer[time.Time]
	go func() {
		select {
		case <-stop:
			now := time.Now()
			stopped.Store(&now)
			cancel()
		case <-end.Done():
		}
	}()
	for _, a := range all {
		wg.Go(func() {
			if d, ok := ctx.Deadline(); ok {
				_ = a.conn.SetDeadline(d)
			}
			for ctx.Err() == nil {
				due := begun.Add(time.Duration(next.Add(1)) * askEvery)
				select {
				case <-time.After(time.Until(due)):
				case <-end.Done():
				}
				if end.Err() != nil {
					if at := stopped.Load(); at == nil || due.After(*at) {
						return
					}
				}
				if err := a.ask(); err != nil {
					errs <- err
					cancel()
					return
				}
				mu.Lock()
				out = append(out, answered{due, time.Since(due)})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return nil, err
	}
	return out, ctx.Err()
}
