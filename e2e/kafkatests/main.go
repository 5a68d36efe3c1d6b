// Command kafkatests runs Kafka's own integration tests, as Maven Central has them, with Baton as the controller.
//
// Each class runs in a JVM of its own. An agent of ours in it (java/) starts one Baton for each embedded ZooKeeper, with
// the configuration of the first broker and before that one registers; the test classes stay as they are. A method counts
// only if Baton held /controller from before its first topic until ZooKeeper stopped, which ZooKeeper's transaction log
// tells. The exit code is 0 if no method failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// The classes that have to pass; any other of the test jars may be asked for.
var defaultClasses = []string{
	"kafka.integration.UncleanLeaderElectionTest",
	"kafka.admin.DeleteTopicTest",
	"kafka.admin.AddPartitionsTest",
	"kafka.api.PlaintextAdminIntegrationTest",
	"kafka.server.LogDirFailureTest",
	"kafka.api.TransactionsBounceTest",
	"org.apache.kafka.tools.LeaderElectionCommandTest",
	"org.apache.kafka.tools.reassign.ReassignPartitionsCommandTest",
	"org.apache.kafka.tools.TopicCommandTest",
	"org.apache.kafka.tools.TopicCommandIntegrationTest",
	"kafka.admin.RemoteTopicCrudTest",
	"kafka.admin.ConfigCommandIntegrationTest",
	"kafka.api.AdminClientWithPoliciesIntegrationTest",
	"kafka.api.ConsumerTopicCreationTest",
	"kafka.api.ProducerSendWhileDeletionTest",
	"kafka.api.RackAwareAutoTopicCreationTest",
	"kafka.coordinator.transaction.ProducerIdsIntegrationTest",
	"kafka.server.LogRecoveryTest",
}

var errFailed = errors.New("some methods failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.StringVar(&o.classes, "classes", "", "test classes, with or without their package, separated by commas; Class#method for one method")
	flag.StringVar(&o.version, "kafka", kafka.DefaultVersion, "version of Kafka and its tests")
	flag.StringVar(&o.out, "out", "", "directory for logs and results; e2e/logs/kafkatests if not given")
	flag.StringVar(&o.binary, "controller", "", "the Baton to test; the one of this tree if not given")
	flag.StringVar(&o.logLevel, "log-level", "info", "log level of the Batons")
	flag.DurationVar(&o.classTimeout, "class-timeout", 45*time.Minute, "how long one class may take")
	flag.DurationVar(&o.methodTimeout, "method-timeout", 5*time.Minute, "how long one method may take")
	flag.Parse()
	if err := o.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kafkatests:", err)
		os.Exit(1) //nolint:gocritic // everything has been closed by run
	}
}

type options struct {
	classes, version, out, binary, logLevel string
	classTimeout, methodTimeout             time.Duration
}

func (o options) run(ctx context.Context) error {
	env, err := kafka.NewRun("kafkatests", func(string, ...any) {})
	if err != nil {
		return err
	}
	defer env.Close()
	s, chosen, err := o.prepare(ctx, env)
	if err != nil {
		return err
	}
	var classes []string
	byClass := map[string][]verdict{}
	for _, sel := range chosen {
		fmt.Println(sel.class)
		verdicts, err := s.verdicts(ctx, sel)
		if err != nil {
			return err
		}
		printClass(os.Stdout, verdicts)
		classes = append(classes, sel.class)
		byClass[sel.class] = append(byClass[sel.class], verdicts...)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	fmt.Println()
	printSummary(os.Stdout, classes, byClass)
	for _, verdicts := range byClass {
		if tally(verdicts)[failed] > 0 {
			return fmt.Errorf("%w; logs are in %s", errFailed, s.out)
		}
	}
	return nil
}

// prepare fetches and builds what the classes need.
func (o options) prepare(ctx context.Context, env *kafka.Run) (*suite, []selection, error) {
	s := &suite{env: env, out: o.out, binary: o.binary, logLevel: o.logLevel, classTimeout: o.classTimeout, methodTimeout: o.methodTimeout}
	var err error
	if s.out == "" {
		root, err := kafka.RepoRoot()
		if err != nil {
			return nil, nil, err
		}
		s.out = filepath.Join(root, "e2e", "logs", "kafkatests")
	}
	if s.out, err = filepath.Abs(s.out); err != nil {
		return nil, nil, err
	}
	if s.excluded, err = parseExclusions(exclusionList); err != nil {
		return nil, nil, err
	}
	if s.classpath, err = fetch(ctx, o.version); err != nil {
		return nil, nil, err
	}
	classes, err := testClasses(s.classpath)
	if err != nil {
		return nil, nil, err
	}
	list := o.classes
	if strings.TrimSpace(list) == "" {
		list = strings.Join(defaultClasses, ",")
	}
	chosen, err := choose(list, classes)
	if err != nil {
		return nil, nil, err
	}
	if s.binary == "" {
		if s.binary, err = batonproc.Build(ctx); err != nil {
			return nil, nil, err
		}
	}
	s.agent = filepath.Join(env.TempDir(), "agent.jar")
	return s, chosen, buildAgent(ctx, o.version, s.classpath, s.agent)
}

// verdicts runs a class and judges it. A JVM that could not run or ended early is a failure of the class.
func (s *suite) verdicts(ctx context.Context, sel selection) ([]verdict, error) {
	start := time.Now()
	dir, runErr := s.run(ctx, sel)
	lines, err := readResults(dir)
	if err != nil {
		return nil, errors.Join(runErr, err)
	}
	died := ""
	if runErr != nil {
		died = runErr.Error()
	}
	verdicts, err := judge(lines, died)
	if err != nil {
		return nil, err
	}
	if runErr == nil && len(verdicts) == 0 {
		runErr = errors.New("JUnit found no such test")
	}
	if runErr != nil {
		verdicts = append(verdicts, verdict{class: sel.class, outcome: failed, reason: runErr.Error(), millis: time.Since(start).Milliseconds()})
	}
	return verdicts, nil
}
