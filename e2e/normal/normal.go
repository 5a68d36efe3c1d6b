// Package normal removes from the output of Kafka's tools what differs between two clusters whoever controls them, and
// what Baton adds as a node. Whatever else differs is a difference. e2e/README.md lists the rules for readers.
package normal

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Cluster is what the outputs of one cluster name.
type Cluster struct {
	ID string
	// Names are what its addresses, directories and files are called instead: broker-1:port for 127.0.0.1:39123.
	Names map[string]string
	// Brokers are the ids of those that a controller may place replicas on.
	Brokers []int
	// Baton is the node id of the cluster's Baton, 0 where Kafka's own controller leads.
	Baton int
}

// A Mark is what the writer of a script knows of one command's output.
type Mark string

// The marks.
const (
	Unordered Mark = "unordered" // the order of the lines means nothing
	Placed    Mark = "placed"    // a controller, or the tool, has chosen the replicas at random
)

// Output is a tool's output without what may differ.
func (c Cluster) Output(tool string, marks []Mark, text string) string {
	for _, long := range slices.SortedFunc(maps.Keys(c.Names), func(a, b string) int { return len(b) - len(a) }) {
		text = strings.ReplaceAll(text, long, c.Names[long])
	}
	if c.ID != "" {
		text = strings.ReplaceAll(text, c.ID, "CLUSTER-ID")
	}
	if c.Baton != 0 {
		text = c.withoutBaton(text)
	}
	for _, r := range rules {
		if r.tool == "" || r.tool == tool {
			text = r.find.ReplaceAllString(text, r.with)
		}
	}
	text = sortedSets(text)
	switch tool {
	case "kafka-transactions":
		text = column(column(text, "ProducerId", "ID"), "TransactionDurationMs", "N")
	case "kafka-leader-election":
		text = sortedPartitions(text)
	case "kafka-verifiable-consumer":
		text = consumed(text)
	}
	if slices.Contains(marks, Placed) {
		text = c.placed(text)
	}
	if slices.Contains(marks, Unordered) {
		text = sortedBlocks(text)
	}
	return text
}

// rules are what any two clusters differ in.
var rules = []struct {
	tool string // of this tool alone, or of every one
	find *regexp.Regexp
	with string
}{
	{"", regexp.MustCompile(`\bTopicId: [\w-]{22}`), "TopicId: ID"},
	{"", regexp.MustCompile(`(?m)^\s+(at [^\n]*\)|\.\.\. \d+ (more|common frames omitted))\n`), ""}, // frames of a stack
	{"", regexp.MustCompile(`--bootstrap-server \S+`), "--bootstrap-server NODE"},                   // a tool's own arguments
	{"", regexp.MustCompile(`\b1\d{12}\b`), "TIME"},                                                 // ms since 1970
	{"kafka-verifiable-producer", regexp.MustCompile(`"avg_throughput":[\d.E-]+`), `"avg_throughput":N`},
	{"kafka-producer-perf-test", regexp.MustCompile(`\d+\.\d+|\d+ ms`), "N"},
	{"kafka-log-dirs", regexp.MustCompile(`"size":[1-9]\d*`), `"size":N`}, // how a producer has made batches of its records
	{"kafka-consumer-groups", regexp.MustCompile(` {2,}`), "  "},          // columns are as wide as addresses
	{"kafka-transactions", regexp.MustCompile(`[ \t]+`), " "},
	{"", regexp.MustCompile(`\btries=\d+`), "tries=N"}, // of an AdminClient's call that timed out
	{"", regexp.MustCompile(`\bafter \d+ attempt`), "after N attempt"},
	// A partition that nobody knows of is looked up again and again: the last try ends before it is sent, or after.
	{"kafka-transactions", regexp.MustCompile(`Call\(callName=(\w+\(api=METADATA\)), [^)]*\) timed out at TIME after N attempt\(s\)`),
		"Timed out waiting for a node assignment. Call: $1"},
	{"kcat", regexp.MustCompile(`\(from broker [^)]*\)`), "(from NODE)"}, // whoever was asked
	{"kcat", regexp.MustCompile(` \(controller\)`), ""},
	{"kcat", regexp.MustCompile(`(?m)^%(\d)\|[\d.]+\|`), "%$1|TIME|"},
	{"kcat", regexp.MustCompile(`after \d+ms`), "after N ms"},
}

