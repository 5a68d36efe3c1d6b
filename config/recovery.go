package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// strategies are the words of unclean.recovery.strategy.
var strategies = []string{"none", "longest", "wait", "first"}

func parseStrategy(s string) (string, error) { return parseWord(s, strategies...) }

// TopicStrategy is the strategy of a topic, or of all topics whose names match a pattern, in which * stands for any text.
type TopicStrategy struct{ Topic, Strategy string }

// topicPattern is Kafka's rule for names of topics, with *.
var topicPattern = regexp.MustCompile(`^[a-zA-Z0-9._*-]{1,249}$`)

// parseTopicStrategies reads TOPIC=STRATEGY pairs separated by commas. Their order counts: of patterns the first that matches.
func parseTopicStrategies(s string) ([]TopicStrategy, error) {
	var out []TopicStrategy
	for item := range strings.SplitSeq(s, ",") {
		if item = trim(item); item == "" {
			continue
		}
		topic, strategy, ok := strings.Cut(item, "=")
		if topic = trim(topic); !ok || !topicPattern.MatchString(topic) {
			return nil, fmt.Errorf("TOPIC=STRATEGY pairs separated by commas, TOPIC being a name or a pattern with *; %q is not one", item)
		}
		word, err := parseStrategy(strategy)
		if err != nil {
			return nil, fmt.Errorf("for %s %w; %q is not", topic, err, trim(strategy))
		}
		if slices.ContainsFunc(out, func(o TopicStrategy) bool { return o.Topic == topic }) {
			return nil, fmt.Errorf("each topic once; %q is given twice", topic)
		}
		out = append(out, TopicStrategy{topic, word})
	}
	return out, nil
}

func formatTopicStrategies(all []TopicStrategy) string {
	parts := make([]string, len(all))
	for i, t := range all {
		parts[i] = t.Topic + "=" + t.Strategy
	}
	return strings.Join(parts, ",")
}

// maxWaitMinutes is four weeks: longer than a disk is away that still comes back.
const maxWaitMinutes = 4 * 7 * 24 * 60

func parseMinutes(s string) (time.Duration, error) {
	n, err := parseInt(s, 1, maxWaitMinutes)
	return time.Duration(n) * time.Minute, err
}

func formatMinutes(d time.Duration) string { return strconv.Itoa(int(d / time.Minute)) }

// warnRecovery names what would never have an effect, or another one than it looks like.
func (l *loader) warnRecovery() {
	const cluster, topics, wait = "unclean.recovery.strategy", "unclean.recovery.strategy.topics", "unclean.recovery.wait.minutes"
	if l.failed[cluster] || l.failed[topics] || l.failed[wait] {
		return
	}
	used := l.c.UncleanRecovery == "wait"
	for i, t := range l.c.UncleanRecoveryTopics {
		used = used || t.Strategy == "wait"
		for _, before := range l.c.UncleanRecoveryTopics[:i] {
			if strings.Contains(t.Topic, "*") && covers(before.Topic, t.Topic) {
				l.warn(SeverityWarn, []string{topics}, "%s: %s: %s=%s never matches, as %s comes before it", l.raw[topics].where, topics, t.Topic, t.Strategy, before.Topic)
				break
			}
		}
	}
	if _, given := l.raw[wait]; given && !used {
		l.warn(SeverityInfo, []string{wait}, "%s: %s has no effect: no strategy is wait", l.raw[wait].where, wait)
	}
}

// covers reports whether one pattern surely matches whatever another one does: those of the form TEXT* only.
func covers(a, b string) bool {
	prefix, ok := strings.CutSuffix(a, "*")
	return ok && !strings.Contains(prefix, "*") && strings.HasPrefix(b, prefix)
}
