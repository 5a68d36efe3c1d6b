package kafka

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Scripts puts what a page for readers runs of Kafka's bin directory into dir, under its own names: this cluster's processes are
// started by the harness, those of a page by its reader's shell.
func Scripts(ctx context.Context, dir, version string) error {
	classpath, err := Fetch(ctx, version)
	if err != nil {
		return err
	}
	c := &Cluster{classpath: classpath, opts: Options{Version: version}}
	tools, err := c.withToolsSince(ctx, 2, 6)
	if err != nil {
		return err
	}
	log4j := map[string]string{}
	for _, level := range []string{"INFO", "WARN"} {
		if err := os.Mkdir(filepath.Join(dir, level), 0o755); err != nil {
			return err
		}
		if log4j[level], err = writeLog4j(filepath.Join(dir, level), level, map[string]string{"kafka.server.KafkaConfig": "WARN"}); err != nil {
			return err
		}
	}
	for _, s := range []struct {
		name    string
		of      *Cluster
		level   string
		heapMB  int
		classes []string
	}{
		{"zookeeper-server-start", c, "WARN", 128, []string{"org.apache.zookeeper.server.quorum.QuorumPeerMain"}},
		{"kafka-server-start", c, "INFO", 384, []string{"kafka.Kafka"}},
		{"kafka-topics", tools, "WARN", 256, []string{"org.apache.kafka.tools.TopicCommand", "kafka.admin.TopicCommand"}},
		{"kafka-configs", tools, "WARN", 256, []string{"kafka.admin.ConfigCommand"}},
		{"kafka-console-producer", tools, "WARN", 256, []string{"org.apache.kafka.tools.ConsoleProducer", "kafka.tools.ConsoleProducer"}},
		{"kafka-dump-log", tools, "WARN", 256, []string{"kafka.tools.DumpLogSegments"}},
	} {
		class := s.classes[0]
		if len(s.classes) > 1 {
			if class, err = s.of.firstClass(s.classes...); err != nil {
				return err
			}
		}
		text := "#!/bin/sh\nexec " + strings.Join(javaCommand(javaFlags(s.heapMB), log4j[s.level], s.of.classpath, class), " ") + " \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, s.name+".sh"), []byte(text), 0o755); err != nil { //nolint:gosec // it is to be run
			return fmt.Errorf("script: %w", err)
		}
	}
	return nil
}
