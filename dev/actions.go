package dev

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton/partition"
)

// broker is a broker and what has been done to it.
type broker struct {
	Broker
	fate   fate
	since  time.Time
	cutOff bool
}

// fate is what has become of a broker's process.
type fate string

const (
	running fate = "running"
	killed  fate = "killed"
	paused  fate = "paused"
	stopped fate = "stopped"
)

func (b *broker) is() fate {
	if b.fate == "" {
		return running
	}
	return b.fate
}

func (b *broker) become(f fate) { b.fate, b.since = f, time.Now() }

// healthy: it runs and everybody can reach it.
func (b *broker) healthy() bool { return b.is() == running && !b.cutOff }

func (b *broker) expect(f fate) error {
	if b.is() != f {
		return fmt.Errorf("broker %d is %s", b.ID(), b.is())
	}
	return nil
}

// Kill is kill -9. The ZooKeeper session lasts until it runs out; the disk stays.
func (w *World) Kill(id int32) error {
	b, err := w.broker(id)
	if err != nil {
		return err
	}
	if b.is() != paused { // a stopped process can be killed as well
		if err := b.expect(running); err != nil {
			return err
		}
	}
	if err := b.Broker.Kill(); err != nil {
		return err
	}
	b.become(killed)
	return nil
}

// Restart starts a broker again, or goes on with a paused one.
func (w *World) Restart(ctx context.Context, id int32) error {
	b, err := w.broker(id)
	if err != nil {
		return err
	}
	switch b.is() {
	case running:
		return fmt.Errorf("broker %d runs", id)
	case paused:
		err = b.Resume()
	default:
		ctx, cancel := context.WithTimeout(ctx, w.o.Patience)
		defer cancel()
		err = b.Start(ctx)
	}
	if err == nil {
		b.become(running)
	}
	return err
}

// Pause is SIGSTOP.
func (w *World) Pause(id int32) error {
	b, err := w.broker(id)
	if err != nil {
		return err
	}
	if err := errors.Join(b.expect(running), b.Broker.Pause()); err != nil {
		return err
	}
	b.become(paused)
	return nil
}

// Stop is SIGTERM: the broker asks the controller for leave.
func (w *World) Stop(ctx context.Context, id int32) (clean bool, err error) {
	b, err := w.broker(id)
	if err != nil {
		return false, err
	}
	if err := b.expect(running); err != nil {
		return false, err
	}
	clean, err = b.Broker.Stop(ctx)
	if err == nil {
		b.become(stopped)
	}
	return clean, err
}

// Cut separates a broker from the others (Cluster.CutOff). Clients from outside still reach it.
func (w *World) Cut(id int32) error { return w.cut(id, true) }

// Heal undoes Cut.
func (w *World) Heal(id int32) error { return w.cut(id, false) }

func (w *World) cut(id int32, off bool) error {
	b, err := w.broker(id)
	if err != nil {
		return err
	}
	if b.cutOff == off {
		return fmt.Errorf("broker %d is that already", id)
	}
	if err := b.Broker.Cut(off); err != nil {
		return err
	}
	b.cutOff = off
	hosts := []string{zooKeeperHost}
	for _, other := range w.brokers {
		if other != b {
			hosts = append(hosts, brokerHost(other.ID()))
		}
	}
	for _, n := range w.batons {
		hosts = append(hosts, n.host())
	}
	for _, h := range hosts {
		if off {
			w.net.Cut(brokerHost(id), h)
		} else {
			w.net.Heal(brokerHost(id), h)
		}
	}
	return nil
}

// awaitGone waits until ZooKeeper has given a broker up and nobody counts on it.
func (w *World) awaitGone(ctx context.Context, id int32) error {
	return w.await(ctx, fmt.Sprintf("the end of broker %d's session and new leaders", id), func() bool {
		if _, there := w.history.Brokers()[id]; there {
			return false
		}
		for _, p := range w.history.Partitions() {
			if p.State.Leader == id || len(p.State.ISR) > 1 && slices.Contains(p.State.ISR, id) {
				return false
			}
		}
		return true
	})
}

// awaitFull waits until each ISR has every replica that lives.
func (w *World) awaitFull(ctx context.Context) error {
	return w.await(ctx, "full ISRs", func() bool {
		for _, p := range w.history.Partitions() {
			for _, r := range p.Replicas {
				if b, err := w.broker(r); err == nil && b.healthy() && !slices.Contains(p.State.ISR, r) {
					return false
				}
			}
			if !w.led(p) {
				return false
			}
		}
		return true
	})
}

// ShrinkToDead makes a partition's ISR one dead broker: its followers die, the leader goes on alone and dies too, and
// the followers come back without what it took meanwhile.
func (w *World) ShrinkToDead(ctx context.Context, id partition.ID) error {
	p, ok := w.history.Partition(id)
	if !ok || !w.led(p) {
		return fmt.Errorf("%v has no leader to begin with", id)
	}
	leader := p.State.Leader
	if b, err := w.broker(leader); err != nil || !b.healthy() {
		return fmt.Errorf("%v's leader %d is about to be lost", id, leader)
	}
	var followers []int32
	for _, r := range p.Replicas {
		if b, err := w.broker(r); r != leader && err == nil && b.is() == running {
			followers = append(followers, r)
			w.out.Say("kill -9 of broker %d, a follower of %v", r, id)
			if err := w.Kill(r); err != nil {
				return err
			}
		}
	}
	err := w.await(ctx, "an ISR of one", func() bool {
		p, _ := w.history.Partition(id)
		return len(p.State.ISR) == 1 && p.State.ISR[0] == leader
	})
	if err != nil {
		return err
	}
	w.elections.chapter()
	if err := w.Progress(ctx, id); err != nil {
		return err
	}
	w.out.Say("kill -9 of broker %d, which leads %v alone", leader, id)
	if err := w.Kill(leader); err != nil {
		return err
	}
	if err := w.awaitGone(ctx, leader); err != nil {
		return err
	}
	for _, r := range followers {
		w.out.Say("starting broker %d again", r)
		if err := w.Restart(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
