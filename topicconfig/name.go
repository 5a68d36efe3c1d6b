package topicconfig

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// MaxNameLength is Kafka's limit: with the partition and a suffix the name still has to be a directory's.
const MaxNameLength = 249

// CodeInvalidTopic is Kafka's error code INVALID_TOPIC_EXCEPTION, the answer to a NameError.
const CodeInvalidTopic int16 = 17

// NameError is a refused topic name; its text is what a broker answers.
type NameError struct{ Name, Text string }

func (e *NameError) Error() string { return e.Text }

// ValidName returns nil or a *NameError. The rules are Kafka's (Topic.validate): not empty, not "." or "..", at most
// MaxNameLength characters, each an ASCII letter or digit, '.', '_' or '-'.
func ValidName(name string) error {
	reason := ""
	switch {
	case name == "":
		reason = "the empty string is not allowed"
	case name == "." || name == "..":
		reason = fmt.Sprintf("'%s' is not allowed", name)
	case len(utf16.Encode([]rune(name))) > MaxNameLength:
		reason = fmt.Sprintf("the length of '%s' is longer than the max allowed length %d", name, MaxNameLength)
	case strings.ContainsFunc(name, func(r rune) bool { return !nameRune(r) }):
		reason = fmt.Sprintf("'%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
	default:
		return nil
	}
	return &NameError{Name: name, Text: "Topic name is invalid: " + reason}
}

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
}

// Folded is the same for names that collide, as they differ at most in '.' against '_': brokers refuse the second of
// them, because both give the same metric name.
func Folded(name string) string { return strings.ReplaceAll(name, ".", "_") }
