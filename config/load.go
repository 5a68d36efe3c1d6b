package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// KeyError is one bad or missing setting.
type KeyError struct {
	Where    string // "server.properties:12", "--set", or the file's name for what is missing
	Key      string
	Value    string // as given; "" for what is missing
	Expected string
	missing  bool
}

func (e *KeyError) Error() string {
	if e.missing {
		return fmt.Sprintf("%s: %s is not set: expected %s", e.Where, e.Key, e.Expected)
	}
	return fmt.Sprintf("%s: %s=%s: expected %s", e.Where, e.Key, quote(e.Value), e.Expected)
}

// quote keeps a message readable when a value is not what anybody meant to give.
func quote(s string) string {
	const limit = 200
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + "…"
	}
	return strconv.Quote(s)
}

// Severity grades a Warning; the names are those of log levels.
type Severity string

// The severities. SeverityError is for what still lets Baton run but changes what the cluster's users were promised.
const (
	SeverityInfo  Severity = "info"
	SeverityWarn  Severity = "warn"
	SeverityError Severity = "error"
)

// Warning is something the operator should read once; it never keeps Baton from starting.
type Warning struct {
	Severity Severity
	Keys     []string // the keys it is about
	Text     string
}

func (w Warning) String() string { return w.Text }

// environment is what defaults are derived from.
type environment struct{ tempDir, host string }

