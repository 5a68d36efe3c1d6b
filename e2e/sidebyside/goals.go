package main

import (
	"fmt"
	"strconv"
	"strings"
)

// aim is what Baton is to reach. Those of Kafka's seconds and CPU seconds by Baton's, least, are of medians; the ratio of CPU
// seconds decides where the machine was not quiet.
type aim struct {
	what     string
	scenario string // Baton's
	against  string // who is compared with; nobody: the figure itself
	theirs   string // their scenario, if it is another one
	least    float64
	most     float64
	field    func(result) float64
	format   string
	from     int // partitions from which on it is meant: in small clusters the program itself is most of its memory
}

var aims = []aim{
	{what: "failover, cold", scenario: "failover", against: "kafka", least: 15},
	{what: "failover, warm standby", scenario: "failover, warm standby", against: "kafka", theirs: "failover", least: 25},
	{what: "broker lost", scenario: "broker lost", against: "kafka", least: 20},
	{what: "controlled shutdown", scenario: "controlled shutdown", against: "kafka", least: 15},
	{what: "preferred election of half", scenario: "preferred election", against: "kafka", least: 15},
	{what: "one topic", scenario: "one topic", against: "kafka", least: 8},
	{what: "many topics at once", scenario: "many topics at once", against: "kafka", least: 6},
	{what: "failover, cold", scenario: "failover", against: "tuned", least: 10},
	{what: "broker lost", scenario: "broker lost", against: "tuned", least: 10},
	{what: "controlled shutdown", scenario: "controlled shutdown", against: "tuned", least: 10},
	{what: "broker lost: first new leader told, from when Baton heard of it", scenario: "broker lost, Baton's own first_told", most: 0.02, field: seconds,
		format: "%.3f s"},
	{what: "AlterPartition while a broker is lost, p99", scenario: "AlterPartition, broker lost, p99", most: 0.05, field: seconds, format: "%.3f s"},
	{what: "requests to ZooKeeper for each partition of a broker lost", scenario: "broker lost", most: 0.01, field: each(requests), format: "%.4f"},
	{what: "live heap for each partition at rest", scenario: "memory at rest", most: 512, field: heapEach, format: "%.0f B", from: 100_000},
	{what: "live heap for each partition during a failover", scenario: "failover", most: 1024, field: heapEach, format: "%.0f B", from: 100_000},
	{what: "resident memory at the peak of a failover", scenario: "failover", most: 2048 * 1.048576, field: residentMB, format: "%.0f MB", from: 1_000_000},
	{what: "resident memory at the peak of a broker lost", scenario: "broker lost", most: 2048 * 1.048576, field: residentMB, format: "%.0f MB", from: 1_000_000},
}

// quietLoad is the load average up to which seconds decide.
const quietLoad = 0.5

// goals says of each whether it is met.
func goals(all []result) section {
	s := section{title: "Goals", head: []string{"cluster", "goal", "wanted", "by seconds", "by CPU seconds", "met"}}
	for _, size := range sizes(all) {
		for _, a := range aims {
			if partitionsOf(size) < a.from {
				continue
			}
			mine := row{size, a.scenario}
			if a.against == "" {
				if v, _, ok := median(all, mine, "baton", a.field); ok {
					s.rows = append(s.rows, []string{size, a.what, "at most " + fmt.Sprintf(a.format, a.most), fmt.Sprintf(a.format, v), "", met(v <= a.most)})
				}
				continue
			}
			theirs := mine
			if a.theirs != "" {
				theirs.scenario = a.theirs
			}
			time, timed := ratio(all, theirs, a.against, mine, seconds)
			cpu, counted := ratio(all, theirs, a.against, mine, cpuSeconds)
			if !timed || !counted {
				continue
			}
			verdict := met(time >= a.least)
			if time < a.least && cpu >= a.least && busy(all, size) {
				verdict = "yes, by CPU seconds: the machine was busy"
			}
			s.rows = append(s.rows, []string{size, fmt.Sprintf("%s, against %s", a.what, a.against), fmt.Sprintf("%.0f times", a.least),
				fmt.Sprintf("%.1f", time), fmt.Sprintf("%.1f", cpu), verdict})
		}
	}
	return s
}

// partitionsOf reads what the name of a cluster begins with.
func partitionsOf(size string) int {
	number, _, _ := strings.Cut(size, " ")
	n, _ := strconv.Atoi(number)
	return n
}

func met(yes bool) string {
	if yes {
		return "yes"
	}
	return "**no**"
}

func ratio(all []result, theirs row, who string, mine row, field func(result) float64) (float64, bool) {
	a, _, has := median(all, theirs, who, field)
	b, _, ok := median(all, mine, "baton", field)
	return a / b, has && ok
}

func busy(all []result, size string) bool {
	for _, r := range all {
		if r.Size == size && r.Load > quietLoad {
			return true
		}
	}
	return false
}
