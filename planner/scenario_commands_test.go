package planner_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/quota"
	"baton/recovery"
)

const self int32 = 2000001

// commands of scenario files. Input lines are: broker 1@11 2@12 …, bad-broker ID
// REASON, topic NAME id=N version=N : 1,2,3 4,2,3,1+4-1 (adding 4, removing 1), bad-topic NAME REASON,
// legacy version=N zxid=N : t-0=1,2 …, and
// state t-0 leader=1 epoch=0 isr=1,2,3 version=0 zxid=N age=MS | state t-0 absent | state t-0 bad REASON.
var commands map[string]func(*world)

func init() {
	commands = map[string]func(*world){
		// claim [epoch=5] [unclean] [default=true] [no-recovery] [no-ids] [no-delete] [batons=7,8] [deleting=a] [rebalance=PERCENT every=MS]
		// [measure-returned=MS] [recovery=STRATEGY] [recovery-topics=(a=STRATEGY,b-*=STRATEGY)] [recovery-wait=MS]: the role, and all that was read
		"claim": claim,
		// settings, as claim has them: they change
		"settings": func(w *world) { w.step(planner.SettingsChanged{Settings: w.settings()}) },
		// brokers, topics, refresh: what was read, as input
		"brokers": func(w *world) {
			in := w.parse()
			w.step(planner.BrokersChanged{Brokers: in.brokers, Bad: in.badBrokers, BadIDs: in.badIDs})
		},
		"topics": func(w *world) {
			in := w.parse()
			w.step(planner.TopicsChanged{Topics: in.topics, States: in.states, Gone: w.args.rest()})
		},
		"refresh": func(w *world) { w.reads = nil; w.step(planner.Refreshed{States: w.parse().states}) },
		// default [unclean=true] [bad]: the cluster's dynamic default
		"default": func(w *world) { w.step(w.defaults("unclean", w.args.has("bad"))) },
		// elect preferred|unclean [all] [timeout=MS] [t-0 …]: a call of ElectLeaders;
		// with candidate=ID version=N [live=2@12,3@13] it names the replica
		"elect": elect,
		// preferred-znode [t-0 …] [bad] [absent]: /admin/preferred_replica_election
		"preferred-znode": func(w *world) {
			ev := planner.PreferredRequested{Exists: !w.args.has("absent")}
			if w.args.has("bad") {
				ev.Bad = "garbage"
			}
			ev.Partitions = w.partitions()
			w.step(ev)
		},
		// continue: the machine goes on
		"continue": func(w *world) { w.step(planner.Continue{}) },
		// config TOPIC [unclean=true]
		"config": config,
		// work [TOPIC …]: deletion markers; input: the legacy reassignments
		"work": func(w *world) {
			w.step(planner.WorkChanged{Deleting: w.args.rest(), Reassigning: w.parse().legacy})
		},
		// directories BROKER …: log directory notifications
		"directories": func(w *world) { w.step(planner.LogDirFailed{Brokers: w.ids(), Paths: []string{"/n/1"}}) },
		// isr-changes PARTITION …: notifications of leaders that write the ISR themselves
		"isr-changes": func(w *world) {
			ev := planner.ISRChanged{Paths: []string{"/isr_change_notification/isr_change_1"}}
			for _, name := range w.args.rest() {
				ev.Partitions = append(ev.Partitions, w.parseID(name))
			}
			w.step(ev)
		},
		// connect [BROKER …]: channels come up, all that were asked for by default
		"connect": connect,
		// disconnect BROKER: its connection breaks
		"disconnect": func(w *world) {
			for _, b := range w.ids() {
				delete(w.open, b)
				w.step(planner.ChannelDown{Broker: b, Conn: uint64(b)*1000 + w.conns(b)}) //nolint:gosec // small
			}
		},
		// commit NAME …: writes are applied
		"commit": func(w *world) {
			for _, name := range w.args.rest() {
				w.step(planner.Committed{Results: []planner.Result{applied(w.takeWrite(name))}})
			}
		},
		// conflict NAME, fail NAME [gone]: other outcomes; what was found is the input
		"conflict": conflict,
		"fail": func(w *world) {
			r := planner.Result{Outcome: planner.Failed, Reason: "not sent", Gone: w.args.has("gone")}
			r.Seq = w.takeWrite(w.args.rest()[0]).Seq
			w.step(planner.Committed{Results: []planner.Result{r}})
		},
		// measured: the eldest measurement comes back with what the input says: BROKER t-0 START..END EPOCH, an epoch that is
		// not known exactly being LOW-HIGH, and parted=OFFSET where it was to be compared, or BROKER t-0 silent REASON
		"measured": measured,
		// answer BROKER … [code=N] [t-0=N]: brokers answer what they were told
		"answer": answer,
		// settle: every write is applied and every request answered, until nothing is left;
		// with quietly nothing is shown
		"settle": settle,
		"alter":  alter,
		// shutdown BROKER@EPOCH
		"shutdown": func(w *world) {
			b := w.parseBroker(w.args.rest()[0])
			w.call(planner.ControlledShutdown{Broker: b.ID, BrokerEpoch: b.Epoch})
		},
		// producer-ids BROKER@EPOCH
		"producer-ids": func(w *world) {
			b := w.parseBroker(w.args.rest()[0])
			w.call(planner.AllocateProducerIDs{Broker: b.ID, BrokerEpoch: b.Epoch})
		},
		"create": create,
		// reassign t-0=1,2 t-1=cancel … [timeout=MS]
		"reassign": reassign,
		// delete NAME|id=N … [timeout=MS]: DeleteTopics
		"delete": deleteTopics,
		// grow NAME COUNT [1,2;2,3] [timeout=MS] [validate]: CreatePartitions
		"grow": grow,
		// quota NAME=RATE|none …: quotas of clients on controller_mutation_rate
		"quota": quotas,
		// stats: what the metrics say of deletions
		"stats": func(w *world) {
			st := w.m.Stats()
			w.printf("topics to delete %d, ineligible %d; replicas to delete %d, ineligible %d", st.TopicsToDelete, st.TopicsIneligible, st.ReplicasToDelete, st.ReplicasIneligible)
			for _, d := range st.Deleting {
				w.printf("%s", d)
			}
		},
		// more TOPIC: a slice of the topic's znodes is gone, and there are others
		"more": func(w *world) {
			x := w.takeWrite("znodes-" + w.args.rest()[0])
			w.step(planner.Committed{Results: []planner.Result{{Seq: x.Seq, More: true}}})
		},
		// tick [after=MS]
		"tick": func(w *world) { w.step(planner.Tick{}) },
		"lose": func(w *world) {
			w.step(planner.RoleLost{Reason: strings.Join(w.args.rest(), " ")})
			w.writes, w.open = nil, map[int32]planner.Request{}
		},
		// image: every partition as the machine knows it
		"image": image,
	}
}

