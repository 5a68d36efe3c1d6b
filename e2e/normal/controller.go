package normal

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Controller is what a verb of Baton's own command line printed, without what may differ between two runs, on real brokers or
// simulated ones. Names are what addresses, directories and files are called instead. Golden files of verbs have this form.
func Controller(names map[string]string, text string) string {
	text = ids.ReplaceAllString(text, "$1: ID") // before names: a host's short one may be a part of an id
	for _, long := range slices.SortedFunc(maps.Keys(names), func(a, b string) int { return len(b) - len(a) }) {
		text = strings.ReplaceAll(text, long, names[long])
	}
	for _, r := range controllerRules {
		text = r.find.ReplaceAllString(text, r.with)
	}
	return text
}

var ids = regexp.MustCompile(`"?(clusterId|id)"?: ?"?[A-Za-z0-9_-]{22}"?`)

var controllerRules = []struct {
	find *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`"?\d{4}-\d\d-\d\dT[\d:.]+Z"?`), "TIME"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST:PORT"},
	{regexp.MustCompile(`"?(epoch|znodeVersion|partitionEpoch|tookMs|leaderEpoch|controllerEpoch|brokerEpoch|ms)"?: ?\d+`), "$1: N"},
	{regexp.MustCompile(`(leader|controller|with|at) epoch \d+`), "$1 epoch N"},
	{regexp.MustCompile(`(Controller epoch: +)\d+`), "${1}N"},
	{regexp.MustCompile(`\bversion \d+ -> \d+, after \d+ ms`), "version N -> N, after N ms"},
	{regexp.MustCompile(`\b(20000\d\d)-1\d{12}\b`), "$1-START"}, // where a journal begins
	{regexp.MustCompile(`(\w+)@[\w.-]+`), "$1@HOST"},
	{regexp.MustCompile(`\bsession 0x[0-9a-f]+, timeout [\dms.]+`), "session ID, timeout T"},
	{regexp.MustCompile(`(?m)^Image: .*$`), "Image:  STATE"}, // of a standby: it may be on its way
	// How much is known of a loss depends on when the leader's log was looked at last, and how often before.
	{regexp.MustCompile(`the leader's log [\d.]+ s before it was lost(, if it grew no faster than in the \d+ s before that)?`), "the leader's log N s before it was lost"},
	{regexp.MustCompile(`(?m)^Logs:.*\n|(?s) *"logs": \[.*?\],?\n`), ""}, // there may have been a sample, or not
	{regexp.MustCompile(`(at least )?(\d+)…\d+ +`), "at least $2  "},
	{regexp.MustCompile(`at least (\d+) +`), "at least $1  "},
	{regexp.MustCompile(`(?m)(LOSS|no    yes) +$`), "$1"},
	{regexp.MustCompile(`\bafter [\d.]+(ms|s)\b`), "after T"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ms|µs) `), "T "},
}

var (
	gaps    = regexp.MustCompile(`(\S) {2,}`)
	brokers = regexp.MustCompile(`(?m)^(\d+)  \d+  (\S+)  (connected|disconnected|leaving)  \d+  \d+  `)
	untold  = regexp.MustCompile(`(?m)^(\d+)  \d+  (\S+)  (\w+://)`) // as a standby lists them
)

// Columns are as wide as what is in them: of tables whose cells were replaced only what divides the cells is left. In the list of
// brokers neither epochs nor how much each was told are the same twice.
func Columns(text string) string {
	text = gaps.ReplaceAllString(text, "$1  ")
	return untold.ReplaceAllString(brokers.ReplaceAllString(text, "$1  N  $2  $3  N  N  "), "$1  N  $2  $3")
}
