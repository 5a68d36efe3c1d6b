package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"baton/admin"
	"baton/partition"
)

// fakeElector is a cluster of topic t, whose partition 0 is led as it should be, 1 by
// another replica, and 2 by nobody.
type fakeElector struct {
	addrs   []string
	topics  []string
	unclean bool
	ids     []partition.ID
	err     error
	closed  bool
}

func (f *fakeElector) Partitions(topics []string) ([]described, error) {
	f.topics = topics
	if len(topics) > 0 && !slices.Contains(topics, "t") {
		return nil, nil
	}
	id := func(n int32) partition.ID { return partition.ID{Topic: "t", Number: n} }
	return []described{{id(0), 1, []int32{1, 2}, []int32{1, 2}, nil}, {id(1), 2, []int32{1, 2}, []int32{1, 2}, nil}, {id(2), -1, []int32{1, 2}, []int32{1}, []int32{1}}}, nil
}

func (f *fakeElector) Elect(unclean bool, ids []partition.ID) ([]elected, error) {
	f.unclean, f.ids = unclean, ids
	var out []elected
	for _, id := range ids {
		e := elected{ID: id}
		switch {
		case id.Topic != "t" || id.Number > 2:
			e.Error, e.Message = "UNKNOWN_TOPIC_OR_PARTITION", "The partition does not exist."
		case id.Number == 0, unclean && id.Number == 1:
			e.Error, e.NotNeeded, e.Message = "ELECTION_NOT_NEEDED", true, "Leader election not needed for topic partition."
		case id.Number == 2 && !unclean:
			e.Error = "PREFERRED_LEADER_NOT_AVAILABLE"
		}
		out = append(out, e)
	}
	return out, f.err
}

func (f *fakeElector) Close() { f.closed = true }

func TestElect(t *testing.T) {
	var f *fakeElector
	with := func(change func(*app)) func(*app) {
		return func(a *app) {
			f = &fakeElector{}
			a.elector = func(addrs []string) (elector, error) { f.addrs = addrs; return f, nil }
			if change != nil {
				change(a)
			}
		}
	}
	run := func(change func(*app), line string) result { return command(t, with(change), strings.Fields(line)...) }
	to := " --bootstrap-server b1:1,b2:2"

	r := run(nil, "elect preferred --all-topic-partitions"+to)
	r.want(t, 4, "Successfully completed leader election (PREFERRED) for partitions t-1\n",
		"Error completing leader election (PREFERRED) for partition: t-2: PREFERRED_LEADER_NOT_AVAILABLE\n", "1 of 3 partitions could not be elected")
	if strings.Contains(r.out, "Valid replica") || len(f.topics) != 0 || strings.Join(f.addrs, " ") != "b1:1 b2:2" || !f.closed {
		t.Errorf("%q, %+v", r.out, f)
	}
	run(nil, "elect --election-type PREFERRED --topic t --partition 0"+to).want(t, 0, "Valid replica already elected for partitions t-0\n")
	if f.topics != nil {
		t.Error("described what was named")
	}
	run(nil, "elect preferred --topic t --partition 2"+to).want(t, 1, "1 replica(s) could not be elected")
	run(nil, "elect preferred --topic t -o json"+to).want(t, 4, `"elected": [
    "t-1"
  ]`, `"notNeeded": [
    "t-0"
  ]`, `"error": "PREFERRED_LEADER_NOT_AVAILABLE"`)
	run(nil, "elect preferred --topic none"+to).want(t, 1, "no partitions")

	run(nil, "elect unclean --topic t"+to).want(t, 3, "of which 1 have no leader now", "t-2 has no leader: in sync were [1] of [1 2], offline are [1]", "lost", "--yes")
	if f.ids != nil {
		t.Error("elected without an answer")
	}
	run(func(a *app) { a.tty, a.in = true, strings.NewReader("no\n") }, "elect unclean --topic t"+to).want(t, 3, "not yes")
	run(nil, "elect unclean --topic t --partition 2 --yes"+to).want(t, 0, "Successfully completed leader election (UNCLEAN) for partitions t-2\n")
	if !f.unclean || len(f.ids) != 1 {
		t.Errorf("%+v", f)
	}

	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run(nil, "elect preferred --path-to-json-file "+file(`{"partitions":[{"topic":"t","partition":1},{"topic":"t","partition":0}]}`)+to).
		want(t, 0, "for partitions t-1\n", "for partitions t-0\n")
	for text, want := range map[string]string{
		`{"partitions":[]}`: "names no partitions", `{`: "expected {", `{"partitions":[{"topic":"t"}]}`: "entry 0",
		`{"partitions":[{"topic":"t","partition":0},{"topic":"t","partition":0}]}`: "t-0 is named twice",
	} {
		run(nil, "elect preferred --path-to-json-file "+file(text)+to).want(t, 1, want)
	}
	run(nil, "elect preferred --path-to-json-file /none"+to).want(t, 1, "/none")
	for line, want := range map[string]string{
		"elect --topic t": "elect preferred or elect unclean?", "elect best --topic t": "found \"best\"", "elect preferred": "give one of",
		"elect preferred --topic t --all-topic-partitions": "give one of", "elect preferred --all-topic-partitions --partition 1": "--partition is a partition of",
		"elect preferred --election-type unclean --topic t": "given twice", "elect preferred --topic t --partition -1": "expected 0 or more",
	} {
		run(nil, line+to).want(t, 2, want)
	}
	run(nil, "elect preferred --topic t --partition 0 --admin.config "+file("security.protocol=PLAINTEXT\n")+to).want(t, 0)
	run(nil, "elect preferred --topic t --partition 0 --command-config "+file("security.protocol=SASL_SSL\n")+to).want(t, 3, "SASL_SSL")
	run(func(a *app) { a.elector = func([]string) (elector, error) { return nil, errors.New("nobody there") } },
		"elect preferred --topic t"+to).want(t, 5, "nobody there")
}

