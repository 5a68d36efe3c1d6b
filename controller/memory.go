package controller

import (
	"cmp"
	"context"
	"slices"
	"time"

	"baton/planner"
)

const (
	// memorySlice is how many partitions are copied while everything else waits: a fraction of a millisecond.
	memorySlice = 2000
	// memoryTries is how often copying begins anew because brokers came or went meanwhile.
	memoryTries = 3
)

// Began is when the machine's time began.
func (t *Term) Began() time.Time { return t.started }

// Remember copies what the machine knows, of the named topics or, with nil, of all. It is copied in slices, between which the
// loop goes on; torn says that brokers came, went or began to leave in between, time after time.
func (t *Term) Remember(ctx context.Context, only []string) (mem planner.Memory, torn bool, err error) {
	for range memoryTries {
		if mem, torn, err = t.remember(ctx, only); err != nil || !torn {
			return mem, torn, err
		}
	}
	return mem, torn, nil
}

func (t *Term) remember(ctx context.Context, only []string) (mem planner.Memory, torn bool, err error) {
	names := slices.Clone(only)
	err = t.ViewMachine(ctx, func(m *planner.Machine) {
		mem = m.Remember()
		if only == nil {
			names = m.TopicNames()
		}
	})
	if err != nil {
		return mem, false, err
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for first := true; first || len(names) > 0; first = false {
		err := t.ViewMachine(ctx, func(m *planner.Machine) {
			var some []planner.TopicMemory
			some, names = m.RememberTopics(names, memorySlice)
			mem.Topics = append(mem.Topics, some...)
			torn = torn || m.Live() != mem.Live
		})
		if err != nil {
			return mem, false, err
		}
	}
	slices.SortFunc(mem.Topics, func(a, b planner.TopicMemory) int { return cmp.Compare(a.Name, b.Name) })
	return mem, torn, nil
}
