package zkstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"baton/partition"
)

// FactsWanted is what ReadFacts is to read besides the cluster's defaults and the registrations.
type FactsWanted struct {
	Topics []string       // whose configurations
	States []partition.ID // whose times
}

// Facts are what nobody needs for leading a cluster, and people ask about.
type Facts struct {
	Defaults   DecidingConfig
	Topics     []DecidingConfig    // in the order wanted
	Registered map[int32]time.Time // when brokers registered, by ZooKeeper's clock
	States     []time.Time         // when state znodes were last written, in the order wanted; zero: there is none
}

// DecidingConfig is the part of a configuration that says what becomes of a partition without its replicas.
type DecidingConfig struct {
	Unclean *bool  // unclean.leader.election.enable, nil if not set
	MinISR  *int32 // min.insync.replicas, nil if not set
	Bad     string // why it cannot be understood, empty if it can
}

// ReadFacts reads without a claim and without a watch.
func (s *Session) ReadFacts(ctx context.Context, want FactsWanted) (Facts, error) {
	out := Facts{Topics: make([]DecidingConfig, len(want.Topics)), States: make([]time.Time, len(want.States)), Registered: map[int32]time.Time{}}
	var err error
	if out.Defaults, err = s.readDeciding(ctx, pathBrokerDefaults); err != nil {
		return out, fmt.Errorf("reading %s: %w", pathBrokerDefaults, err)
	}
	ids, err := s.children(ctx, pathBrokerIDs)
	if err != nil {
		return out, fmt.Errorf("reading %s: %w", pathBrokerIDs, err)
	}
	for _, child := range ids {
		id, err := strconv.ParseInt(child, 10, 32)
		if err != nil {
			continue // named elsewhere
		}
		n, err := s.get(ctx, pathBrokerIDs+"/"+child)
		switch {
		case classify(err) == classRefused:
		case err != nil:
			return out, fmt.Errorf("reading %s/%s: %w", pathBrokerIDs, child, err)
		case n.exists:
			out.Registered[int32(id)] = time.UnixMilli(n.stat.Ctime)
		}
	}
	// A quarter of what a load may have under way: the controller's own reads go on beside these.
	width := max(1, s.cfg.reads()/4)
	err = parallel(ctx, len(want.Topics), width, func(ctx context.Context, i int) (err error) {
		out.Topics[i], err = s.readDeciding(ctx, topicConfigPath(want.Topics[i]))
		return err
	})
	if err != nil {
		return out, fmt.Errorf("reading topics' configurations: %w", err)
	}
	err = parallel(ctx, len(want.States), width, func(ctx context.Context, i int) error {
		n, err := s.get(ctx, statePath(want.States[i]))
		if err == nil && n.exists {
			out.States[i] = time.UnixMilli(n.stat.Mtime)
		}
		if classify(err) == classRefused {
			return nil
		}
		return err
	})
	if err != nil {
		return out, fmt.Errorf("reading partitions' states: %w", err)
	}
	return out, nil
}

func (s *Session) readDeciding(ctx context.Context, path string) (c DecidingConfig, err error) {
	n, err := s.get(ctx, path)
	switch {
	case classify(err) == classRefused:
		c.Bad = err.Error()
		return c, nil
	case err != nil || !n.exists:
		return c, err
	}
	var bad error
	if c.Unclean, err = decodeUnclean(n.data); err != nil {
		bad = err
	}
	if c.MinISR, err = decodeMinISR(n.data); err != nil {
		bad = errors.Join(bad, err)
	}
	if bad != nil {
		c.Bad = strings.ReplaceAll(bad.Error(), "\n", "; ")
	}
	return c, nil
}

// decodeMinISR finds min.insync.replicas in a configuration; nil if it is not there.
func decodeMinISR(data []byte) (*int32, error) {
	config, err := decodeConfig(data)
	if err != nil {
		return nil, err
	}
	const key = "min.insync.replicas"
	text, ok, err := field[string](config, key, kindString)
	if err != nil || !ok {
		return nil, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return nil, fmt.Errorf("expected %s to be a number from 1, found %s", key, excerpt([]byte(text)))
	}
	v := int32(n)
	return &v, nil
}