// Load reads the properties file at path and lays sets ("key=value", as given to --set) over it: default < file <
// --set, a later --set over an earlier one. env is the process's environment ("K=V", os.Environ), of which only TMPDIR
// is used. All errors are reported at once (errors.Join of *KeyError; *SyntaxError or the file system's for a file that
// cannot be read), and then the Config is nil. Warnings are returned in both cases.
func Load(path string, sets []string, env []string) (*Config, []Warning, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("configuration file: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only: nothing can be lost
	e := environment{tempDir: "/tmp", host: "localhost"}
	for _, kv := range env {
		if dir, ok := strings.CutPrefix(kv, "TMPDIR="); ok && dir != "" {
			e.tempDir = dir
		}
	}
	if h, err := os.Hostname(); err == nil {
		e.host = h
	}
	return parse(f, path, sets, e)
}

// Parse is Load for text that is already open; name stands for the file in messages. It depends on nothing but its
// arguments: the temporary directory is /tmp and the host's name localhost.
func Parse(r io.Reader, name string, sets []string) (*Config, []Warning, error) {
	return parse(r, name, sets, environment{tempDir: "/tmp", host: "localhost"})
}

// loader carries one load: the raw values, the Config being filled and what is wrong so far.
type loader struct {
	name     string
	env      environment
	raw      map[string]given
	order    []string // keys as first seen: file, then sets
	failed   map[string]bool
	c        *Config
	errs     []error
	warnings []Warning
	// brokersFile: the file is a broker's own, so its listeners are taken.
	brokersFile bool
}

func parse(r io.Reader, name string, sets []string, env environment) (*Config, []Warning, error) {
	l := &loader{name: name, env: env, raw: make(map[string]given), failed: make(map[string]bool), c: &Config{BrokerID: -1}}
	props, err := ParseProperties(r, name)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range props {
		l.put(p.Key, given{p.Value, OriginFile, fmt.Sprintf("%s:%d", name, p.Line)})
	}
	l.inspectBroker()
	for _, s := range sets {
		l.putSet(s)
	}
	l.dropBrokersAddress()
	l.nameKeys()
	for i := range specs {
		l.read(&specs[i])
	}
	l.derive()
	if len(l.errs) > 0 {
		return nil, l.warnings, errors.Join(l.errs...)
	}
	l.c.origins = make(map[string]given)
	for k, g := range l.raw {
		if _, ok := specByKey[k]; ok {
			l.c.origins[k] = g
		}
	}
	return l.c, l.warnings, nil
}

func (l *loader) put(key string, g given) {
	if _, seen := l.raw[key]; !seen {
		l.order = append(l.order, key)
	}
	l.raw[key] = g
}

func (l *loader) putSet(s string) {
	key, value, ok := strings.Cut(s, "=")
	key = trim(key)
	if !ok || key == "" {
		l.errs = append(l.errs, fmt.Errorf("--set %s: expected key=value", quote(s)))
		return
	}
	l.put(key, given{value, OriginSet, "--set"})
}

// inspectBroker recognises a broker's own file before --set is laid over it. log.dirs counts as well: a broker whose
// id is generated has no broker.id.
func (l *loader) inspectBroker() {
	for _, key := range []string{"broker.id", "log.dirs", "log.dir"} {
		if _, ok := l.raw[key]; ok {
			l.brokersFile = true
		}
	}
	if g, ok := l.raw["broker.id"]; ok {
		if id, err := strconv.Atoi(trim(g.value)); err == nil && id >= 0 {
			l.c.BrokerID = id
		}
	}
}

// dropBrokersAddress forgets the file's advertised.listeners when the listeners were replaced by --set: it is the
// address of whoever listens on the file's listeners, and publishing it for Baton would send brokers to that broker.
func (l *loader) dropBrokersAddress() {
	adv, given := l.raw["advertised.listeners"]
	if given && adv.origin == OriginFile && l.raw["listeners"].origin == OriginSet {
		delete(l.raw, "advertised.listeners")
		l.warn(SeverityWarn, []string{"advertised.listeners"},
			"%s: advertised.listeners=%s ignored, because --set replaced the listeners it belongs to; Baton advertises the listeners of --set",
			adv.where, quote(adv.value))
	}
}

// nameKeys warns once about keys that have no effect: those of a broker in one list, those nobody knows one by one.
func (l *loader) nameKeys() {
	var ignored []string
	for _, key := range l.order {
		if _, ok := specByKey[key]; ok {
			continue
		}
		if isBrokerKey(key) {
			ignored = append(ignored, key)
			continue
		}
		hint := ""
		if s := suggest(key); s != "" {
			hint = fmt.Sprintf(", did you mean %s?", s)
		}
		l.warn(SeverityWarn, []string{key}, "%s: unknown key %s%s", l.raw[key].where, quote(key), hint)
	}
	if len(ignored) > 0 {
		l.warn(SeverityInfo, ignored, "ignored, settings of a broker without meaning for a controller: %s", strings.Join(ignored, ", "))
	}
}

func (l *loader) read(s *spec) {
	g, ok := l.raw[s.key]
	if !ok {
		if s.required {
			l.missing(s)
		} else if s.def != "" {
			// Defaults are constants of ours; the tests read every one of them.
			if err := s.parse(l.c, s.def); err != nil {
				panic(fmt.Sprintf("config: default of %s: %v", s.key, err))
			}
		}
		return
	}
	if strings.Contains(g.value, "${") {
		l.bad(s.key, "the value itself: Baton does not ask config providers (${…}); give it with --set")
		return
	}
	if err := s.parse(l.c, g.value); err != nil {
		l.bad(s.key, err.Error())
	}
}

func (l *loader) missing(s *spec) {
	expected := map[string]string{
		"node.id":           "an id that no broker has or will have, 2000000 or above recommended (--set node.id=…)",
		"listeners":         "addresses for Baton to listen on, NAME://host:port (--set listeners=…)",
		"zookeeper.connect": "the cluster's ZooKeeper servers, host:port,…[/chroot]",
	}[s.key]
	if s.key == "listeners" && l.brokersFile {
		expected += "; this is a broker's file, and that broker listens on Kafka's default already"
	}
	l.failed[s.key] = true
	l.errs = append(l.errs, &KeyError{Where: l.name, Key: s.key, Expected: expected, missing: true})
}

// bad records what was expected of a key that was given. A key is reported once.
func (l *loader) bad(key, expected string) {
	if l.failed[key] {
		return
	}
	l.failed[key] = true
	g := l.raw[key]
	l.errs = append(l.errs, &KeyError{Where: g.where, Key: key, Value: g.value, Expected: expected})
}

func (l *loader) warn(sev Severity, keys []string, format string, args ...any) {
	l.warnings = append(l.warnings, Warning{Severity: sev, Keys: keys, Text: fmt.Sprintf(format, args...)})
}
