package zkstore

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"baton/cluster"
	"baton/planner"
)

type topicJSON struct {
	Version    int                `json:"version"`
	TopicID    string             `json:"topic_id,omitempty"`
	Partitions map[string][]int32 `json:"partitions"`
	Adding     map[string][]int32 `json:"adding_replicas"`
	Removing   map[string][]int32 `json:"removing_replicas"`
}

// encodeTopic writes version 3, which brokers that know only version 2 read as well.
func encodeTopic(id cluster.TopicID, parts []planner.PartitionRead) []byte {
	t := topicJSON{Version: 3, Partitions: map[string][]int32{}, Adding: map[string][]int32{}, Removing: map[string][]int32{}}
	if !id.IsZero() {
		t.TopicID = id.String()
	}
	for _, p := range parts {
		key := strconv.Itoa(int(p.Number))
		t.Partitions[key] = append([]int32{}, p.Assignment.Replicas...)
		if len(p.Assignment.Adding) > 0 {
			t.Adding[key] = p.Assignment.Adding
		}
		if len(p.Assignment.Removing) > 0 {
			t.Removing[key] = p.Assignment.Removing
		}
	}
	return mustJSON(t)
}

// decodeTopic reads an assignment, the usual ones by a short way. Name, Version and FreshID are the caller's.
func decodeTopic(data []byte) (id cluster.TopicID, parts []planner.PartitionRead, err error) {
	if id, parts, ok := usualTopic(data); ok {
		return id, parts, nil
	}
	return anyTopic(data)
}

func anyTopic(data []byte) (id cluster.TopicID, parts []planner.PartitionRead, err error) {
	o, err := parseObject(data)
	if err != nil {
		return id, nil, err
	}
	if err := checkVersion(o, 1, 3); err != nil {
		return id, nil, err
	}
	text, ok, err := field[string](o, "topic_id", kindString)
	if err != nil {
		return id, nil, err
	}
	if ok {
		if id, err = parseTopicID(text); err != nil {
			return id, nil, err
		}
	}
	replicas, err := required[map[string]json.RawMessage](o, "partitions", kindObject)
	if err != nil {
		return id, nil, err
	}
	adding, err := replicaLists(o, "adding_replicas")
	if err != nil {
		return id, nil, err
	}
	removing, err := replicaLists(o, "removing_replicas")
	if err != nil {
		return id, nil, err
	}
	parts = make([]planner.PartitionRead, 0, len(replicas))
	for key, raw := range replicas {
		n, ok := parseID(key)
		if !ok {
			return id, nil, fmt.Errorf("expected partition numbers as keys of \"partitions\", found %s", excerpt([]byte(key)))
		}
		list, err := ints(raw, "partition "+key)
		if err != nil {
			return id, nil, err
		}
		if len(list) == 0 {
			return id, nil, fmt.Errorf("expected replicas of partition %s, found an empty list", key)
		}
		p := planner.PartitionRead{Number: n}
		p.Assignment.Replicas, p.Assignment.Adding, p.Assignment.Removing = list, adding[n], removing[n]
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b planner.PartitionRead) int { return cmp.Compare(a.Number, b.Number) })
	return id, parts, nil
}

func replicaLists(o object, key string) (map[int32][]int32, error) {
	m, _, err := field[map[string]json.RawMessage](o, key, kindObject)
	if err != nil {
		return nil, err
	}
	out := make(map[int32][]int32, len(m))
	for _, k := range sortedKeys(m) {
		n, ok := parseID(k)
		if !ok {
			return nil, fmt.Errorf("expected partition numbers as keys of %q, found %s", key, excerpt([]byte(k)))
		}
		list, err := ints(m[k], key+" of partition "+k)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			out[n] = list
		}
	}
	return out, nil
}

func parseTopicID(text string) (id cluster.TopicID, err error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("expected \"topic_id\" to be 22 characters of base64url, found %s", excerpt([]byte(text)))
	}
	copy(id[:], b)
	return id, nil
}

// freshTopicID makes a random id that Kafka's tools accept: not zero, not one of the
// reserved ids (all zero but the last byte), and its text does not look like an option.
func freshTopicID() cluster.TopicID {
	var reserved [15]byte
	for {
		var id cluster.TopicID
		rand.Read(id[:]) // never fails
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if [15]byte(id[:15]) != reserved && !strings.HasPrefix(id.String(), "-") {
			return id
		}
	}
}

// encodeTopicConfig writes /config/topics/<t>.
func encodeTopicConfig(configs []planner.TopicConfig) []byte {
	m := map[string]string{}
	for _, c := range configs {
		if c.Value != nil {
			m[c.Name] = *c.Value
		}
	}
	return mustJSON(struct {
		Version int               `json:"version"`
		Config  map[string]string `json:"config"`
	}{1, m})
}

func decodeConfig(data []byte) (object, error) {
	if len(data) == 0 {
		return nil, nil
	}
	o, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(o, 1, 1); err != nil {
		return nil, err
	}
	return required[map[string]json.RawMessage](o, "config", kindObject)
}

// decodeUnclean finds unclean.leader.election.enable in a topic's configuration; nil
// if the topic has none of its own. No content means no overrides.
func decodeUnclean(data []byte) (*bool, error) {
	config, err := decodeConfig(data)
	if err != nil {
		return nil, err
	}
	const key = "unclean.leader.election.enable"
	text, ok, err := field[string](config, key, kindString)
	if err != nil || !ok {
		return nil, err
	}
	var v bool
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true":
		v = true
	case "false":
	default:
		return nil, fmt.Errorf("expected %s to be true or false, found %s", key, excerpt([]byte(text)))
	}
	return &v, nil
}
