package sequence

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Ignored are znodes that are not compared, and why.
var Ignored = map[string]string{
	"/zookeeper":        "ZooKeeper's own",
	"/baton":            "Baton's own",
	"/controller":       "who it is, is the difference between the two clusters",
	"/controller_epoch": "counts the controllers there have been",
	"/cluster":          "the cluster's own id",
}

// Compare lists the differences between the ends of the same operations under Kafka's controller and under Baton. A partition's
// leader epoch under Baton may differ from Kafka's by what allowed says, by nothing if it says nothing.
func Compare(kafka, baton Snapshot, allowed map[ID]Range) []string {
	var diffs []string
	ours, theirs := facts(baton), facts(kafka)
	for _, name := range slices.Sorted(maps.Keys(merged(ours, theirs))) {
		a, inKafka := theirs[name]
		b, inBaton := ours[name]
		switch {
		case !inBaton:
			diffs = append(diffs, fmt.Sprintf("%s: only under Kafka's controller: %s", name, a))
		case !inKafka:
			diffs = append(diffs, fmt.Sprintf("%s: only under Baton: %s", name, b))
		case a != b:
			diffs = append(diffs, fmt.Sprintf("%s:\n  Kafka %s\n  Baton %s", name, a, b))
		}
	}
	diffs = append(diffs, compareEpochs(kafka, baton, allowed)...)
	return append(diffs, strayLogs(baton)...)
}

// strayLogs compares Baton's disks with Baton's assignments: Kafka's controller leaves a replica on a broker that was away when it was
// removed, for ever.
func strayLogs(baton Snapshot) (diffs []string) {
	want := map[int32][]string{}
	for _, name := range baton.children(topicsPath) {
		a, _, err := baton.assignment(name)
		if err != nil {
			diffs = append(diffs, err.Error())
		}
		for n, replicas := range a.Partitions {
			for _, b := range replicas {
				want[b] = append(want[b], ID{name, n}.String())
			}
		}
	}
	for _, b := range slices.Sorted(maps.Keys(baton.Views)) {
		if slices.Sort(want[b]); !slices.Equal(baton.Views[b].Logs, want[b]) {
			diffs = append(diffs, fmt.Sprintf("under Baton broker %d has the logs %v, and is to have %v", b, baton.Views[b].Logs, want[b]))
		}
	}
	return diffs
}

// compareEpochs holds the leader epochs in ZooKeeper against each other, and what brokers say against ZooKeeper.
func compareEpochs(kafka, baton Snapshot, allowed map[ID]Range) (diffs []string) {
	theirs, ours := epochs(kafka), epochs(baton)
	for _, id := range slices.SortedFunc(maps.Keys(ours), compareIDs) {
		epoch, ok := theirs[id]
		if d := int(ours[id] - epoch); ok && !allowed[id].contains(d) {
			diffs = append(diffs, fmt.Sprintf("%v: leader epoch %d under Kafka's controller, %d under Baton; allowed is %v", id, epoch, ours[id], allowed[id]))
		}
	}
	for who, s := range map[string]Snapshot{"Kafka's controller": kafka, "Baton": baton} {
		for id, epoch := range epochs(s) {
			for b, v := range s.Views {
				if seen, ok := v.Topics[id.Topic].Partitions[id.Partition]; ok && seen.Epoch != epoch {
					diffs = append(diffs, fmt.Sprintf("%v: under %s broker %d says leader epoch %d, ZooKeeper %d", id, who, b, seen.Epoch, epoch))
				}
			}
		}
	}
	slices.Sort(diffs)
	return diffs
}

func epochs(s Snapshot) map[ID]int32 {
	out := map[ID]int32{}
	for path := range s.Znodes {
		id, ok := partitionOf(path)
		if !ok {
			continue
		}
		if st, _, err := s.state(id); err == nil {
			out[id] = st.LeaderEpoch
		}
	}
	return out
}

func merged(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// facts are what has to be equal, by name: what cannot be equal is left out, sets are in order.
func facts(s Snapshot) map[string]string {
	out := map[string]string{}
	for path, z := range s.Znodes {
		text := canonical(path, z.Data)
		if z.Ephemeral {
			text += " (ephemeral)"
		}
		out[path] = text
	}
	for b, v := range s.Views {
		who := fmt.Sprintf("broker %d: ", b)
		out[who+"brokers"] = strings.Join(v.Brokers, ", ")
		out[who+"knows the controller"] = fmt.Sprint(v.Controller == s.Holder)
		for name, value := range v.Configs {
			out[who+"config "+name] = value
		}
		for name, t := range v.Topics {
			out[who+"topic "+name] = fmt.Sprintf("code %d, has an id: %v, internal: %v", t.Code, t.HasID, t.Internal)
			for n, p := range t.Partitions {
				out[fmt.Sprintf("%s%s-%d", who, name, n)] = fmt.Sprintf("code %d, leader %d, replicas %v, ISR %v, offline %v",
					p.Code, p.Leader, p.Replicas, sorted(p.ISR), sorted(p.Offline))
			}
		}
	}
	return out
}

// canonical is a znode's data with its keys in order, without what differs between any two clusters.
func canonical(path, data string) string {
	var v map[string]any
	if json.Unmarshal([]byte(data), &v) != nil {
		return data
	}
	if _, ok := partitionOf(path); ok {
		normaliseState(v)
	}
	switch dir, name, _ := strings.Cut(strings.TrimPrefix(path, "/brokers/"), "/"); {
	case dir == "ids" && name != "":
		// Where a broker listens and since when.
		for _, key := range []string{"host", "port", "endpoints", "timestamp"} {
			hide(v, key)
		}
	case dir == "topics" && !strings.Contains(name, "/"):
		hide(v, "topic_id")
	}
	text, err := json.Marshal(v)
	if err != nil {
		return data
	}
	return string(text)
}

// normaliseState: leader epochs are compared apart, controller epochs count controllers, and an ISR is a set.
func normaliseState(v map[string]any) {
	hide(v, "leader_epoch")
	hide(v, "controller_epoch")
	if isr, ok := v["isr"].([]any); ok {
		slices.SortFunc(isr, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
}

// hide keeps that a key is there, and the type of its value.
func hide(v map[string]any, key string) {
	if value, ok := v[key]; ok {
		v[key] = fmt.Sprintf("%T", value)
	}
}
