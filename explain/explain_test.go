package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/snapshot"
)

var at = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// document of topic t with one partition on 1, 2, 3, led by 1, all in sync; brokers 1 to 4 live, min.insync.replicas 2.
func document() *snapshot.Document {
	d := &snapshot.Document{Format: snapshot.Format, Version: snapshot.Version, Taken: at.Add(time.Hour),
		Controller: snapshot.Controller{ID: 2000001, Name: "one", Epoch: 5, Since: at}, Static: snapshot.Static{MinISR: 1, DeleteTopics: true},
		Topics: []snapshot.Topic{{Name: "t", MinISR: snapshot.Setting[int32]{Value: 2, From: snapshot.FromTopic}, Unclean: snapshot.Setting[bool]{From: snapshot.FromStatic},
			Partitions: []snapshot.Partition{{Replicas: []int32{1, 2, 3}, Leader: 1, LeaderEpoch: 3, ISR: []int32{1, 2, 3}}}}}}
	for id := range int32(4) {
		d.Brokers = append(d.Brokers, snapshot.Broker{ID: id + 1, Epoch: int64(id) + 11, Since: at.Add(time.Minute)})
	}
	return d
}

// away takes a broker out.
func away(d *snapshot.Document, id int32, since time.Time) {
	d.Brokers = slices.DeleteFunc(d.Brokers, func(b snapshot.Broker) bool { return b.ID == id })
	d.Away = append(d.Away, snapshot.Away{ID: id, Since: since})
}

// leaderless has only in-sync replica 1 away.
func leaderless(d *snapshot.Document) *snapshot.Partition {
	p := &d.Topics[0].Partitions[0]
	p.Leader, p.ISR = -1, []int32{1}
	away(d, 1, at.Add(2*time.Minute))
	return p
}

