package zkstore

import (
	"encoding/json"
	"fmt"
	"slices"

	"baton/partition"
	"baton/planner"
)

// decodeReassign reads /admin/reassign_partitions. Kafka binds it to a class and takes the
// whole znode for empty if it has any other key; here it is an error that names the key.
func decodeReassign(data []byte) ([]planner.Reassignment, error) {
	o, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	if err := onlyKeys(o, "version", "partitions"); err != nil {
		return nil, err
	}
	if err := checkVersion(o, 1, 1); err != nil {
		return nil, err
	}
	list, err := required[[]json.RawMessage](o, "partitions", "a list")
	if err != nil {
		return nil, err
	}
	out := make([]planner.Reassignment, 0, len(list))
	seen := map[partition.ID]bool{}
	for _, raw := range list {
		r, err := decodeReassignment(raw)
		if err != nil {
			return nil, err
		}
		if seen[r.ID] {
			return nil, fmt.Errorf("expected each partition once, found %v twice", r.ID)
		}
		seen[r.ID] = true
		out = append(out, r)
	}
	return out, nil
}

func decodeReassignment(raw json.RawMessage) (r planner.Reassignment, err error) {
	p, err := parseObject(raw)
	if err != nil {
		return r, err
	}
	if err := onlyKeys(p, "topic", "partition", "replicas"); err != nil {
		return r, err
	}
	if r.ID.Topic, err = required[string](p, "topic", kindString); err != nil {
		return r, err
	}
	if r.ID.Number, err = required[int32](p, "partition", kindInt); err != nil {
		return r, err
	}
	replicas, err := required[json.RawMessage](p, "replicas", kindInts)
	if err != nil {
		return r, err
	}
	r.Replicas, err = ints(replicas, fmt.Sprintf("replicas of %v", r.ID))
	return r, err
}

func onlyKeys(o object, known ...string) error {
	for _, k := range sortedKeys(o) {
		if !slices.Contains(known, k) {
			return fmt.Errorf("expected no keys but %q, found %s", known, excerpt([]byte(k)))
		}
	}
	return nil
}

func encodeReassign(left []planner.Reassignment) []byte {
	type entry struct {
		Topic     string  `json:"topic"`
		Partition int32   `json:"partition"`
		Replicas  []int32 `json:"replicas"`
	}
	entries := make([]entry, 0, len(left))
	for _, r := range left {
		entries = append(entries, entry{r.ID.Topic, r.ID.Number, append([]int32{}, r.Replicas...)})
	}
	return mustJSON(struct {
		Version    int     `json:"version"`
		Partitions []entry `json:"partitions"`
	}{1, entries})
}
