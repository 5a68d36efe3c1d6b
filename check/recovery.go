package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/recovery"
)

// recovery says which topics get a leader by themselves when their ISR is lost, and names rules that are for nobody.
func (e *evaluation) recovery() {
	const item = "unclean.recovery.strategy"
	c := e.Config
	p := recovery.Policy{Default: recovery.Strategy(c.UncleanRecovery)}
	for _, t := range c.UncleanRecoveryTopics {
		p.Topics = append(p.Topics, recovery.Rule{Topic: t.Topic, Strategy: recovery.Strategy(t.Strategy)})
	}
	if p.Default == recovery.None && len(p.Topics) == 0 {
		return // unclean.leader.election.enable decides, as with Kafka's controller
	}
	byRule := map[string][]string{}
	for _, name := range e.Topics.Names {
		_, rule := p.For(name)
		byRule[rule] = append(byRule[rule], name)
	}
	for _, r := range p.Topics {
		item := fmt.Sprintf("%s.topics %s=%s", item, r.Topic, r.Strategy)
		switch names := byRule[r.Topic]; {
		case len(names) > 0:
			e.add(OK, item, "", "%s: %s", plural(len(names), "topic"), some(names))
		case strings.Contains(r.Topic, "*") && slices.ContainsFunc(e.Topics.Names, func(n string) bool { return r.Matches(n) }):
			e.add(Warn, item, "put it before the others, or take it out", "every topic that it matches has a rule that goes before it")
		default:
			e.add(Warn, item, "correct the name, or take it out; it is fine if the topic is still to come", "no topic matches")
		}
	}
	if rest := byRule[""]; len(rest) > 0 || len(p.Topics) == 0 {
		own := ", unless they say unclean.leader.election.enable themselves"
		if p.Default == recovery.None {
			own = ": unclean.leader.election.enable decides"
		}
		e.add(OK, item, "", "%s for the other %s%s", p.Default, plural(len(rest), "topic"), own)
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
