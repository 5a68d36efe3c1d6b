package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed exclusions.txt
var exclusionList []byte

// Kinds of reasons for which a method is left out. Only the first two are Baton's not being a broker. The list has what
// cannot be found while the tests run.
const (
	kindObject   = "controller-object" // reaches into the KafkaController objects of the brokers, or for the broker that has the role
	kindNodes    = "node-count"        // counts the nodes of the cluster
	kindSecurity = "security"          // needs TLS, SASL or ACLs
	kindKRaft    = "kraft"             // needs KRaft
)

var kinds = []string{kindObject, kindNodes, kindSecurity, kindKRaft}

// exclusion is one line of exclusions.txt.
type exclusion struct{ class, method, kind, reason string }

func (e exclusion) name() string { return e.class + "#" + e.method }

// parseExclusions reads lines of class#method, kind and reason; a # at the beginning makes a comment.
func parseExclusions(text []byte) ([]exclusion, error) {
	var all []exclusion
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("exclusions.txt:%d: want class#method, kind and reason", n)
		}
		class, method, ok := strings.Cut(fields[0], "#")
		if !ok || class == "" || method == "" {
			return nil, fmt.Errorf("exclusions.txt:%d: %q is not class#method", n, fields[0])
		}
		e := exclusion{class, method, fields[1], strings.Join(fields[2:], " ")}
		if !slices.Contains(kinds, e.kind) {
			return nil, fmt.Errorf("exclusions.txt:%d: kind %q is none of %s", n, e.kind, strings.Join(kinds, ", "))
		}
		if slices.ContainsFunc(all, func(x exclusion) bool { return x.name() == e.name() }) {
			return nil, fmt.Errorf("exclusions.txt:%d: %s a second time", n, e.name())
		}
		all = append(all, e)
	}
	return all, lines.Err()
}

// tsv is what the JVM reads: class#method, a tab, kind and reason.
func tsv(all []exclusion) []byte {
	var b bytes.Buffer
	for _, e := range all {
		fmt.Fprintf(&b, "%s\t%s: %s\n", e.name(), e.kind, e.reason)
	}
	return b.Bytes()
}
