package config

import (
	"strings"
	"testing"
)

func TestTopicStrategies(t *testing.T) {
	for _, c := range []struct{ given, want string }{
		{"", ""},
		{"orders=longest", "orders=longest"},
		{" orders = LONGEST ,audit-*= none,,", "orders=longest,audit-*=none"},
		{"orders", `TOPIC=STRATEGY pairs separated by commas, TOPIC being a name or a pattern with *; "orders" is not one`},
		{"=first", `"=first" is not one`},
		{"a/b=first", `"a/b=first" is not one`},
		{"a?=first", `"a?=first" is not one`},
		{"orders=first=x", `for orders one of none, longest, wait, first; "first=x" is not`},
		{"a=first,b=none,a=wait", `each topic once; "a" is given twice`},
	} {
		got, err := parseTopicStrategies(c.given)
		text := formatTopicStrategies(got)
		if err != nil {
			text = err.Error()
		}
		if !strings.HasSuffix(text, c.want) || c.want == "" && text != "" {
			t.Errorf("%q: %s, want %s", c.given, text, c.want)
		}
	}
}

// TestStrategiesWithoutEffect: what never matters is named, what may is not.
func TestStrategiesWithoutEffect(t *testing.T) {
	for _, c := range []struct{ topics, want string }{
		{"audit-*=none,audit-eu=first", ""},
		{"audit-*=none,audit-eu-*=first", "audit-eu-*=first never matches, as audit-* comes before it"},
		{"audit-eu-*=first,audit-*=none", ""},
		{"*-eu=none,audit-*-eu=first", ""},
		{"*=wait,orders=longest", ""},
	} {
		_, warnings, err := Parse(strings.NewReader(minimal), "f", []string{"unclean.recovery.strategy.topics=" + c.topics})
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, w := range warnings {
			texts = append(texts, w.Text)
		}
		if got := strings.Join(texts, "; "); (got == "") != (c.want == "") || !strings.HasSuffix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.topics, got, c.want)
		}
	}
	_, warnings, err := Parse(strings.NewReader(minimal), "f", []string{"unclean.recovery.wait.minutes=5"})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Text, "has no effect: no strategy is wait") {
		t.Errorf("%v, %v", warnings, err)
	}
}
