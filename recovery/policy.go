package recovery

import "path"

// Strategy is what the controller does by itself about a partition that nobody leads and nobody of whose ISR is live:
// unclean.recovery.strategy. The words are those of the configuration.
type Strategy string

// The strategies.
const (
	// None: what unclean.leader.election.enable says, as Kafka does; without it, nothing.
	None Strategy = "none"
	// TakeLongest measures all live replicas and elects the one that loses least, once that is certain.
	TakeLongest Strategy = "longest"
	// TakeLongestLater gives the members of the ISR some time to come back first.
	TakeLongestLater Strategy = "wait"
	// TakeFirst elects the first live replica, as if unclean.leader.election.enable were true.
	TakeFirst Strategy = "first"
)

// Measures reports whether live replicas are measured before one leads.
func (s Strategy) Measures() bool { return s == TakeLongest || s == TakeLongestLater }

// Policy says which strategy goes for which topic. The zero value is None for all.
type Policy struct {
	Default Strategy // empty is None
	Topics  []Rule
	WaitMS  int64 // of TakeLongestLater
}

// Rule is the strategy of a topic, or of all whose names match a pattern, in which * stands for any text.
type Rule struct {
	Topic    string
	Strategy Strategy
}

// For is what goes for a topic: its own rule, else the first pattern that matches, else the default, for which rule is empty.
func (p Policy) For(topic string) (s Strategy, rule string) {
	s = p.Default
	if s == "" {
		s = None
	}
	for _, r := range p.Topics {
		if r.Topic == topic {
			return r.Strategy, r.Topic
		}
		if rule == "" && r.Matches(topic) {
			s, rule = r.Strategy, r.Topic
		}
	}
	return s, rule
}

// Matches reports whether the rule is about a topic.
func (r Rule) Matches(topic string) bool {
	ok, err := path.Match(r.Topic, topic) // names have no slash, and rules no other wildcard
	return ok && err == nil
}
