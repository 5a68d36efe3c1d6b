package main

import (
	"context"
	"fmt"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// warmFailover lets a second Baton stand by, stops the first one where it is, and takes the role from it: the clock runs from then
// on, so that it says nothing of how a death is noticed. The second Baton has the role for the scenarios that follow.
func (r *rig) warmFailover(ctx context.Context) error {
	if !r.who.baton {
		return nil
	}
	standby, err := startBaton(ctx, r.env, r.cluster, batonproc.FirstID+1)
	if err != nil {
		return err
	}
	if err := standby.baton.WaitStandby(ctx); err != nil {
		return err
	}
	r.begun++
	if err := r.layout.reset(ctx, r.conn, r.inOrder); err != nil {
		return err
	}
	r.dirty = true
	if err := current(ctx, standby.baton); err != nil {
		return err
	}
	before, err := r.controllerEpoch()
	if err != nil {
		return err
	}
	active := r.process.baton
	r.process = standby
	const name = "failover, warm standby"
	err = r.claiming(ctx, name, before, func() error {
		return r.timed(ctx, name, r.partitions, nil, func() error {
			if err := active.Pause(); err != nil {
				return err
			}
			return r.conn.Delete("/controller", -1)
		}, r.everything(before))
	})
	if err != nil {
		return err
	}
	r.dirty = false
	return active.Kill()
}

// current waits until a standby's metrics say that its image is as ZooKeeper has it.
func current(ctx context.Context, b *batonproc.Baton) error {
	return kafka.Eventually(ctx, "the standby's image to be current", func(ctx context.Context) (bool, error) {
		status, text, err := b.Get(ctx, "/metrics")
		if err != nil {
			return false, fmt.Errorf("%d: %w", status, err)
		}
		warm, _ := metric(text, "baton_image_warm")
		dirty, _ := metric(text, "baton_image_dirty_znodes")
		return warm == 1 && dirty == 0, fmt.Errorf("warm: %g, %g znodes to be read", warm, dirty)
	})
}
