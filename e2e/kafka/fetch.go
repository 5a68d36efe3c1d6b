package kafka

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"text/template"
)

// The dependency plugin is pinned: an unpinned goal would take whatever is newest on the day of the run.
const classpathGoal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"

// Logging comes first so that its slf4j wins over the older one that old Kafkas bring. Connect comes with the tools
// and is forty jars that no broker and no tool we use ever opens.
var pomTemplate = template.Must(template.New("pom").Parse(`<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>baton.e2e</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>{{.Version}}</version>
  <dependencies>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId><version>1.7.36</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{{.Version}}</version>
      <exclusions>
        <exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-log4j12</artifactId></exclusion>
        <exclusion><groupId>log4j</groupId><artifactId>log4j</artifactId></exclusion>
      </exclusions>
    </dependency>
{{- if .Tools}}
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{{.Version}}</version>
      <exclusions>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId></exclusion>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-api</artifactId></exclusion>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-json</artifactId></exclusion>
        <exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-log4j12</artifactId></exclusion>
        <exclusion><groupId>log4j</groupId><artifactId>log4j</artifactId></exclusion>
      </exclusions>
    </dependency>
{{- end}}
  </dependencies>
</project>
`))

var versionPattern = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)$`)

// Fetch resolves one Kafka version's jars, its ZooKeeper included, and returns their class path. Maven is asked once;
// later calls, of this process or of another, find the answer in the cache. BATON_MAVEN_REPO moves Maven's own
// repository, for machines that keep one directory between runs.
func Fetch(ctx context.Context, version string) (string, error) {
	pom, err := renderPOM(version)
	if err != nil {
		return "", err
	}
	return FetchPOM(ctx, filepath.Join("kafka", version), pom, "kafka_2.13-"+version+".jar")
}

// FetchPOM resolves the dependencies of any pom and returns their class path, which has to hold the jar want. It is
// cached in the directory name of the cache for as long as the pom stays the same.
func FetchPOM(ctx context.Context, name string, pom []byte, want string) (string, error) {
	if err := haveJava(); err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if cp := cachedClasspath(dir, pom); cp != "" {
		return cp, nil
	}
	return resolve(ctx, dir, pom, want)
}

func renderPOM(version string) ([]byte, error) {
	if _, _, err := release(version); err != nil {
		return nil, err
	}
	var pom bytes.Buffer
	err := pomTemplate.Execute(&pom, struct {
		Version string
		Tools   bool
	}{version, AtLeast(version, 3, 5)})
	return pom.Bytes(), err
}

// cachedClasspath returns the remembered class path if it was made from this pom and every jar is still there:
// Maven's repository may have been cleaned since.
func cachedClasspath(dir string, pom []byte) string {
	was, err := os.ReadFile(filepath.Join(dir, "pom.xml"))
	if err != nil || !bytes.Equal(was, pom) {
		return ""
	}
	cp, err := os.ReadFile(filepath.Join(dir, "classpath"))
	if err != nil || len(cp) == 0 {
		return ""
	}
	for _, jar := range filepath.SplitList(string(cp)) {
		if _, err := os.Stat(jar); err != nil {
			return ""
		}
	}
	return string(cp)
}

func resolve(ctx context.Context, dir string, pom []byte, want string) (string, error) {
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o644); err != nil {
		return "", err
	}
	// Maven writes beside, and the rename makes it ours: a killed Maven must not leave half a class path behind.
	tmp := filepath.Join(dir, "classpath.tmp")
	args := []string{"-q", "-B", "-f", filepath.Join(dir, "pom.xml"), classpathGoal, "-Dmdep.outputFile=" + tmp}
	if repo := os.Getenv("BATON_MAVEN_REPO"); repo != "" {
		args = append(args, "-Dmaven.repo.local="+repo)
	}
	out, err := exec.CommandContext(ctx, "mvn", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mvn could not resolve %s: %w\n%s", filepath.Join(dir, "pom.xml"), err, out)
	}
	cp, err := os.ReadFile(tmp)
	if err != nil {
		return "", fmt.Errorf("mvn wrote no class path for %s: %w", filepath.Join(dir, "pom.xml"), err)
	}
	cp = bytes.TrimSpace(cp)
	if !strings.Contains(string(cp), want) {
		return "", fmt.Errorf("mvn resolved %s without %s: %s", filepath.Join(dir, "pom.xml"), want, cp)
	}
	if err := os.WriteFile(tmp, cp, 0o644); err != nil {
		return "", err
	}
	return string(cp), os.Rename(tmp, filepath.Join(dir, "classpath"))
}

// lockFile takes an exclusive lock that the kernel drops when the process dies.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