func (w *world) settings() planner.Settings {
	set := planner.Settings{
		UncleanElection: w.args.has("unclean"), TopicIDs: !w.args.has("no-ids"), LeaderRecovery: !w.args.has("no-recovery"), LeadersWriteISR: w.args.has("leaders-write-isr"),
		Partitions: 1, Factor: 2, RetryAfter: 1000, ToldWait: 5000, DeleteTopics: !w.args.has("no-delete"), QuotaWindow: 11_000,
		AutoRebalance: w.args.has("rebalance"), RebalancePercent: int(w.num("rebalance", 0)), RebalanceEvery: planner.Millis(w.num("every", 60000)),
		MeasureReturned: planner.Millis(w.num("measure-returned", 0)),
		Recovery:        recovery.Policy{Default: recovery.Strategy(w.args.text("recovery", "")), WaitMS: w.num("recovery-wait", 0)},
	}
	for rule := range strings.SplitSeq(w.args.text("recovery-topics", ""), ",") {
		if topic, s, ok := strings.Cut(rule, "="); ok {
			set.Recovery.Topics = append(set.Recovery.Topics, recovery.Rule{Topic: topic, Strategy: recovery.Strategy(s)})
		}
	}
	return set
}

func claim(w *world) {
	set := w.settings()
	e := int32(w.num("epoch", 5)) //nolint:gosec // small
	in := w.parse()
	c := planner.Claimed{
		ID: self, Fence: epoch.Fence{Epoch: epoch.Controller(e), Version: e}, Settings: set, Brokers: in.brokers, BadBrokers: in.badBrokers, BadIDs: in.badIDs,
		Topics: in.topics, States: in.states, Batons: []int32{self}, Defaults: w.defaults("default", false), Reassigning: in.legacy,
	}
	if d := w.args.text("deleting", ""); d != "" {
		c.Deleting = strings.Split(d, ",")
	}
	w.step(c)
}

