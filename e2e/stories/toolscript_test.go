package stories

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"baton/e2e/normal"
)

// A script of tools has a step a line; lines that begin with #, and empty ones, are for its readers.
//
//	kafka-topics --create --topic a     runs a tool; a word may stand in double quotes
//	fails kafka-topics --create         the same, and it has to exit with another code than 0
//	eventually kafka-configs …          asked until both controllers' brokers answer alike: they hear of some changes later
//	batons kafka-reassign-partitions …  asked under Baton alone
//	unordered kafka-consumer-groups …   the order of the lines means nothing
//	placed kafka-topics --describe …    says where replicas are that a controller has placed: compared by rule
//	> text                              the output of the tool above has to contain text
//	< text                              a line of input of the tool above
//	file NAME                           a file, whose lines follow; @NAME in an argument is its path
//	| text                              a line of the file above
//	fill N LENGTH NAME                  a file of N lines of that length
//	stop 3, start 3                     a broker, in order
//	wait isr-full TOPIC-N…              all replicas in sync
//	wait isr TOPIC-N 1,2                the ISR is these
//	wait led TOPIC-N 1                  by this broker
//	wait leaderless TOPIC-N
//	wait reassigned [TOPIC[-N]]         no reassignment in progress there
//	wait gone TOPIC
type toolStep struct {
	line     int
	words    []string
	fails    bool
	until    bool // eventually
	batons   bool
	marks    []normal.Mark
	contains []string
	input    string
}

func (st *toolStep) String() string { return strings.Join(st.words, " ") }

// tool says whether the step runs one.
func (st *toolStep) tool() bool {
	return strings.HasPrefix(st.words[0], "kafka-") || st.words[0] == "kcat"
}

func parseToolScript(text string) (steps []*toolStep, err error) {
	for i, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if kind, rest, _ := strings.Cut(line, " "); strings.Contains("><|", kind) {
			if len(steps) == 0 {
				return nil, fmt.Errorf("line %d: %q belongs to no step", i+1, line)
			}
			if err := steps[len(steps)-1].more(kind, rest); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			continue
		}
		st := &toolStep{line: i + 1}
		words, err := splitWords(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		for st.words = words; len(st.words) > 1 && st.modified(st.words[0]); {
			st.words = st.words[1:]
		}
		if !st.tool() && !slices.Contains([]string{"file", "fill", "stop", "start", "wait"}, st.words[0]) {
			return nil, fmt.Errorf("line %d: unknown step %q", i+1, line)
		}
		steps = append(steps, st)
	}
	return steps, nil
}

func (st *toolStep) modified(word string) bool {
	switch word {
	case "fails":
		st.fails = true
	case "eventually":
		st.until = true
	case "batons":
		st.batons = true
	case "unordered", "placed":
		st.marks = append(st.marks, normal.Mark(word))
	default:
		return false
	}
	return true
}

func (st *toolStep) more(kind, rest string) error {
	switch {
	case kind == ">" && st.tool():
		st.contains = append(st.contains, rest)
	case kind == "<" && st.tool(), kind == "|" && st.words[0] == "file":
		st.input += rest + "\n"
	default:
		return fmt.Errorf("%s is not for %s", kind, st.words[0])
	}
	return nil
}

// splitWords splits at blanks outside of double quotes.
func splitWords(line string) (words []string, err error) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	if strings.Count(line, `"`)%2 == 1 {
		return nil, fmt.Errorf("a quote is not closed: %s", line)
	}
	return words, nil
}

func readToolScript(t *testing.T, path string) []*toolStep {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := parseToolScript(string(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return steps
}

func TestToolScriptsAreRead(t *testing.T) {
	steps, err := parseToolScript("# words\n\nfails placed kafka-topics --create \"a b\"\n> no\n< in\nfile x\n| y\n|  z\nstop 3\n")
	if err != nil || len(steps) != 3 {
		t.Fatalf("%v, %v", steps, err)
	}
	st := steps[0]
	if !st.fails || st.until || !slices.Equal(st.marks, []normal.Mark{"placed"}) || !slices.Equal(st.words, []string{"kafka-topics", "--create", "a b"}) ||
		!slices.Equal(st.contains, []string{"no"}) || st.input != "in\n" || steps[1].input != "y\n z\n" {
		t.Errorf("%+v %+v", st, steps[1])
	}
	for _, bad := range []string{"> none before", "kafka-topics \"open", "dance", "stop 3\n> x", "kafka-topics\n| x"} {
		if _, err := parseToolScript(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
