package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/e2e/kafka"
	"baton/wire"
)

// Both controllers play all scenarios on a small cluster, and end with the same states. How long they take is not judged.
func TestBothArriveAtTheSame(t *testing.T) {
	kafka.RequireJava(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	f, err := parse([]string{"-partitions", "1000", "-storm", "200", "-runs", "1", "-contenders", "kafka,baton"})
	if err != nil {
		t.Fatal(err)
	}
	var all []result
	if err := f.play(ctx, func(r result) { all = append(all, r) }); err != nil {
		t.Fatal(err)
	}
	var tables, picture bytes.Buffer
	if err := text(&tables, report(all)); err != nil {
		t.Fatal(err)
	}
	if err := plot(&picture, all); err != nil {
		t.Fatal(err)
	}
	t.Log(tables.String())
	known := func(r result) float64 { return seconds(r) + liveHeap(r) }
	for _, k := range rows(all) {
		for _, n := range names(all) {
			ofBaton := strings.HasPrefix(k.scenario, "failover, warm") || strings.Contains(k.scenario, "Baton's own") || strings.Contains(k.scenario, "after a broker")
			if _, _, ok := median(all, k, n, known); !ok && (n == "baton" || !ofBaton) {
				t.Errorf("%s has no figure for %s", n, k.scenario)
			}
		}
		if plotted(all, k) && !strings.Contains(picture.String(), ">"+k.scenario+",") {
			t.Errorf("%s is not in the plot", k.scenario)
		}
	}
	judged := goals(all)
	for _, a := range aims {
		if a.from == 0 && a.against != "tuned" && !strings.HasPrefix(a.scenario, "failover") && !slices.ContainsFunc(judged.rows, func(r []string) bool { return strings.HasPrefix(r[1], a.what) }) {
			t.Errorf("nothing is said of the goal %q", a.what)
		}
	}
}

func TestTold(t *testing.T) {
	l := newLayout(50, 5)
	s, other := &stub{id: 101}, &stub{id: 102}
	a := &audience{layout: l, stubs: []*stub{s, other}}
	g := &goal{name: "g", needs: func(broker int32, i int) (bool, bool) { return l.has(i, broker), i == 0 },
		met: func(_ int, h *heard) bool { return h.leader == 102 && !h.inSync(101) }}
	a.begin([]*stub{other}, g)
	if g.missing[1] != 0 {
		t.Fatal("who is absent is waited for:", g.missing)
	}
	a.begin(nil, g)
	if g.missing[0] != 31 || g.missing[1] != 31 { // three of five partitions each, and one in the metadata
		t.Fatal(g.missing)
	}
	begun := time.Now()
	at := begun.Add(time.Millisecond)
	hear := func(n, kind, i int, leader int32, isr ...int32) {
		h := heard{leader: leader, n: int8(len(isr))}
		copy(h.isr[:], isr)
		a.hear(n, kind, &frame{begun: begun, at: at}, i, &h, []*goal{g})
	}
	hear(0, 1, 0, 101, 101, 102) // the state of before
	hear(0, 1, 0, 102, 101, 102)
	if g.missing[0] != 31 {
		t.Error("taken for the goal:", g.missing)
	}
	hear(0, 1, 0, 102, 102)
	hear(0, 1, 0, 102, 102)
	if g.missing[0] != 30 || !g.first.IsZero() {
		t.Error("not taken for it, or a leader's news for LeaderAndIsr:", g.missing, g.first)
	}
	for n := range a.stubs {
		for i := range l.partitions {
			hear(n, 0, i, 102, 102)
			hear(n, 1, i, 102, 102)
		}
	}
	if progress([]*goal{g}) != "" || !g.last().Equal(at) || !g.first.Equal(begun) {
		t.Error(progress([]*goal{g}), g.at, g.first)
	}
}

func TestLayout(t *testing.T) {
	l := newLayout(100, 7)
	l.grow("one", 1, 10)
	l.grow("many", 20, 1)
	if l.total() != 130 {
		t.Fatal(l.total())
	}
	for i := range l.total() {
		for _, b := range l.brokers {
			if l.has(i, b) != slices.Contains(l.replicas(i), b) {
				t.Fatalf("partition %d on %v: %d", i, l.replicas(i), b)
			}
		}
		topic, number := l.spot(i)
		if from, n := l.find([]byte(topic)); from+number != i || number >= n {
			t.Fatal(i, topic, number, from, n)
		}
	}
	for _, topic := range []string{"many-0000020", "__consumer_offsets", "base-", "two-0000000"} {
		if _, n := l.find([]byte(topic)); n != 0 {
			t.Errorf("%s is taken for one of ours", topic)
		}
	}
}

// What stubs read and answer without the message library is what it writes and reads.
func TestScan(t *testing.T) {
	lai := kmsg.NewPtrLeaderAndISRRequest()
	lai.Version, lai.ControllerEpoch, lai.BrokerEpoch = leaderAndISRVersion, 7, 70
	um := kmsg.NewPtrUpdateMetadataRequest()
	um.Version, um.ControllerEpoch = updateMetadataVersion, 7
	for n, name := range []string{"base-0000000", "base-0000001"} {
		a, b := kmsg.NewLeaderAndISRRequestTopicState(), kmsg.NewUpdateMetadataRequestTopicState()
		a.Topic, b.Topic, a.TopicID, b.TopicID = name, name, topicID(n), topicID(n)
		for p := range int32(3) {
			x, y := kmsg.NewLeaderAndISRRequestTopicPartition(), kmsg.NewUpdateMetadataRequestTopicPartition()
			x.Partition, x.Leader, x.LeaderEpoch, x.ISR, x.Replicas, x.AddingReplicas = p, 101+p, 5, []int32{101 + p, 105}, []int32{101, 102, 105}, []int32{105}
			y.Partition, y.Leader, y.LeaderEpoch, y.ISR, y.Replicas, y.OfflineReplicas = p, 101+p, 5, []int32{101 + p, 105}, []int32{101, 102, 105}, []int32{102}
			a.PartitionStates, b.PartitionStates = append(a.PartitionStates, x), append(b.PartitionStates, y)
		}
		lai.TopicStates, um.TopicStates = append(lai.TopicStates, a), append(um.TopicStates, b)
	}
	lai.LiveLeaders = []kmsg.LeaderAndISRRequestLiveLeader{{BrokerID: 101, Host: "h", Port: 1}}
	for key, body := range map[int16][]byte{wire.LeaderAndIsr: lai.AppendTo(nil), wire.UpdateMetadata: um.AppendTo(nil)} {
		var topics []string
		var partitions int32
		_, err := walk(key, body, visitor{
			topic: func(name, _ []byte, n int) { topics = append(topics, string(name)) },
			partition: func(p int32, h heard) {
				if want := (heard{controller: 7, leader: 101 + p, epoch: 5, isr: [4]int32{101 + p, 105}, n: 2}); h != want || p != partitions%3 {
					t.Errorf("%d: %+v, expected %+v", p, h, want)
				}
				partitions++
			},
		})
		if err != nil || partitions != 6 || !slices.Equal(topics, []string{"base-0000000", "base-0000001"}) {
			t.Error(key, topics, partitions, err)
		}
		for n := range len(body) / 2 { // live brokers come after the partitions
			if _, err := walk(key, body[:n], visitor{topic: func(_, _ []byte, _ int) {}, partition: func(int32, heard) {}}); err == nil {
				t.Fatalf("%d of %d bytes of request %d are enough", n, len(body), key)
			}
		}
	}
	answer, err := welcome(lai.AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := wire.DecodeResponse(wire.LeaderAndIsr, leaderAndISRVersion, answer)
	if err != nil {
		t.Fatal(err)
	}
	got := resp.(*kmsg.LeaderAndISRResponse)
	if got.ErrorCode != 0 || len(got.Topics) != 2 || got.Topics[1].TopicID != topicID(1) || len(got.Topics[1].Partitions) != 3 ||
		got.Topics[1].Partitions[2].Partition != 2 {
		t.Errorf("%+v", got)
	}
}

// A goal is met by seconds, by CPU seconds where the machine was busy, or not.
func TestGoals(t *testing.T) {
	at := func(who string, secs, cpu, load float64) result {
		return result{Contender: who, Size: "10 on 5", Scenario: "broker lost", Run: 1, Load: load, Affected: 6, Seconds: secs, ControllerCPU: cpu, Requests: 3}
	}
	for _, c := range []struct {
		baton result
		met   string
	}{{at("baton", 1, 10, 0), "yes"}, {at("baton", 2, 1, 0), "**no**"}, {at("baton", 2, 1, 3), "yes, by CPU seconds: the machine was busy"},
		{at("baton", 2, 10, 3), "**no**"}} {
		rows := goals([]result{at("kafka", 20, 20, 0), c.baton}).rows
		if len(rows) != 2 || rows[0][5] != c.met || rows[1][5] != "**no**" { // half a request for each partition
			t.Errorf("%+v: %q, expected %q", c.baton, rows, c.met)
		}
	}
}

// The tables replace those that the page had.
func TestPage(t *testing.T) {
	name := filepath.Join(t.TempDir(), "page.md")
	all := []result{{Contender: "baton", Size: "10 on 5", Scenario: "failover", Run: 1, Seconds: 2}}
	write := func(text string) {
		if err := file(name, func(w io.Writer) error { _, err := w.Write([]byte(text)); return err }); err != nil {
			t.Fatal(err)
		}
	}
	write("a\n" + pageBegin + "\nold\n" + pageEnd + "\nb\n")
	if err := page(name, all); err != nil {
		t.Fatal(err)
	}
	got := string(markdown(report(all)))
	if !strings.Contains(got, "| 10 on 5 | failover | 2.000 (2.000) |") {
		t.Error(got)
	}
	write("nothing")
	if err := page(name, all); err == nil {
		t.Error("a page without a place for tables is taken")
	}
}
