package topicconfig

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

func configs(pairs ...string) map[string]*string {
	m := make(map[string]*string)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &pairs[i+1]
	}
	return m
}

const (
	throttled = " must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
	zk        = "It is invalid to set `remote.log.delete.on.disable` or `remote.log.copy.disable` under Zookeeper's mode."
)

// validateCases hold what LogConfig.validate of Kafka 3.9.1 answered, "" for accepted.
var validateCases = []struct {
	name    string
	configs map[string]*string
	kind    Kind
	want    string
}{
	{"none", nil, 0, ""},
	{"unknown", configs("foo", "1"), KindUnknown, "Unknown topic config name: foo"},
	{"first unknown by name", configs("foo", "1", "bar", "2"), KindUnknown, "Unknown topic config name: bar"},
	{"empty name", configs("", "1"), KindUnknown, "Unknown topic config name: "},
	{"unknown before bad value", configs("zzz", "1", "retention.ms", "x"), KindUnknown, "Unknown topic config name: zzz"},
	{"null", map[string]*string{"retention.ms": nil}, KindNull, "Null value not supported for topic configs: retention.ms"},
	{"not a long", configs("retention.ms", "abc"), KindValue, "Invalid value abc for configuration retention.ms: Not a number of type LONG"},
	{"no unit suffix", configs("retention.ms", "1L"), KindValue, "Invalid value 1L for configuration retention.ms: Not a number of type LONG"},
	{"empty number", configs("retention.ms", ""), KindValue, "Invalid value  for configuration retention.ms: Not a number of type LONG"},
	{"below bound", configs("retention.ms", "-2"), KindValue, "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
	{"no bound", configs("retention.bytes", "-9223372036854775808"), 0, ""},
	{"smallest segment", configs("segment.bytes", "13"), KindValue, "Invalid value 13 for configuration segment.bytes: Value must be at least 14"},
	{"trimmed", configs("segment.bytes", " 1048576 "), 0, ""},
	{"int overflow", configs("segment.bytes", "99999999999"), KindValue, "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT"},
	{"plus sign", configs("min.insync.replicas", "+2"), 0, ""},
	{"hexadecimal", configs("min.insync.replicas", "0x2"), KindValue, "Invalid value 0x2 for configuration min.insync.replicas: Not a number of type INT"},
	{"min isr 0", configs("min.insync.replicas", "0"), KindValue, "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"},
	{"no policy", configs("cleanup.policy", ""), 0, ""},
	{"both policies", configs("cleanup.policy", "compact, delete"), 0, ""},
	{"policy in capitals", configs("cleanup.policy", "Compact"), KindValue, "Invalid value Compact for configuration cleanup.policy: String must be one of: compact, delete"},
	{"codec in capitals", configs("compression.type", "GZIP"), KindValue, "Invalid value GZIP for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
	{"gzip 0", configs("compression.gzip.level", "0"), KindValue, "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
	{"gzip default", configs("compression.gzip.level", "-1"), 0, ""},
	{"gzip 10", configs("compression.gzip.level", "10"), KindValue, "Invalid value 10 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
	{"lz4 18", configs("compression.lz4.level", "18"), KindValue, "Invalid value 18 for configuration compression.lz4.level: Value must be no more than 17"},
	{"zstd lowest", configs("compression.zstd.level", "-131072"), 0, ""},
	{"zstd 23", configs("compression.zstd.level", "23"), KindValue, "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22"},
	{"ratio", configs("min.cleanable.dirty.ratio", "1"), 0, ""},
	{"ratio too high", configs("min.cleanable.dirty.ratio", "1.5"), KindValue, "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
	{"whole ratio", configs("min.cleanable.dirty.ratio", "2"), KindValue, "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
	{"ratio no number", configs("min.cleanable.dirty.ratio", "x"), KindValue, "Invalid value x for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
	{"ratio NaN, stricter than Kafka", configs("min.cleanable.dirty.ratio", "NaN"), KindValue, "Invalid value NaN for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
	{"boolean in capitals", configs("unclean.leader.election.enable", "TRUE "), 0, ""},
	{"boolean yes", configs("unclean.leader.election.enable", "yes"), KindValue, "Invalid value yes for configuration unclean.leader.election.enable: Expected value to be either true or false"},
	{"format", configs("message.format.version", "2.4"), 0, ""},
	{"format with patch", configs("message.format.version", "0.10.0.1"), 0, ""},
	{"format unknown", configs("message.format.version", "9.9"), KindValue, "Invalid value 9.9 for configuration message.format.version: Version 9.9 is not a valid version"},
	{"format unknown IV", configs("message.format.version", "2.4-IV9"), KindValue, "Invalid value 2.4-IV9 for configuration message.format.version: Version 2.4-IV9 is not a valid version"},
	{"timestamp type", configs("message.timestamp.type", "createTime"), KindValue, "Invalid value createTime for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime"},
	{"throttled all", configs("leader.replication.throttled.replicas", "*"), 0, ""},
	{"throttled none", configs("follower.replication.throttled.replicas", "  "), 0, ""},
	{"throttled list", configs("leader.replication.throttled.replicas", "0:1, 1:2"), 0, ""},
	{"throttled word", configs("leader.replication.throttled.replicas", "none"), KindValue, "Invalid value [none] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas" + throttled},
	{"compaction lags", configs("min.compaction.lag.ms", "10", "max.compaction.lag.ms", "5"), KindConflict, "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"},
	{"tiered settings with ZooKeeper", configs("remote.log.copy.disable", "true"), KindConflict, zk},
	{"tiered and compacted", configs("remote.storage.enable", "true", "cleanup.policy", "compact,delete"), KindConflict, "Remote log storage is unsupported for the compacted topics"},
	{"tiered", configs("remote.storage.enable", "true", "local.retention.bytes", "6"), 0, ""},
	{"local above total", configs("remote.storage.enable", "true", "retention.ms", "5", "local.retention.ms", "6"), KindValue, "Invalid value 6 for configuration local.retention.ms: Value must not be more than retention.ms property value: 5"},
	{"local unlimited", configs("remote.storage.enable", "true", "retention.bytes", "5", "local.retention.bytes", "-1"), KindValue, "Invalid value -1 for configuration local.retention.bytes: Value must not be -1 as retention.bytes value is set as 5."},
	{"local above total, not tiered", configs("retention.ms", "5", "local.retention.ms", "6"), 0, ""},
}

func TestValidate(t *testing.T) {
	for _, tt := range validateCases {
		t.Run(tt.name, func(t *testing.T) {
			err := Validate(tt.configs, Inherited{TieredStorage: true})
			if tt.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want *Error %q", err, tt.want)
			}
			if e.Kind != tt.kind || e.Text != tt.want {
				t.Errorf("got kind %d, %q\nwant kind %d, %q", e.Kind, e.Text, tt.kind, tt.want)
			}
		})
	}
}

// What the topic leaves open is what the brokers' settings say.
func TestValidateWithSettings(t *testing.T) {
	given := func(pairs ...string) func(string) string {
		c := configs(pairs...)
		return func(name string) string {
			if v := c[name]; v != nil {
				return *v
			}
			return ""
		}
	}
	const on, tiered = "remote.log.storage.system.enable", "remote.storage.enable"
	for name, tt := range map[string]struct {
		settings func(string) string
		configs  map[string]*string
		want     string
	}{
		"no tiered storage": {given(), configs(tiered, "true"),
			"Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
		"tiered storage": {given(on, "true"), configs(tiered, "TRUE "), ""},
		"inherited local time": {given(on, "true", "log.local.retention.ms", "1000"), configs(tiered, "true", "retention.ms", "200"),
			"Invalid value 1000 for configuration local.retention.ms: Value must not be more than retention.ms property value: 200"},
		"inherited local size": {given(on, "true", "log.local.retention.bytes", "1024"), configs(tiered, "true", "retention.bytes", "512"),
			"Invalid value 1024 for configuration local.retention.bytes: Value must not be more than retention.bytes property value: 512"},
		"inherited total time": {given(on, "true", "log.retention.minutes", "1", "log.retention.hours", "7"), configs(tiered, "true", "local.retention.ms", "60001"),
			"Invalid value 60001 for configuration local.retention.ms: Value must not be more than retention.ms property value: 60000"},
		"Kafka's week":        {given(on, "true"), configs(tiered, "true", "local.retention.ms", "604800000"), ""},
		"inherited for ever":  {given(on, "true", "log.retention.ms", "-5"), configs(tiered, "true", "local.retention.ms", "604800001"), ""},
		"inherited policy":    {given(on, "true", "log.cleanup.policy", "compact"), configs(tiered, "true"), "Remote log storage is unsupported for the compacted topics"},
		"inherited, not used": {given("log.local.retention.ms", "1000"), configs("retention.ms", "200"), ""},
		"inherited lag": {given("log.cleaner.max.compaction.lag.ms", "5"), configs("min.compaction.lag.ms", "10"),
			"conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"},
	} {
		got := ""
		if err := Validate(tt.configs, Inherit(tt.settings)); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestTableIsSortedAndItsDefaultsAreValid(t *testing.T) {
	if !slices.IsSortedFunc(table, func(a, b Def) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("Lookup searches a sorted table")
	}
	if len(table) != 36 {
		t.Errorf("%d configs, Kafka 3.9.1 has 36", len(table))
	}
	all := make(map[string]*string)
	for name, v := range Defaults() {
		all[name] = &v
	}
	if err := Validate(all, Inherited{}); err != nil {
		t.Error(err)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(all)), func() (names []string) {
		for _, d := range All() {
			names = append(names, d.Name)
		}
		return
	}()) {
		t.Error("Defaults and All differ")
	}
}

// TestValidName holds Kafka's own sentences (Topic.validate, 3.9.1).
func TestValidName(t *testing.T) {
	long := strings.Repeat("a", 250)
	for name, want := range map[string]string{
		"":        "Topic name is invalid: the empty string is not allowed",
		".":       "Topic name is invalid: '.' is not allowed",
		"..":      "Topic name is invalid: '..' is not allowed",
		"...":     "",
		long[1:]:  "",
		long:      "Topic name is invalid: the length of '" + long + "' is longer than the max allowed length 249",
		"a b":     "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
		"é":       "Topic name is invalid: 'é' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
		"a/b":     "Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
		"\xff":    "Topic name is invalid: '\xff' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
		"A_-9.z0": "",
	} {
		got := ""
		if err := ValidName(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestFolded(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"a.b", "a_b", true}, {"a_b.c", "a.b_c", true}, {"a.b", "a.b", true}, {"a.b", "ab", false}, {"a-b", "a_b", false},
	} {
		if (Folded(tt.a) == Folded(tt.b)) != tt.want {
			t.Errorf("%s, %s: want %v", tt.a, tt.b, tt.want)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add("retention.ms", "1")
	f.Add("message.format.version", "2.4-IV1")
	f.Add("leader.replication.throttled.replicas", "0:1,")
	f.Fuzz(func(t *testing.T, name, value string) {
		var e *Error
		if err := Validate(map[string]*string{name: &value}, Inherited{}); err != nil && (!errors.As(err, &e) || e.Kind == 0 || e.Text == "") {
			t.Errorf("%q=%q: %#v", name, value, err)
		}
	})
}
