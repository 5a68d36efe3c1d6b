package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"baton/e2e/kafka"
)

// suite is what the classes of a run have in common.
type suite struct {
	env                         kafka.Env
	classpath, agent, binary    string
	out                         string // one directory for each class is made in it
	classTimeout, methodTimeout time.Duration
	logLevel                    string
	excluded                    []exclusion
}

// run runs one class in a JVM of its own and returns the directory with its results. An error is about running it.
func (s *suite) run(ctx context.Context, sel selection) (string, error) {
	dir := filepath.Join(s.out, sel.simpleName())
	if err := os.RemoveAll(dir); err != nil {
		return dir, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o755); err != nil {
		return dir, err
	}
	if err := os.WriteFile(filepath.Join(dir, "excluded.tsv"), tsv(s.excluded), 0o644); err != nil {
		return dir, err
	}
	p, err := kafka.StartProcess(s.env, sel.simpleName(), filepath.Join(dir, "jvm.log"), s.command(sel, dir)...)
	if err != nil {
		return dir, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.classTimeout)
	defer cancel()
	waitErr := p.Wait(ctx)
	// The Batons are in the JVM's process group: one that was left behind goes too, also if the JVM has ended already.
	killErr := syscall.Kill(-p.PID(), syscall.SIGKILL)
	if errors.Is(killErr, syscall.ESRCH) {
		killErr = nil
	}
	if waitErr != nil || killErr != nil {
		return dir, fmt.Errorf("%s did not end within %v: %w", sel.class, s.classTimeout, errors.Join(waitErr, killErr))
	}
	// 1 is JUnit's code for failed tests, which the results tell better.
	if code := p.ExitCode(); code != 0 && code != 1 {
		return dir, fmt.Errorf("the JVM of %s ended with code %d, see %s", sel.class, code, p.LogPath())
	}
	return dir, os.RemoveAll(filepath.Join(dir, "tmp"))
}

// command is the JVM's. Brokers, ZooKeeper and clients are all in it; ZooKeeper allocates its logs in small steps, as a
// copy of each is kept.
func (s *suite) command(sel selection, dir string) []string {
	properties := map[string]string{
		"baton.dir": dir, "baton.binary": s.binary, "baton.log.level": s.logLevel, "baton.only": sel.method,
		"java.io.tmpdir": filepath.Join(dir, "tmp"), "zookeeper.preAllocSize": "64", "java.net.preferIPv4Stack": "true",
	}
	// Some tests put log directories below the working directory.
	argv := []string{"sh", "-c", `cd "$0" && exec "$@"`, properties["java.io.tmpdir"],
		"java", "-Xmx1536m", "-Xss4m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError", "-javaagent:" + s.agent}
	for _, key := range sortedKeys(properties) {
		argv = append(argv, "-D"+key+"="+properties[key])
	}
	// Kafka's own build opens these packages to its tests.
	for _, pkg := range []string{"lang", "nio", "nio.file", "util", "util.concurrent", "util.regex", "util.stream", "text", "time", "io"} {
		argv = append(argv, "--add-opens=java.base/java."+pkg+"=ALL-UNNAMED")
	}
	return append(argv, "-cp", strings.Join([]string{s.agent, s.classpath}, string(filepath.ListSeparator)),
		"org.junit.platform.console.ConsoleLauncher", "execute", "--select-class="+sel.class, "--disable-banner", "--details=none",
		"--config=junit.jupiter.extensions.autodetection.enabled=true",
		fmt.Sprintf("--config=junit.jupiter.execution.timeout.default=%d ms", s.methodTimeout.Milliseconds()),
		"--config=junit.jupiter.params.displayname.default={displayName}.{argumentsWithNames}")
}
