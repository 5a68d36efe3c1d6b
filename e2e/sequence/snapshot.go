package sequence

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Snapshot is what a cluster is like at one moment.
type Snapshot struct {
	Znodes map[string]Znode // by path, without those that Ignored names
	Views  map[int32]View   // what each live broker says
	Holder int32            // of /controller
}

// Znode is one znode. Those that only have children have no data.
type Znode struct {
	Data      string
	Ephemeral bool
}

// View is what one broker says of the cluster.
type View struct {
	Brokers    []string // "id rack", sorted
	Controller int32
	Topics     map[string]TopicView
	// The rest is asked for at the end only.
	Configs map[string]string // of topics and of this broker, those that are set
	Logs    []string          // on its disks, sorted
}

// TopicView is a topic in a broker's Metadata.
type TopicView struct {
	Code       int16
	HasID      bool
	Internal   bool
	Partitions map[int32]PartitionView
}

// PartitionView is a partition in a broker's Metadata; ISR and Offline are sets.
type PartitionView struct {
	Code          int16
	Leader, Epoch int32
	Replicas      []int32
	ISR, Offline  []int32
}

// assignment is what a topic's znode says.
type assignment struct {
	Partitions map[int32][]int32 `json:"partitions"`
	Adding     map[int32][]int32 `json:"adding_replicas"`
	Removing   map[int32][]int32 `json:"removing_replicas"`
}

// state is what a partition's state znode says.
type state struct {
	Leader      int32   `json:"leader"`
	LeaderEpoch int32   `json:"leader_epoch"`
	ISR         []int32 `json:"isr"`
}

const topicsPath = "/brokers/topics"

func (s Snapshot) assignment(name string) (a assignment, ok bool, err error) {
	return read[assignment](s, topicsPath+"/"+name)
}

func (s Snapshot) state(id ID) (st state, ok bool, err error) {
	return read[state](s, statePath(id))
}

func statePath(id ID) string {
	return fmt.Sprintf("%s/%s/partitions/%d/state", topicsPath, id.Topic, id.Partition)
}

// partitionOf is the partition whose state znode this is.
func partitionOf(path string) (ID, bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 7 || !strings.HasPrefix(path, topicsPath+"/") || parts[4] != "partitions" || parts[6] != "state" {
		return ID{}, false
	}
	n, err := strconv.ParseInt(parts[5], 10, 32)
	return ID{parts[3], int32(n)}, err == nil
}

func read[T any](s Snapshot, path string) (v T, ok bool, err error) {
	z, ok := s.Znodes[path]
	if !ok {
		return v, false, nil
	}
	if err := json.Unmarshal([]byte(z.Data), &v); err != nil {
		return v, true, fmt.Errorf("%s: %w: %q", path, err, z.Data)
	}
	return v, true, nil
}

// children are the names below a path.
func (s Snapshot) children(path string) (out []string) {
	for p := range s.Znodes {
		if rest, ok := strings.CutPrefix(p, path+"/"); ok && !strings.Contains(rest, "/") {
			out = append(out, rest)
		}
	}
	slices.Sort(out)
	return out
}
