package zkstore

import (
	"reflect"
	"strings"
	"testing"

	"baton/cluster"
	"baton/isr"
	"baton/partition"
	"baton/planner"

	"github.com/go-zookeeper/zk"
)

func TestDecodeState(t *testing.T) {
	const good = `{"controller_epoch":7,"leader":1,"version":1,"leader_epoch":3,"isr":[1,2]}`
	for _, c := range []struct{ data, bad string }{
		{good, ""},
		{`{"version":1,"leader":-1,"leader_epoch":3,"controller_epoch":7,"isr":[2],"later":{"x":1}}`, ""},
		{strings.Replace(good, `]}`, `],"leader_recovery_state":1}`, 1), ""},
		{``, "found nothing"},
		{`null`, "expected a JSON object"},
		{`{`, "expected a JSON object"},
		{good + `x`, "expected a JSON object"},
		{strings.Replace(good, `"version":1`, `"version":2`, 1), "expected version 1, found 2"},
		{strings.Replace(good, `"leader":1`, `"leader":"1"`, 1), `"leader" to be a 32-bit integer`},
		{strings.Replace(good, `"leader":1`, `"leader":1.5`, 1), "32-bit"},
		{strings.Replace(good, `"leader":1`, `"leader":4294967297`, 1), "32-bit"},
		{strings.Replace(good, `"leader":1`, `"leader":null`, 1), "found none"},
		{strings.Replace(good, `"leader":1`, `"leader":3`, 1), "in the ISR"},
		{strings.Replace(good, `"leader":1`, `"leader":-2`, 1), "-1 and more"},
		{strings.Replace(good, `[1,2]`, `[]`, 1), "at least one"},
		{strings.Replace(good, `[1,2]`, `[1,1]`, 1), "distinct"},
		{strings.Replace(good, `[1,2]`, `[1,null]`, 1), "0 and more"},
		{strings.Replace(good, `[1,2]`, `[1,-1]`, 1), "0 and more"},
		{strings.Replace(good, `[1,2]`, `"1,2"`, 1), "list"},
		{strings.Replace(good, `,"isr":[1,2]`, ``, 1), `"isr"`},
		{strings.Replace(good, `]}`, `],"leader_recovery_state":2}`, 1), "0 or 1"},
		{strings.Replace(good, `"leader_epoch":3`, `"leader_epoch":-3`, 1), "0 and more"},
	} {
		_, err := decodeState([]byte(c.data), 4)
		checkBad(t, c.data, err, c.bad)
	}
	st, err := decodeState([]byte(strings.Replace(good, `]}`, `],"leader_recovery_state":1}`, 1)), 4)
	want := partition.State{ControllerEpoch: 7, LeaderAndISR: isr.LeaderAndISR{Leader: 1, LeaderEpoch: 3, ISR: isr.Set{1, 2}, Recovery: isr.Recovering, PartitionEpoch: 4}}
	if err != nil || !reflect.DeepEqual(st, want) {
		t.Errorf("%+v, %v", st, err)
	}
	if back, err := decodeState(encodeState(want), 4); err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("%+v, %v", back, err)
	}
}

func checkBad(t *testing.T, data string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", data, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: error %v, want one with %q", data, err, want)
	}
}

