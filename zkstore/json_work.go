package zkstore

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"baton/partition"
)

// decodeLogDirEvent returns the broker that lost a log directory.
func decodeLogDirEvent(data []byte) (int32, error) {
	o, err := parseObject(data)
	if err != nil {
		return 0, err
	}
	if err := checkVersion(o, 1, 1); err != nil {
		return 0, err
	}
	broker, err := required[int32](o, "broker", kindInt)
	if err != nil {
		return 0, err
	}
	event, err := required[int32](o, "event", kindInt)
	if err != nil {
		return 0, err
	}
	if broker < 0 || event != 1 {
		return 0, fmt.Errorf("expected event 1 of a broker, found event %d of %d", event, broker)
	}
	return broker, nil
}

// blockSize is Kafka's: brokers of one cluster may be served by both.
const blockSize = 1000

// nextBlock returns the first id of the block that follows the one stored in a znode of
// that version.
func nextBlock(data []byte, version int32) (int64, error) {
	if len(data) == 0 && version == 0 {
		return 0, nil // created empty by the brokers, never used
	}
	o, err := parseObject(data)
	if err != nil {
		return 0, err
	}
	if err := checkVersion(o, 1, 1); err != nil {
		return 0, err
	}
	var bounds [2]int64
	for i, key := range []string{"block_start", "block_end"} {
		text, err := required[string](o, key, kindString)
		if err != nil {
			return 0, err
		}
		if bounds[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, fmt.Errorf("expected %q to be an integer in a string, found %s", key, excerpt([]byte(text)))
		}
	}
	switch {
	case bounds[0] < 0 || bounds[1] < bounds[0]:
		return 0, fmt.Errorf("expected a block of producer ids, found %d to %d", bounds[0], bounds[1])
	case bounds[1] > math.MaxInt64-blockSize:
		return 0, fmt.Errorf("producer ids are exhausted at %d", bounds[1])
	}
	return bounds[1] + 1, nil
}

func encodeBlock(broker int32, start int64) []byte {
	return mustJSON(struct {
		Version int    `json:"version"`
		Broker  int32  `json:"broker"`
		Start   string `json:"block_start"`
		End     string `json:"block_end"`
	}{1, broker, strconv.FormatInt(start, 10), strconv.FormatInt(start+blockSize-1, 10)})
}

// decodePreferred returns the partitions named in /admin/preferred_replica_election.
func decodePreferred(data []byte) ([]partition.ID, error) {
	o, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(o, 1, 1); err != nil {
		return nil, err
	}
	list, err := required[[]json.RawMessage](o, "partitions", "a list")
	if err != nil {
		return nil, err
	}
	ids := make([]partition.ID, len(list))
	for i, raw := range list {
		p, err := parseObject(raw)
		if err != nil {
			return nil, err
		}
		if ids[i].Topic, err = required[string](p, "topic", kindString); err != nil {
			return nil, err
		}
		if ids[i].Number, err = required[int32](p, "partition", kindInt); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
