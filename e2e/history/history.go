// Package history tells everything that ever happened to a cluster's znodes, from ZooKeeper's own transaction logs.
//
// A test that polls, or even watches, misses states that lasted a millisecond; the log misses nothing: every committed
// change is in it, in order, with its data. It can be read while ZooKeeper runs; the last changes may then not be on
// disk yet, so a test that has awaited something through ZooKeeper finds at least everything up to there on the
// server that it asked.
package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Source is where transaction logs are: one directory for each server of the ensemble. A kafka.Cluster is one.
type Source interface {
	TxnLogDirs() []string
	Chroot() string
}

// History is all changes below a chroot, in the order of their zxids.
type History struct {
	Changes []Change
}

// Read reads the logs of all servers. In an ensemble a transaction counts if a majority has it: a leader that was
// killed may hold proposals that were never committed.
func Read(src Source) (*History, error) {
	dirs := src.TxnLogDirs()
	count := map[int64]int{}
	all := map[int64]transaction{}
	for _, dir := range dirs {
		one, err := readDir(dir)
		if err != nil {
			return nil, err
		}
		for zxid := range one {
			count[zxid]++
		}
		maps.Copy(all, one)
	}
	h := &History{}
	ephemerals := map[string]int64{}
	for _, zxid := range slices.Sorted(maps.Keys(all)) {
		if count[zxid] <= len(dirs)/2 {
			continue
		}
		for _, c := range expand(all[zxid], ephemerals) {
			if path, ok := below(src.Chroot(), c.Path); ok {
				c.Path = path
				h.Changes = append(h.Changes, c)
			}
		}
	}
	return h, nil
}

// expand adds to a transaction the deletions that the end of a session implies. Newer ZooKeepers log them, older
// ones do not, so they are worked out from who created what.
func expand(t transaction, ephemerals map[string]int64) []Change {
	if t.kind == typeCloseSession {
		var gone []string
		for path, owner := range ephemerals {
			if owner == t.session {
				gone = append(gone, path)
			}
		}
		slices.Sort(gone)
		for _, path := range gone {
			t.changes = append(t.changes, Change{
				Zxid: t.zxid, Time: t.time, Session: t.session, Op: Delete, Path: path, Expired: true,
			})
		}
	}
	for _, c := range t.changes {
		switch {
		case c.Op == Create && c.Ephemeral:
			ephemerals[c.Path] = c.Session
		case c.Op == Delete:
			delete(ephemerals, c.Path)
		}
	}
	return t.changes
}

func below(chroot, path string) (string, bool) {
	if chroot == "" {
		return path, true
	}
	rest, ok := strings.CutPrefix(path, chroot)
	return rest, ok && strings.HasPrefix(rest, "/")
}

// Path returns the changes of one znode.
func (h *History) Path(path string) []Change {
	var changes []Change
	for _, c := range h.Changes {
		if c.Path == path {
			changes = append(changes, c)
		}
	}
	return changes
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int
}

func (p TopicPartition) String() string { return p.Topic + "-" + strconv.Itoa(p.Partition) }

// StateChange is one content that a partition's state znode has had. A deleted or unreadable one has Err set.
type StateChange struct {
	Zxid            int64
	Time            time.Time
	Session         int64
	Leader          int
	LeaderEpoch     int
	ControllerEpoch int
	ISR             []int
	Version         int32
	Err             error
}

func (s StateChange) String() string {
	if s.Err != nil {
		return fmt.Sprintf("%#x %v", s.Zxid, s.Err)
	}
	return fmt.Sprintf("%#x %s leader %d, leader epoch %d, isr %v, controller epoch %d, version %d", s.Zxid,
		s.Time.Format("15:04:05.000"), s.Leader, s.LeaderEpoch, s.ISR, s.ControllerEpoch, s.Version)
}

// Partitions returns every state that each partition has had.
func (h *History) Partitions() map[TopicPartition][]StateChange {
	all := map[TopicPartition][]StateChange{}
	for _, c := range h.Changes {
		if p, ok := statePath(c.Path); ok {
			all[p] = append(all[p], stateOf(c))
		}
	}
	return all
}

// statePath takes apart /brokers/topics/T/partitions/P/state.
func statePath(path string) (TopicPartition, bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 7 || parts[1] != "brokers" || parts[2] != "topics" || parts[4] != "partitions" || parts[6] != "state" {
		return TopicPartition{}, false
	}
	n, err := strconv.Atoi(parts[5])
	return TopicPartition{parts[3], n}, err == nil
}

func stateOf(c Change) StateChange {
	s := StateChange{Zxid: c.Zxid, Time: c.Time, Session: c.Session, Version: c.Version}
	if c.Op == Delete {
		s.Err = fmt.Errorf("deleted")
		return s
	}
	var v struct {
		Leader          int   `json:"leader"`
		LeaderEpoch     int   `json:"leader_epoch"`
		ControllerEpoch int   `json:"controller_epoch"`
		ISR             []int `json:"isr"`
	}
	s.Err = json.Unmarshal(c.Data, &v)
	s.Leader, s.LeaderEpoch, s.ControllerEpoch, s.ISR = v.Leader, v.LeaderEpoch, v.ControllerEpoch, v.ISR
	return s
}

// ControllerChange is one change of /controller.
type ControllerChange struct {
	Zxid     int64
	Time     time.Time
	Session  int64
	Op       Op
	Expired  bool   // deleted by the end of the holder's session
	BrokerID int    // -1 for a deletion
	JSON     string // as written
}

// Controller returns every change of /controller. A takeover within one multi shows as a deletion and a creation
// with the same zxid.
func (h *History) Controller() []ControllerChange {
	var all []ControllerChange
	for _, c := range h.Path("/controller") {
		v := struct {
			BrokerID int `json:"brokerid"`
		}{-1}
		_ = json.Unmarshal(c.Data, &v) // what it was is in JSON
		all = append(all, ControllerChange{c.Zxid, c.Time, c.Session, c.Op, c.Expired, v.BrokerID, string(c.Data)})
	}
	return all
}

// EpochChange is one change of /controller_epoch.
type EpochChange struct {
	Zxid    int64
	Time    time.Time
	Session int64
	Op      Op
	Epoch   int // -1 if the content is not a number
	Version int32
}

// ControllerEpochs returns every content of /controller_epoch.
func (h *History) ControllerEpochs() []EpochChange {
	var all []EpochChange
	for _, c := range h.Path("/controller_epoch") {
		n, err := strconv.Atoi(string(c.Data))
		if err != nil {
			n = -1
		}
		all = append(all, EpochChange{c.Zxid, c.Time, c.Session, c.Op, n, c.Version})
	}
	return all
}
