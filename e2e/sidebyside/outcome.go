package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// same compares all that ZooKeeper says of partitions after a scenario with what it said when another contender had played it.
func (r *rig) same(ctx context.Context, scenario string, epochs bool) error {
	if !r.compared {
		return nil
	}
	states, err := r.layout.states(ctx, r.conn)
	if err != nil {
		return err
	}
	for i := range states {
		states[i].ControllerEpoch = 0 // each claim has its own
		if i < r.partitions {
			states[i].LeaderEpoch -= 100 * r.begun
		}
	}
	mine := outcome{r.size(), scenario}
	theirs, ok := outcomes[mine]
	if !ok {
		outcomes[mine] = ended{r.who.name, states}
		return nil
	}
	for i := range states {
		s, t := states[i], theirs.states[i]
		if s.Version != t.Version || s.Leader != t.Leader || epochs && s.LeaderEpoch != t.LeaderEpoch || !slices.Equal(s.ISR, t.ISR) {
			topic, number := r.layout.spot(i)
			return errors.Join(errDiffers, fmt.Errorf("%s: %s-%d: %s has %+v, %s had %+v", scenario, topic, number, r.who.name, s, theirs.who, t))
		}
	}
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
