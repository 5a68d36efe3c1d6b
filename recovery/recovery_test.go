package recovery

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// exact is a log without doubt, as the cases resolve others into.
type exact struct {
	epoch int32
	end   int64
}

func (a exact) ahead(b exact) bool { return a.epoch > b.epoch || a.epoch == b.epoch && a.end > b.end }

// resolutions are all logs that l may be.
func resolutions(l Log) (out []exact) {
	for e := l.Last.Min; e <= l.Last.Max; e++ {
		out = append(out, exact{e, l.End})
	}
	return out
}

func logs(epochs int32, ends int64) (out []Log) {
	for lo := range epochs {
		for hi := lo; hi < epochs; hi++ {
			for end := range ends {
				out = append(out, Log{End: end + 1, Last: Epochs{lo, hi}})
			}
		}
	}
	return out
}

// TestCompareHoldsForEveryEpochWithinTheBounds compares with every log that each of the two may be.
func TestCompareHoldsForEveryEpochWithinTheBounds(t *testing.T) {
	for _, a := range logs(4, 4) {
		for _, b := range logs(4, 4) {
			var ahead, behind bool
			for _, x := range resolutions(a) {
				for _, y := range resolutions(b) {
					ahead, behind = ahead || x.ahead(y), behind || y.ahead(x)
				}
			}
			want := Unknown
			switch {
			case ahead && !behind:
				want = Ahead
			case behind && !ahead:
				want = Behind
			case !ahead && !behind && a.Last.Known() && b.Last.Known():
				want = Equal
			}
			if got := Compare(a, b); got != want {
				t.Fatalf("%+v with %+v: %d, want %d", a, b, got, want)
			}
			if got := Compare(a, b); got == Ahead && !better(a, b) || got == Behind && !better(b, a) {
				t.Fatalf("%+v with %+v: better does not agree with %d", a, b, got)
			}
		}
	}
}

// TestNobodyIsAheadOfAChoiceWithoutDoubts tries all sets of three live replicas, silent ones included.
func TestNobodyIsAheadOfAChoiceWithoutDoubts(t *testing.T) {
	all := []*Log{nil}
	for _, l := range logs(3, 2) {
		all = append(all, &l)
	}
	sure := 0
	for _, a := range all {
		for _, b := range all {
			for _, c := range all {
				live := []Candidate{{ID: 3, Log: a}, {ID: 1, Log: b}, {ID: 2, Log: c}}
				for _, w := range []Which{{By: Longest}, {By: First}, {By: ByID, ID: 2}} {
					ch := Choose(live, w)
					checkChoice(t, live, w, ch)
					if len(ch.Doubts) == 0 {
						sure++
					}
				}
			}
		}
	}
	if sure == 0 {
		t.Error("no choice is without doubts")
	}
}

func checkChoice(t *testing.T, live []Candidate, w Which, ch Choice) {
	t.Helper()
	silent := slices.ContainsFunc(live, func(c Candidate) bool { return c.Log == nil })
	none := !slices.ContainsFunc(live, func(c Candidate) bool { return c.Log != nil })
	if none && w.By == Longest {
		if ch.Leader != -1 {
			t.Fatalf("%d is chosen as the longest of what nobody has measured", ch.Leader)
		}
		return
	}
	i := slices.IndexFunc(live, func(c Candidate) bool { return c.ID == ch.Leader })
	if i < 0 {
		t.Fatalf("%v: nobody is chosen of %v", w, live)
	}
	beaten := false
	if !silent {
		for _, x := range resolutions(*live[i].Log) {
			for j := range live {
				for _, y := range resolutions(*live[j].Log) {
					beaten = beaten || j != i && y.ahead(x)
				}
			}
		}
	}
	if doubt := len(ch.Doubts) > 0; doubt != (silent || beaten) {
		t.Fatalf("%v: %d chosen, doubts %q; silent %v, may be beaten %v", w, ch.Leader, ch.Doubts, silent, beaten)
	}
}

func log(epoch int32, end int64) *Log { return &Log{End: end, Last: Exactly(epoch)} }