func TestDecodeTopic(t *testing.T) {
	for _, c := range []struct{ data, bad string }{
		{`{"version":1,"partitions":{"0":[1,2]}}`, ""},
		{`{"version":2,"partitions":{"1":[1],"0":[2]},"adding_replicas":{},"removing_replicas":{}}`, ""},
		{`{"version":3,"topic_id":"ECEhNG0ETVS-N8y2fbVE7g","partitions":{},"adding_replicas":{},"removing_replicas":{}}`, ""},
		{`{"version":4,"partitions":{"0":[1]}}`, "version 1 to 3"},
		{`{"version":0,"partitions":{"0":[1]}}`, "version 1 to 3"},
		{`{"version":3}`, `"partitions"`},
		{`{"version":3,"partitions":{"x":[1]}}`, "partition numbers"},
		{`{"version":3,"partitions":{"01":[1]}}`, "partition numbers"},
		{`{"version":3,"partitions":{"0":[]}}`, "empty list"},
		{`{"version":3,"partitions":{"0":[1,1]}}`, "distinct"},
		{`{"version":3,"partitions":{"0":[1]},"topic_id":"short"}`, "topic_id"},
		{`{"version":3,"partitions":{"0":[1]},"topic_id":5}`, "topic_id"},
		{`{"version":3,"partitions":{"0":[1]},"adding_replicas":[]}`, "adding_replicas"},
		{`{"version":3,"partitions":{"0":[1]},"adding_replicas":{"a":[1]}}`, "adding_replicas"},
		{`{"version":3,"partitions":{"0":[1]`, "JSON object"},
		{`{"version":3,"partitions":{"0":[-1]}}`, "0 and more"},
	} {
		_, _, err := decodeTopic([]byte(c.data))
		checkBad(t, c.data, err, c.bad)
	}
	id := freshTopicID()
	parts := []planner.PartitionRead{
		{Number: 0, Assignment: partition.Assignment{Replicas: []int32{3, 1}, Adding: []int32{3}, Removing: []int32{1}}},
		{Number: 10, Assignment: partition.Assignment{Replicas: []int32{2}}},
	}
	backID, back, err := decodeTopic(encodeTopic(id, parts))
	if err != nil || backID != id || !reflect.DeepEqual(back, parts) {
		t.Errorf("%v %+v %v", backID, back, err)
	}
	if s := string(encodeTopic(cluster.TopicID{}, parts)); strings.Contains(s, "topic_id") {
		t.Errorf("zero id was written: %s", s)
	}
}

func TestNextBlock(t *testing.T) {
	for _, c := range []struct {
		data    string
		version int32
		bad     string
	}{
		{"", 0, ""},
		{"", 1, "found nothing"}, // emptied: ids from 0 have been given out already
		{`{"version":1,"broker":1,"block_start":"0","block_end":"999"}`, 1, ""},
		{`{"version":2,"broker":1,"block_start":"0","block_end":"999"}`, 1, "version 1"},
		{`{"version":1,"broker":1,"block_start":0,"block_end":999}`, 1, "block_start"},
		{`{"version":1,"broker":1,"block_start":"0"`, 1, "JSON object"},
	} {
		_, err := nextBlock([]byte(c.data), c.version)
		checkBad(t, c.data, err, c.bad)
	}
}

func TestDecodeBroker(t *testing.T) {
	const v5 = `{"features":{},"listener_security_protocol_map":{"INTERNAL":"SASL_SSL","PLAINTEXT":"PLAINTEXT"},"endpoints":["internal://[::1]:9093","PLAINTEXT://a.b:9092"],"jmx_port":-1,"port":9092,"host":"a.b","version":5,"timestamp":"1","rack":"r1"}`
	b, err := decodeBroker([]byte(v5))
	want := cluster.Broker{Rack: "r1", HasRack: true, Endpoints: []cluster.Endpoint{
		{Listener: "INTERNAL", Protocol: cluster.SASLSSL, Host: "::1", Port: 9093}, {Listener: "PLAINTEXT", Host: "a.b", Port: 9092}}}
	if err != nil || !reflect.DeepEqual(b, want) {
		t.Errorf("%+v, %v", b, err)
	}
	for _, c := range []struct{ data, bad string }{
		{`{"version":1,"host":"h","port":9092,"jmx_port":-1,"timestamp":"1"}`, ""},
		{`{"version":2,"endpoints":["SSL://h:1"]}`, ""},
		{`{"version":9,"endpoints":["SSL://h:1"],"rack":null}`, ""},
		{`{"version":0,"endpoints":["SSL://h:1"]}`, "version of 1"},
		{`{"endpoints":["SSL://h:1"]}`, "version"},
		{`{"version":1,"host":null,"port":-1}`, `"host"`},
		{`{"version":5}`, "endpoints"},
		{`{"version":5,"endpoints":[]}`, "at least one"},
		{`{"version":5,"endpoints":["X://h:1"]}`, "security protocol"},
		{`{"version":5,"endpoints":["SSL://h:1"],"listener_security_protocol_map":{}}`, "security protocol"},
		{`{"version":5,"endpoints":["SSL://:1"]}`, "NAME://host:port"},
		{`{"version":5,"endpoints":["SSL://h:99999"]}`, "NAME://host:port"},
		{`{"version":5,"endpoints":["SSL://h:1"],"rack":7}`, "rack"},
	} {
		_, err := decodeBroker([]byte(c.data))
		checkBad(t, c.data, err, c.bad)
	}
}

