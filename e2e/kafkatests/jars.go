package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"baton/e2e/kafka"
)

// The versions beside Kafka's own are those of Kafka 3.9's build. The test jars come first: their log4j.properties and
// junit-platform.properties are meant. What security tests need (MiniKdc) is left out.
var pomTemplate = template.Must(template.New("pom").Parse(`<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>baton.e2e</groupId>
  <artifactId>kafka-test-jars</artifactId>
  <version>{{.Version}}</version>
  <dependencies>
{{- range .WithTests}}
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>{{.}}</artifactId><version>{{$.Version}}</version><classifier>test</classifier>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>
{{- end}}
{{- range .Tested}}
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>{{.}}</artifactId><version>{{$.Version}}</version>
      <exclusions>
        <exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-log4j12</artifactId></exclusion>
        <exclusion><groupId>log4j</groupId><artifactId>log4j</artifactId></exclusion>
      </exclusions>
    </dependency>
{{- end}}
{{- range .Others}}
    <dependency>
      <groupId>{{index . 0}}</groupId><artifactId>{{index . 1}}</artifactId><version>{{index . 2}}</version>
    </dependency>
{{- end}}
  </dependencies>
</project>
`))

var tested = []string{"kafka_2.13", "kafka-tools", "kafka-clients", "kafka-server-common"}

// lending are the jars whose test classes those of tested use.
var lending = []string{"kafka-storage", "kafka-storage-api", "kafka-server", "kafka-metadata", "kafka-raft", "kafka-group-coordinator"}

var others = [][3]string{
	{"org.slf4j", "slf4j-reload4j", "1.7.36"},
	{"org.junit.jupiter", "junit-jupiter", "5.10.2"},
	{"org.junit.platform", "junit-platform-console", "1.10.2"},
	{"org.mockito", "mockito-core", "5.10.0"},
	{"org.mockito", "mockito-junit-jupiter", "5.10.0"},
	{"org.hamcrest", "hamcrest", "2.2"},
	{"org.bouncycastle", "bcpkix-jdk18on", "1.75"},
}

// fetch returns the class path of Kafka's tests.
func fetch(ctx context.Context, version string) (string, error) {
	var pom bytes.Buffer
	err := pomTemplate.Execute(&pom, struct {
		Version           string
		WithTests, Tested []string
		Others            [][3]string
	}{version, slices.Concat(tested, lending), tested, others})
	if err != nil {
		return "", err
	}
	return kafka.FetchPOM(ctx, filepath.Join("kafkatests", version), pom.Bytes(), "kafka_2.13-"+version+"-test.jar")
}

// testClasses are the names of all classes in the test jars, inner ones left out.
func testClasses(classpath string) ([]string, error) {
	var names []string
	for _, jar := range filepath.SplitList(classpath) {
		if !strings.HasSuffix(jar, "-test.jar") {
			continue
		}
		z, err := zip.OpenReader(jar)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", jar, err)
		}
		for _, f := range z.File {
			if name, ok := strings.CutSuffix(f.Name, ".class"); ok && !strings.Contains(name, "$") {
				names = append(names, strings.ReplaceAll(name, "/", "."))
			}
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// selection is a test class, with one method of it or all.
type selection struct{ class, method string }

func (s selection) simpleName() string { return s.class[strings.LastIndex(s.class, ".")+1:] }

var separators = regexp.MustCompile(`[\s,]+`)

// choose finds the classes that a list names, separated by commas or spaces; each is a full name or one without its
// package, and #method may follow.
func choose(list string, classes []string) ([]selection, error) {
	var chosen []selection
	for _, name := range separators.Split(strings.TrimSpace(list), -1) {
		class, method, _ := strings.Cut(name, "#")
		var found []string
		for _, c := range classes {
			if c == class || strings.HasSuffix(c, "."+class) {
				found = append(found, c)
			}
		}
		slices.Sort(found)
		switch len(found) {
		case 0:
			return nil, fmt.Errorf("no class %q in the test jars", class)
		case 1:
			chosen = append(chosen, selection{found[0], method})
		default:
			return nil, fmt.Errorf("%q may be any of %s: give the package too", class, strings.Join(found, ", "))
		}
	}
	return chosen, nil
}
