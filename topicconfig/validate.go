package topicconfig

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kind says what is wrong with a set of topic configs.
type Kind int

// The kinds. A broker answers all of them with INVALID_CONFIG.
const (
	KindUnknown  Kind = iota + 1 // no such topic config
	KindNull                     // a null value
	KindValue                    // a value of the wrong type or out of bounds
	KindConflict                 // two configs that exclude each other
)

// CodeInvalidConfig is Kafka's error code INVALID_CONFIG, the answer to every Error.
const CodeInvalidConfig int16 = 40

// Error is a refused topic config; its text is what a 3.9 broker answers.
type Error struct {
	Kind  Kind
	Name  string // the config; the first of them when several are named in Text
	Value string // as given, "" for KindUnknown and KindNull
	Text  string
}

func (e *Error) Error() string { return e.Text }

func invalid(d Def, value, reason string) *Error {
	return &Error{KindValue, d.Name, value, fmt.Sprintf("Invalid value %s for configuration %s: %s", value, d.Name, reason)}
}

// Validate checks the configs of a topic to be created or altered as a ZooKeeper-mode 3.9 broker does: null values,
// then names, then each value, then combinations. The first failure is returned, always an *Error; within a step
// configs are taken by name, where Kafka's order is its hash table's. Stricter than Kafka in two corners where its
// parser is Java's: digits are ASCII, and NaN is no ratio.
func Validate(configs map[string]*string, from Inherited) error {
	names := slices.Sorted(maps.Keys(configs))
	var nulls []string
	for _, name := range names {
		if configs[name] == nil {
			nulls = append(nulls, name)
		}
	}
	if len(nulls) > 0 {
		return &Error{KindNull, nulls[0], "", "Null value not supported for topic configs: " + strings.Join(nulls, ",")}
	}
	for _, name := range names {
		if _, ok := Lookup(name); !ok {
			return &Error{KindUnknown, name, "", "Unknown topic config name: " + name}
		}
	}
	for _, name := range names {
		d, _ := Lookup(name)
		if e := d.validate(*configs[name]); e != nil {
			return e
		}
	}
	if e := checkCombinations(configs, from); e != nil {
		return e
	}
	return nil
}

// validate checks one value. Messages show what Kafka shows: the text as given when it cannot be read, the value as
// read otherwise.
func (d Def) validate(given string) *Error {
	v := trim(given)
	switch d.Type {
	case Boolean:
		if l := strings.ToLower(v); l != "true" && l != "false" {
			return invalid(d, given, "Expected value to be either true or false")
		}
		return nil
	case Int, Long, Double:
		n, shown, ok := d.number(v)
		if !ok {
			return invalid(d, given, "Not a number of type "+string(d.Type))
		}
		switch {
		case d.check != nil:
			return d.check(d, shown)
		case n < d.min:
			return invalid(d, shown, "Value must be at least "+formatBound(d.min))
		case n > d.max:
			return invalid(d, shown, "Value must be no more than "+formatBound(d.max))
		}
		return nil
	}
	if d.check != nil {
		return d.check(d, v)
	}
	items := []string{v}
	if d.Type == List {
		items = splitList(v)
	}
	for _, item := range items {
		if !slices.Contains(d.allowed, item) {
			return invalid(d, item, "String must be one of: "+strings.Join(d.allowed, ", "))
		}
	}
	return nil
}

