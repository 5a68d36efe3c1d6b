package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"baton/e2e/batonproc"
	"baton/e2e/history"
)

// outcome of a method.
type outcome string

const (
	passed    outcome = "passed"     // and Baton was the controller throughout
	failed    outcome = "failed"     // or Baton was not the controller throughout
	excluded  outcome = "excluded"   // of a kind of exclusions.go
	noCluster outcome = "no cluster" // passed without ever starting a broker on ZooKeeper, so it says nothing about a controller
	disabled  outcome = "disabled"   // by Kafka's authors
	onKRaft   outcome = "kraft"      // has no ZooKeeper parameter
)

// worst first: a method that ran with several parameters is what its worst run was.
var order = []outcome{failed, passed, excluded, noCluster, disabled, onKRaft}

// verdict is what became of one method of a class, or of the class itself where the method is empty.
type verdict struct {
	class, method string
	outcome       outcome
	kind          string // of an exclusion
	reason        string
	trace         string
	millis        int64
}

func (v verdict) name() string {
	if v.method == "" {
		return v.class + " (the class)"
	}
	return v.class + "#" + v.method
}

// judge turns the lines of one class into a verdict for each method. reasonDied is why the JVM ended, if it ended early.
func judge(lines []line, reasonDied string) ([]verdict, error) {
	ends := map[string]line{}
	for _, l := range lines {
		if l.Status != "" && (l.Status != "started" || ends[l.Test].Test == "") {
			ends[l.Test] = l
		}
	}
	all := map[string]verdict{}
	for _, id := range slices.Sorted(maps.Keys(ends)) {
		v, err := judgeTest(ends[id], lines, reasonDied)
		if err != nil {
			return nil, err
		}
		if v.outcome == "" {
			continue
		}
		was, ok := all[v.name()]
		if ok && slices.Index(order, was.outcome) <= slices.Index(order, v.outcome) {
			v, was = was, v
		}
		v.millis += was.millis
		all[v.name()] = v
	}
	verdicts := make([]verdict, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		verdicts = append(verdicts, all[name])
	}
	return verdicts, nil
}

// judgeTest judges one run of a method. The outcome is empty for a method that was not asked for.
func judgeTest(end line, lines []line, reasonDied string) (verdict, error) {
	v := verdict{class: end.Class, method: end.Method, reason: end.Reason, trace: end.Trace, millis: end.Millis}
	kind, why, _ := strings.Cut(end.Reason, ": ")
	beyondKind, beyondWhy := beyond(end)
	switch {
	case end.Status == "skipped" && kind == "unselected":
		return verdict{}, nil
	case end.Status == "skipped" && kind == kindKRaft && strings.HasPrefix(why, "the parameter"):
		v.outcome = onKRaft
	case (end.Status == "skipped" || end.Status == "aborted") && slices.Contains(kinds, kind):
		v.outcome, v.kind, v.reason = excluded, kind, why
	case end.Status == "skipped" || end.Status == "aborted":
		v.outcome = disabled
	case end.Status == "started":
		v.outcome, v.reason = failed, "it did not end: "+reasonDied
	case end.Status == "failed" && beyondKind != "":
		v.outcome, v.kind, v.reason = excluded, beyondKind, beyondWhy+": "+end.Reason
	case end.Status == "failed":
		v.outcome = failed
	default:
		return v, v.watch(end, lines)
	}
	return v, nil
}

// helper, which some classes have their own version of, looks among the test's brokers for the controller and finds none.
var helper = regexp.MustCompile(`\tat kafka\.[\w.$]+\.getController\(`)

// beyond says what a failed test depends on that this run cannot give: the controller as an object inside one of its
// brokers, or a Kerberos server. A test that reaches for the controller and passes all the same counts like any other.
func beyond(end line) (kind, why string) {
	switch {
	case end.Reached != "":
		return kindObject, "asks a broker's KafkaController, " + end.Reached
	case helper.MatchString(end.Trace):
		return kindObject, "looks for the broker that is the controller"
	case strings.Contains(end.Trace, "NoClassDefFoundError: org/apache/directory/"):
		return kindSecurity, "starts a Kerberos server"
	}
	return "", ""
}

// watch looks at what the Batons of a successful test have done.
func (v *verdict) watch(end line, lines []line) error {
	v.outcome = noCluster
	for _, l := range lines {
		// A ZooKeeper that was started for a class serves all its tests.
		if len(l.Batons) == 0 || l.Test != end.Test && !strings.HasPrefix(end.Test, l.Test+"/") {
			continue
		}
		if v.outcome == noCluster {
			v.outcome = passed
		}
		for _, b := range l.Batons {
			h, err := history.Read(logs{l.ZooKeeper, b.Chroot})
			if err != nil {
				return err
			}
			if err := held(h, batonproc.FirstID); err != nil {
				v.outcome, v.reason = failed, fmt.Sprintf("the test passed, but does not count: %v", err)
			} else if !b.Alive {
				v.outcome, v.reason = failed, "the test passed, but Baton had ended before the teardown; see "+l.ZooKeeper
			}
		}
	}
	return nil
}