func TestPartition(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(d *snapshot.Document, p *snapshot.Partition)
		summary string
		has     []string // of what else is said
		not     []string
		actions []string // "do: then", loses marked by !
	}{
		{name: "preferred", summary: "1 leads: it is the preferred replica, live and in sync", has: []string{"2 in sync yes registered at 2024-05-06 07:09:09Z"},
			actions: []string{"broker 1 shuts down in order: 2 leads, ISR [2 3]", "broker 1 fails: 2 leads, ISR [2 3]"}},
		{name: "preferred could lead", change: func(_ *snapshot.Document, p *snapshot.Partition) { p.Leader = 3 },
			summary: "3 leads; the preferred replica 1 is live and in sync, and may have it back",
			actions: []string{"elect preferred: 1 leads, ISR [1 2 3]", "broker 3 shuts down in order: 1 leads", "broker 3 fails: 1 leads"}},
		{name: "preferred is behind", change: func(_ *snapshot.Document, p *snapshot.Partition) { p.Leader, p.ISR = 2, []int32{2, 3} },
			summary: "2 leads: the preferred replica 1 is live, but not in the ISR", has: []string{"1 catching up no"},
			actions: []string{"elect preferred: nothing changes: 1 is live, but not in the ISR", "broker 2 shuts down in order: 3 leads, ISR [3]; under min.insync.replicas",
				"broker 2 fails: 3 leads, ISR [3]; under min.insync.replicas", "replica 1 catches up: 2 takes it into the ISR by itself"}},
		{name: "under min ISR", change: func(_ *snapshot.Document, p *snapshot.Partition) { p.ISR = []int32{1} },
			summary: "the ISR [1] is under min.insync.replicas 2, so acks=all fails", actions: []string{"broker 1 shuts down in order: nobody leads", "broker 1 fails: nobody leads", "replica 2, 3 catches up"}},
		{name: "the only one in sync is away", change: func(d *snapshot.Document, _ *snapshot.Partition) { leaderless(d) },
			summary: "no leader: nobody of the ISR [1] is live; 2, 3 could lead only with loss, and unclean election is off (static)",
			has:     []string{"1 away yes left without shutting down in order at 2024-05-06 07:10:09Z", "last 1: it is the only member of the ISR"},
			actions: []string{"wait for broker 1: 1 leads, ISR [1]; nothing is lost", "!elect unclean, by what they have: the live replicas are measured",
				"!elect unclean: 2 leads, ISR [2]; what only 1 had is lost"}},
		{name: "away since before this Baton led", change: func(d *snapshot.Document, p *snapshot.Partition) {
			leaderless(d)
			d.Away[0].Since = time.Time{}
			p.Written = at.Add(-time.Minute)
		}, summary: "no leader", has: []string{"1 away yes has been away since before this Baton led (2024-05-06 07:08:09Z)", "until 2024-05-06 07:07:09"}},
		{name: "this Baton saw who led", change: func(d *snapshot.Document, _ *snapshot.Partition) {
			p := leaderless(d)
			p.ISR, p.LastLeader = []int32{1, 4}, &snapshot.LastLeader{Broker: 4, Lost: at}
			away(d, 4, at)
		}, summary: "nobody of the ISR [1 4] is live", has: []string{"last 4: this Baton saw it"},
			actions: []string{"wait for broker 1: 1 leads", "wait for broker 4: ", "!elect unclean, by what they have: ", "!elect unclean: 2 leads"}},
		{name: "nobody can know who led", change: func(d *snapshot.Document, _ *snapshot.Partition) {
			leaderless(d).ISR = []int32{1, 4}
			away(d, 4, at)
		}, summary: "no leader", has: []string{"last -1: it was one of the ISR, before this Baton led"}},
		{name: "nobody at all", change: func(d *snapshot.Document, _ *snapshot.Partition) {
			leaderless(d)
			away(d, 2, at)
			away(d, 3, at)
			d.Away[1].InOrder = true
		}, summary: "nobody of the ISR [1] is live, and no other replica is either", has: []string{"2 away no shut down in order at"},
			actions: []string{"wait for broker 1: 1 leads", "wait for broker 2, which is not in the ISR: nobody leads", "wait for broker 3, which is not in the ISR: nobody leads", "elect unclean: nobody leads"}},
		{name: "the topic allows unclean", change: func(d *snapshot.Document, _ *snapshot.Partition) {
			leaderless(d)
			d.Topics[0].Unclean = snapshot.Setting[bool]{Value: true, From: snapshot.FromTopic}
		}, summary: "2, 3 could lead with loss, which is allowed (topic): an election is due"},
		{name: "a strategy is measuring", change: func(d *snapshot.Document, _ *snapshot.Partition) {
			leaderless(d).Rescue = &snapshot.Rescue{Why: "3 could not be measured: no answer within 5s"}
			d.Static.Recovery, d.Topics[0].Recovery = "longest", &snapshot.Setting[string]{Value: "longest", From: snapshot.FromStatic}
		}, summary: "2, 3 could lead with loss: unclean.recovery.strategy=longest (static) has them measured, and the one that loses least leads; not yet: 3 could not be measured",
			actions: []string{"wait for broker 1: 1 leads", "!elect unclean, by what they have: ", "!elect unclean: 2 leads"}},
		{name: "a strategy waits", change: func(d *snapshot.Document, _ *snapshot.Partition) {
			leaderless(d).Rescue = &snapshot.Rescue{Until: at.Add(2 * time.Hour), Why: "one of the ISR [1] may come back within 3600 s"}
			d.Static.Recovery, d.Topics[0].Recovery = "wait", &snapshot.Setting[string]{Value: "wait", From: snapshot.FromStaticTopic}
		}, summary: "unclean.recovery.strategy=wait (static, for the topic) gives the ISR until 2024-05-06 09:08:09Z to come back; then they are measured"},
		{name: "a strategy would measure", change: func(d *snapshot.Document, p *snapshot.Partition) {
			p.ISR = []int32{1}
			d.Static.Recovery, d.Topics[0].Recovery = "longest", &snapshot.Setting[string]{Value: "longest", From: snapshot.FromStatic}
		}, summary: "1 leads", actions: []string{"broker 1 shuts down in order: nobody leads until 2, 3 are measured; then the one that loses least", "broker 1 fails: nobody leads until 2, 3 are measured", "replica 2, 3 catches up"}},
		{name: "nobody knows whether unclean is allowed", change: func(d *snapshot.Document, _ *snapshot.Partition) {
			leaderless(d)
			d.Topics[0].Unclean = snapshot.Setting[bool]{From: snapshot.Unknown, Unreadable: "no JSON"}
		}, summary: "unclean election is off (unknown)", has: []string{"cannot be read, so it is not: no JSON"}},
		{name: "the leader's directory", change: func(_ *snapshot.Document, p *snapshot.Partition) { p.FailedDirs = []int32{1} },
			summary: "1 led it and cannot serve any more: an election is due", has: []string{"1 log directory failed yes"}},
		{name: "shutting down", change: func(d *snapshot.Document, p *snapshot.Partition) { p.Leader, d.Brokers[0].Leaving = 2, true },
			summary: "2 leads: the preferred replica 1 is shutting down", has: []string{"it has asked to shut down"}},
		{name: "restarted", change: func(_ *snapshot.Document, p *snapshot.Partition) { p.Lapsed = []int32{3} }, summary: "1 leads", has: []string{"3 in sync before its restart yes"}},
		{name: "unreadable registration", change: func(d *snapshot.Document, p *snapshot.Partition) {
			d.Brokers, d.Unreadable = d.Brokers[:2], []int32{3}
		}, summary: "1 leads", has: []string{"3 registration unreadable yes"}},
		{name: "unreadable state", change: func(_ *snapshot.Document, p *snapshot.Partition) { p.Unreadable = "no JSON" },
			summary: "nobody is elected: the state znode cannot be understood", has: []string{"so nobody is elected: no JSON"}, actions: []string{}},
		{name: "to be deleted", change: func(d *snapshot.Document, _ *snapshot.Partition) {
			leaderless(d)
			d.Topics[0].Held, d.Topics[0].Marked = "its deletion was asked for", true
		}, summary: "no leader, and none is elected: its deletion was asked for", actions: []string{}},
		{name: "reassigned, torn, in doubt", change: func(d *snapshot.Document, p *snapshot.Partition) {
			p.Adding, d.Torn, d.Doubt = []int32{3}, true, "no lease"
		}, summary: "1 leads", has: []string{"adding [3], removing []", "ask again", "no lease"}},
		{name: "new", change: func(d *snapshot.Document, p *snapshot.Partition) {
			*p = snapshot.Partition{New: true, Replicas: []int32{1}, Leader: -1}
			away(d, 1, at)
		}, summary: "no leader yet: it is new, and none of its replicas is live", actions: []string{}},
	} {
		d := document()
		if c.change != nil {
			c.change(d, &d.Topics[0].Partitions[0])
		}
		e, err := Partition(d, "t", 0)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !strings.Contains(e.Summary, c.summary) {
			t.Errorf("%s: %q, want %q", c.name, e.Summary, c.summary)
		}
		text := fmt.Sprint(e.Doubts)
		for _, r := range e.Replicas {
			text += fmt.Sprintf("\n%d %s %s %s", r.Broker, r.State, map[bool]string{true: "yes", false: "no"}[r.InISR], r.Text)
		}
		if l := e.LastLeader; l != nil {
			text += fmt.Sprintf("\nlast %d: %s, until %v", l.Broker, l.How, l.Lost)
		}
		for _, x := range c.has {
			if !strings.Contains(text, x) {
				t.Errorf("%s: %q is missing in %s", c.name, x, text)
			}
		}
		if c.actions != nil && len(c.actions) != len(e.Actions) {
			t.Errorf("%s: actions %+v", c.name, e.Actions)
			continue
		}
		for i, want := range c.actions {
			want, loses := strings.CutPrefix(want, "!")
			if x := e.Actions[i]; !strings.HasPrefix(x.Do+": "+x.Then, want) || x.Loses != loses {
				t.Errorf("%s: action %+v, want %s", c.name, x, want)
			}
		}
	}
}

