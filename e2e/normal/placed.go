package normal

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// placement is where the partitions of one topic are.
type placement struct {
	topic    string
	replicas [][]int
}

var described = regexp.MustCompile(`(?m)\tTopic: (\S+)\tPartition: \d+\tLeader: (\S+)\tReplicas: ([\d,]+)\tIsr: ([\d,]+)`)

// placed puts in the place of replicas, and of a leader that is the first of them, how many there are, and says for each
// topic what has to hold wherever they are.
func (c Cluster) placed(text string) string {
	var topics []*placement
	add := func(topic string, replicas []int) {
		i := slices.IndexFunc(topics, func(p *placement) bool { return p.topic == topic })
		if i < 0 {
			i, topics = len(topics), append(topics, &placement{topic: topic})
		}
		topics[i].replicas = append(topics[i].replicas, replicas)
	}
	text = described.ReplaceAllStringFunc(text, func(line string) string {
		m := described.FindStringSubmatch(line)
		replicas := numbers(m[3])
		add(m[1], replicas)
		leader := m[2]
		if leader == strconv.Itoa(replicas[0]) {
			leader = "the first"
		}
		line, _, _ = strings.Cut(line, "\tLeader:")
		return fmt.Sprintf("%s\tLeader: %s\tReplicas: %d\tIsr: %d", line, leader, len(replicas), len(numbers(m[4])))
	})
	if head, plan, ok := strings.Cut(text, "Proposed partition reassignment configuration\n"); ok {
		text = head + "Proposed partition reassignment configuration\n" + proposed(plan, add)
	}
	for _, p := range topics {
		text += c.spread(p)
	}
	return text
}

// proposed hides the replicas of a plan.
func proposed(plan string, add func(string, []int)) string {
	var v struct {
		Version    int `json:"version"`
		Partitions []struct {
			Topic     string   `json:"topic"`
			Partition int      `json:"partition"`
			Replicas  []int    `json:"replicas"`
			LogDirs   []string `json:"log_dirs"`
		} `json:"partitions"`
	}
	if json.Unmarshal([]byte(plan), &v) != nil {
		return plan
	}
	out := fmt.Sprintf("version %d\n", v.Version)
	for _, p := range v.Partitions {
		add(p.Topic, p.Replicas)
		out += fmt.Sprintf("%s-%d: %d replicas in %v\n", p.Topic, p.Partition, len(p.Replicas), p.LogDirs)
	}
	return out
}

// spread says of a topic whether each partition is on different brokers that there are, and whether leaders and replicas
// are as evenly spread as they can be over the brokers that it is on.
func (c Cluster) spread(p *placement) string {
	leaders, all := map[int]int{}, map[int]int{}
	wrong := ""
	for n, replicas := range p.replicas {
		leaders[replicas[0]]++
		for i, r := range replicas {
			all[r]++
			if slices.Contains(replicas[:i], r) || !slices.Contains(c.Brokers, r) {
				wrong = fmt.Sprintf(", partition %d is on %v", n, replicas)
			}
		}
	}
	return fmt.Sprintf("%s: leaders %s, replicas %s%s\n", p.topic, even(leaders, all), even(all, all), wrong)
}

// even says that the counts of those named differ by one at most, or what they are.
func even(counts, named map[int]int) string {
	low, high := -1, 0
	for id := range named {
		high = max(high, counts[id])
		if low < 0 || counts[id] < low {
			low = counts[id]
		}
	}
	if high-low <= 1 {
		return "even"
	}
	return fmt.Sprint(counts)
}

func numbers(list string) (ns []int) {
	for _, text := range strings.Split(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			continue
		}
		ns = append(ns, n)
	}
	return ns
}
