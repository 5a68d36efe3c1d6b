package check

import (
	"fmt"
	"slices"
	"strings"

	"baton/config"
)

// Kafka's numbers of the APIs that a controller of a ZooKeeper cluster calls.
const (
	apiLeaderAndISR = 4
	// leaderAndISR24 is the highest LeaderAndIsr version that Kafka 2.4 reads, the oldest release that is supported.
	leaderAndISR24 = 4
)

func (e *evaluation) registrations() {
	var ids []string
	for _, b := range e.Brokers {
		if !b.Baton {
			ids = append(ids, fmt.Sprint(b.ID))
		}
	}
	if len(ids) == 0 {
		e.add(Warn, "brokers", "start the brokers, then check again", "none is registered")
	} else {
		e.add(OK, "brokers", "", "%d registered: %s", len(ids), some(ids))
	}
	for _, b := range e.BadBrokers {
		e.add(Fail, b.Path, "restart that broker: at a first claim nothing better is known, so it would be taken for dead", "unreadable registration: %s", b.Reason)
	}
}

// brokers: each must be reachable where the controller would call it, and be one of a ZooKeeper cluster.
func (e *evaluation) brokers() {
	listener := e.Config.ControllerListener()
	for _, b := range e.Brokers {
		item := fmt.Sprintf("broker %d", b.ID)
		switch {
		case b.Baton:
		case b.Addr == "":
			e.add(Fail, item, "set inter.broker.listener.name or control.plane.listener.name to what the brokers have",
				"has no endpoint on listener %s, only on %s", listener, endpointNames(b))
		case b.Err != "":
			e.add(Fail, item, "Baton must reach every broker from this host", "%s (%s) cannot be asked: %s", b.Addr, listener, b.Err)
		case isKRaft(b):
			e.add(Fail, item, "Baton runs ZooKeeper-mode brokers only", "%s does not take control requests: it is in KRaft mode", b.Addr)
		case b.Configs["zookeeper.metadata.migration.enable"] == "true":
			e.add(Fail, item, "roll the migration back, or finish it without Baton", "zookeeper.metadata.migration.enable=true: it is set up to migrate to KRaft")
		case b.APIs[apiLeaderAndISR].Max < leaderAndISR24:
			e.add(Warn, item, "brokers 2.4 to 3.9 are tested", "%s reads LeaderAndIsr up to v%d only: it is older than 2.4", b.Addr, b.APIs[apiLeaderAndISR].Max)
		case b.ConfErr != "":
			e.add(Warn, item, "allow DescribeConfigs on the cluster, or compare the settings by hand", "%s answers, but not what its settings are: %s", b.Addr, b.ConfErr)
		default:
			e.add(OK, item, "", "%s answers on %s, inter.broker.protocol.version %s", b.Addr, listener, b.Configs["inter.broker.protocol.version"])
		}
	}
}

func isKRaft(b Broker) bool {
	_, controlled := b.APIs[apiLeaderAndISR]
	return !controlled || b.Configs["process.roles"] != ""
}

func endpointNames(b Broker) string {
	names := make([]string, len(b.Endpoints))
	for i, x := range b.Endpoints {
		names[i] = x.Listener
	}
	return some(names)
}

// protocols: the lowest inter-broker protocol in the cluster decides what a controller may write and send.
func (e *evaluation) protocols() {
	const key = "inter.broker.protocol.version"
	byVersion := map[string][]string{}
	lowest, known := config.LatestIBP, false
	for _, b := range e.Brokers {
		text, ok := b.Configs[key]
		if !ok {
			continue
		}
		v, err := config.ParseIBP(text)
		if err != nil {
			e.add(Fail, key, "", "broker %d has %q, which no ZooKeeper-mode Kafka has", b.ID, text)
			continue
		}
		byVersion[v.String()] = append(byVersion[v.String()], fmt.Sprint(b.ID))
		lowest, known = min(lowest, v), true
	}
	if !known {
		return
	}
	ours := e.Config.InterBrokerProtocol
	if len(byVersion) > 1 {
		var parts []string
		for _, v := range sortedKeys(byVersion) {
			parts = append(parts, v+" on "+some(byVersion[v]))
		}
		e.add(Warn, key, "finish the rolling upgrade before the takeover", "brokers differ: %s", strings.Join(parts, "; "))
	}
	switch {
	case ours > lowest:
		e.add(Fail, key, "set "+key+"="+lowest.String()+" for Baton", "ours is %v, the lowest of the brokers %v: they would not understand", ours, lowest)
	case ours < lowest:
		e.add(Warn, key, "set "+key+"="+lowest.String()+" for Baton", "ours is %v, the lowest of the brokers %v: what came in between would be missing", ours, lowest)
	default:
		e.add(OK, key, "", "%v everywhere it matters", ours)
	}
}