// withoutBaton leaves out the node that Baton is, where a tool goes through the nodes of a cluster.
func (c Cluster) withoutBaton(text string) string {
	id := fmt.Sprint(c.Baton)
	for _, line := range []struct{ find, with string }{
		{`(?m)^(Dynamic|All) configs for broker ` + id + ` are:\n(  .*\n)*`, ""},                                                          // kafka-configs
		{`(?m)^\S+ \(id: ` + id + ` [^\n]*\) -> \(\n(\t.*\n)*\)\n`, ""},                                                                   // kafka-broker-api-versions
		{`,\{"broker":` + id + `,"logDirs":\[\{"partitions":\[\],"error":null,"logDir":"[^"]*"\}\]\}`, ""},                                // kafka-log-dirs
		{`(?m)^(.*Clearing broker-level throttles on brokers .*|Received .* from brokers .*|.*Current existent brokers: .*),` + id, "$1"}, // ids are in order
		{`(?m)^  broker ` + id + ` at .*\n`, ""},                                                                                          // kcat
	} {
		text = regexp.MustCompile(line.find).ReplaceAllString(text, line.with)
	}
	return nodes.ReplaceAllStringFunc(text, func(m string) string {
		var n int
		if _, err := fmt.Sscanf(m, " %d brokers:", &n); err != nil {
			return m
		}
		return fmt.Sprintf(" %d brokers:", n-1)
	})
}

var nodes = regexp.MustCompile(`(?m)^ \d+ brokers:$`) // kcat

var elected = regexp.MustCompile(`(?m)( for partitions? )(\S+-\d+(?:, \S+-\d+)+)$`)

// sortedPartitions puts a line's list of them into order.
func sortedPartitions(text string) string {
	return elected.ReplaceAllStringFunc(text, func(m string) string {
		parts := elected.FindStringSubmatch(m)
		members := strings.Split(parts[2], ", ")
		slices.Sort(members)
		return parts[1] + strings.Join(members, ", ")
	})
}

var set = regexp.MustCompile(`\b(?:Set|HashSet|ArrayBuffer|Buffer|List|Vector)\([^()]*\)`)

// sortedSets puts the members of Scala's collections in messages into order.
func sortedSets(text string) string {
	return set.ReplaceAllStringFunc(text, func(m string) string {
		kind, list, _ := strings.Cut(strings.TrimSuffix(m, ")"), "(")
		members := strings.Split(list, ", ")
		slices.Sort(members)
		return kind + "(" + strings.Join(members, ", ") + ")"
	})
}

// sortedBlocks puts lines into order, each with those below it that are indented more.
func sortedBlocks(text string) string {
	lines := strings.SplitAfter(text, "\n")
	var blocks []string
	for i := 0; i < len(lines); {
		end := i + 1
		for end < len(lines) && indentation(lines[end]) > indentation(lines[i]) {
			end++
		}
		blocks = append(blocks, lines[i]+sortedBelow(lines[i+1:end]))
		i = end
	}
	slices.Sort(blocks)
	return strings.Join(blocks, "")
}

func sortedBelow(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return sortedBlocks(strings.Join(lines, ""))
}

func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// column replaces the numbers in one column of tables whose first line names it. Cells are words.
func column(text, name, with string) string {
	lines, at := strings.SplitAfter(text, "\n"), -1
	for i, line := range lines {
		cells := strings.Fields(line)
		switch {
		case slices.Contains(cells, name):
			at = slices.Index(cells, name)
		case at >= 0 && at < len(cells):
			cells[at] = with
			lines[i] = strings.Join(cells, " ") + "\n"
		}
	}
	return strings.Join(lines, "")
}