// decimal is the part of Java's floating-point syntax that people write.
var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?$`)

// number reads v and the text that Kafka would show for it. Bounds are small, so float64 compares them exactly even
// though it cannot hold every LONG.
func (d Def) number(v string) (n float64, shown string, ok bool) {
	if d.Type == Double {
		if !decimal.MatchString(v) {
			return 0, "", false
		}
		n, err := strconv.ParseFloat(strings.TrimRight(v, "dDfF"), 64)
		if err != nil && math.IsInf(n, 0) {
			err = nil // as in Java an overflow is infinite, and out of bounds
		}
		shown = strconv.FormatFloat(n, 'f', -1, 64)
		if !strings.Contains(shown, ".") {
			shown += ".0" // as Java writes a whole double
		}
		return n, shown, err == nil
	}
	bits := 64
	if d.Type == Int {
		bits = 32
	}
	i, err := strconv.ParseInt(v, 10, bits)
	return float64(i), strconv.FormatInt(i, 10), err == nil
}

func formatBound(b float64) string { return strconv.FormatFloat(b, 'f', -1, 64) }

func checkGzipLevel(d Def, v string) *Error {
	if n, _ := strconv.Atoi(v); n != -1 && (n < 1 || n > 9) {
		return invalid(d, v, "Value must be between 1 and 9 or equal to -1")
	}
	return nil
}

var throttledReplica = regexp.MustCompile(`^([0-9]+:[0-9]+)?$`)

func checkThrottled(d Def, v string) *Error {
	items := splitList(v)
	if len(items) == 0 || items[0] == "*" {
		return nil
	}
	for _, item := range items {
		if !throttledReplica.MatchString(item) {
			return invalid(d, "["+strings.Join(items, ", ")+"]", d.Name+" must be the literal '*' or a list of replicas"+
				" in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...")
		}
	}
	return nil
}

// formatReleases are the releases whose protocol versions message.format.version accepts, each with its number of
// internal versions (-IV0 …); 0 = the release has no such spelling. 4.0's drafts, which 3.9.1 knows, are left out.
var formatReleases = map[string]int{
	"0.8.0": 0, "0.8.1": 0, "0.8.2": 0, "0.9.0": 0, "0.10.0": 2, "0.10.1": 3, "0.10.2": 1, "0.11.0": 3,
	"1.0": 1, "1.1": 1, "2.0": 2, "2.1": 3, "2.2": 2, "2.3": 2, "2.4": 2, "2.5": 1, "2.6": 1, "2.7": 3, "2.8": 2,
	"3.0": 2, "3.1": 1, "3.2": 1, "3.3": 4, "3.4": 1, "3.5": 3, "3.6": 3, "3.7": 5, "3.8": 1, "3.9": 1,
}

// checkFormatVersion accepts a release, an internal version of it, or a longer release number. Brokers ignore the value
// from protocol 3.0 on (KIP-724), but still refuse one that is no version.
func checkFormatVersion(d Def, v string) *Error {
	parts := strings.Split(v, ".")
	n := 2
	if parts[0] == "0" {
		n = 3
	}
	release, iv, hasIV := strings.Cut(strings.Join(parts[:min(n, len(parts))], "."), "-IV")
	ivs, ok := formatReleases[release]
	if ok && hasIV {
		i, err := strconv.Atoi(iv)
		ok = err == nil && i >= 0 && i < ivs && strconv.Itoa(i) == iv
	}
	if !ok {
		return invalid(d, v, "Version "+v+" is not a valid version")
	}
	return nil
}

// Inherited is what the settings of the brokers, as the controller has them, mean for topics.
type Inherited struct {
	Configs       map[string]string // what holds where a topic says nothing, as far as it is not Kafka's default
	TieredStorage bool              // remote.log.storage.system.enable
}

// checkCombinations expects values that have passed one by one.
func checkCombinations(configs map[string]*string, from Inherited) *Error {
	value := func(name string) string {
		if v := configs[name]; v != nil {
			return trim(*v)
		}
		if v, ok := from.Configs[name]; ok {
			return v
		}
		d, _ := Lookup(name)
		return d.Default
	}
	lag := func(name string) int64 { n, _ := strconv.ParseInt(value(name), 10, 64); return n }
	if lo, hi := lag("min.compaction.lag.ms"), lag("max.compaction.lag.ms"); lo > hi {
		return &Error{KindConflict, "min.compaction.lag.ms", value("min.compaction.lag.ms"), fmt.Sprintf(
			"conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", lo, hi)}
	}
	for _, name := range []string{"remote.log.delete.on.disable", "remote.log.copy.disable"} {
		// KIP-950 exists with KRaft only.
		if strings.EqualFold(value(name), "true") {
			return &Error{KindConflict, name, value(name), "It is invalid to set `remote.log.delete.on.disable` or " +
				"`remote.log.copy.disable` under Zookeeper's mode."}
		}
	}
	if !strings.EqualFold(value(remoteStorage), "true") {
		return nil
	}
	if !from.TieredStorage {
		// Brokers that find such a topic do not start any more.
		return &Error{KindConflict, remoteStorage, "true", "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."}
	}
	if slices.Contains(splitList(value("cleanup.policy")), "compact") {
		return &Error{KindConflict, "cleanup.policy", value("cleanup.policy"), "Remote log storage is unsupported for the compacted topics"}
	}
	for _, unit := range []string{"bytes", "ms"} {
		if e := checkLocalRetention(value, "retention."+unit, "local.retention."+unit); e != nil {
			return e
		}
	}
	return nil
}

const remoteStorage = "remote.storage.enable"

// checkLocalRetention holds what stays on the broker's disk to what is kept at all (KIP-405); -2 is as much as that.
func checkLocalRetention(value func(string) string, total, local string) *Error {
	d, _ := Lookup(local)
	t, _ := strconv.ParseInt(value(total), 10, 64)
	l, _ := strconv.ParseInt(value(local), 10, 64)
	switch {
	case t <= -1 || l == -2:
		return nil
	case l == -1:
		return invalid(d, "-1", fmt.Sprintf("Value must not be -1 as %s value is set as %d.", total, t))
	case l > t:
		return invalid(d, strconv.FormatInt(l, 10), fmt.Sprintf("Value must not be more than %s property value: %d", total, t))
	}
	return nil
}

// trim is Java's String.trim: every character up to and including the space goes.
func trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }

// splitList is Kafka's LIST: nothing is the empty list, white space around commas is dropped.
func splitList(v string) []string {
	if v == "" {
		return nil
	}
	items := strings.Split(v, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