func config(w *world) {
	ev := planner.TopicConfigRead{}
	if v := w.args.text("unclean", ""); v != "" {
		b := v == "true"
		ev.Unclean = &b
	}
	if w.args.has("bad") {
		ev.Bad = "garbage"
	}
	ev.Topic = w.args.rest()[0]
	w.reads = nil
	w.step(ev)
}

func (w *world) defaults(key string, bad bool) planner.DefaultsChanged {
	var ev planner.DefaultsChanged
	if v := w.args.text(key, ""); v != "" {
		on := v == "true"
		ev.Unclean = &on
	}
	if bad {
		ev.Bad = "garbage"
	}
	return ev
}

func elect(w *world) {
	body := planner.ElectLeaders{All: w.args.has("all"), Timeout: planner.Millis(w.num("timeout", 30000))}
	if w.args.has("unclean") {
		body.Type = planner.Unclean
	} else if !w.args.has("preferred") {
		w.t.Fatal("elect preferred or unclean?")
	}
	if id := w.num("candidate", -1); id >= 0 {
		body.Candidate = &planner.Candidate{ID: int32(id), PartitionEpoch: epoch.Partition(w.num("version", 0)), Live: map[int32]epoch.Broker{}} //nolint:gosec // small
		for s := range strings.SplitSeq(w.args.text("live", ""), ",") {
			if s != "" {
				b := w.parseBroker(s)
				body.Candidate.Live[b.ID] = b.Epoch
			}
		}
	}
	body.Partitions = w.partitions()
	w.call(body)
}

func (w *world) partitions() []partition.ID {
	var ids []partition.ID
	for _, s := range w.args.rest() {
		ids = append(ids, w.parseID(s))
	}
	return ids
}

// conns numbers the connections to a broker; Conn is broker*1000 + that.
func (w *world) conns(b int32) uint64 { return uint64(w.chans[b])%1000 + w.conn } //nolint:gosec // small

func connect(w *world) {
	ids := w.ids()
	if len(ids) == 0 {
		ids = slices.Sorted(maps.Keys(w.chans))
	} else {
		w.conn++
	}
	for _, b := range ids {
		delete(w.open, b)
		w.step(planner.ChannelUp{Broker: b, Epoch: w.chans[b], Conn: uint64(b)*1000 + w.conns(b)}) //nolint:gosec // small
	}
}

func conflict(w *world) {
	r := planner.Result{Outcome: planner.Conflict}
	r.Seq = w.takeWrite(w.args.rest()[0]).Seq
	if in := w.parse(); len(in.states) > 0 {
		r.Found = in.states[0]
	}
	w.step(planner.Committed{Results: []planner.Result{r}})
}

