package conformance_test

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/zkserver/conformance"
)

const realTick = 200 * time.Millisecond

func TestZooKeeper359(t *testing.T) { onReal(t, conformance.Version{3, 5, 9}) }
func TestZooKeeper363(t *testing.T) { onReal(t, conformance.Version{3, 6, 3}) }
func TestZooKeeper384(t *testing.T) { onReal(t, conformance.Version{3, 8, 4}) }

// onReal runs the suite on a real server. They run one after the other: one small JVM at a time, and the client's.
func onReal(t *testing.T, v conformance.Version) {
	needJava(t)
	target := &conformance.Target{Server: "ZooKeeper " + v.String(), Addr: startReal(t, v), Version: v,
		MinSession: 2 * realTick, MaxSession: time.Minute, Java: javaClient(t)}
	run(t, target)
}

func needJava(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("real ZooKeeper is left out by -short")
	}
	for _, tool := range []string{"java", "javac", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

func haveJava() bool {
	_, err := exec.LookPath("javac")
	_, err2 := exec.LookPath("mvn")
	return err == nil && err2 == nil
}

// The server needs metrics-core and snappy, which its own pom calls provided.
const pom = `<project><modelVersion>4.0.0</modelVersion><groupId>baton</groupId><artifactId>zookeeper-conformance</artifactId>
<version>1</version><dependencies>
<dependency><groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId><version>%s</version></dependency>
<dependency><groupId>io.dropwizard.metrics</groupId><artifactId>metrics-core</artifactId><version>4.1.12.1</version></dependency>
<dependency><groupId>org.xerial.snappy</groupId><artifactId>snappy-java</artifactId><version>1.1.10.5</version></dependency>
</dependencies></project>`

var resolving sync.Mutex

// classpath asks Maven once and remembers the answer while the jars exist.
func classpath(t *testing.T, v conformance.Version) string {
	t.Helper()
	resolving.Lock()
	defer resolving.Unlock()
	dir := filepath.Join(cacheDir(t), "conformance-"+v.String())
	file := filepath.Join(dir, "classpath")
	if cp, err := os.ReadFile(file); err == nil && jarsExist(string(cp)) {
		return string(cp)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), fmt.Appendf(nil, pom, v), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath", "-Dmdep.outputFile="+file)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mvn: %v\n%s", err, out)
	}
	cp, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(cp)
}

func cacheDir(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "baton")
}

func jarsExist(cp string) bool {
	for _, jar := range filepath.SplitList(cp) {
		if _, err := os.Stat(jar); err != nil {
			return false
		}
	}
	return cp != ""
}

func java(heap string, more ...string) *exec.Cmd {
	return exec.Command("java", append([]string{"-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Djava.net.preferIPv4Stack=true"}, more...)...)
}

// startReal runs one server until the test ends and waits until it serves.
func startReal(t *testing.T, v conformance.Version) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	conf := filepath.Join(dir, "zoo.cfg")
	text := fmt.Sprintf("tickTime=%d\nmaxSessionTimeout=60000\ndataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\n"+
		"maxClientCnxns=0\n4lw.commands.whitelist=*\nadmin.enableServer=false\n", realTick.Milliseconds(), filepath.Join(dir, "data"), port)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	quietLogs(t, dir)
	var log tail
	cmd := java("128m", "-Dzookeeper.forceSync=no", "-Dzookeeper.preAllocSize=1024", "-Dznode.container.checkIntervalMs=500",
		"-cp", dir+":"+classpath(t, v), "org.apache.zookeeper.server.quorum.QuorumPeerMain", conf)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Log(log.String())
		}
	})
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < 2*time.Minute; {
		if serves(addr) {
			return addr
		}
		select {
		case <-ended:
			t.Fatalf("ZooKeeper %v ended: %s", v, &log)
		case <-tick.C:
		}
	}
	t.Fatalf("ZooKeeper %v does not serve: %s", v, &log)
	return ""
}

// quietLogs configures both of the logging libraries that ZooKeeper's versions bring: their default is to log everything.
func quietLogs(t *testing.T, dir string) {
	t.Helper()
	for name, text := range map[string]string{
		"logback.xml": `<configuration><appender name="E" class="ch.qos.logback.core.ConsoleAppender"><target>System.err</target>` +
			`<encoder><pattern>%d %-5p %c{1} %m%n</pattern></encoder></appender><root level="WARN"><appender-ref ref="E"/></root></configuration>`,
		"log4j.properties": "log4j.rootLogger=WARN, E\nlog4j.appender.E=org.apache.log4j.ConsoleAppender\n" +
			"log4j.appender.E.target=System.err\nlog4j.appender.E.layout=org.apache.log4j.SimpleLayout\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func serves(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = io.WriteString(c, "srvr")
	b, _ := io.ReadAll(c)
	return strings.Contains(string(b), "Mode: standalone")
}

//go:embed ZkClient.java
var clientSource []byte

// javaClient runs Java's client of 3.8.4, which is what Kafka 3.9 uses, and returns how to ask it.
func javaClient(t *testing.T) func(testing.TB, ...string) []string {
	t.Helper()
	cp := classpath(t, conformance.Version{3, 8, 4})
	dir := t.TempDir()
	source := filepath.Join(dir, "ZkClient.java")
	if err := os.WriteFile(source, clientSource, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("javac", "-J-Xmx192m", "-d", dir, "-cp", cp, source).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	quietLogs(t, dir)
	cmd := java("96m", "-cp", dir+":"+cp, "ZkClient")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log tail
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	return func(t testing.TB, commands ...string) (answers []string) {
		t.Helper()
		for _, c := range commands {
			if _, err := io.WriteString(in, c+"\n"); err != nil {
				t.Fatal(err)
			}
			line := ""
			for lines.Scan() {
				// Logging may go to standard output, too.
				if strings.HasPrefix(lines.Text(), "> ") {
					line = strings.TrimPrefix(lines.Text(), "> ")
					break
				}
			}
			if line == "" {
				t.Fatalf("no answer to %q: %s", c, &log)
			}
			answers = append(answers, line)
		}
		return answers
	}
}

// tail keeps the last of what a JVM printed.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	l.b = l.b[max(0, len(l.b)-6000):]
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}
