package zkstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/go-zookeeper/zk"
)

type controllerJSON struct {
	Version    int        `json:"version"`
	BrokerID   int32      `json:"brokerid"`
	Timestamp  string     `json:"timestamp"`
	KRaftEpoch int32      `json:"kraftControllerEpoch"`
	Baton      *BatonInfo `json:"baton,omitempty"`
}

func encodeController(id int32, info BatonInfo, at time.Time) []byte {
	return mustJSON(controllerJSON{2, id, strconv.FormatInt(at.UnixMilli(), 10), -1, &info})
}

func decodeController(data []byte, stat zk.Stat) (*Registration, error) {
	o, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	// Kafka does not look at the version, but a holder that is newer than all we know may
	// mean something that we do not understand.
	if err := checkVersion(o, 1, 2); err != nil {
		return nil, err
	}
	r := &Registration{KRaftEpoch: -1, Version: stat.Version, Czxid: stat.Czxid, Owner: stat.EphemeralOwner}
	if r.BrokerID, err = required[int32](o, "brokerid", kindInt); err != nil {
		return nil, err
	}
	if r.BrokerID < 0 {
		return nil, fmt.Errorf("expected a brokerid of 0 and more, found %d", r.BrokerID)
	}
	e, ok, err := field[int32](o, "kraftControllerEpoch", kindInt)
	if err != nil {
		return nil, err
	}
	if ok {
		r.KRaftEpoch = e
	}
	// A key that is there but cannot be read must not turn a Baton into a broker, from
	// whom the role may be taken.
	if raw, ok := o["baton"]; ok {
		if r.Baton, err = decodeBatonInfo(raw); err != nil {
			return nil, err
		}
	}
	// Nothing depends on the timestamp, so an odd one is just not shown.
	if text, ok, err := field[string](o, "timestamp", kindString); err == nil && ok {
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
			r.Claimed = time.UnixMilli(ms)
		}
	}
	return r, nil
}

func decodeBatonInfo(raw json.RawMessage) (*BatonInfo, error) {
	o, err := parseObject(raw)
	if err != nil {
		return nil, fmt.Errorf("key \"baton\": %w", err)
	}
	var info BatonInfo
	if info.Name, err = required[string](o, "name", kindString); err != nil {
		return nil, err
	}
	info.Version, _, err = field[string](o, "version", kindString)
	return &info, err
}

func decodeEpoch(data []byte) (int32, error) {
	n, err := strconv.ParseInt(string(data), 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("expected a decimal integer of 0 and more, found %s", excerpt(data))
	}
	return int32(n), nil
}

type memberJSON struct {
	BatonInfo
	Mode string `json:"mode"`
	Host string `json:"host"`
	PID  int    `json:"pid"`

	Admin string `json:"admin,omitempty"`
}

func encodeMember(m Member) []byte {
	return mustJSON(memberJSON{m.BatonInfo, m.Mode, m.Host, m.PID, m.Admin})
}

func decodeMember(data []byte) (Member, error) {
	o, err := parseObject(data)
	if err != nil {
		return Member{}, err
	}
	info, err := decodeBatonInfo(data)
	if err != nil {
		return Member{}, err
	}
	m := Member{BatonInfo: *info}
	if m.Mode, _, err = field[string](o, "mode", kindString); err != nil {
		return m, err
	}
	if m.Host, _, err = field[string](o, "host", kindString); err != nil {
		return m, err
	}
	if m.PID, _, err = field[int](o, "pid", "an integer"); err != nil {
		return m, err
	}
	m.Admin, _, err = field[string](o, "admin", kindString)
	return m, err
}

// decodeHold takes anything there for a hold; what cannot be read is an error, which
// forbids claiming just as the hold would.
func decodeHold(data []byte) (*Hold, error) {
	if _, err := parseObject(data); err != nil {
		return nil, err
	}
	var h Hold
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fmt.Errorf("expected who, when and why, found %s", excerpt(data))
	}
	return &h, nil
}

func decodeHandover(data []byte, version int32) (*Handover, error) {
	o, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"from", "to"} {
		if _, err := required[int32](o, key, kindInt); err != nil {
			return nil, err
		}
	}
	h := Handover{}
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fmt.Errorf("expected from, to, when and consent, found %s", excerpt(data))
	}
	h.Version = version
	return &h, nil
}

// decodeMigration says how a migration to KRaft is active, "" if it is not. Brokers of
// 3.4 and later may create the znode with every field at -1.
func decodeMigration(data []byte) (string, error) {
	o, err := parseObject(data)
	if err != nil {
		return "", err
	}
	if err := checkVersion(o, 0, 0); err != nil {
		return "", err
	}
	id, err := required[int32](o, "kraft_controller_id", kindInt)
	if err != nil {
		return "", err
	}
	e, err := required[int32](o, "kraft_controller_epoch", kindInt)
	if err != nil {
		return "", err
	}
	if id < 0 && e < 0 {
		return "", nil
	}
	return fmt.Sprintf("KRaft controller %d with epoch %d", id, e), nil
}
