package whatif

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"baton/partition"
	"baton/planner"
	"baton/snapshot"
)

// document of brokers 1 to 4 and the given partitions of one topic, with min.insync.replicas 2 and unclean elections off.
func document(parts ...snapshot.Partition) *snapshot.Document {
	d := &snapshot.Document{Format: snapshot.Format, Version: snapshot.Version, Controller: snapshot.Controller{ID: 2000001, Epoch: 5},
		Static: snapshot.Static{MinISR: 1}, Batons: []int32{2000001},
		Topics: []snapshot.Topic{{Name: "t", MinISR: snapshot.Setting[int32]{Value: 2, From: snapshot.FromTopic}, Unclean: snapshot.Setting[bool]{From: snapshot.FromStatic}}}}
	for id := range int32(4) {
		d.Brokers = append(d.Brokers, snapshot.Broker{ID: id + 1, Epoch: int64(id) + 11})
	}
	for i := range parts {
		parts[i].Number = int32(i)
	}
	d.Topics[0].Partitions = parts
	return d
}

// led is a partition led by the first member of its ISR.
func led(replicas, isr []int32) snapshot.Partition {
	return snapshot.Partition{Replicas: replicas, Leader: isr[0], LeaderEpoch: 3, ISR: isr, PartitionEpoch: 6, ControllerEpoch: 4}
}

// recovers gives the topic a strategy.
func recovers(d *snapshot.Document, strategy string, from snapshot.Origin) {
	d.Static.RecoveryWaitMS = 600_000
	if d.Static.Recovery = strategy; from == snapshot.FromStaticTopic {
		d.Static.Recovery, d.Static.RecoveryTopics = "", []snapshot.TopicStrategy{{Topic: "t", Strategy: strategy}}
	}
	d.Topics[0].Recovery = &snapshot.Setting[string]{Value: strategy, From: from}
}

func ids3(a, b, c int32) []int32 { return []int32{a, b, c} }