func TestChoose(t *testing.T) {
	longWrong := []Candidate{{ID: 1, Log: log(4, 2000)}, {ID: 2, Log: log(5, 900)}}
	vague := []Candidate{{ID: 1, Log: &Log{End: 2000, Last: Epochs{4, 6}}}, {ID: 2, Log: log(5, 900)}}
	silent := []Candidate{{ID: 1, Silent: "timed out"}, {ID: 2, Log: log(5, 900)}}
	for _, c := range []struct {
		name, which string
		live        []Candidate
		leader      int32
		doubts      string // a part of them
	}{
		{"the longer log is the wrong one", "longest", longWrong, 2, ""},
		{"the longer log is asked for", "1", longWrong, 1, "2 has more: last epoch 5, end 900, and 1 has last epoch 4, end 2000"},
		{"Kafka's own choice", "first", longWrong, 1, "2 has more"},
		{"epochs overlap", "longest", vague, 1, "epoch unknown: 2 may have more than 1"},
		{"a silent one", "longest", silent, 2, "1 could not be measured: timed out"},
		{"the silent one by its id", "1", silent, 1, "1 could not be measured"},
		{"all silent", "longest", silent[:1], -1, "no live replica could be measured"},
		{"all silent, first", "first", silent[:1], 1, "1 could not be measured"},
		{"not live", "7", silent, -1, "7 is not a live replica"},
		{"nobody is live", "longest", nil, -1, "no replica is live"},
		{"equal: the preferred one", "longest", []Candidate{{ID: 9, Log: log(5, 9)}, {ID: 1, Log: log(5, 9)}}, 9, ""},
	} {
		w, err := ParseWhich(c.which)
		if err != nil {
			t.Fatal(err)
		}
		got := Choose(c.live, w)
		text := strings.Join(got.Doubts, "; ")
		if got.Leader != c.leader || (text == "") != (c.doubts == "") || !strings.Contains(text, c.doubts) {
			t.Errorf("%s: %d, %q; want %d, %q", c.name, got.Leader, text, c.leader, c.doubts)
		}
	}
	for _, bad := range []string{"", "-1", "Longest", "1x", "99999999999"} {
		if _, err := ParseWhich(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// TestParts: the same records up to the end of the newest epoch that both have, of the one that has fewer of it.
func TestParts(t *testing.T) {
	c := func(end int64, h ...Began) Candidate { return Candidate{Log: &Log{End: end}, History: h} }
	for _, tc := range []struct {
		name string
		a, b Candidate
		want int64 // -1: not known
	}{
		{"a later leader began where the other's records were not committed", c(90, Began{0, 0}), c(65, Began{0, 0}, Began{2, 60}), 60},
		{"the shorter is the beginning", c(40, Began{0, 0}), c(65, Began{0, 0}, Began{2, 60}), 40},
		{"epochs on both sides", c(90, Began{1, 0}, Began{4, 70}), c(80, Began{1, 0}, Began{3, 50}, Began{5, 60}), 50},
		{"the same", c(9, Began{1, 3}), c(9, Began{1, 3}), 9},
		{"nothing in common that is known", c(9, Began{1, 3}), c(9, Began{2, 3}), -1},
		{"not asked for", c(9), c(9, Began{2, 3}), -1},
		{"silent", Candidate{}, c(9, Began{2, 3}), -1},
	} {
		for _, x := range [][2]Candidate{{tc.a, tc.b}, {tc.b, tc.a}} {
			got, known := Parts(x[0], x[1])
			if known != (tc.want >= 0) || known && got != tc.want {
				t.Errorf("%s: %d, %v, want %d", tc.name, got, known, tc.want)
			}
		}
	}
}

func TestLoss(t *testing.T) {
	c := Candidate{ID: 2, Log: &Log{Start: 100, End: 1000, Last: Exactly(5)}}
	longer := Candidate{ID: 3, Log: &Log{Start: 100, End: 1200, Last: Exactly(5)}}
	stale := Candidate{ID: 4, Log: &Log{End: 3000, Last: Exactly(4)}}
	wrong := Candidate{ID: 5, Log: &Log{End: 1300, Last: Exactly(4)}, History: History{{2, 0}, {4, 800}}}
	right := Candidate{ID: 6, Log: &Log{End: 1000, Last: Exactly(5)}, History: History{{2, 0}, {4, 800}, {5, 930}}}
	kept := func(end int64, epoch int32) *Sample {
		return &Sample{End: end, Most: end, Epoch: epoch, History: []Span{{epoch, Open}}}
	}
	sampled := func(end, most int64, epoch int32, history ...Span) *Sample {
		return &Sample{End: end, Most: most, AgeMS: 720, PaceMS: 95_000, Epoch: epoch, History: history}
	}
	const age = "the leader's log 0.7 s before it was lost"
	const pace = age + ", if it grew no faster than in the 95 s before that"
	for _, tc := range []struct {
		name   string
		live   []Candidate
		leader *Sample
		want   string
		from   string
	}{
		{"nothing to compare with", []Candidate{c}, nil, "unknown", ""},
		{"another has more", []Candidate{c, longer}, nil, "at least 200", "replica 3"},
		{"an older log that is longer is not the better one", []Candidate{c, stale}, nil, "unknown", ""},
		{"the longer log is the wrong one", []Candidate{right, wrong}, nil, "unknown", ""},
		{"the leader's log, kept", []Candidate{c, longer}, kept(1500, 5), "500", "the leader's log"},
		{"kept, and no more than the candidate's", []Candidate{c}, kept(1000, 5), "0", "the leader's log"},
		{"kept, parted somewhere", []Candidate{c}, kept(1500, 4), "500…1400", "the leader's log"},
		{"kept, parted somewhere, shorter", []Candidate{c}, kept(900, 4), "0…800", "the leader's log"},
		{"one sample says nothing of the pace", []Candidate{c}, sampled(1500, Open, 5), "at least 500", age},
		{"a sample that others have overtaken", []Candidate{c, longer}, sampled(1100, Open, 5), "at least 200", "replica 3"},
		{"an idle leader", []Candidate{c}, sampled(1500, 1500, 5), "500", pace},
		{"a busy one", []Candidate{c}, sampled(1500, 1530, 5), "500…530", pace},
		{"a busy one that the candidate followed on", []Candidate{c}, sampled(990, 1020, 5), "0…20", pace},
		{"a busy one, and somebody who followed on", []Candidate{c, longer}, sampled(1100, 1300, 5), "200…300", pace + ", and replica 3"},
		{"faster than ever before", []Candidate{c, longer}, sampled(1100, 1150, 5), "200", pace + ", and replica 3"},
		{"its epoch is the one before the leader's", []Candidate{c}, sampled(1500, 1500, 7, Span{7, 1200}, Span{5, Open}), "500", pace},
		{"likewise, with records that the leader never had", []Candidate{c}, sampled(1500, 1500, 7, Span{7, 900}, Span{5, Open}), "600", pace},
		{"the leader was one already in the candidate's epoch", []Candidate{c}, sampled(1500, 1500, 7, Span{4, 900}), "500", pace},
		{"its epoch is not among the last of the leader's", []Candidate{c}, sampled(1500, 1500, 9, Span{9, 1200}, Span{8, 950}, Span{6, 940}), "560…1400", pace},
		{"an epoch that the leader skipped", []Candidate{c}, sampled(1500, 1500, 9, Span{9, 950}, Span{4, Open}), "550…1400", pace},
	} {
		got := LossOf(c, tc.live, tc.leader)
		if got.String() != tc.want || got.From != tc.from {
			t.Errorf("%s: %v (%s), want %s (%s)", tc.name, got, got.From, tc.want, tc.from)
		}
	}
	if got := LossOf(wrong, []Candidate{right, wrong}, nil); got.String() != "at least 70" {
		t.Errorf("the longer log leads, and has parted: %v, want at least 70", got)
	}
	if got := LossOf(Candidate{ID: 2}, nil, kept(5, 5)); got.Known {
		t.Errorf("the loss of a replica that was not measured: %v", got)
	}
}

// record is one of a log's: the leader epoch it was written in, and what nobody else has written.
type record struct {
	epoch int32
	by    int
}

// replicas play leaders and followers: each epoch somebody leads, writes, and others copy. begun is the history of the last
// leader, who has led without a break in the newest reign epochs of it.
func replicas(r *rand.Rand) (logs [3][]record, leader int, epoch int32, begun []Span, reign int) {
	for epoch = range int32(1 + r.IntN(6)) {
		was := leader
		if leader = r.IntN(3); leader != was || epoch == 0 {
			begun, reign = nil, 0
			for at, rec := range logs[leader] {
				if len(begun) == 0 || begun[0].Epoch != rec.epoch {
					begun = append([]Span{{rec.epoch, int64(at)}}, begun...)
				}
			}
		}
		own := &logs[leader]
		begun, reign = append([]Span{{epoch, int64(len(*own))}}, begun...), reign+1
		for range r.IntN(4) {
			*own = append(*own, record{epoch, r.Int()})
		}
		for id := range logs {
			if id != leader && r.IntN(2) == 0 {
				common := parted(logs[id], *own)
				upTo := common + r.IntN(len(*own)-common+1)
				logs[id] = slices.Clone((*own)[:upTo])
			}
		}
	}
	return logs, leader, epoch, begun, reign
}

func parted(a, b []record) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// TestTheRealLossLiesInTheInterval plays many histories of three replicas, loses the leader, and compares what was lost with
// what is said of it from a sample that is older than the loss, and knows some of the leader's history.
func TestTheRealLossLiesInTheInterval(t *testing.T) {
	exact := 0
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		logs, leader, epoch, history, reign := replicas(r)
		whole := logs[leader]
		end := len(whole) - r.IntN(min(3, len(whole)+1))
		known := history[r.IntN(reign):] // what was asked for a few epochs ago, and not all of it
		known = known[:r.IntN(len(known)+1)]
		if len(known) > 0 && r.IntN(2) == 0 {
			known = slices.Clone(known)
			known[len(known)-1].Start = Open
		}
		s := &Sample{End: int64(end), Most: int64(len(whole) + r.IntN(2)), AgeMS: 5, Epoch: epoch, History: known}
		for id, l := range logs {
			if id == leader {
				continue
			}
			c := Candidate{ID: int32(id), Log: &Log{End: int64(len(l)), Last: Exactly(NoEpoch)}}
			if len(l) > 0 {
				c.Log.Last = Exactly(l[len(l)-1].epoch)
			}
			got, real := LossOf(c, nil, s), int64(len(whole)-parted(l, whole))
			if real < got.Min || real > got.Max {
				t.Fatalf("seed %d: %d lost, said %v: leader %v, candidate %v, history %v of %v", seed, real, got, whole, l, known, history)
			}
			if got.Min == got.Max {
				exact++
			}
		}
	}
	t.Logf("exact: %d of 40000", exact)
	if exact < 5_000 {
		t.Errorf("only %d of 40000 are exact", exact)
	}
}
