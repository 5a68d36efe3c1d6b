package dev

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Story breaks one thing after the other and tells what the controller does. It returns what Finish says.
func Story(ctx context.Context, o Options, out *Screen) error {
	began := time.Now()
	out.Title("A cluster and two Batons")
	w, err := Start(ctx, o, out)
	if err != nil {
		return err
	}
	defer w.Close()
	chapters := []func(context.Context) error{w.brokerDies, w.batonDies, w.handedOver, w.brokerStops, w.cutOff, w.leaderless}
	if w.cluster.OwnController {
		chapters = append(chapters, w.handedBack)
	}
	for _, chapter := range append([]func(context.Context) error{w.begin}, chapters...) {
		if err := chapter(ctx); err != nil {
			return errors.Join(err, w.Finish(ctx))
		}
		w.elections.chapter()
	}
	err = w.Finish(ctx)
	if err == nil {
		out.Say("done in %.1f s", time.Since(began).Seconds())
	}
	return err
}

// begin is how story and prompt begin: topics, a producer, and a Baton that leads.
func (w *World) begin(ctx context.Context) error {
	if err := w.topics(ctx); err != nil || !w.cluster.OwnController {
		return err
	}
	return w.takenOver(ctx)
}

func (w *World) takenOver(ctx context.Context) error {
	w.out.Title("Kafka's own controller has led so far; Baton takes over")
	if err := w.TakeOver(ctx); err != nil {
		return err
	}
	return w.Progress(ctx)
}

func (w *World) handedBack(ctx context.Context) error {
	w.out.Title("The role goes back to Kafka's own controller")
	start := time.Now()
	to, err := w.HandBack(ctx)
	if err != nil {
		return err
	}
	w.out.Say("broker %d holds the role, %v after it was asked for", to, time.Since(start).Round(time.Millisecond))
	return w.Progress(ctx)
}

func (w *World) topics(ctx context.Context) error {
	w.out.Title("Topics, through the controller that the brokers name to clients")
	if err := w.CreateTopics(ctx); err != nil {
		return err
	}
	if err := w.Produce(); err != nil {
		return err
	}
	w.out.Say("a producer writes with acks=all to %d partitions", len(w.history.Partitions()))
	return w.Progress(ctx)
}

func (w *World) brokerDies(ctx context.Context) error {
	const victim = 2
	w.out.Title("A broker dies and comes back")
	w.out.Say("kill -9 of broker %d; ZooKeeper waits %v for its session", victim, w.cluster.Session)
	if err := w.Kill(victim); err != nil {
		return err
	}
	if err := w.awaitGone(ctx, victim); err != nil {
		return err
	}
	w.elections.chapter()
	if err := w.Progress(ctx); err != nil {
		return err
	}
	w.out.Say("starting broker %d again; it follows and is taken back into the ISRs", victim)
	if err := w.Restart(ctx, victim); err != nil {
		return err
	}
	if err := w.awaitFull(ctx); err != nil {
		return err
	}
	w.out.Say("all replicas are in sync again; %v is asked back to its first replica", ledger)
	if err := w.Elect(ctx, electPreferred, ledger.String()); err != nil {
		return err
	}
	return w.Progress(ctx)
}

func (w *World) batonDies(ctx context.Context) error {
	w.out.Title("The active Baton dies, and a broker while nobody holds the role")
	active := w.active()
	if active == nil {
		return errNoActive
	}
	w.out.Say("kill -9 of Baton %d; its session lasts another %v", active.id, w.cluster.Session)
	if err := w.KillBaton(active); err != nil {
		return err
	}
	w.out.Say("kill -9 of broker 1; nobody is there to see it")
	if err := w.Kill(1); err != nil {
		return err
	}
	if err := w.await(ctx, "the standby to claim", w.held); err != nil {
		return err
	}
	if err := w.awaitGone(ctx, 1); err != nil {
		return err
	}
	w.elections.chapter()
	if err := w.Progress(ctx); err != nil {
		return err
	}
	w.out.Say("starting both again; Baton %d is the standby now", active.id)
	if err := w.startBaton(active); err != nil {
		return err
	}
	if err := w.Restart(ctx, 1); err != nil {
		return err
	}
	if err := w.await(ctx, "the standby", active.member); err != nil {
		return err
	}
	return w.awaitFull(ctx)
}

func (w *World) handedOver(ctx context.Context) error {
	w.out.Title("The role goes from Baton to Baton, as before an upgrade")
	start := time.Now()
	to, err := w.Handover(ctx)
	if err != nil {
		return err
	}
	w.out.Say("Baton %d holds the role, %v after it was asked for", to, time.Since(start).Round(time.Millisecond))
	return w.Progress(ctx)
}

func (w *World) brokerStops(ctx context.Context) error {
	const id = 3
	w.out.Title("A broker stops in order: its leaders move before it goes")
	clean, err := w.Stop(ctx, id)
	if err != nil {
		return err
	}
	w.elections.chapter()
	if !clean {
		return fmt.Errorf("the controlled shutdown of broker %d was not clean", id)
	}
	w.out.Say("broker %d has gone; nothing waited for a session to run out", id)
	if err := w.Restart(ctx, id); err != nil {
		return err
	}
	return w.awaitFull(ctx)
}

func (w *World) cutOff(ctx context.Context) error {
	const id = 1
	w.out.Title("A broker is cut off %s, but not from its clients", w.cluster.CutOff)
	if err := w.Cut(id); err != nil {
		return err
	}
	if err := w.awaitGone(ctx, id); err != nil {
		return err
	}
	w.elections.chapter()
	w.out.Say("broker %d still takes itself for a leader; what it cannot replicate it does not acknowledge", id)
	if err := w.Progress(ctx); err != nil {
		return err
	}
	w.out.Say("the network heals: broker %d registers anew, with a new epoch, and drops what nobody else has", id)
	if err := w.Heal(id); err != nil {
		return err
	}
	return w.awaitFull(ctx)
}

func (w *World) leaderless(ctx context.Context) error {
	w.out.Title("An ISR shrinks to one broker, and that one dies")
	p, _ := w.history.Partition(ledger)
	leader := p.State.Leader
	if err := w.ShrinkToDead(ctx, ledger); err != nil {
		return err
	}
	w.elections.chapter()
	if p, _ = w.history.Partition(ledger); w.led(p) {
		return fmt.Errorf("%v is led by %d, which lacks acknowledged records", ledger, p.State.Leader)
	}
	w.out.Text("  " + w.partitionText(p))
	w.out.Say("starting broker %d, the one that has everything", leader)
	if err := w.Restart(ctx, leader); err != nil {
		return err
	}
	if err := w.awaitFull(ctx); err != nil {
		return err
	}
	w.out.Say("%v is led again and nothing is missing", ledger)
	return w.Progress(ctx)
}
