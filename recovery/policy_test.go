package recovery

import "testing"

func TestPolicy(t *testing.T) {
	p := Policy{Default: TakeLongest, Topics: []Rule{{"audit-*", None}, {"*-eu", TakeFirst}, {"audit-eu", TakeLongestLater}, {"a.b_c", None}}}
	for _, c := range []struct {
		topic    string
		strategy Strategy
		rule     string
	}{
		{"orders", TakeLongest, ""},
		{"audit-us", None, "audit-*"},
		{"audit-", None, "audit-*"},
		{"audit", TakeLongest, ""},
		{"audit-eu", TakeLongestLater, "audit-eu"}, // its own name goes before a pattern, wherever it stands
		{"audit-x-eu", None, "audit-*"},            // the first pattern
		{"x-eu", TakeFirst, "*-eu"},
		{"a.b_c", None, "a.b_c"},
		{"axb_c", TakeLongest, ""},
	} {
		if s, rule := p.For(c.topic); s != c.strategy || rule != c.rule {
			t.Errorf("%s: %s by %q, want %s by %q", c.topic, s, rule, c.strategy, c.rule)
		}
	}
	if s, rule := (Policy{}).For("t"); s != None || rule != "" {
		t.Errorf("nothing is set: %s by %q", s, rule)
	}
}
