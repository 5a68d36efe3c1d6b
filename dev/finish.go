package dev

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"baton/e2e/load"
)

// Finish ends the load, reads everything back and judges: nil only when each partition that can be led is led, nothing
// acknowledged was lost and no rule was broken on the way.
func (w *World) Finish(ctx context.Context) error {
	w.out.Title("Summary")
	var errs []error
	if err := w.await(ctx, "leaders for all that can have one", func() bool { _, wrong := w.Unled(); return len(wrong) == 0 }); err != nil {
		errs = append(errs, err)
	}
	unled, wrong := w.Unled()
	for _, p := range unled {
		w.out.Text("  " + w.partitionText(p))
	}
	for _, p := range wrong {
		errs = append(errs, fmt.Errorf("%v can be led and is not", p.ID))
	}
	w.out.Say("%d partitions: %d led, %d without a leader, %d of these could have one", len(w.history.Partitions()),
		len(w.history.Partitions())-len(unled), len(unled), len(wrong))
	total, text := w.elections.summary()
	w.out.Say("%d elections and changes of ISRs by the controller: %s", total, text)
	errs = append(errs, w.readBack(ctx, len(unled) == 0))
	if v := w.history.Violations(); len(v) > 0 {
		errs = append(errs, fmt.Errorf("broken rules:\n  %s", strings.Join(v, "\n  ")))
	} else {
		w.out.Say("%d states written to ZooKeeper: each under the claim of its time, its leader in the ISR, no epoch went back", w.history.Writes())
	}
	return errors.Join(errs...)
}

// readBack reads everything that was acknowledged; what has no leader cannot be read.
func (w *World) readBack(ctx context.Context, all bool) error {
	if w.load == nil || w.load.p == nil {
		return nil
	}
	limit := w.o.Patience
	if !all {
		limit = 3 * time.Second // what is buffered for partitions without a leader will not be acknowledged
	}
	stop, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	written, err := w.load.p.Stop(stop)
	w.load.p = nil
	if err != nil && all {
		return fmt.Errorf("stopping the producer: %w", err)
	}
	if !all || len(w.unclean) > 0 {
		written = w.comparable(written)
		w.out.Say("what was written to partitions without a leader, or with an unclean election, is not compared")
	}
	if len(written.Acked) == 0 {
		return nil
	}
	read, cancelRead := context.WithTimeout(ctx, w.o.Patience)
	defer cancelRead()
	report, err := load.Verify(read, w.Seeds(), written)
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	w.out.Say("%v", report)
	return report.Err()
}

// comparable keeps what can be read and must be there: of partitions that are led and had no unclean election, which was
// allowed to lose records. Errors of the others are no verdict.
func (w *World) comparable(written load.Written) load.Written {
	for _, p := range w.history.Partitions() {
		if !w.led(p) || w.unclean[p.ID] {
			delete(written.Acked, load.Target{Topic: p.ID.Topic, Partition: p.ID.Number})
		}
	}
	written.Errors, written.FirstErrors = 0, nil
	return written
}
