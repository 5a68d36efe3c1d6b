// Package javatools runs Kafka's own command-line tools, many of them in one JVM.
package javatools

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton/e2e/javaprog"
	"baton/e2e/kafka"
)

//go:embed Tools.java
var source []byte

// Classes are the main classes of Kafka 3.9's tools, by the names of their scripts without .sh.
var Classes = map[string]string{
	"kafka-acls":                "kafka.admin.AclCommand",
	"kafka-broker-api-versions": "kafka.admin.BrokerApiVersionsCommand",
	"kafka-client-metrics":      "org.apache.kafka.tools.ClientMetricsCommand",
	"kafka-cluster":             "org.apache.kafka.tools.ClusterTool",
	"kafka-configs":             "kafka.admin.ConfigCommand",
	"kafka-console-consumer":    "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"kafka-console-producer":    "kafka.tools.ConsoleProducer",
	"kafka-consumer-groups":     "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"kafka-delegation-tokens":   "org.apache.kafka.tools.DelegationTokenCommand",
	"kafka-delete-records":      "org.apache.kafka.tools.DeleteRecordsCommand",
	"kafka-features":            "org.apache.kafka.tools.FeatureCommand",
	"kafka-get-offsets":         "org.apache.kafka.tools.GetOffsetShell",
	"kafka-leader-election":     "org.apache.kafka.tools.LeaderElectionCommand",
	"kafka-log-dirs":            "org.apache.kafka.tools.LogDirsCommand",
	"kafka-metadata-quorum":     "org.apache.kafka.tools.MetadataQuorumCommand",
	"kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
	"kafka-topics":              "org.apache.kafka.tools.TopicCommand",
	"kafka-transactions":        "org.apache.kafka.tools.TransactionsCommand",
	"kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
	"kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
	"kafka-producer-perf-test":  "org.apache.kafka.tools.ProducerPerformance",
}

// JVM is a running JVM.
type JVM struct{ *javaprog.Program }

// New starts a JVM with the tools of a version, for the length of the test.
func New(t testing.TB, version string) *JVM {
	t.Helper()
	return &JVM{javaprog.Start(t, version, "Tools", map[string][]byte{"Tools.java": source})}
}

// Run runs a tool by its main class, as kafka.Cluster.ToolStdin does. The error is about running it.
func (j *JVM) Run(within time.Duration, stdin, class string, args ...string) (kafka.ToolResult, error) {
	words := []string{strconv.FormatInt(within.Milliseconds(), 10), class}
	for _, a := range append([]string{stdin}, args...) {
		words = append(words, "="+base64.StdEncoding.EncodeToString([]byte(a)))
	}
	answer, err := j.Ask("%s", strings.Join(words, " "))
	if err != nil {
		return kafka.ToolResult{}, fmt.Errorf("%s %v: %w", class, args, err)
	}
	return parse(answer)
}

func parse(answer string) (r kafka.ToolResult, err error) {
	fields := strings.Fields(answer)
	if len(fields) != 3 {
		return r, fmt.Errorf("answer %q: want an exit code and two outputs", answer)
	}
	if r.ExitCode, err = strconv.Atoi(fields[0]); err != nil {
		return r, err
	}
	for i, to := range []*string{&r.Stdout, &r.Stderr} {
		text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(fields[i+1], "="))
		if err != nil {
			return r, err
		}
		*to = string(text)
	}
	return r, nil
}
