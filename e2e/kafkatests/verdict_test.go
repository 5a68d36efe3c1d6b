package main

import (
	"strings"
	"testing"
)

func test(id, method, status, reason string) line {
	return line{Test: "[engine]/" + id, Class: "k.T", Method: method, Status: status, Reason: reason}
}

func TestJudge(t *testing.T) {
	lines := []line{
		test("a/1", "testUnit", "started", ""),
		test("a/1", "testUnit", "successful", ""),
		test("b/1", "testBoth", "failed", "expected 1"),
		test("b/2", "testBoth", "skipped", "kraft: the parameter is not ZooKeeper"),
		test("c/1", "testOther", "skipped", "kraft: the parameter is not ZooKeeper"),
		test("d", "testObjects", "skipped", "controller-object: asks a KafkaController"),
		test("e/1", "testSASL", "aborted", "security: brokers talk over SASL_SSL"),
		test("f/1", "testSkipped", "aborted", "Assumption failed"),
		test("g/1", "testHangs", "started", ""),
		test("h/1", "testUnasked", "skipped", "unselected: another method was asked for"),
		{Test: "[engine]/i/1", Class: "k.T", Method: "testReaches", Status: "failed", Reached: "T.scala:7"},
		{Test: "[engine]/j/1", Class: "k.T", Method: "testLooks", Status: "failed", Trace: "empty\n\tat kafka.server.SomeTest.getController(K.scala:3)\n"},
		{Test: "[engine]/k/1", Class: "k.T", Method: "testKerberos", Status: "failed",
			Trace: "java.lang.NoClassDefFoundError: org/apache/directory/server/core/api/DirectoryService\n"},
		{Test: "[engine]", Class: "k.T", Status: "failed", Reason: "threads are left"},
	}
	verdicts, err := judge(lines, "killed")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range verdicts {
		got[strings.TrimPrefix(v.name(), "k.T")] = strings.TrimSpace(string(v.outcome) + " " + v.kind)
	}
	want := map[string]string{
		"#testUnit": "no cluster", "#testBoth": "failed", "#testOther": "kraft", "#testObjects": "excluded controller-object",
		"#testSASL": "excluded security", "#testSkipped": "disabled", "#testHangs": "failed",
		"#testReaches": "excluded controller-object", "#testLooks": "excluded controller-object", "#testKerberos": "excluded security",
		" (the class)": "failed",
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: got %q, want %q", name, got[name], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}

// A test that passes while nothing shows that Baton was the controller does not count.
func TestJudgeNeedsHistory(t *testing.T) {
	lines := []line{
		test("a/1", "testEmptyLog", "successful", ""),
		{Test: "[engine]/a", ZooKeeper: t.TempDir(), Batons: []batonOutcome{{Alive: true}}},
	}
	verdicts, err := judge(lines, "")
	if err != nil {
		t.Fatal(err)
	}
	if v := verdicts[0]; v.outcome != failed || !strings.Contains(v.reason, "no broker has registered") {
		t.Errorf("got %+v", v)
	}
}

func TestChoose(t *testing.T) {
	classes := []string{"kafka.admin.DeleteTopicTest", "kafka.admin.TopicTest", "kafka.api.TopicTest"}
	got, err := choose("DeleteTopicTest#testIt, kafka.api.TopicTest", classes)
	if err != nil || len(got) != 2 || got[0] != (selection{"kafka.admin.DeleteTopicTest", "testIt"}) || got[1].class != "kafka.api.TopicTest" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"TopicTest", "NoSuchTest"} {
		if _, err := choose(bad, classes); err == nil {
			t.Errorf("%s was found", bad)
		}
	}
}

func TestExclusions(t *testing.T) {
	if _, err := parseExclusions(exclusionList); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"k.T#m node-count":                           "want class#method, kind and reason",
		"k.T node-count why":                         "not class#method",
		"k.T#m whatever why":                         "is none of",
		"k.T#m node-count why\nk.T#m node-count why": "exclusions.txt:2: k.T#m a second time",
	} {
		if _, err := parseExclusions([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