func TestFail(t *testing.T) {
	leaderless := led(ids3(4, 1, 2), []int32{4})
	leaderless.Leader = -1
	fresh := snapshot.Partition{Replicas: []int32{2, 3}, Leader: -1, New: true}
	for _, c := range []struct {
		name    string
		p       snapshot.Partition
		change  func(*snapshot.Document)
		opts    Options
		failed  []int32
		effects []Effect // nil: nothing changes
		leader  int32
		isr     []int32
		why     string
	}{
		{name: "the next of the ISR in the assignment's order", p: led(ids3(2, 1, 3), []int32{2, 3, 1}), failed: []int32{2},
			effects: []Effect{Moves}, leader: 1, isr: []int32{3, 1}, why: "1 is the first live replica of [2 1 3] that is in the ISR [2 3 1]"},
		{name: "a follower", p: led(ids3(2, 1, 3), ids3(2, 1, 3)), failed: []int32{3}, effects: []Effect{Shrinks}, leader: 2, isr: []int32{2, 1}, why: "2 goes on leading without 3"},
		{name: "under min ISR", p: led(ids3(2, 1, 3), []int32{2, 1}), failed: []int32{2}, effects: []Effect{UnderMinISR, Moves}, leader: 1, isr: []int32{1}, why: "1 is the first"},
		{name: "two at once", p: led(ids3(2, 1, 3), ids3(2, 1, 3)), failed: []int32{2, 1}, effects: []Effect{UnderMinISR, Moves}, leader: 3, isr: []int32{3}, why: "3 is the first"},
		{name: "the last of the ISR", p: led(ids3(2, 1, 3), []int32{2}), failed: []int32{2}, effects: []Effect{Offline}, leader: -1, isr: []int32{2},
			why: "nobody of the ISR [2] is left; 1, 3 live, but not in sync, and unclean election is off (static)"},
		{name: "all replicas", p: led([]int32{2, 1}, []int32{2, 1}), failed: []int32{1, 2}, effects: []Effect{Offline}, leader: -1, isr: []int32{2, 1}, why: "no other replica is live"},
		{name: "the topic allows it", p: led(ids3(2, 1, 3), []int32{2}), failed: []int32{2}, effects: []Effect{Loss, Moves}, leader: 1, isr: []int32{1},
			change: func(d *snapshot.Document) {
				d.Topics[0].Unclean = snapshot.Setting[bool]{Value: true, From: snapshot.FromTopic}
			},
			why: "1 is the first live replica of [2 1 3], and unclean election is allowed (topic)"},
		{name: "the default allows it, the topic does not", p: led(ids3(2, 1, 3), []int32{2}), failed: []int32{2}, effects: []Effect{Offline}, leader: -1, isr: []int32{2},
			change: func(d *snapshot.Document) {
				yes := true
				d.Defaults.Unclean, d.Topics[0].Unclean = &yes, snapshot.Setting[bool]{From: snapshot.FromTopic}
			}, why: "unclean election is off (topic)"},
		{name: "nobody knows what the topic allows", p: led(ids3(2, 1, 3), []int32{2}), failed: []int32{2}, effects: []Effect{Offline}, leader: -1, isr: []int32{2},
			change: func(d *snapshot.Document) {
				d.Static.Unclean, d.Topics[0].Unclean = true, snapshot.Setting[bool]{From: snapshot.Unknown, Unreadable: "no JSON"}
			}, why: "whether unclean election is allowed cannot be read: no JSON"},
		{name: "asked with unclean", p: led(ids3(2, 1, 3), []int32{2}), failed: []int32{2}, opts: Options{Unclean: true},
			effects: []Effect{Loss, Moves}, leader: 1, isr: []int32{1}, why: "allowed (by this question)"},
		{name: "a strategy measures first", p: led(ids3(2, 1, 3), []int32{2}), failed: []int32{2}, effects: []Effect{Offline}, leader: -1, isr: []int32{2},
			change: func(d *snapshot.Document) { recovers(d, "longest", snapshot.FromStatic) },
			why:    "1, 3 live, but not in sync: they are measured first, and the one that loses least leads (unclean.recovery.strategy=longest, static)"},
		{name: "a strategy measures the only one that is left", p: led(ids3(2, 1, 3), []int32{2}), failed: []int32{2, 1}, effects: []Effect{Loss, Moves}, leader: 3, isr: []int32{3},
			change: func(d *snapshot.Document) { recovers(d, "longest", snapshot.FromStaticTopic) },
			why:    "3 is the only live replica of [2 1 3], and may lead once it is measured (unclean.recovery.strategy=longest, static, for the topic)"},
		{name: "a strategy waits", p: led(ids3(2, 1, 3), []int32{2}), failed: []int32{2, 1}, effects: []Effect{Offline}, leader: -1, isr: []int32{2},
			change: func(d *snapshot.Document) { recovers(d, "wait", snapshot.FromStatic) },
			why:    "3 live, but not in sync: after 10 min for the ISR to come back they are measured first"},
		{name: "a strategy takes the first", p: led(ids3(2, 1, 3), []int32{2}), failed: []int32{2}, effects: []Effect{Loss, Moves}, leader: 1, isr: []int32{1},
			change: func(d *snapshot.Document) { recovers(d, "first", snapshot.FromStatic) },
			why:    "1 is the first live replica of [2 1 3], and unclean election is allowed (unclean.recovery.strategy=first, static)"},
		{name: "asked with unclean, whatever the strategy", p: led(ids3(2, 1, 3), []int32{2}), failed: []int32{2}, opts: Options{Unclean: true},
			change:  func(d *snapshot.Document) { recovers(d, "longest", snapshot.FromStaticTopic) },
			effects: []Effect{Loss, Moves}, leader: 1, isr: []int32{1}, why: "allowed (by this question)"},
		{name: "without a leader already", p: leaderless, failed: []int32{4}, leader: -1, isr: []int32{4}},
		{name: "a replica on a failed directory does not lead", p: func() snapshot.Partition {
			p := led(ids3(2, 1, 3), ids3(2, 1, 3))
			p.FailedDirs = []int32{1}
			return p
		}(), failed: []int32{2}, effects: []Effect{UnderMinISR, Moves}, leader: 3, isr: []int32{3}, why: "3 is the first"},
		{name: "a broker that leaves comes after one that stays", p: led(ids3(2, 1, 3), ids3(2, 1, 3)), failed: []int32{2},
			change: func(d *snapshot.Document) { d.Brokers[0].Leaving = true }, effects: []Effect{UnderMinISR, Moves}, leader: 3, isr: []int32{3}, why: "3 is the first"},
		{name: "a topic that is to be deleted", p: led(ids3(2, 1, 3), []int32{2, 1}), failed: []int32{2}, effects: nil, leader: 2, isr: []int32{2, 1},
			change: func(d *snapshot.Document) {
				d.Topics[0].Held, d.Topics[0].Marked, d.Static.DeleteTopics = "its deletion was asked for", true, true
			}},
		{name: "new", p: fresh, failed: []int32{2}, effects: []Effect{Led}, leader: 2, isr: []int32{2, 3}, why: "new"},
	} {
		d := document(c.p)
		if c.change != nil {
			c.change(d)
		}
		r, err := Fail(d, c.failed, c.opts)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if c.effects == nil || c.name == "new" {
			continue
		}
		if len(r.Changes) != 1 {
			t.Errorf("%s: changes %+v", c.name, r.Changes)
			continue
		}
		got := r.Changes[0]
		if !slices.Equal(got.Effects, c.effects) || got.After.Leader != c.leader || !slices.Equal(got.After.ISR, c.isr) || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestNothingHappens: what does not change is not named, and what was so before is counted as that.
func TestNothingHappens(t *testing.T) {
	offline, thin := led(ids3(4, 1, 2), []int32{4}), led(ids3(1, 2, 3), []int32{1})
	offline.Leader = -1
	d := document(offline, thin, led(ids3(1, 2, 3), ids3(1, 2, 3)))
	d.Brokers = d.Brokers[:3]
	d.Away = []snapshot.Away{{ID: 4}}
	r, err := Fail(d, []int32{4}, Options{})
	if err != nil || len(r.Changes) != 0 || r.Totals != (Totals{StillOffline: 1, StillUnder: 2}) || r.Partitions != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	var unknown *UnknownBrokerError
	if _, err := Fail(d, []int32{7}, Options{}); !errors.As(err, &unknown) || unknown.ID != 7 {
		t.Errorf("an unknown broker: %v", err)
	}
}

// TestTotals counts, ranks, and says who leads how much.
func TestTotals(t *testing.T) {
	d := document(led(ids3(1, 2, 3), ids3(1, 2, 3)), led(ids3(1, 2, 3), []int32{1, 2}), led(ids3(1, 2, 3), []int32{1}), led(ids3(2, 1, 3), ids3(2, 1, 3)))
	r, err := Fail(d, []int32{1}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Totals{Offline: 1, Under: 1, Moves: 2, Shrinks: 1, StillUnder: 1}); r.Totals != want {
		t.Errorf("totals %+v", r.Totals)
	}
	var order []string
	for _, c := range r.Changes {
		order = append(order, fmt.Sprintf("%v %v", c.ID, c.Effects[0]))
	}
	if want := []string{"t-2 offline", "t-1 under min ISR", "t-0 leader moves", "t-3 ISR shrinks"}; !slices.Equal(order, want) {
		t.Errorf("order %q", order)
	}
	if want := []Gain{{1, 3, 0}, {2, 1, 3}}; !slices.Equal(r.Leaders, want) {
		t.Errorf("leaders %+v", r.Leaders)
	}
}

// TestWorld: brokers return, and elections are held, by the same rules.
func TestWorld(t *testing.T) {
	id := partition.ID{Topic: "t"}
	p := led(ids3(4, 1, 2), []int32{4})
	p.Leader = -1
	d := document(p)
	d.Brokers = d.Brokers[:3]
	d.Away = []snapshot.Away{{ID: 4, Epoch: 40}}
	open := func() *World {
		w, err := Open(d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := open()
	if err := w.Return(4); err != nil || !w.Led(id) || w.Partition(id).State.Leader != 4 || w.Standing(id, 4) != partition.Alive {
		t.Errorf("after 4 is back: %+v, %v", w.Partition(id), err)
	}
	w = open()
	if err := w.Elect(planner.Unclean, id); err != nil || w.Partition(id).State.Leader != 1 || w.Why(id) != partition.Unclean {
		t.Errorf("after an unclean election: %+v, %v", w.Partition(id), err)
	}
	w = open()
	if err := w.Elect(planner.Preferred, id); err != nil || w.Led(id) {
		t.Errorf("after a preferred election: %+v, %v", w.Partition(id), err)
	}
	if d.Topics[0].Partitions[0].Leader != -1 {
		t.Error("the snapshot was changed")
	}
}

func TestCanStop(t *testing.T) {
	full := func() snapshot.Partition { return led(ids3(1, 2, 3), ids3(1, 2, 3)) }
	for _, c := range []struct {
		name   string
		p      snapshot.Partition
		change func(*snapshot.Document)
		ok     bool
		texts  []string
	}{
		{name: "all well", p: full(), ok: true},
		{name: "under min ISR", p: led(ids3(1, 2, 3), []int32{1, 2}), texts: []string{"1 partitions would be under min.insync.replicas", "(t-0)"}},
		{name: "the only one in sync", p: led(ids3(1, 2, 3), []int32{1}), texts: []string{"would have no leader", "under min.insync.replicas already"}[:1]},
		{name: "loss", p: led(ids3(1, 2, 3), []int32{1}), texts: []string{"would be led by a replica that is not in sync"},
			change: func(d *snapshot.Document) {
				d.Topics[0].Unclean = snapshot.Setting[bool]{Value: true, From: snapshot.FromTopic}
			}},
		{name: "thin already", p: led(ids3(2, 1, 3), []int32{2, 1}), texts: []string{"are under min.insync.replicas already, and would lose another"},
			change: func(d *snapshot.Document) { d.Topics[0].MinISR.Value = 3 }},
		{name: "thin already without it", p: led(ids3(2, 1, 3), []int32{2}), ok: true},
		{name: "another is away", p: func() snapshot.Partition { p := full(); p.ISR, p.Offline = []int32{1, 2}, []int32{3}; return p }(),
			change: func(d *snapshot.Document) {
				d.Topics[0].MinISR.Value = 1
				d.Brokers = slices.Delete(d.Brokers, 2, 3)
				d.Away = []snapshot.Away{{ID: 3}}
			}, texts: []string{"have a replica on broker 3 as well, which is away"}},
		{name: "another is leaving", p: func() snapshot.Partition { p := full(); p.Offline = []int32{3}; return p }(),
			change: func(d *snapshot.Document) { d.Brokers[2].Leaving, d.Topics[0].MinISR.Value = true, 1 },
			texts:  []string{"broker 3 as well, which is shutting down"}},
		{name: "one that shares nothing is away", p: full(), ok: true, change: func(d *snapshot.Document) { d.Brokers, d.Away = d.Brokers[:3], []snapshot.Away{{ID: 4}} },
			texts: []string{"share no partition with it are away or shutting down: 4"}},
		{name: "reassigned", p: func() snapshot.Partition { p := full(); p.Adding = []int32{3}; return p }(), texts: []string{"are being reassigned"}},
		{name: "to be deleted", p: full(), change: func(d *snapshot.Document) { d.Topics[0].Marked = true }, texts: []string{"are to be deleted"}},
		{name: "unreadable", p: func() snapshot.Partition { p := full(); p.Unreadable = "no JSON"; return p }(), texts: []string{"cannot be judged"}},
		{name: "settings unread", p: full(), change: func(d *snapshot.Document) { d.Unread = "no server" }, texts: []string{"is not known: no server"}},
		{name: "torn", p: full(), change: func(d *snapshot.Document) { d.Torn = true }, texts: []string{"ask again"}},
		{name: "doubt", p: full(), change: func(d *snapshot.Document) { d.Doubt = "no lease" }, texts: []string{"no lease"}},
		{name: "gone already", p: led(ids3(2, 1, 3), []int32{2, 3}), ok: true,
			change: func(d *snapshot.Document) { d.Brokers, d.Away = d.Brokers[1:], []snapshot.Away{{ID: 1}} }},
	} {
		d := document(c.p)
		if c.change != nil {
			c.change(d)
		}
		v, err := CanStop(d, 1)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		text := fmt.Sprint(v.Reasons, v.Notes)
		if v.OK != c.ok || v.OK != (len(v.Reasons) == 0) {
			t.Errorf("%s: ok %v: %s", c.name, v.OK, text)
		}
		for _, x := range c.texts {
			if !strings.Contains(text, x) {
				t.Errorf("%s: %q is missing in %s", c.name, x, text)
			}
		}
	}
	v, err := CanStop(document(full(), led(ids3(1, 3, 2), ids3(1, 3, 2)), led(ids3(2, 3, 1), ids3(2, 3, 1))), 1)
	if want := []Gain{{2, 1, 2}, {3, 0, 1}}; err != nil || !v.OK || v.Leads != 2 || v.Hosts != 3 || !slices.Equal(v.Leaders, want) {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := CanStop(document(full()), 7); err == nil {
		t.Error("an unknown broker can stop")
	}
}

// big is a document of n partitions in topics of 100, three replicas each on 12 brokers; one in fifty has a short ISR.
func big(n int) *snapshot.Document {
	d := document()
	d.Brokers, d.Topics = nil, nil
	for id := range int32(12) {
		d.Brokers = append(d.Brokers, snapshot.Broker{ID: id + 1, Epoch: int64(id) + 11})
	}
	for i := range n {
		if i%100 == 0 {
			d.Topics = append(d.Topics, snapshot.Topic{Name: fmt.Sprintf("topic-%06d", i/100), Unclean: snapshot.Setting[bool]{From: snapshot.FromStatic},
				MinISR: snapshot.Setting[int32]{Value: 2, From: snapshot.FromTopic}})
		}
		t := &d.Topics[len(d.Topics)-1]
		r := ids3(int32(i%12)+1, int32((i+1)%12)+1, int32((i+5)%12)+1)
		p := led(r, r)
		if i%50 == 0 {
			p.ISR = r[:1]
		}
		p.Number = int32(i % 100)
		t.Partitions = append(t.Partitions, p)
	}
	return d
}

// BenchmarkWhatIf100000 asks what becomes of 100,000 partitions if 2 of 12 brokers fail.
func BenchmarkWhatIf100000(b *testing.B) {
	d := big(100_000)
	b.ResetTimer()
	for b.Loop() {
		r, err := Fail(d, []int32{1, 2}, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(r.Changes)), "changes")
	}
}