// settings: what the controller decides by, and what it cannot do for the brokers.
func (e *evaluation) settings() {
	e.differences()
	e.policies()
	rules := []struct {
		key  string
		bad  func(string) bool
		text string
		fix  string
		lvl  Level
	}{
		{"create.topic.policy.class.name", given, createUnjudged, "take the key out, or keep the role with the brokers", Fail},
		{"alter.config.policy.class.name", given, alterUnjudged, "take the key out, or keep the role with the brokers", Fail},
		{"authorizer.class.name", given, "brokers obey Baton only if its principal is allowed ClusterAction", "allow the principal of Baton's connections ClusterAction on the cluster", Warn},
		{"zookeeper.set.acl", isTrue, "znodes are protected, and Baton cannot authenticate with ZooKeeper yet", "run zookeeper-security-migration with unsecure, or wait for that release", Fail},
	}
	for _, r := range rules {
		byValue := map[string][]string{}
		for _, b := range e.Brokers {
			if v := b.Configs[r.key]; r.bad(v) {
				byValue[v] = append(byValue[v], fmt.Sprint(b.ID))
			}
		}
		for _, v := range sortedKeys(byValue) {
			e.add(r.lvl, r.key, r.fix, "%s on brokers %s: %s", v, some(byValue[v]), r.text)
		}
	}
}

// Policies are Java classes, which Baton cannot run: what they forbid would be allowed.
const (
	createUnjudged = "topics created through Baton are not judged by it, because it is Java"
	alterUnjudged  = "configs changed through Baton are not judged by it, because it is Java"
)

// policies refuses those that Baton itself is configured with; settings asks the brokers.
func (e *evaluation) policies() {
	for _, p := range []struct{ key, class, text string }{
		{"create.topic.policy.class.name", e.Config.CreateTopicPolicy, createUnjudged},
		{"alter.config.policy.class.name", e.Config.AlterConfigPolicy, alterUnjudged},
	} {
		if given(p.class) {
			e.add(Fail, p.key, "take the key out, or keep the role with the brokers", "%s in Baton's own configuration: %s", p.class, p.text)
		}
	}
}

func given(v string) bool  { return strings.TrimSpace(v) != "" }
func isTrue(v string) bool { return v == "true" }

// differences names each cluster-wide setting that is not ours on some broker, once.
func (e *evaluation) differences() {
	type value struct{ ours, theirs string }
	where := map[string]map[value][]string{}
	compared := 0
	for _, b := range e.Brokers {
		if b.Configs == nil {
			continue
		}
		compared++
		for _, d := range e.Config.CompareWithBroker(b.Configs) {
			if d.Key == "inter.broker.protocol.version" {
				continue // protocols() judges it
			}
			if where[d.Key] == nil {
				where[d.Key] = map[value][]string{}
			}
			v := value{d.Ours, d.Theirs}
			where[d.Key][v] = append(where[d.Key][v], fmt.Sprint(b.ID))
		}
	}
	for _, key := range sortedKeys(where) {
		vs := make([]value, 0, len(where[key]))
		for v := range where[key] {
			vs = append(vs, v)
		}
		slices.SortFunc(vs, func(a, b value) int { return strings.Compare(a.theirs, b.theirs) })
		for _, v := range vs {
			e.add(Warn, key, "set "+key+"="+v.theirs+" for Baton", "ours is %q, on brokers %s it is %q", v.ours, some(where[key][v]), v.theirs)
		}
	}
	if compared > 0 && len(where) == 0 {
		e.add(OK, "settings", "", "the controller's settings are the brokers' own")
	}
}
