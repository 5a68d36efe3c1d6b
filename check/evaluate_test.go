package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baton/cluster"
	"baton/config"
	"baton/planner"
	"baton/zkstore"
)

const properties = `
zookeeper.connect=zk1:2181,zk2:2181/kafka
zookeeper.session.timeout.ms=6000
node.id=2000001
instance.name=one
listeners=INTERNAL://10.0.0.5:9290,CLIENT://10.0.0.5:9291
listener.security.protocol.map=INTERNAL:PLAINTEXT,CLIENT:PLAINTEXT,SECURE:SSL
inter.broker.listener.name=INTERNAL
inter.broker.protocol.version=3.9
`

func parse(t *testing.T, sets ...string) *config.Config {
	t.Helper()
	c, _, err := config.Parse(strings.NewReader(properties), "baton.properties", sets)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func brokerFacts(id int32) Broker {
	return Broker{
		Broker: cluster.Broker{ID: id, Endpoints: []cluster.Endpoint{
			{Listener: "INTERNAL", Host: "10.0.0.1", Port: 9092}, {Listener: "CLIENT", Host: "10.0.0.1", Port: 9093}}},
		Addr: "10.0.0.1:9092", APIs: map[int16]Range{4: {0, 7}, 5: {0, 4}, 6: {0, 8}},
		Configs: map[string]string{"inter.broker.protocol.version": "3.9-IV0", "inter.broker.listener.name": "INTERNAL",
			"unclean.leader.election.enable": "false", "broker.id.generation.enable": "true", "reserved.broker.max.id": "1000"},
	}
}

// healthy is a cluster in which there is nothing to find.
func healthy(t *testing.T) *Facts {
	t.Helper()
	return &Facts{
		Config:    parse(t),
		Servers:   []Server{{Addr: "zk1:2181", Mode: "leader", Version: "3.8.4"}, {Addr: "zk2:2181", Mode: "follower", Version: "3.8.4"}},
		Session:   Session{Server: "zk1:2181", Timeout: 6 * time.Second, HasChroot: true},
		ClusterID: "abc", Role: zkstore.RoleView{Controller: &zkstore.Registration{BrokerID: 1, KRaftEpoch: -1, Owner: 77}, Epoch: 14},
		Brokers: []Broker{brokerFacts(1), brokerFacts(2)},
		Topics:  Topics{Count: 2, Partitions: 6},
	}
}

func TestHealthyClusterHasNoFindings(t *testing.T) {
	r := Evaluate(healthy(t))
	for _, f := range r.Findings {
		if f.Level != OK {
			t.Errorf("%+v", f)
		}
	}
	if r.ExitCode() != 0 || r.OK == 0 {
		t.Errorf("%+v", r)
	}
}

// spoiled is a case: one thing is made bad, and every finding that is not OK is listed.
type spoiled struct {
	spoil func(f *Facts)
	want  []string // "level item: part of the detail"
}

func evaluateEach(t *testing.T, cases map[string]spoiled) {
	t.Helper()
	for name, c := range cases {
		f := healthy(t)
		c.spoil(f)
		compare(t, name, Evaluate(f), c.want)
	}
}

func TestRulesOfTheRole(t *testing.T) {
	hold := &zkstore.Hold{Who: "ann", Why: "trial over", When: time.Unix(0, 0)}
	evaluateEach(t, map[string]spoiled{
		"a server down": {func(f *Facts) { f.Servers[1].Err = "connection refused" }, []string{"warn ZooKeeper zk2:2181: connection refused"}},
		"timeout bounded": {func(f *Facts) { f.Session.Timeout = 4 * time.Second },
			[]string{"warn ZooKeeper session: asked for a timeout of 6s, got 4s"}},
		"no chroot": {func(f *Facts) { f.Session.HasChroot, f.ClusterID = false, "" },
			[]string{"fail chroot: /kafka does not exist", "fail cluster id: does not exist"}},
		"read refused": {func(f *Facts) { f.ReadErrs = []string{"/brokers/ids: not authenticated"} }, []string{"fail reading ZooKeeper: not authenticated"}},
		"nobody holds": {func(f *Facts) { f.Role.Controller = nil }, []string{"warn /controller: nobody"}},
		"KRaft holds":  {func(f *Facts) { f.Role.Controller.KRaftEpoch = 3 }, []string{"fail /controller: KRaft controller 1"}},
		"persistent":   {func(f *Facts) { f.Role.Controller.Owner = 0 }, []string{"fail /controller: not ephemeral"}},
		"unregistered holder": {func(f *Facts) { f.Role.Controller.BrokerID = 9 },
			[]string{"warn /controller: broker 9, which is not registered"}},
		"never any controller": {func(f *Facts) { f.Role.EpochVersion = -1 }, []string{"warn /controller_epoch: no controller has ever"}},
		"migration":            {func(f *Facts) { f.Role.Migration = "dual write" }, []string{"fail /migration: dual write"}},
		"hold":                 {func(f *Facts) { f.Role.Hold = hold }, []string{"warn /baton/hold: set by ann at 1970-01-01 00:00:00Z: trial over"}},
		"our id holds under another name": {func(f *Facts) {
			f.Role.Controller.BrokerID, f.Role.Controller.Baton = 2000001, &zkstore.BatonInfo{Name: "two", Version: "1"}
		}, []string{"fail /controller: held by Baton 2000001 (two"}},
		"our id is a broker's": {func(f *Facts) { f.Brokers[0].ID = 2000001; f.Role.Controller.BrokerID = 2 },
			[]string{"fail node.id: 2000001 is the id of a registered broker"}},
		"our id is a live Baton's": {func(f *Facts) {
			f.Role.Members = []zkstore.Member{{ID: 2000001, BatonInfo: zkstore.BatonInfo{Name: "two"}, Host: "h2"}}
		}, []string{"fail node.id: used by a live Baton (two on h2)"}},
		"our id could be generated": {func(f *Facts) { f.Config = parse(t, "node.id=1500") }, []string{"warn node.id: above reserved.broker.max.id (1000)"}},
		"our id is low":             {func(f *Facts) { f.Config = parse(t, "node.id=900") }, []string{"warn node.id: 900 is in the range"}},
		"replicas on our id": {func(f *Facts) { f.Topics.OnBatons = map[int32][]string{2000001: {"a", "b"}} },
			[]string{"fail node.id: 2 topics have replicas on 2000001, which was never a Baton's: a, b"}},
		"replicas to repair": {func(f *Facts) { f.Batons = []int32{2000001}; f.Topics.OnBatons = map[int32][]string{2000001: {"a"}} },
			[]string{"warn replicas on Baton ids: 1 topics"}},
	})
}

func TestRulesOfTheBrokers(t *testing.T) {
	evaluateEach(t, map[string]spoiled{
		"no brokers": {func(f *Facts) { f.Brokers = nil; f.Role.Controller = nil }, []string{"warn /controller: nobody", "warn brokers: none"}},
		"unreadable registration": {func(f *Facts) { f.BadBrokers = []planner.Bad{{Path: "/brokers/ids/3", Reason: "no JSON"}} },
			[]string{"fail /brokers/ids/3: no JSON"}},
		"broker unreachable":      {func(f *Facts) { f.Brokers[0].Err = "timeout" }, []string{"fail broker 1: timeout"}},
		"broker without listener": {func(f *Facts) { f.Brokers[0].Addr = "" }, []string{"fail broker 1: no endpoint on listener INTERNAL, only on INTERNAL, CLIENT"}},
		"KRaft broker":            {func(f *Facts) { delete(f.Brokers[0].APIs, 4) }, []string{"fail broker 1: KRaft mode"}},
		"migrating broker":        {func(f *Facts) { f.Brokers[0].Configs["zookeeper.metadata.migration.enable"] = "true" }, []string{"fail broker 1: migrate to KRaft"}},
		"old broker":              {func(f *Facts) { f.Brokers[0].APIs[4] = Range{0, 2} }, []string{"warn broker 1: older than 2.4"}},
		"secretive broker": {func(f *Facts) { f.Brokers[0].Configs, f.Brokers[0].ConfErr = nil, "CLUSTER_AUTHORIZATION_FAILED" },
			[]string{"warn broker 1: CLUSTER_AUTHORIZATION_FAILED"}},
		"older protocol on one": {func(f *Facts) { f.Brokers[1].Configs["inter.broker.protocol.version"] = "2.8-IV1" },
			[]string{"warn inter.broker.protocol.version: brokers differ: 2.8-IV1 on 2; 3.9-IV0 on 1", "fail inter.broker.protocol.version: ours is 3.9-IV0, the lowest of the brokers 2.8-IV1"}},
		"our protocol is older": {func(f *Facts) { f.Config = parse(t, "inter.broker.protocol.version=2.8") }, []string{"warn inter.broker.protocol.version: would be missing"}},
		"unknown protocol": {func(f *Facts) { f.Brokers[1].Configs["inter.broker.protocol.version"] = "4.0-IV3" },
			[]string{"fail inter.broker.protocol.version: broker 2 has \"4.0-IV3\""}},
		"other inter-broker listener": {func(f *Facts) { f.Brokers[1].Configs["inter.broker.listener.name"] = "CLIENT" },
			[]string{"fail inter.broker.listener.name: ours is \"INTERNAL\", on brokers 2 it is \"CLIENT\""}},
		"brokers have a control plane": {func(f *Facts) { f.Brokers[0].Configs["control.plane.listener.name"] = "CONTROL" },
			[]string{"fail control.plane.listener.name: on brokers 1 it is \"CONTROL\""}},
		"a listener we lack": {func(f *Facts) {
			f.Brokers[0].Endpoints = append(f.Brokers[0].Endpoints, cluster.Endpoint{Listener: "EXTRA"})
		},
			[]string{"warn listener EXTRA: none of that name"}},
		"a listener we cannot serve": {func(f *Facts) {
			f.Brokers[0].Endpoints = append(f.Brokers[0].Endpoints, cluster.Endpoint{Listener: "SECURE", Protocol: cluster.SSL})
		}, []string{"warn listener SECURE: is SSL"}},
		"inter-broker over TLS": {func(f *Facts) {
			for i := range f.Brokers {
				f.Brokers[i].Endpoints[0].Protocol = cluster.SASLSSL
			}
		}, []string{"fail listener INTERNAL: is SASL_SSL, and brokers call the controller"}},
		"mixed protocols": {func(f *Facts) { f.Brokers[1].Endpoints[1].Protocol = cluster.SSL },
			[]string{"warn listener CLIENT: different protocols on it: PLAINTEXT, SSL"}},
		"other default": {func(f *Facts) { f.Brokers[1].Configs["unclean.leader.election.enable"] = "true" },
			[]string{"warn unclean.leader.election.enable: ours is \"false\", on brokers 2 it is \"true\""}},
		"strategies that nobody has": {func(f *Facts) {
			f.Config = parse(t, "unclean.recovery.strategy.topics=orders=longest,audit-*=first,audit-a*=none")
			f.Topics.Names = []string{"audit-a", "payments"}
		}, []string{"warn unclean.recovery.strategy.topics orders=longest: no topic matches",
			"warn unclean.recovery.strategy.topics audit-a*=none: every topic that it matches has a rule that goes before it"}},
		"policy": {func(f *Facts) { f.Brokers[1].Configs["create.topic.policy.class.name"] = "com.acme.P" },
			[]string{"fail create.topic.policy.class.name: com.acme.P on brokers 2: topics created through Baton"}},
		"own policy": {func(f *Facts) { f.Config.AlterConfigPolicy = "com.acme.Q" },
			[]string{"fail alter.config.policy.class.name: com.acme.Q in Baton's own configuration: configs changed through Baton"}},
		"authorizer":    {func(f *Facts) { f.Brokers[1].Configs["authorizer.class.name"] = "x.Y" }, []string{"warn authorizer.class.name: ClusterAction"}},
		"ZooKeeper ACL": {func(f *Facts) { f.Brokers[1].Configs["zookeeper.set.acl"] = "true" }, []string{"fail zookeeper.set.acl: protected"}},
		"deletion":      {func(f *Facts) { f.Topics.Deleting = []string{"x"} }, nil},
		"reassignment":  {func(f *Facts) { f.Topics.Reassigning = []string{"x"} }, nil},
		"bad role":      {func(f *Facts) { f.Role.Bad = map[string]string{"/controller": "no JSON"} }, []string{"fail /controller: unreadable: no JSON"}},
		"bad topics": {func(f *Facts) { f.Topics.Bad = []planner.Bad{{Path: "/brokers/topics/x", Reason: "version 9"}} },
			[]string{"warn unreadable znodes: 1: /brokers/topics/x: version 9"}},
	})
}

func compare(t *testing.T, name string, r Report, want []string) {
	t.Helper()
	var found []Finding
	failures := 0
	for _, f := range r.Findings {
		if f.Level != OK {
			found = append(found, f)
		}
		if f.Level == Fail {
			failures++
		}
	}
	ok := len(found) == len(want)
	for i := 0; ok && i < len(want); i++ {
		head, detail, _ := strings.Cut(want[i], ": ")
		ok = string(found[i].Level)+" "+found[i].Item == head && strings.Contains(found[i].Detail, detail) ||
			strings.HasPrefix(string(found[i].Level)+" "+found[i].Item+": "+found[i].Detail, want[i])
	}
	if !ok {
		t.Errorf("%s: found\n%+v\nwant %q", name, found, want)
	}
	if code := r.ExitCode(); (code == 3) != (failures > 0) || code != 0 && code != 3 {
		t.Errorf("%s: exit code %d with %d failures", name, code, failures)
	}
}

func TestUnreachableZooKeeper(t *testing.T) {
	f := healthy(t)
	f.Servers[0].Err, f.Servers[1].Err, f.Session = "refused", "refused", Session{Err: "no server"}
	r := Evaluate(f)
	if r.ExitCode() != 5 || r.Failures != 3 || len(r.Findings) != 3 {
		t.Errorf("%+v", r)
	}
}

func TestLongListsAreCut(t *testing.T) {
	if got := some(slices.Repeat([]string{"x"}, 12)); !strings.HasSuffix(got, "x, and 2 more") {
		t.Errorf("%q", got)
	}
}

// TestRecoveryIsNamed: which strategy goes for which topics.
func TestRecoveryIsNamed(t *testing.T) {
	f := healthy(t)
	f.Config = parse(t, "unclean.recovery.strategy=longest", "unclean.recovery.strategy.topics=audit-*=none,orders=wait")
	f.Topics.Names = []string{"audit-a", "audit-b", "orders", "payments"}
	var got []string
	for _, x := range Evaluate(f).Findings {
		if strings.HasPrefix(x.Item, "unclean.recovery") {
			got = append(got, string(x.Level)+" "+x.Item+": "+x.Detail)
		}
	}
	want := []string{"ok unclean.recovery.strategy.topics audit-*=none: 2 topics: audit-a, audit-b", "ok unclean.recovery.strategy.topics orders=wait: 1 topic: orders",
		"ok unclean.recovery.strategy: longest for the other 1 topic, unless they say unclean.leader.election.enable themselves"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