func measured(w *world) {
	if len(w.asked) == 0 {
		w.t.Fatal("nothing is being measured")
	}
	ev := planner.Measured{Token: w.asked[0].Token}
	w.asked = w.asked[1:]
	for _, line := range w.input {
		f := strings.Fields(line)
		l := planner.MeasuredLog{Broker: int32(w.parseNum(f[0])), ID: w.parseID(f[1])} //nolint:gosec // small
		if f[2] == "silent" {
			l.Silent = strings.Join(f[3:], " ")
		} else {
			start, end, _ := strings.Cut(f[2], "..")
			low, high, vague := strings.Cut(f[3], "-")
			if !vague {
				high = low
			}
			l.Log = &recovery.Log{Start: w.parseNum(start), End: w.parseNum(end),
				Last: recovery.Epochs{Min: int32(w.parseNum(low)), Max: int32(w.parseNum(high))}} //nolint:gosec // small
			if len(f) > 4 {
				l.Parted = w.parseNum(strings.TrimPrefix(f[4], "parted="))
			}
		}
		ev.Logs = append(ev.Logs, l)
	}
	w.input = nil
	w.step(ev)
}

func answer(w *world) {
	code := int16(w.num("code", 0)) //nolint:gosec // small
	codes := map[string]int16{}
	var ids []int32
	for _, a := range w.args.rest() {
		if name, v, ok := strings.Cut(a, "="); ok {
			codes[name] = int16(w.parseNum(v)) //nolint:gosec // small
			continue
		}
		ids = append(ids, int32(w.parseNum(a))) //nolint:gosec // small
	}
	for _, b := range ids {
		w.reply(b, code, codes)
	}
	if len(codes) > 0 {
		w.t.Fatalf("not asked about: %v", codes)
	}
}

func (w *world) reply(b int32, code int16, codes map[string]int16) {
	r, ok := w.open[b]
	if !ok {
		w.t.Fatalf("broker %d was asked nothing", b)
	}
	delete(w.open, b)
	ev := planner.BrokerReplied{Broker: b, Conn: r.Conn, Seq: r.Seq, Code: code}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			id := partition.ID{Topic: t.Name, Number: p.Number}
			ev.Partitions = append(ev.Partitions, planner.PartitionCode{ID: id, Code: codes[id.String()]})
			delete(codes, id.String())
		}
	}
	w.step(ev)
}

func settle(w *world) {
	quietly := w.args.has("quietly")
	for range 200 {
		switch {
		case len(w.writes) > 0:
			x := w.takeWrite(target(w.writes[0].Body))
			w.printf("(%s is written)", target(x.Body))
			w.step(planner.Committed{Results: []planner.Result{applied(x)}})
		case len(w.open) > 0:
			b := slices.Sorted(maps.Keys(w.open))[0]
			w.printf("(%d answers)", b)
			w.reply(b, 0, nil)
		default:
			if quietly {
				w.out.Reset()
			}
			return
		}
	}
	w.t.Fatal("does not settle")
}

// alter BROKER@EPOCH t-0 epoch=0 version=0 isr=1,2 [api=3] [recovering]
func alter(w *world) {
	req := isr.AlterRequest{
		LeaderEpoch: epoch.Leader(w.num("epoch", 0)), PartitionEpoch: epoch.Partition(w.num("version", 0)), ISR: w.list(w.args.text("isr", "")), //nolint:gosec // small
	}
	if w.args.has("recovering") {
		req.Recovery = isr.Recovering
	}
	api := int16(w.num("api", 3)) //nolint:gosec // small
	rest := w.args.rest()
	b, id := w.parseBroker(rest[0]), w.parseID(rest[1])
	it := planner.AlterItem{Topic: id.Topic, Number: id.Number, Request: req}
	if t := w.m.View().Image.Topic(id.Topic); t != nil {
		it.TopicID = t.ID
	}
	w.call(planner.AlterPartition{Broker: b.ID, BrokerEpoch: b.Epoch, Version: api, Items: []planner.AlterItem{it}})
}

