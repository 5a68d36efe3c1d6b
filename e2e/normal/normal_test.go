package normal

import (
	"strings"
	"testing"
)

var (
	kafkas = Cluster{ID: "abcdefghijklmnopqrstuv", Brokers: []int{1, 2, 3}, Names: map[string]string{
		"127.0.0.1:1111": "broker-1:port", "127.0.0.1:11112": "broker-2:port", "/tmp/1/data": "data-1", "/tmp/1/data-2": "data-2"}}
	batons = Cluster{ID: "vutsrqponmlkjihgfedcba", Brokers: []int{1, 2, 3}, Baton: 2000001, Names: map[string]string{
		"127.0.0.1:22221": "broker-1:port", "127.0.0.1:22222": "broker-2:port", "127.0.0.1:3333": "baton:port"}}
)

// What may differ between two clusters is the same afterwards.
func TestWhatMayDiffer(t *testing.T) {
	for _, c := range []struct {
		name, tool     string
		marks          []Mark
		kafkas, batons string
	}{
		{"addresses", "kafka-configs", nil, "at 127.0.0.1:1111 and 127.0.0.1:11112\n", "at 127.0.0.1:22221 and 127.0.0.1:22222\n"},
		{"the cluster", "kafka-cluster", nil, "Cluster ID: abcdefghijklmnopqrstuv\n", "Cluster ID: vutsrqponmlkjihgfedcba\n"},
		{"topic ids", "kafka-topics", nil, "Topic: a\tTopicId: kpg9PBNJSoyR3IqgPEGmXw\tPart\n", "Topic: a\tTopicId: 72BLTkqxQMOpOqTvazI-_g\tPart\n"},
		{"stacks", "kafka-configs", nil, "Error: a\n\tat a.b.C$1.d(E.java:1)\n\t... 3 more\nCaused by: b\n", "Error: a\n\tat a.b.C(E.java:1)\nCaused by: b\n"},
		{"the bootstrap address", "kafka-configs", nil, "args '--bootstrap-server 127.0.0.1:1111 --x'", "args '--bootstrap-server 127.0.0.1:3333 --x'"},
		{"Scala's sets", "kafka-topics", nil, "Set(1, 2) are", "Set(2, 1) are"},
		{"Baton's configs", "kafka-configs", nil, "Dynamic configs for broker 3 are:\nDefault\n",
			"Dynamic configs for broker 3 are:\nDynamic configs for broker 2000001 are:\n  a=b\nDefault\n"},
		{"Baton's versions", "kafka-broker-api-versions", []Mark{Unordered},
			"broker-2:port (id: 2 rack: b) -> (\n\tA\n)\nbroker-1:port (id: 1 rack: a) -> (\n\tA\n)\n",
			"broker-1:port (id: 1 rack: a) -> (\n\tA\n)\nbaton:port (id: 2000001 rack: a) -> (\n\tB\n)\nbroker-2:port (id: 2 rack: b) -> (\n\tA\n)\n"},
		{"Baton's directories", "kafka-log-dirs", nil, `from brokers 1
{"brokers":[{"broker":1,"logDirs":[{"size":12}]}]}`, `from brokers 1
{"brokers":[{"broker":1,"logDirs":[{"size":13}]},{"broker":2000001,"logDirs":[{"partitions":[],"error":null,"logDir":"none"}]}]}`},
		{"Baton's throttle", "kafka-reassign-partitions", nil, "Clearing broker-level throttles on brokers 1,2,3\n",
			"Clearing broker-level throttles on brokers 1,2,3,2000001\n"},
		{"Baton in kcat", "kcat", []Mark{Unordered}, "Metadata (from broker 1: x/1):\n 1 brokers:\n  broker 1 at x (controller)\n",
			"Metadata (from broker 2000001: y/2):\n 2 brokers:\n  broker 2000001 at y (controller)\n  broker 1 at x\n"},
		{"producer ids", "kafka-transactions", nil, "ProducerId\tEpoch\n1000\t5\n", "ProducerId\tEpoch\n2001\t5\n"},
		{"elections", "kafka-leader-election", nil, "done (PREFERRED) for partitions a-1, b.c-0, a-0\nx\n", "done (PREFERRED) for partitions a-0, a-1, b.c-0\nx\n"},
		{"durations", "kafka-transactions", nil, "Id ProducerId TransactionDurationMs\na 1 504\n", "Id ProducerId TransactionDurationMs\na 2 597\n"},
		{"a last try", "kafka-transactions", nil, "Timed out waiting for a node assignment. Call: describeProducers(api=METADATA).",
			"Call(callName=describeProducers(api=METADATA), deadlineMs=1732377600123, tries=8, nextAllowedTryMs=1732377600124) timed out at 1732377600123 after 8 attempt(s)."},
		{"times", "kafka-transactions", nil, "Start 1732377600123\n", "Start 1732377600999\n"},
		{"blocks", "kcat", []Mark{Unordered}, "b\n  2\n  1\na\n", "a\nb\n  1\n  2\n"},
		{"placement", "kafka-topics", []Mark{Placed},
			"\tTopic: a\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1,2\tElr:\n\tTopic: a\tPartition: 1\tLeader: 2\tReplicas: 2,3\tIsr: 3,2\tElr:\n",
			"\tTopic: a\tPartition: 0\tLeader: 3\tReplicas: 3,2\tIsr: 2,3\tElr:\n\tTopic: a\tPartition: 1\tLeader: 1\tReplicas: 1,2\tIsr: 1,2\tElr:\n"},
		{"a plan", "kafka-reassign-partitions", []Mark{Placed}, plan("[1,2]"), plan("[2,3]")},
		{"polls", "kafka-verifiable-consumer", nil, polled(0, 2, 2) + polled(2, 5, 3), polled(0, 5, 5)},
	} {
		a, b := kafkas.Output(c.tool, c.marks, c.kafkas), batons.Output(c.tool, c.marks, c.batons)
		if a != b {
			t.Errorf("%s:\n%s", c.name, Diff(a, b))
		}
	}
}