func TestDecodeRole(t *testing.T) {
	controller := func(b []byte) error { _, err := decodeController(b, zk.Stat{}); return err }
	migration := func(want string) func([]byte) error {
		return func(b []byte) error {
			how, err := decodeMigration(b)
			if how != want {
				t.Errorf("%s: %q, want %q", b, how, want)
			}
			return err
		}
	}
	epochOf := func(b []byte) error { _, err := decodeEpoch(b); return err }
	handover := func(b []byte) error { _, err := decodeHandover(b, 1); return err }
	for _, c := range []struct {
		f         func([]byte) error
		data, bad string
	}{
		{controller, `{"version":1,"brokerid":3,"timestamp":"1"}`, ""},
		{controller, `{"version":2,"brokerid":3,"timestamp":"x","kraftControllerEpoch":-1}`, ""},
		{controller, `{"version":2,"timestamp":"1"}`, "brokerid"},
		{controller, `{"brokerid":"3"}`, "brokerid"},
		{controller, `{"brokerid":-1}`, "0 and more"},
		{controller, `{"brokerid":1,"baton":"me"}`, "baton"},
		{controller, `{"brokerid":1,"baton":null}`, "baton"},
		{controller, ``, "nothing"},
		{epochOf, `0`, ""}, {epochOf, ``, "decimal"}, {epochOf, `-1`, "decimal"}, {epochOf, ` 1`, "decimal"}, {epochOf, `3000000000`, "decimal"},
		{migration(""), `{"version":0,"kraft_metadata_offset":-1,"kraft_controller_id":-1,"kraft_metadata_epoch":-1,"kraft_controller_epoch":-1}`, ""},
		{migration("KRaft controller 3000 with epoch 2"), `{"version":0,"kraft_metadata_offset":5,"kraft_controller_id":3000,"kraft_metadata_epoch":1,"kraft_controller_epoch":2}`, ""},
		{migration(""), `{"version":0}`, "kraft_controller_id"},
		{migration(""), `{"version":1}`, "version 0"},
		{handover, `{"from":1,"to":2,"when":"2026-01-01T00:00:00Z","consent":0}`, ""},
		{handover, `{"from":1}`, `"to"`},
		{handover, `{"from":1,"to":2,"when":5}`, "when"},
	} {
		checkBad(t, c.data, c.f([]byte(c.data)), c.bad)
	}
}

func TestDecodeUnclean(t *testing.T) {
	on, off := true, false
	for data, want := range map[string]*bool{
		``: nil, `{"version":1,"config":{}}`: nil,
		`{"version":1,"config":{"unclean.leader.election.enable":"true","x":"y"}}`: &on,
		`{"version":1,"config":{"unclean.leader.election.enable":" FALSE"}}`:       &off,
	} {
		if got, err := decodeUnclean([]byte(data)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", data, got, err)
		}
	}
	for _, data := range []string{`x`, `{"version":1}`, `{"version":2,"config":{}}`, `{"version":1,"config":{"unclean.leader.election.enable":"yes"}}`} {
		if _, err := decodeUnclean([]byte(data)); err == nil {
			t.Errorf("%s: no error", data)
		}
	}
}

func TestFreshTopicIDs(t *testing.T) {
	for range 2000 {
		if id := freshTopicID(); id.IsZero() || strings.HasPrefix(id.String(), "-") {
			t.Fatal(id)
		}
	}
}