// TestVariablesOfOtherElections: what the environment says for another kind of election is no reason to refuse this one, and does
// not change what it is about.
func TestVariablesOfOtherElections(t *testing.T) {
	all := []string{"BATON_REASON=night", "BATON_CANDIDATE=longest", "BATON_REPLICA=7", "BATON_ACCEPT_DATA_LOSS=true", "BATON_DRY_RUN=false",
		"BATON_ELECTION_TYPE=unclean", "BATON_TOPIC=other", "BATON_PARTITION=9", "BATON_BOOTSTRAP_SERVER=b1:1"}
	var f *fakeElector
	with := func(environ ...string) func(*app) {
		return func(a *app) {
			a.environ = append(a.environ, environ...)
			a.elector = func([]string) (elector, error) { f = &fakeElector{}; return f, nil }
		}
	}
	command(t, with(all...), "elect", "preferred", "--topic", "t", "--partition", "1").want(t, 0, "(PREFERRED) for partitions t-1", "The reason is not recorded")
	command(t, with(all...), "elect", "preferred", "--all-topic-partitions").want(t, 4, "(PREFERRED) for partitions t-1")
	command(t, with(all...), "elect", "preferred").want(t, 1, "other-9: UNKNOWN_TOPIC_OR_PARTITION")
	command(t, with(all...), "elect", "unclean", "--topic", "t", "--partition", "2", "--yes").want(t, 0, "(UNCLEAN) for partitions t-2")

	n := &fakeNode{measured: admin.Measurement{Topic: "a-topic", Partition: 7, Leader: 3, Replicas: []admin.Measured{
		{Broker: 3, Epoch: 13, Log: &admin.MeasuredLog{End: 5}}}, Doubts: []string{"2 could not be measured"}}}
	args := []string{"elect", "unclean", "a-topic-7", "--yes", "--socket", serve(t, n)}
	command(t, with(all[:3]...), args...).want(t, 3, "not done without --accept-data-loss")
	command(t, with(all...), args...).want(t, 0, "3 leads a-topic-7 now")
	if c := n.choice; c == nil || c.Leader != 3 || n.req.Why != "night" {
		t.Errorf("asked for %+v, %+v", c, n.req)
	}
	f = nil
	command(t, with("BATON_DRY_RUN=true", "BATON_BOOTSTRAP_SERVER=b1:1"), "elect", "preferred", "--topic", "t").want(t, 2, "--dry-run goes with --candidate or --replica")
	if f != nil {
		t.Error("elected, although nothing was to be done")
	}
	command(t, with("BATON_ELECTION_TYPE=preferred"), "elect", "--election-type", "unclean", "--all-topic-partitions", "--topic", "t").want(t, 2, "give one of")
}

// Without addresses the running Baton is asked.
func TestElectFindsTheBrokers(t *testing.T) {
	f := &fakeElector{}
	with := func(a *app) { a.elector = func(addrs []string) (elector, error) { f.addrs = addrs; return f, nil } }
	command(t, with, "elect", "preferred", "--topic", "t", "--partition", "0", "--socket", serve(t, &fakeNode{st: sample()})).want(t, 0)
	if strings.Join(f.addrs, " ") != "b1:9092 b2:9092 b2:9093" {
		t.Errorf("%q", f.addrs)
	}
	command(t, with, "elect", "preferred", "--topic", "t").want(t, 5, "no Baton seems to run here")
	st := sample()
	st.Brokers = nil
	command(t, with, "elect", "preferred", "--topic", "t", "--socket", serve(t, &fakeNode{st: st})).want(t, 5, "knows no broker")
}

func FuzzParseElections(f *testing.F) {
	for _, s := range []string{
		`{"partitions":[{"topic":"t","partition":0},{"topic":"t","partition":1}]}`, `{"partitions":[]}`, `{"partitions":[{"topic":"t"}]}`,
		`{"partitions":[{"topic":"t","partition":-1}]}`, `{"partitions":[{"topic":"t","partition":0},{"topic":"t","partition":0}]}`, `[]`, ``, `null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ids, err := parseElections("fuzz.json", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz.json: ") {
				t.Errorf("the file is not named: %v", err)
			}
			return
		}
		for i, id := range ids {
			if id.Topic == "" || id.Number < 0 || i > 0 && partition.Compare(ids[i-1], id) >= 0 {
				t.Errorf("%v of %v", id, ids)
			}
		}
		if len(ids) == 0 {
			t.Error("no partitions and no error")
		}
	})
}
