package zkstore

import (
	"context"
	"encoding/json"
	"fmt"

	"baton/planner"
)

// featureJSON is /feature as brokers from 2.7 read it.
type featureJSON struct {
	Version  int32    `json:"version"`
	Status   int32    `json:"status"` // 1: enabled
	Features struct{} `json:"features"`
}

// enableFeatures creates /feature, or rewrites one that is disabled or of a lower version. A
// higher version is left: all brokers read it, as no feature is in it. If one is, it is left
// as it is, too: to take it away is not for us to decide.
func (c *commit) enableFeatures(ctx context.Context, seq uint64, w planner.EnableFeatures) error {
	data := mustJSON(featureJSON{Version: w.Version, Status: 1})
	return c.rounds(ctx, seq, pathFeature, func(n node) (bool, error) {
		op := any(c.s.opCreate(pathFeature, data, 0))
		if n.exists {
			switch current, err := featuresCurrent(n.data, w.Version); {
			case err != nil:
				c.result(planner.Result{Seq: seq, Outcome: planner.Failed, Reason: err.Error(), Bad: []planner.Bad{{Path: pathFeature, Reason: err.Error()}}})
				return true, nil
			case current:
				c.result(planner.Result{Seq: seq, Outcome: planner.Applied})
				return true, nil
			}
			op = c.s.opSet(pathFeature, data, n.stat.Version)
		}
		a, err := c.attempt(ctx, "enabling features", []any{op})
		if err != nil {
			return false, err
		}
		return c.settled(pathFeature, a, planner.Result{Seq: seq, Outcome: planner.Applied}), nil
	})
}

// featuresCurrent reports whether /feature is enabled, and of the version or higher.
func featuresCurrent(data []byte, version int32) (bool, error) {
	o, err := parseObject(data)
	if err != nil {
		return false, err
	}
	if err := checkVersion(o, 1, 2); err != nil {
		return false, err
	}
	has, err := required[int32](o, "version", kindInt)
	if err != nil {
		return false, err
	}
	status, err := required[int32](o, "status", kindInt)
	if err != nil {
		return false, err
	}
	if status != 0 && status != 1 {
		return false, fmt.Errorf("expected status 0 or 1, found %d", status)
	}
	features, _, err := field[map[string]json.RawMessage](o, "features", kindObject)
	if err != nil {
		return false, err
	}
	if len(features) > 0 {
		return false, fmt.Errorf("expected no features, as brokers that use ZooKeeper support none, found %s", excerpt(data))
	}
	return status == 1 && has >= version, nil
}