func TestResolve(t *testing.T) {
	d := &snapshot.Document{Topics: []snapshot.Topic{{Name: "a"}, {Name: "a-1"}, {Name: "b"}, {Name: "c-"}}}
	for name, want := range map[string]string{
		"a": "a -1 ", "a-0": "a 0 ", "a-1": "a-1 -1 a-1 is a topic; for partition 1 of topic a give --partition", "a-1-2": "a-1 2 ", "b-3": "b 3 ", "c-": "c- -1 ",
		"d": "there is no topic d", "d-1": "there is no topic d-1, and none d", "b--1": "there is no topic b--1, and none b-", "-1": "there is no topic -1",
		"b-9999999999": "there is no topic b-9999999999",
	} {
		topic, n, also, err := Resolve(d, name)
		got := fmt.Sprintf("%s %d %s", topic, n, also)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !slices.Equal(Candidates("a-1"), []string{"a-1", "a"}) || !slices.Equal(Candidates("a"), []string{"a"}) {
		t.Error(Candidates("a-1"), Candidates("a"))
	}
}

func TestNoSuchThing(t *testing.T) {
	d := document()
	if _, err := Partition(d, "u", 0); err == nil || !strings.Contains(err.Error(), "there is no topic u") {
		t.Error(err)
	}
	if _, err := Partition(d, "t", 1); err == nil || !strings.Contains(err.Error(), "has no partition 1; it has 1 partitions") {
		t.Error(err)
	}
	if _, err := Topic(d, "u"); err == nil {
		t.Error("an unknown topic is explained")
	}
	if list, err := Topic(d, "t"); err != nil || len(list) != 1 || list[0].Leader != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}
