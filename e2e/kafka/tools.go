package kafka

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
)

// ToolResult is what a command-line tool left.
type ToolResult struct {
	Stdout, Stderr string
	ExitCode       int
}

// Tool runs one of Kafka's own command-line tools, by its main class, to its end.
func (c *Cluster) Tool(ctx context.Context, class string, args ...string) (ToolResult, error) {
	return c.ToolStdin(ctx, nil, class, args...)
}

// ToolStdin is Tool with an input. The error is about running the tool; what the tool thinks is in the exit code.
func (c *Cluster) ToolStdin(ctx context.Context, stdin io.Reader, class string, args ...string) (ToolResult, error) {
	log4j, err := writeLog4j(c.env.TempDir(), "WARN", nil)
	if err != nil {
		return ToolResult{}, err
	}
	argv := javaCommand(javaFlags(256), log4j, c.classpath, append([]string{class}, args...)...)
	cmd := exec.Command(argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	child, err := launch(cmd)
	if err != nil {
		return ToolResult{}, fmt.Errorf("start %s: %w", class, err)
	}
	p := &Process{name: class, cur: child}
	if err := p.Wait(ctx); err != nil {
		return ToolResult{}, errors.Join(err, p.Kill(), errors.New(strings.TrimSpace(stderr.String())))
	}
	return ToolResult{Stdout: stdout.String(), Stderr: stderr.String(), ExitCode: p.ExitCode()}, nil
}

// Topics runs kafka-topics.
func (c *Cluster) Topics(ctx context.Context, args ...string) (ToolResult, error) {
	class, err := c.firstClass("org.apache.kafka.tools.TopicCommand", "kafka.admin.TopicCommand")
	if err != nil {
		return ToolResult{}, err
	}
	return c.Tool(ctx, class, append([]string{"--bootstrap-server", c.bootstrap()}, args...)...)
}

// LeaderElection runs kafka-leader-election.
func (c *Cluster) LeaderElection(ctx context.Context, args ...string) (ToolResult, error) {
	class, err := c.firstClass("org.apache.kafka.tools.LeaderElectionCommand", "kafka.admin.LeaderElectionCommand")
	if err != nil {
		return ToolResult{}, err
	}
	return c.Tool(ctx, class, append([]string{"--bootstrap-server", c.bootstrap()}, args...)...)
}

// Configs runs kafka-configs, the newest one if the cluster's own can ask nobody but ZooKeeper about topics.
func (c *Cluster) Configs(ctx context.Context, args ...string) (ToolResult, error) {
	c, err := c.withToolsSince(ctx, 2, 5)
	if err != nil {
		return ToolResult{}, err
	}
	return c.Tool(ctx, "kafka.admin.ConfigCommand", append([]string{"--bootstrap-server", c.bootstrap()}, args...)...)
}

// ConsoleProducer sends the lines of stdin to a topic.
func (c *Cluster) ConsoleProducer(ctx context.Context, stdin io.Reader, topic string, args ...string) (ToolResult, error) {
	class, err := c.firstClass("org.apache.kafka.tools.ConsoleProducer", "kafka.tools.ConsoleProducer")
	if err != nil {
		return ToolResult{}, err
	}
	server := "--bootstrap-server"
	if strings.HasPrefix(c.opts.Version, "2.4.") {
		server = "--broker-list" // all that the producer of 2.4 knows
	}
	return c.ToolStdin(ctx, stdin, class, append([]string{server, c.bootstrap(), "--topic", topic}, args...)...)
}

// ConsoleConsumer reads a topic; give it --max-messages or --timeout-ms, or it never ends.
func (c *Cluster) ConsoleConsumer(ctx context.Context, topic string, args ...string) (ToolResult, error) {
	class, err := c.firstClass("org.apache.kafka.tools.consumer.ConsoleConsumer", "kafka.tools.ConsoleConsumer")
	if err != nil {
		return ToolResult{}, err
	}
	return c.Tool(ctx, class, append([]string{"--bootstrap-server", c.bootstrap(), "--topic", topic}, args...)...)
}

// Via returns the same cluster with tools that know only these addresses.
func (c *Cluster) Via(addrs ...string) *Cluster {
	via := *c
	via.via = addrs
	return &via
}

func (c *Cluster) bootstrap() string {
	if len(c.via) > 0 {
		return strings.Join(c.via, ",")
	}
	return strings.Join(c.Seeds(), ",")
}

// firstClass finds the name that a tool has in this version: Kafka moved its tools from the core to a jar of their
// own over several releases.
func (c *Cluster) firstClass(names ...string) (string, error) {
	for _, jar := range filepath.SplitList(c.classpath) {
		base := filepath.Base(jar)
		if !strings.HasPrefix(base, "kafka-tools-") && !strings.HasPrefix(base, "kafka_2.13-") {
			continue
		}
		r, err := zip.OpenReader(jar)
		if err != nil {
			return "", err
		}
		found := firstEntry(&r.Reader, names)
		_ = r.Close()
		if found != "" {
			return found, nil
		}
	}
	return "", fmt.Errorf("kafka %s has none of %v", c.opts.Version, names)
}

func firstEntry(r *zip.Reader, classes []string) string {
	for _, name := range classes {
		file := strings.ReplaceAll(name, ".", "/") + ".class"
		for _, f := range r.File {
			if f.Name == file {
				return name
			}
		}
	}
	return ""
}

// Reassign runs kafka-reassign-partitions, the newest one if the cluster's own knows nothing but ZooKeeper.
func (c *Cluster) Reassign(ctx context.Context, args ...string) (ToolResult, error) {
	c, err := c.withToolsSince(ctx, 2, 6)
	if err != nil {
		return ToolResult{}, err
	}
	class, err := c.firstClass("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "kafka.admin.ReassignPartitionsCommand")
	if err != nil {
		return ToolResult{}, err
	}
	return c.Tool(ctx, class, append([]string{"--bootstrap-server", c.bootstrap()}, args...)...)
}

// ReassignInZooKeeper runs the kafka-reassign-partitions of releases before 3.0 as they ran it before 2.6: it writes to
// ZooKeeper what the controller is to do.
func (c *Cluster) ReassignInZooKeeper(ctx context.Context, args ...string) (ToolResult, error) {
	return c.Tool(ctx, "kafka.admin.ReassignPartitionsCommand", append([]string{"--zookeeper", c.ConnectString()}, args...)...)
}

// withToolsSince returns the cluster with tools of its own release, or with the newest ones if that is older than these
// numbers: what the tools learnt then they can do with older brokers, too.
func (c *Cluster) withToolsSince(ctx context.Context, major, minor int) (*Cluster, error) {
	if AtLeast(c.opts.Version, major, minor) {
		return c, nil
	}
	classpath, err := Fetch(ctx, DefaultVersion)
	if err != nil {
		return nil, err
	}
	with := *c
	with.classpath = classpath
	return &with, nil
}