// create NAME [partitions=N] [factor=N] [timeout=MS] [id=N] [validate]
func create(w *world) {
	t := planner.NewTopic{
		Partitions: int32(w.num("partitions", -1)), Factor: int16(w.num("factor", -1)), ID: cluster.TopicID{byte(w.num("id", 9))}, //nolint:gosec // small
	}
	body := planner.CreateTopics{Caller: w.caller(), Timeout: planner.Millis(w.num("timeout", 30000)), ValidateOnly: w.args.has("validate")}
	t.Name = w.args.rest()[0]
	body.Topics = []planner.NewTopic{t}
	w.call(body)
}

// reassign t-0=1,2 t-1=cancel …
func reassign(w *world) {
	body := planner.AlterReassignments{Timeout: planner.Millis(w.num("timeout", 30000))}
	for _, a := range w.args.rest() {
		name, v, _ := strings.Cut(a, "=")
		r := planner.Reassignment{ID: w.parseID(name)}
		if v != "cancel" {
			r.Replicas = append([]int32{}, w.list(v)...)
		}
		body.Items = append(body.Items, r)
	}
	w.call(body)
}

func deleteTopics(w *world) {
	body := planner.DeleteTopics{Caller: w.caller(), Timeout: planner.Millis(w.num("timeout", 30000))}
	for _, name := range w.args.rest() {
		t := planner.DoomedTopic{Name: name}
		if id, ok := strings.CutPrefix(name, "id="); ok {
			t = planner.DoomedTopic{ID: cluster.TopicID{byte(w.parseNum(id))}} //nolint:gosec // small
		}
		body.Topics = append(body.Topics, t)
	}
	w.call(body)
}

func grow(w *world) {
	body := planner.CreatePartitions{Caller: w.caller(), Timeout: planner.Millis(w.num("timeout", 30000)), ValidateOnly: w.args.has("validate")}
	rest := w.args.rest()
	t := planner.MorePartitions{Name: rest[0], Count: int32(w.parseNum(rest[1]))} //nolint:gosec // small
	if len(rest) > 2 {
		t.Assignments = [][]int32{}
		for l := range strings.SplitSeq(rest[2], ";") {
			t.Assignments = append(t.Assignments, w.list(strings.Trim(l, "-")))
		}
	}
	body.Topics = []planner.MorePartitions{t}
	w.call(body)
}

func quotas(w *world) {
	var ev planner.QuotasChanged
	for _, a := range w.args.rest() {
		name, v, _ := strings.Cut(a, "=")
		r := planner.QuotaRead{Entity: quota.Entity{Client: quota.Of(name)}}
		if v != "none" {
			rate := float64(w.parseNum(v))
			r.Rate = &rate
		}
		ev.Read = append(ev.Read, r)
	}
	w.step(ev)
}

// caller is by=CLIENT [strict].
func (w *world) caller() planner.Caller {
	return planner.Caller{Client: quota.Client{User: "ANONYMOUS", ID: w.args.text("by", "")}, Strict: w.args.has("strict")}
}

func (w *world) call(body planner.CallBody) {
	w.token++
	w.step(planner.Call{Token: w.token, Body: body})
}

func image(w *world) {
	w.m.View().Image.Each(func(t *cluster.Topic, p *cluster.Partition) {
		text := "new"
		if p.Known {
			text = showState(p.State, true)
		}
		if p.Broken != "" {
			text += ", broken: " + p.Broken
		}
		if t.Held != "" {
			text += ", held: " + t.Held
		}
		w.printf("%s-%d on %s: %s", t.Name, p.Number, showAssignment(p.Assignment), text)
	})
}

func (w *world) parseNum(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		w.t.Fatalf("not a number: %q", s)
	}
	return n
}

func (w *world) list(s string) []int32 {
	var out []int32
	for f := range strings.SplitSeq(s, ",") {
		if f != "" {
			out = append(out, int32(w.parseNum(f))) //nolint:gosec // small
		}
	}
	return out
}

func (w *world) ids() []int32 { return w.list(strings.Join(w.args.rest(), ",")) }