// Both ways of reading a topic say the same, whoever has written it.
func TestUsualTopics(t *testing.T) {
	for _, c := range []struct {
		data  string
		usual bool
	}{
		{`{"removing_replicas":{},"partitions":{"2":[3,1],"0":[1,2],"10":[5]},"topic_id":"ECEhNG0ETVS-N8y2fbVE7g","adding_replicas":{},"version":3}`, true},
		{`{"version":2,"partitions":{"0":[1,2,3]},"adding_replicas":{"0":[3],"7":[1]},"removing_replicas":{"0":[1]}}`, true},
		{`{"version":1,"partitions":{"0":[1],"1":[0]}}`, true},
		{`{"version":3,"topic_id":"ECEhNG0ETVS-N8y2fbVE7g","partitions":{},"adding_replicas":{},"removing_replicas":{}}`, true},
		{`{"partitions":{"0":[1]}}`, true},
		{`{"version":1, "partitions":{"0":[1]}}`, false},
		{`{"version":1,"partitions":{"0":[1],"0":[2]}}`, false},
		{`{"version":1,"partitions":{"0":[1]},"partitions":{"0":[2]}}`, false},
		{`{"version":1,"partitions":{"0":[2147483647]}}`, false},
		{`{"version":1,"partitions":{"0":[1]},"new":1}`, false},
		{`{"version":1,"partitions":{"0":[1]},"adding_replicas":{"0":[]}}`, false},
		{`{"version":1,"partitions":{"0":[1]},"adding_replicas":null}`, false},
	} {
		id, parts, usual := usualTopic([]byte(c.data))
		longID, long, err := anyTopic([]byte(c.data))
		if usual != c.usual || err != nil || usual && (id != longID || !reflect.DeepEqual(parts, long)) {
			t.Errorf("%s: %v, %v %+v by the short way, %v %+v, %v by the long one", c.data, usual, id, parts, longID, long, err)
		}
	}
}

func BenchmarkDecodeTopic(b *testing.B) {
	parts := make([]planner.PartitionRead, 50)
	for i := range parts {
		parts[i] = planner.PartitionRead{Number: int32(i), Assignment: partition.Assignment{Replicas: []int32{1, 2, 3}}}
	}
	data := encodeTopic(freshTopicID(), parts)
	for _, way := range []struct {
		name string
		f    func([]byte) (cluster.TopicID, []planner.PartitionRead, error)
	}{{"usual", decodeTopic}, {"any", anyTopic}} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := way.f(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"controller_epoch":7,"leader":1,"version":1,"leader_epoch":3,"isr":[1,2]}`,
		`{"version":3,"topic_id":"ECEhNG0ETVS-N8y2fbVE7g","partitions":{"0":[1]},"adding_replicas":{"0":[2]},"removing_replicas":{}}`,
		`{"listener_security_protocol_map":{"A":"SSL"},"endpoints":["A://h:1"],"version":5}`,
		`{"version":2,"brokerid":3,"timestamp":"1","baton":{"name":"a"}}`, `5`, `{"version":1,"block_start":"0","block_end":"999"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if st, ok := usualState(data, 3); ok {
			if long, err := anyState(data, 3); err != nil || !reflect.DeepEqual(st, long) {
				t.Errorf("%s: %+v by the short way, %+v, %v by the long one", data, st, long, err)
			}
		}
		if st, err := decodeState(data, 3); err == nil {
			if back, err := decodeState(encodeState(st), 3); err != nil || !reflect.DeepEqual(st, back) {
				t.Errorf("%+v became %+v, %v", st, back, err)
			}
		}
		if id, parts, ok := usualTopic(data); ok {
			if longID, long, err := anyTopic(data); err != nil || id != longID || !reflect.DeepEqual(parts, long) {
				t.Errorf("%s: %v %+v by the short way, %v %+v, %v by the long one", data, id, parts, longID, long, err)
			}
		}
		if id, parts, err := decodeTopic(data); err == nil {
			if backID, back, err := decodeTopic(encodeTopic(id, parts)); err != nil || backID != id || !reflect.DeepEqual(parts, back) {
				t.Errorf("%+v became %+v, %v", parts, back, err)
			}
		}
		if b, err := decodeBroker(data); err == nil && len(b.Endpoints) == 0 {
			t.Error("a broker without endpoints")
		}
		decodeController(data, zk.Stat{})
		decodeEpoch(data)
		decodeMember(data)
		decodeHold(data)
		decodeHandover(data, 0)
		decodeMigration(data)
		decodeLogDirEvent(data)
		decodeUnclean(data)
		decodePreferred(data)
		if ids, err := decodeISRChange(data); err == nil {
			for _, id := range ids {
				if id.Number < 0 {
					t.Errorf("a notification of %v", id)
				}
			}
		}
		if moves, err := decodeReassign(data); err == nil {
			if back, err := decodeReassign(encodeReassign(moves)); err != nil || !reflect.DeepEqual(moves, back) {
				t.Errorf("%+v became %+v, %v", moves, back, err)
			}
		}
		if start, err := nextBlock(data, 0); err == nil && start < 0 {
			t.Errorf("block starts at %d", start)
		}
	})
}