// What is worth a failure stays different.
func TestWhatMayNot(t *testing.T) {
	described := "\tTopic: a\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1,2\tElr:\n\tTopic: a\tPartition: 1\tLeader: 2\tReplicas: 2,3\tIsr: 3,2\tElr:\n"
	for _, c := range []struct {
		name, tool     string
		marks          []Mark
		kafkas, batons string
	}{
		{"a replica on Baton", "kafka-topics", nil, "Replicas: 1,2", "Replicas: 1,2000001"},
		{"Baton in a topic's throttle", "kafka-configs", nil, "replicas=0:1", "replicas=0:2000001"},
		{"a replica on Baton, placed", "kafka-topics", []Mark{Placed}, described, strings.ReplaceAll(described, "2,3", "2,2000001")},
		{"a replica twice", "kafka-topics", []Mark{Placed}, described, strings.ReplaceAll(described, "2,3", "2,2")},
		{"fewer replicas", "kafka-topics", []Mark{Placed}, described, strings.ReplaceAll(described, "2,3", "2")},
		{"a smaller ISR", "kafka-topics", []Mark{Placed}, described, strings.ReplaceAll(described, "3,2", "2")},
		{"another leader", "kafka-topics", []Mark{Placed}, described, strings.ReplaceAll(described, "Leader: 2", "Leader: 3")},
		{"no leader", "kafka-topics", []Mark{Placed}, described, strings.ReplaceAll(described, "Leader: 2", "Leader: none")},
		{"all leaders on one", "kafka-topics", []Mark{Placed}, described, strings.NewReplacer("Leader: 2", "Leader: 1", "2,3", "1,3").Replace(described)},
		{"another plan's partition", "kafka-reassign-partitions", []Mark{Placed}, plan("[1,2]"), plan("[2]")},
		{"another leader, not placed", "kafka-topics", nil, described, strings.ReplaceAll(described, "Leader: 2", "Leader: 3")},
		{"an exception", "kafka-configs", nil, "Caused by: a: b\n", "Caused by: a: c\n"},
		{"a record lost", "kafka-verifiable-consumer", nil, polled(0, 2, 3), polled(0, 2, 2)},
		{"an empty log", "kafka-log-dirs", nil, `"size":12`, `"size":0`},
		{"a log on Baton", "kafka-log-dirs", nil, `{"broker":1,"logDirs":[]}`, `{"broker":1,"logDirs":[]},{"broker":2000001,"logDirs":[{"partitions":[{"partition":"a-0"}],"error":null,"logDir":"none"}]}`},
		{"a transaction's state", "kafka-transactions", nil, "Id ProducerId State\na 1 Ongoing\n", "Id ProducerId State\na 2 Empty\n"},
		{"another election", "kafka-leader-election", nil, "done (PREFERRED) for partitions a-1, a-0", "done (PREFERRED) for partitions a-1, b-0"},
		{"another call that timed out", "kafka-transactions", nil, "Timed out waiting for a node assignment. Call: a(api=METADATA)",
			"Timed out waiting for a node assignment. Call: a(api=DESCRIBE_PRODUCERS)"},
		{"the order of lines", "kafka-topics", nil, "a\nb\n", "b\na\n"},
		{"a line of another block", "kcat", []Mark{Unordered}, "a\n  1\nb\n  2\n", "a\n  2\nb\n  1\n"},
		{"a broker that is missing", "kcat", []Mark{Unordered}, " 2 brokers:\n  broker 1\n  broker 2\n", " 2 brokers:\n  broker 1\n  broker 2000001 at x\n"},
	} {
		a, b := kafkas.Output(c.tool, c.marks, c.kafkas), batons.Output(c.tool, c.marks, c.batons)
		if a == b {
			t.Errorf("%s is hidden: %s", c.name, a)
		}
	}
}

func plan(replicas string) string {
	return `Current partition replica assignment
{"version":1}

Proposed partition reassignment configuration
{"version":1,"partitions":[{"topic":"a","partition":0,"replicas":` + replicas + `,"log_dirs":["any","any"]}]}
`
}

func polled(from, to, n int64) string {
	replacer := strings.NewReplacer("N", itoa(n), "FROM", itoa(from), "TO", itoa(to))
	return replacer.Replace(`{"timestamp":1732377600123,"count":N,"name":"records_consumed","partitions":[{"topic":"a","partition":0,"count":N,"minOffset":FROM,"maxOffset":TO}]}
{"timestamp":1732377600123,"offsets":[{"topic":"a","partition":0,"offset":TO}],"name":"offsets_committed","success":true}
`)
}

func itoa(n int64) string { return string(rune('0' + n)) }

func TestDiff(t *testing.T) {
	got := Diff("1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\n5\n6\n8\n9\n")
	if want := "  …\n  4\n  5\n  6\n- 7\n  8\n+ 9"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
